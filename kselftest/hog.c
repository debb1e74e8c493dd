// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that refills its TX ring for ever, as fast as it is emptied: the thread
 * that kicks is held for a bounded share of that, and the worker does the rest,
 * which the other queue takes turns with.
 *
 * The thread that kicks has real-time priority and the worker is bound to its CPU:
 * what was sent when the kick returns was sent inline.
 */
#include "kselftest/vmm.h"
#include "kselftest/cpus.h"

#include <pthread.h>

#define NUM		1024
#define CPU		0
#define REFILL_CPU	1
#define KICKS		16

/* The limits of a share, as counters.rst and contexts-and-locking.rst have them. */
#define SHARE_FRAMES	256
#define SHARE_BYTES	(512 * 1024)
#define SHARE_STEPS	32	/* descriptors that count as a frame */

#define FRAMES		(4u << 20)	/* where the one frame is */
#define TABLE		(5u << 20)	/* and the one table */

/**
 * struct kind - what the ring is filled with, again and again
 * @name:	of it
 * @len:	bytes of each frame with its header
 * @steps:	descriptors of each, in a table if it is more than one
 * @bound:	how many a share has at most
 */
struct kind {
	const char	*name;
	uint32_t	len;
	unsigned int	steps;
	unsigned int	bound;
};

static const struct kind kinds[] = {
	{ "small frames", VMM_HDR + 60, 1, SHARE_FRAMES },
	{ "frames of 60000 bytes", VMM_HDR + 60000, 1,
	  SHARE_BYTES / (VMM_HDR + 60000) + 1 },
	{ "frames too short to be sent", 10, 1, SHARE_FRAMES },
	{ "frames of 1000 descriptors", VMM_HDR + 60, 1000,
	  SHARE_FRAMES / (1000 / SHARE_STEPS) + 1 },
};

static struct vmm vmm;
static struct wire wire;
static bool done;
static unsigned long refilled, asked;

static void set_priority(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	must(!sched_setscheduler(0, policy, &param));
}

/* Each descriptor is a chain; they all name the same frame. */
static void fill_ring(const struct kind *kind)
{
	struct vring_desc *table = (void *)(vmm.mem + TABLE);
	struct ring *ring = &vmm.q[TX];
	unsigned int i;

	memset(vmm.mem + FRAMES, 0, kind->len);
	/* A type that the other end does not look at. */
	memcpy(vmm.mem + FRAMES + VMM_HDR, "\x02\0\0\0\0\x09\x02\0\0\0\0\x08\x88\xb6",
	       ETH_HLEN);
	for (i = 0; i < kind->steps; i++)
		table[i] = (struct vring_desc) {
			.addr	= VMM_GPA + FRAMES,
			.len	= i + 1 < kind->steps ? 0 : kind->len,
			.flags	= i + 1 < kind->steps ? VRING_DESC_F_NEXT : 0,
			.next	= i + 1,
		};
	for (i = 0; i < NUM; i++) {
		ring->desc[i] = table[0];
		if (kind->steps > 1)
			ring->desc[i] = (struct vring_desc) {
				.addr	= VMM_GPA + TABLE,
				.len	= kind->steps * sizeof(*table),
				.flags	= VRING_DESC_F_INDIRECT,
			};
		ring->avail->ring[i] = i;
	}
}

static uint16_t used_idx(void)
{
	return __atomic_load_n(&vmm.q[TX].used->idx, __ATOMIC_ACQUIRE);
}

/* Chains come back in their order, so that the avail ring stays as it is. */
static void refill_once(void)
{
	struct vring_avail *avail = vmm.q[TX].avail;
	uint16_t idx = used_idx() + NUM;

	refilled += (uint16_t)(idx - avail->idx);
	__atomic_store_n(&avail->idx, idx, __ATOMIC_RELEASE);
}

/* A driver that was too slow is asked for a kick; the device may wait for it. */
static void kick_if_asked(void)
{
	/* avail->idx out before the device's wish is read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vmm.q[TX].used->flags, __ATOMIC_RELAXED) &
	    VRING_USED_F_NO_NOTIFY)
		return;
	__atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
	ring_signal(vmm.q[TX].kick);
}

/* From when the first kick has had its effect. */
static void *refill(void *unused)
{
	unsigned long before = refilled;

	(void)unused;
	cpus_stay_on(0, REFILL_CPU);
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		refill_once();
		if (refilled != before)
			kick_if_asked();
	}
	kick_if_asked();
	return NULL;
}

struct sums {
	long long	frames;
	long long	overflows;
	long long	by_worker;
	long long	inline_;
};

static struct sums sums(void)
{
	return (struct sums) {
		vmm_counter(&vmm, TX, "packets") +
		vmm_counter(&vmm, TX, "drop_malformed"),
		vmm_counter(&vmm, TX, "overflows"),
		vmm_counter(&vmm, TX, "pumps_worker"),
		vmm_counter(&vmm, TX, "pumps_inline"),
	};
}

static bool ring_is_empty(void)
{
	unsigned int tries;

	for (tries = 0; tries < 3000; tries++) {
		if (used_idx() == vmm.q[TX].avail->idx)
			return true;
		poll(NULL, 0, 10);
	}
	return because("%u chains are left", (uint16_t)(vmm.q[TX].avail->idx - used_idx()));
}

/* Nobody is at the queue: the kick will be. */
static bool is_idle(void)
{
	FILE *file;
	char line[512];
	bool idle = false;
	unsigned int tries;

	for (tries = 0; tries < 3000 && !idle; tries++) {
		if (tries)
			poll(NULL, 0, 10);
		file = vmm_debugfs(&vmm, "state", "r");
		must(file);
		while (fgets(line, sizeof(line), file))
			if (!strncmp(line, "tx0", 3))
				idle = strstr(line, "scheduled=0");
		fclose(file);
	}
	return idle || because("the queue does not become idle");
}

/*
 * One kick of a ring that never runs dry.  Returns whether it was served by this
 * thread alone; if not, there is nothing to tell of it.
 */
static bool kick_once(const struct kind *kind, bool *good)
{
	struct sums before, after;
	unsigned long asks;
	pthread_t thread;

	done = false;
	asked = 0;
	before = sums();
	refill_once();
	must(!pthread_create(&thread, NULL, refill, NULL));
	set_priority(SCHED_FIFO, 10);
	ring_signal(vmm.q[TX].kick);
	after = sums();
	asks = __atomic_load_n(&asked, __ATOMIC_RELAXED);
	set_priority(SCHED_OTHER, 0);
	/* Others have their turn, while it is refilled. */
	*good = vmm_wait_counter(&vmm, TX, "pumps_worker", before.by_worker + 3) &&
		vmm_try_rx(&vmm, &wire, 100, after.frames);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	must(!pthread_join(thread, NULL));
	if (asks || after.by_worker != before.by_worker ||
	    after.inline_ == before.inline_)
		return false;
	*good = *good && equal(after.overflows - before.overflows, 1, "overflows") &&
		(after.frames - before.frames <= kind->bound ||
		 because("%lld frames", after.frames - before.frames));
	return true;
}

static bool bounded(const struct kind *kind)
{
	unsigned int kicks = 0, tries = 0;
	bool good = true;

	must(!vmm_restart_queue(&vmm, TX, wire.tap, 0));
	fill_ring(kind);
	refilled = 0;
	/* A machine that is busy may have who refills come too late. */
	for (; good && (kicks < KICKS || refilled <= kicks * NUM) && tries < 8 * KICKS;
	     tries++) {
		if (!is_idle())
			return false;
		kicks += kick_once(kind, &good);
		good = good && ring_is_empty();
	}
	note("%s: %u kicks in %u tries, %lu chains refilled", kind->name, kicks,
	     tries, refilled);
	return good && (kicks >= KICKS || because("only %u kicks were served inline", kicks)) &&
	       (refilled > kicks * NUM || because("the ring was not refilled"));
}

int main(int argc, char **argv)
{
	unsigned int i;

	vmm_begin(argc, argv);
	if (!vmm_has_counters()) {
		skip("a ring that is refilled", "it takes counters to tell");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_INDIRECT, NUM);
	if (!vmm_try_policy(&vmm, "inline") || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		skip("a ring that is refilled", "no inline policy, or one CPU");
	} else {
		cpus_stay_on(0, CPU);
		must(cpus_workers_stay_on(CPU) == 1);
		for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			claim(bounded(&kinds[i]),
			      "a kick of a ring refilled for ever with %s is held for %u at most",
			      kinds[i].name, kinds[i].bound);
	}
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
