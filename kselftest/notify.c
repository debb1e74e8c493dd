// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is told when, and who does the work: kicks, calls, and policies.
 */
#include "kselftest/vmm.h"

#include <pthread.h>
#include <sys/wait.h>

static struct vmm vmm;
static struct wire wire;
static uint8_t frame[128];

static void post(uint32_t seed)
{
	wire_fill(frame, sizeof(frame), seed);
	must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
}

/* BUGCLASSES B3: what is there when the queue starts is found. */
static bool kick_before_backend(uint64_t features)
{
	bool good;

	vmm_open(&vmm, VMM_BASIC | features, 256);
	must(!vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL));
	post(1);
	ring_publish(&vmm.q[TX]);
	ring_signal(vmm.q[TX].kick);
	must(!vmm_configure(&vmm));
	good = !vmm_start(&vmm, wire.tap) &&
	       wire_expect(&wire, frame, sizeof(frame)) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000) && vmm_works(&vmm, &wire);
	vmm_close(&vmm);
	return good;
}

/* The same with a frame that waits in the tap. */
static bool frame_before_backend(uint64_t features)
{
	bool good;

	vmm_open(&vmm, VMM_BASIC | features, 256);
	must(!vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL));
	must(!vmm_configure(&vmm));
	must(vmm_add_buffer(&vmm, 512) >= 0);
	ring_publish(&vmm.q[RX]);
	wire_fill(frame, sizeof(frame), 3);
	must(wire_send(&wire, frame, sizeof(frame)));
	good = !vmm_start(&vmm, wire.tap) && ring_reap_n(&vmm.q[RX], 1, 5000) &&
	       vmm_works(&vmm, &wire);
	vmm_close(&vmm);
	return good;
}

/* A kick eventfd that comes while the queue runs may have been kicked. */
static bool kick_before_eventfd(void)
{
	int old = vmm.q[TX].kick, new = eventfd(0, EFD_NONBLOCK);
	bool good;

	must(new >= 0);
	post(4);
	ring_publish(&vmm.q[TX]);
	ring_signal(new);
	good = equal(vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, TX, new), 0, "errno") &&
	       wire_expect(&wire, frame, sizeof(frame)) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000);
	vmm.q[TX].kick = new;
	close(old);
	return good;
}

/* A pump that is still at it ends first: it holds the queue's lock. */
static void settle(void)
{
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_ERR, TX, vmm.q[TX].err));
}

/* One frame out, and whether a call comes for it. */
static bool sent_with_call(bool called)
{
	struct ring *ring = &vmm.q[TX];
	bool got;

	ring_drain_event(ring->call);
	post(5);
	ring_kick(ring);
	if (!wire_expect(&wire, frame, sizeof(frame)))
		return false;
	got = ring_poll(ring->call, called ? 5000 : 50);
	if (got != called)
		return because(called ? "no call came" : "a call came");
	while (!ring_has_used(ring))
		poll(NULL, 0, 1);
	settle();
	return ring_reap(ring, NULL) >= 0;
}

static bool no_interrupt_obeyed(void)
{
	long long before = vmm_counter(&vmm, TX, "calls_suppressed");
	bool good;

	vmm.q[TX].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	good = sent_with_call(false) && sent_with_call(false) &&
	       vmm_counted(&vmm, TX, "calls_suppressed", before + 2);
	vmm.q[TX].avail->flags = 0;
	return good && sent_with_call(true) && sent_with_call(true);
}

static bool used_event_obeyed(void)
{
	struct ring *ring = &vmm.q[TX];
	unsigned int ahead, i;

	for (ahead = 0; ahead < 6; ahead++) {
		*ring_used_event(ring) = ring->used_idx + ahead;
		for (i = 0; i < ahead; i++)
			if (!sent_with_call(false))
				return because("frame %u of %u", i, ahead);
		if (!sent_with_call(true))
			return because("frame %u of %u", i, ahead);
	}
	return true;
}

/* An idle device wants to be kicked for the next chain, and only once. */
static bool kicks_wanted_when_idle(void)
{
	struct ring *ring = &vmm.q[TX];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		if (!vmm_try_tx(&vmm, &wire, 64, i))
			return false;
		settle();
		if (ring->event_idx ? *ring_avail_event(ring) != ring->avail_idx :
		    ring->used->flags)
			return because("avail_event %u, avail %u, flags %u",
				       *ring_avail_event(ring), ring->avail_idx,
				       ring->used->flags);
	}
	return true;
}

static bool frames_by(const char *policy, const char *grows, const char *not)
{
	long long more = vmm_counter(&vmm, TX, grows);
	long long same = vmm_counter(&vmm, TX, not);
	unsigned int i;

	if (!vmm_set_policy(&vmm, policy))
		return because("the policy can't be set: %s", strerror(errno));
	for (i = 0; i < 100; i++) {
		if (!vmm_try_tx(&vmm, &wire, 64, i))
			return false;
		settle();
	}
	return equal(vmm_counter(&vmm, TX, grows), more + 100, grows) &&
	       equal(vmm_counter(&vmm, TX, not), same, not) && vmm_kicks_add_up(&vmm, TX);
}

/* Inline, the frame has left when the thread that kicked goes on. */
static bool inline_is_at_once(void)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		post(i);
		ring_kick(&vmm.q[TX]);
		if (!ring_has_used(&vmm.q[TX]))
			return because("frame %u was not sent by its kick", i);
		if (!wire_expect(&wire, frame, sizeof(frame)) ||
		    !ring_reap_n(&vmm.q[TX], 1, 5000))
			return false;
	}
	return true;
}

static bool bad_policies_refused(void)
{
	static const char * const bad[] = {
		"", "\n", "none", "inline worker", "tx9 inline", "tx0", "tx0 ",
		"a policy of more than thirty-two characters",
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (*bad[i] && vmm_set_policy(&vmm, bad[i]))
			return because("'%s' was taken", bad[i]);
	return vmm_set_policy(&vmm, "tx0 worker\n") &&
	       vmm_set_policy(&vmm, "rx0 inline") &&
	       vmm_set_policy(&vmm, "inline\n");
}

/* A kick by a thread of the owner is as good as any. */
static void *kick_once(void *unused)
{
	(void)unused;
	ring_signal(vmm.q[TX].kick);
	return NULL;
}

static bool thread_kicks_inline(void)
{
	long long before = vmm_counter(&vmm, TX, "kicks_inline");
	pthread_t thread;

	post(6);
	ring_publish(&vmm.q[TX]);
	must(!pthread_create(&thread, NULL, kick_once, NULL));
	pthread_join(thread, NULL);
	return wire_expect(&wire, frame, sizeof(frame)) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000) &&
	       vmm_counted(&vmm, TX, "kicks_inline", before + 1);
}

/* Another process's thread has other memory: the worker has the owner's. */
static bool process_kicks_worker(void)
{
	long long inlined = vmm_counter(&vmm, TX, "kicks_inline");
	long long worker = vmm_counter(&vmm, TX, "kicks_worker");
	int status;
	pid_t pid;

	post(7);
	ring_publish(&vmm.q[TX]);
	pid = fork();
	must(pid >= 0);
	if (!pid) {
		/* What the child sees of the ring is its own copy. */
		memset(vmm.q[TX].area, 0xff, 3 * RING_PART);
		kick_once(NULL);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
	if (!wire_expect(&wire, frame, sizeof(frame)) ||
	    !ring_reap_n(&vmm.q[TX], 1, 5000))
		return false;
	settle();
	return vmm_counted(&vmm, TX, "kicks_inline", inlined) &&
	       vmm_counted(&vmm, TX, "kicks_worker", worker + 1);
}

/* A task of its own, with the owner's memory, that is gone at once. */
static void kick_by_short_task(void)
{
	uint64_t one = 1;
	pid_t pid = vfork();

	must(pid >= 0);
	if (!pid)
		_exit(write(vmm.q[TX].kick, &one, sizeof(one)) != sizeof(one));
	must(waitpid(pid, NULL, 0) == pid);
}

static bool short_task_kicks(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		post(i);
		ring_publish(&vmm.q[TX]);
		kick_by_short_task();
		if (!wire_expect(&wire, frame, sizeof(frame)) ||
		    !ring_reap_n(&vmm.q[TX], 1, 5000))
			return false;
	}
	return true;
}

static bool idle_kicks_do_nothing(void)
{
	long long packets = vmm_counter(&vmm, TX, "packets");
	long long kicks = vmm_counter(&vmm, TX, "kicks");
	unsigned int i;

	for (i = 0; i < 2000; i++)
		ring_signal(vmm.q[TX].kick);
	return vmm_counted(&vmm, TX, "packets", packets) &&
	       vmm_counted(&vmm, TX, "kicks", kicks + 2000) &&
	       vmm_works(&vmm, &wire);
}

static long long kicks_and_pumps(void)
{
	return vmm_counter(&vmm, TX, "kicks") + vmm_counter(&vmm, TX, "pumps_worker");
}

/*
 * Pumps that go on though nothing happens.  The last frame's call comes after it can be
 * seen, and may be a kick.
 */
static bool stays_quiet(void)
{
	long long before;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		before = kicks_and_pumps();
		poll(NULL, 0, 100);
		if (kicks_and_pumps() == before)
			return true;
	}
	return because("kicks and pumps go on for nothing, now there are %lld", before);
}

/* BUGCLASSES C5: events that cause events. */
static bool call_is_kick(void)
{
	unsigned int i;

	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, vmm.q[TX].kick));
	for (i = 0; i < 100; i++) {
		post(i);
		ring_kick(&vmm.q[TX]);
		if (!wire_expect(&wire, frame, sizeof(frame)))
			return false;
		while (!ring_has_used(&vmm.q[TX]))
			poll(NULL, 0, 1);
		ring_reap(&vmm.q[TX], NULL);
	}
	if (!stays_quiet())
		return false;
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, vmm.q[TX].call));
	return vmm_works(&vmm, &wire);
}

static bool calls_crossed(void)
{
	unsigned int i;

	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, vmm.q[RX].kick));
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, RX, vmm.q[TX].kick));
	for (i = 0; i < 100; i++) {
		post(i);
		must(vmm_add_buffer(&vmm, 512) >= 0);
		ring_kick(&vmm.q[RX]);
		ring_kick(&vmm.q[TX]);
		if (!wire_expect(&wire, frame, sizeof(frame)) ||
		    !wire_send(&wire, frame, sizeof(frame)))
			return false;
		while (!ring_has_used(&vmm.q[TX]) || !ring_has_used(&vmm.q[RX]))
			poll(NULL, 0, 1);
		ring_reap(&vmm.q[TX], NULL);
		ring_reap(&vmm.q[RX], NULL);
	}
	if (!stays_quiet())
		return false;
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, vmm.q[TX].call));
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, RX, vmm.q[RX].call));
	return vmm_works(&vmm, &wire);
}

static void policies(void)
{
	if (!vmm_try_policy(&vmm, "inline")) {
		skip("policies", "kicks can't be served inline here");
		return;
	}
	claim(frames_by("inline", "kicks_inline", "kicks_worker"),
	      "inline, the thread that kicks does the work");
	claim(inline_is_at_once(), "inline, a frame has left when its kick is done");
	claim(frames_by("worker", "kicks_worker", "kicks_inline"),
	      "a worker does the work when told so at run time");
	claim(frames_by("tx0 inline", "kicks_inline", "kicks_worker"),
	      "and the thread again when told so");
	claim(bad_policies_refused(), "policies that are none are refused");
	claim(thread_kicks_inline(), "a thread's kick is served by the thread");
	claim(process_kicks_worker(),
	      "another process's kick is served by the worker");
}

static void with(uint64_t features, const char *name)
{
	claim(kick_before_backend(features),
	      "a kick before the backend is set is served, %s", name);
	claim(frame_before_backend(features),
	      "a frame before the backend is set is served, %s", name);
	vmm_run(&vmm, &wire, VMM_BASIC | features, 256);
	claim(kick_before_eventfd(),
	      "a kick before its eventfd is set is served, %s", name);
	claim(vmm_works(&vmm, &wire) && (features & VMM_EVENT_IDX ?
	      used_event_obeyed() : no_interrupt_obeyed()),
	      "calls come when they are wanted, and only then, %s", name);
	claim(kicks_wanted_when_idle(), "an idle queue wants a kick, %s", name);
	claim(short_task_kicks(), "a kick by a task that ends is served, %s", name);
	claim(idle_kicks_do_nothing(), "kicks for nothing do nothing, %s", name);
	claim(call_is_kick(), "the call may be the kick, %s", name);
	claim(calls_crossed(), "one queue's call may be the other's kick, %s", name);
	if (vmm_has_counters())
		policies();
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	with(0, "plain");
	with(VMM_EVENT_IDX, "with event index");
	wire_close(&wire);
	return report_end();
}
