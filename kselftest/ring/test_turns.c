// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every access to guest memory fails in turn, and the call that made it is made once
 * more: the device's life is then what it would have been.  The kernel's own fault
 * injection knows of none of these accesses.
 */
#include <string.h>

#include "kselftest/ring/tests.h"

#define NUM		64	/* descriptors */
#define CHAINS		5
#define ROUNDS		2
#define LONG		40	/* descriptors: more than are read ahead */
#define SPLIT		(RIG_TABLE + 8)	/* a table's first one lies in two regions */
#define MAX_PLACES	64

static struct rig rig;

/* What came of a life: what the device saw of the chains, and the driver of the used. */
struct story {
	u32		words[256];
	unsigned int	n;
};

static struct story story;

/* Where the accesses are that have failed. */
static const void *places[MAX_PLACES];
static unsigned int nr_places;

static void tell(u32 word)
{
	expect(story.n < 256);
	if (story.n < 256)
		story.words[story.n++] = word;
}

static void remember_place(const void *place)
{
	unsigned int i;

	for (i = 0; i < nr_places; i++)
		if (places[i] == place)
			return;
	if (i < MAX_PLACES)
		places[nr_places++] = place;
}

/* A call that has failed says why, and is to be made once more. */
static bool has_failed(int ret)
{
	if (ret != -EIO)
		return false;
	expect(shim.failed);
	expect(rig.ring.fault == VFP_FAULT_RING_ACCESS ||
	       rig.ring.fault == VFP_FAULT_ADDRESS);
	rig.ring.fault = VFP_FAULT_NONE;
	return true;
}

static int pop(void)
{
	int ret;

	do
		ret = vfp_ring_pop(&rig.ring, &rig.chain);
	while (has_failed(ret));
	return ret;
}

static void push(const struct vfp_used *used, unsigned int n)
{
	int ret;

	do
		ret = vfp_ring_push(&rig.ring, used, n);
	while (has_failed(ret));
	expect_eq(ret, 0);
}

static void publish(void)
{
	int ret;

	do
		ret = vfp_ring_publish(&rig.ring);
	while (has_failed(ret));
	expect_eq(ret, 1);
}

static void start(void)
{
	int ret;

	do
		ret = vfp_ring_start(&rig.ring);
	while (has_failed(ret));
	expect_eq(ret, 0);
}

static void notify_on_and_off(void)
{
	int ret;

	do
		ret = vfp_ring_notify_on(&rig.ring);
	while (has_failed(ret));
	expect_eq(ret, 0);
	do
		ret = vfp_ring_notify_off(&rig.ring);
	while (has_failed(ret));
	expect_eq(ret, 0);
}

static void init(bool packed, unsigned int flags)
{
	if (packed)
		rig_init_packed(&rig, NUM, flags | RIG_INDIRECT, NUM - 3, true);
	else
		rig_init(&rig, NUM, flags | RIG_INDIRECT, 65533);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + SPLIT - 1, 0);
	rig_region(&rig, RIG_GPA + SPLIT, RIG_GPA + RIG_RAM - 1, SPLIT);
}

static void exit_rig(bool packed)
{
	if (packed)
		rig_exit_packed(&rig);
	else
		rig_exit(&rig);
}

static void send(bool packed, unsigned int n, u16 id)
{
	struct drv_buf bufs[LONG];

	rig_bufs(id, n, bufs);
	if (packed)
		expect(pdrv_send(&rig.pdrv, bufs, n, id));
	else
		expect(drv_send(&rig.drv, bufs, n) >= 0);
}

static void send_table(bool packed, unsigned int n, u16 id, unsigned int offset)
{
	u64 at = RIG_GPA + offset;
	struct drv_buf bufs[LONG];
	int head;

	rig_bufs(id, n, bufs);
	if (packed) {
		expect(pdrv_put_table(&rig.pdrv, bufs, n, id, at,
				      rig.ram + offset));
		pdrv_show(&rig.pdrv);
		return;
	}
	head = drv_chain_indirect(&rig.drv, bufs, n, at, rig.ram + offset);
	expect(head >= 0);
	drv_offer(&rig.drv, head);
	drv_publish(&rig.drv);
}

static void take(bool packed)
{
	u32 id = 0, len = 0;
	u16 flags, pid;

	if (packed) {
		expect(pdrv_take(&rig.pdrv, &pid, &len, &flags));
		id = pid;
	} else {
		expect(drv_take(&rig.drv, &id, &len));
	}
	tell(id);
	tell(len);
}

/* Take what is there, give it back, two at a time, the last one alone. */
static void serve(void)
{
	struct vfp_used used[CHAINS];
	unsigned int n = 0;

	while (n < CHAINS && pop()) {
		used[n] = (struct vfp_used) {
			.id = rig.chain.id, .slots = rig.chain.slots, .len = n,
		};
		n++;
		tell(rig.chain.id);
		tell(rig.chain.nr_out);
		tell(rig.chain.out_len);
		tell(rig.chain.in_len);
	}
	expect_eq(n, CHAINS);
	push(used, 2);
	push(used + 2, 2);
	push(used + 4, 1);
	publish();
	/* One call too many is no harm. */
	vfp_ring_need_call(&rig.ring);
	rig.ring.fault = VFP_FAULT_NONE;
}

/* Returns whether the @k-th access was made, and failed. */
static bool live(bool packed, unsigned int flags, unsigned long k)
{
	unsigned int round, i;
	bool failed;

	story.n = 0;
	init(packed, flags);
	shim_forget();
	shim.fail_at = k;
	start();
	for (round = 0; round < ROUNDS; round++) {
		notify_on_and_off();
		send(packed, 1, 0);
		send_table(packed, LONG, 1, RIG_TABLE);
		send_table(packed, LONG, 2, RIG_TABLE / 2);
		send(packed, LONG, 3);
		send(packed, 2, 4);
		serve();
		for (i = 0; i < CHAINS; i++)
			take(packed);
	}
	shim.fail_at = SHIM_NEVER;
	failed = shim.failed;
	if (failed)
		remember_place(shim.failed);
	exit_rig(packed);
	return failed;
}

static void test_turns(void)
{
	static struct story undisturbed;
	unsigned int packed, flags;
	unsigned long k, all = 0;

	for (packed = 0; packed < 2; packed++) {
		for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
			live(packed, flags, SHIM_NEVER);
			undisturbed = story;
			for (k = 0; live(packed, flags, k); k++) {
				tap_case("%s, flags %u, access %lu",
					 packed ? "packed" : "split", flags, k);
				expect_eq(story.n, undisturbed.n);
				expect(!memcmp(story.words, undisturbed.words,
					       story.n * sizeof(u32)));
			}
			all += k;
		}
	}
	tap_note("%lu accesses, at %u places", all, nr_places);
	expect(nr_places > 25);
}

const struct test turn_tests[] = {
	{ "any access fails once, and the call made again does as if it had not",
		test_turns, NULL },
	{ },
};
