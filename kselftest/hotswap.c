// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things that change while frames are under way: nothing is lost, and nothing
 * old is used.
 */
#include "kselftest/vmm.h"

#include <pthread.h>
#include <stdatomic.h>

#define NUM	256
#define FRAMES	2000

static struct vmm vmm;
static struct wire wire;
static atomic_bool done;
static atomic_uint changes;
static int kicks[2], calls[2];

/* Each is done over and over by a thread; returns 0 or an error. */

static int swap_kick(unsigned int i)
{
	return vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, TX, kicks[i & 1]) ?:
	       vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, RX, kicks[i & 1]);
}

static int swap_call(unsigned int i)
{
	return vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, calls[i & 1]) ?:
	       vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, RX, calls[i & 1]);
}

static int swap_mem(unsigned int i)
{
	(void)i;
	return vmm_set_mem(&vmm);
}

static int stop_and_start(unsigned int i)
{
	int q = i & 1;

	return vmm_backend(&vmm, q, -1) ?: vmm_backend(&vmm, q, wire.tap);
}

static int start_again(unsigned int i)
{
	return vmm_backend(&vmm, i & 1, wire.tap);
}

static int same_features(unsigned int i)
{
	(void)i;
	return vmm_set_features(&vmm);
}

static int same_addresses(unsigned int i)
{
	struct vhost_vring_addr addr = vmm_addr(&vmm, i & 1);

	return vmm_ioctl(vmm.dev, VHOST_SET_VRING_ADDR, &addr);
}

static int change_policy(unsigned int i)
{
	static const char *const names[] = { "inline", "worker", "softirq", "adaptive" };

	return vmm_set_policy(&vmm, names[i % 4]) ? 0 : -1;
}

static int read_counters(unsigned int i)
{
	return vmm_counter(&vmm, i & 1, "kicks") < 0;
}

static const struct change {
	const char	*name;
	int		(*change)(unsigned int i);
	bool		debugfs;
} list[] = {
	{ "the kick eventfd is swapped", swap_kick, false },
	{ "the call eventfd is swapped", swap_call, false },
	{ "the memory table is replaced", swap_mem, false },
	{ "queues are stopped and started", stop_and_start, false },
	{ "queues are started again", start_again, false },
	{ "features are set again", same_features, false },
	{ "addresses are set again", same_addresses, false },
	{ "the policy changes", change_policy, true },
	{ "counters are read", read_counters, true },
};

static void *keep_changing(void *arg)
{
	const struct change *change = arg;
	unsigned int i;
	long err = 0;

	for (i = 0; !err && !atomic_load(&done); i++) {
		err = change->change(i);
		atomic_store(&changes, i);
	}
	/* Back to the first of each pair. */
	return (void *)(err ?: (long)change->change(0));
}

/* A call may come by either eventfd. */
static bool wait_used(struct ring *ring)
{
	struct pollfd fds[2] = {
		{ .fd = calls[0], .events = POLLIN },
		{ .fd = calls[1], .events = POLLIN },
	};

	for (;;) {
		if (ring->event_idx) {
			*ring_used_event(ring) = ring->used_idx;
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		}
		if (ring_has_used(ring))
			return true;
		if (poll(fds, 2, 5000) < 1)
			return because("no call; used->idx %u, seen %u",
				       ring->used->idx, ring->used_idx);
		ring_drain_event(calls[0]);
		ring_drain_event(calls[1]);
	}
}

/* Kick both, so that the one that is set is among them. */
static void kick(struct ring *ring)
{
	ring_publish(ring);
	ring_signal(kicks[0]);
	ring_signal(kicks[1]);
}

static bool one_out(unsigned int i)
{
	uint8_t frame[100];

	wire_fill(frame, sizeof(frame), i);
	must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	kick(&vmm.q[TX]);
	return wire_expect(&wire, frame, sizeof(frame)) &&
	       wait_used(&vmm.q[TX]) && ring_reap(&vmm.q[TX], NULL) >= 0;
}

static bool one_in(unsigned int i)
{
	uint8_t frame[100];
	uint32_t used;
	int head;

	wire_fill(frame, sizeof(frame), i);
	must(vmm_add_buffer(&vmm, 200) >= 0);
	kick(&vmm.q[RX]);
	if (!wire_send(&wire, frame, sizeof(frame)) || !wait_used(&vmm.q[RX]))
		return false;
	head = ring_reap(&vmm.q[RX], &used);
	return head >= 0 && equal(used, VMM_HDR + sizeof(frame), "used length") &&
	       (!memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, sizeof(frame)) ||
		because("the frame has changed"));
}

static bool frames_pass(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++)
		if (!one_out(i) || !one_in(i))
			return because("frame %u, %u changes", i,
				       atomic_load(&changes));
	return true;
}

/* With bursts: what is under way is more than one frame. */
static bool bursts_pass(void)
{
	uint8_t frame[100];
	unsigned int round, i;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 64; i++) {
			wire_fill(frame, sizeof(frame), i);
			must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
		}
		kick(&vmm.q[TX]);
		for (i = 0; i < 64; i++) {
			wire_fill(frame, sizeof(frame), i);
			if (!wire_expect(&wire, frame, sizeof(frame)) ||
			    !wait_used(&vmm.q[TX]) ||
			    ring_reap(&vmm.q[TX], NULL) < 0)
				return because("round %u, frame %u", round, i);
		}
	}
	return true;
}

/* The same to the guest: frames that a stop finds under way wait for a start. */
static bool bursts_come_in(void)
{
	uint8_t frame[100];
	unsigned int round, i;
	int head;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 64; i++)
			must(vmm_add_buffer(&vmm, 200) >= 0);
		kick(&vmm.q[RX]);
		for (i = 0; i < 64; i++) {
			wire_fill(frame, sizeof(frame), i);
			must(wire_send(&wire, frame, sizeof(frame)));
		}
		for (i = 0; i < 64; i++) {
			wire_fill(frame, sizeof(frame), i);
			if (!wait_used(&vmm.q[RX]))
				return because("round %u, frame %u", round, i);
			head = ring_reap(&vmm.q[RX], NULL);
			if (head < 0 || memcmp(vmm_buffer(&vmm, head) + VMM_HDR,
					       frame, sizeof(frame)))
				return because("round %u, frame %u is another",
					       round, i);
		}
	}
	return true;
}

static void while_changing(const struct change *change, const char *name)
{
	pthread_t thread;
	void *err;
	bool good;

	if (change->debugfs && !vmm_has_counters())
		return;
	atomic_store(&done, false);
	must(!pthread_create(&thread, NULL, keep_changing, (void *)change));
	good = frames_pass() && bursts_pass() && bursts_come_in();
	atomic_store(&done, true);
	must(!pthread_join(thread, &err));
	good = equal((long)err, 0, "errno of the change") && good;
	claim(good, "no frame is lost while %s, %s", change->name, name);
	note("%u changes", atomic_load(&changes));
}

/* BUGCLASSES D1: the ring moves, the old one is left alone. */
static bool ring_moves(int q)
{
	bool (*one)(unsigned int i) = q == RX ? one_in : one_out;
	static uint8_t old[3 * RING_PART];
	struct ring *ring = &vmm.q[q];
	uint8_t *from, *to;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		from = ring->area;
		ring->area = NULL;
		must(ring_map(ring));
		to = ring->area;
		memcpy(to, from, 3 * RING_PART);
		if (!equal(-same_addresses(q), 0, "SET_VRING_ADDR"))
			return false;
		memset(from, 0xee, 3 * RING_PART);
		memcpy(old, from, sizeof(old));
		if (!one(i) || !one(i + 1))
			return because("move %u", i);
		if (memcmp(old, from, sizeof(old)))
			return because("the old ring was written to");
		munmap(from, 3 * RING_PART);
	}
	return true;
}

/* A region that is withdrawn is not reached any more. */
static bool region_withdrawn(void)
{
	struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r;
	} half = { 1, 0, { VMM_GPA + VMM_SPLIT, VMM_SPLIT,
			   (uintptr_t)vmm.mem + VMM_SPLIT, 0 } };
	uint8_t frame[100] = { };

	must(!vmm_ioctl(vmm.dev, VHOST_SET_MEM_TABLE, &half));
	must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	kick(&vmm.q[TX]);
	if (!ring_poll(vmm.q[TX].err, 5000))
		return because("the old region is used still");
	must(!vmm_set_mem(&vmm));
	must(!vmm_restart_queue(&vmm, TX, wire.tap, 0));
	must(!swap_kick(0) && !swap_call(0));
	return one_out(1) && one_in(2);
}

static void with(uint64_t features, const char *name)
{
	unsigned int i;

	vmm_run(&vmm, &wire, VMM_BASIC | features, NUM);
	must(!swap_kick(0) && !swap_call(0));
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		while_changing(&list[i], name);
	must(!vmm_has_counters() || vmm_set_policy(&vmm, "softirq"));
	for (i = RX; i <= TX; i++)
		claim(ring_moves(i), "the %s ring may move while it runs, %s",
		      i == RX ? "RX" : "TX", name);
	claim(region_withdrawn(), "a region that is withdrawn is not used, %s",
	      name);
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	unsigned int i;

	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	for (i = 0; i < 2; i++) {
		kicks[i] = eventfd(0, EFD_NONBLOCK);
		calls[i] = eventfd(0, EFD_NONBLOCK);
		must(kicks[i] >= 0 && calls[i] >= 0);
	}
	with(0, "plain");
	with(VMM_EVENT_IDX, "with event index");
	wire_close(&wire);
	return report_end();
}
