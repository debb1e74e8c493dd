// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress [-n ROUNDS]  -- the driver and the device as two threads that sleep
 * whenever they may: after each round the driver waits for a call, and the device
 * for a kick.  One that was wrongly left out, for a barrier that is missing or an
 * index that wraps, is one that is waited for without end.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/uaccess.h>

#include "kselftest/ring/driver.h"
#include "kselftest/ring/packed.h"
#include "virtio-fastpath/vfp.h"

enum {
	RING		= 4,
	PACKED_RING	= 5,		/* any number will do there */
	IN_FLIGHT	= 3,
	BUFFER		= 64,
	LIMIT		= 20,		/* seconds without a step */
};

#define GPA		0x100000ULL

/* Something to wait for, as an eventfd is, but without going to the kernel. */
struct bell {
	_Alignas(64) atomic_ulong	rung;
	unsigned long			heard;
	unsigned long			waits;
};

static struct bell kick, call;
static atomic_bool over, broken;

static struct drv drv;
static struct pdrv pdrv;
static struct vfp_ring ring;
static struct vfp_cache cache;
static struct vhost_iotlb mem;
static char buffers[IN_FLIGHT][BUFFER];

static void ring_bell(struct bell *bell)
{
	atomic_fetch_add_explicit(&bell->rung, 1, memory_order_release);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Returns whether it has rung since it was last heard; no: it was waited long. */
static bool hear(struct bell *bell)
{
	time_t end = seconds() + LIMIT;
	unsigned long rung;
	unsigned int spins;

	for (spins = 1; ; spins++) {
		rung = atomic_load_explicit(&bell->rung, memory_order_acquire);
		if (rung != bell->heard)
			break;
		if (spins % 4096)
			continue;
		sched_yield();
		if (seconds() >= end || atomic_load(&broken))
			return false;
	}
	bell->heard = rung;
	bell->waits++;
	return true;
}

/* -- the device, as kvm-twin's pumps use the engine ---------------------- */

static bool serve(void)
{
	struct iovec iov[2];
	struct vfp_chain chain = { .iov = iov, .max = 2 };
	struct vfp_used used;
	int ret;

	while ((ret = vfp_ring_pop(&ring, &chain)) == 1) {
		used = (struct vfp_used) { .id = chain.id, .slots = chain.slots };
		if (vfp_ring_push(&ring, &used, 1) || vfp_ring_publish(&ring) < 0)
			return false;
		if (vfp_ring_need_call(&ring))
			ring_bell(&call);
	}
	return !ret;
}

static void *device(void *unused)
{
	int more;

	while (!atomic_load(&over)) {
		if (vfp_ring_notify_off(&ring) || !serve())
			break;
		more = vfp_ring_notify_on(&ring);
		if (more < 0 || (!more && !hear(&kick)))
			break;
	}
	if (!atomic_load(&over))
		atomic_store(&broken, true);
	return unused;
}

/* -- the driver ---------------------------------------------------------- */

static bool send_one(unsigned int number)
{
	struct drv_buf buf = { .addr = GPA + number * BUFFER, .len = BUFFER };

	if (ring.packed)
		return pdrv_send(&pdrv, &buf, 1, number);
	return drv_send(&drv, &buf, 1) >= 0;
}

static bool must_kick(void)
{
	return ring.packed ? pdrv_must_kick(&pdrv) : drv_must_kick(&drv);
}

static bool take_one(void)
{
	uint32_t id32, len;
	uint16_t id, flags;

	return ring.packed ? pdrv_take(&pdrv, &id, &len, &flags) :
			     drv_take(&drv, &id32, &len);
}

static bool has_used(void)
{
	return ring.packed ? pdrv_has_used(&pdrv) : drv_used_idx(&drv) != drv.seen;
}

static void calls(bool on)
{
	if (ring.packed)
		(on ? pdrv_calls_on : pdrv_calls_off)(&pdrv);
	else
		(on ? drv_calls_on : drv_calls_off)(&drv);
}

/* Some buffers go out; returns when all have come back, or false: they do not. */
static bool go_round(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!send_one(i))
			return false;
	if (must_kick())
		ring_bell(&kick);
	while (count) {
		while (count && take_one())
			count--;
		if (!count)
			break;
		calls(true);
		if (!has_used() && !hear(&call))
			return false;
		calls(false);
	}
	return true;
}

/* So that each meets the other at every point of its way to sleep. */
static void dawdle(unsigned int turns)
{
	while (turns--)
		__asm__ volatile("pause");
}

static bool drive(unsigned long rounds)
{
	unsigned int random = 1;

	while (rounds--) {
		random = random * 1103515245 + 12345;
		if (!go_round(1 + (random >> 16) % IN_FLIGHT))
			return false;
		dawdle(random >> 20 & 127);
	}
	return true;
}

/* -- the two together ---------------------------------------------------- */

static void set_up(bool packed, bool event_idx)
{
	ring = (struct vfp_ring) {
		.cache = &cache,
		.num = packed ? PACKED_RING : RING,
		.packed = packed,
		.event_idx = event_idx,
	};
	if (packed) {
		pdrv_init(&pdrv, PACKED_RING, event_idx, 0, true);
		ring.packed_desc = (void *)pdrv.ring;
		ring.driver_event = (void *)pdrv.driver_event;
		ring.device_event = (void *)pdrv.device_event;
	} else {
		drv_init(&drv, RING, event_idx, 0);
		ring.desc = (void *)drv.desc;
		ring.avail = (void *)drv.avail;
		ring.used = (void *)drv.used;
	}
	mem.nmaps = 1;
	mem.maps[0] = (struct vhost_iotlb_map) {
		.start = GPA,
		.last = GPA + sizeof(buffers) - 1,
		.addr = (unsigned long)buffers,
	};
	vfp_ring_set_mem(&ring, &mem);
	vfp_ring_set_base(&ring, packed ? 0x80008000 : 0);
	kick = (struct bell) { 0 };
	call = (struct bell) { 0 };
	over = false;
	broken = false;
}

static void tear_down(void)
{
	if (ring.packed)
		pdrv_exit(&pdrv);
	else
		drv_exit(&drv);
}

static bool run(bool packed, bool event_idx, unsigned long rounds)
{
	pthread_t thread;
	bool well;

	set_up(packed, event_idx);
	if (vfp_ring_start(&ring) || pthread_create(&thread, NULL, device, NULL))
		return false;
	well = drive(rounds);
	atomic_store(well ? &over : &broken, true);
	ring_bell(&kick);
	pthread_join(thread, NULL);
	if (!well)
		printf("# the driver waits; it %s that buffers came back, fault %d\n",
		       has_used() ? "was not told" : "is not so", ring.fault);
	tear_down();
	return well;
}

int main(int argc, char **argv)
{
	unsigned long rounds = 1000000;
	int option, i, failed = 0;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		rounds = strtoul(optarg, NULL, 0);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13\n1..4");
	for (i = 0; i < 4; i++) {
		bool well = run(i & 2, i & 1, rounds);

		failed += !well;
		printf("%sok %d %s, %s: %lu rounds, no kick and no call is lost\n",
		       well ? "" : "not ", i + 1, i & 2 ? "packed" : "split",
		       i & 1 ? "event index" : "flags", rounds);
		printf("# kicks waited for: %lu, calls: %lu\n", kick.waits, call.waits);
	}
	return failed != 0;
}
