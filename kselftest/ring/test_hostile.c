// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that changes what the device reads, while it reads: each field is
 * read once, and the k-th read altered, for all k, leads to nothing but a
 * fault or what the altered field says.
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/oracle.h"
#include "kselftest/ring/tests.h"

enum {
	N = DRV_F_NEXT,
	W = DRV_F_WRITE,
	I = DRV_F_INDIRECT,
};

#define ALL_BITS	128	/* beyond the longest value that pop reads */

/* The corpus: each makes one chain of head 0 in a ring of 8. */
static void one_buffer(struct rig *rig)
{
	rig_desc(rig, 0, RIG_GPA, 64, 0, 0);
}

static void net_receive(struct rig *rig)
{
	rig_desc(rig, 0, RIG_GPA, 12, W | N, 5);
	rig_desc(rig, 5, RIG_GPA + 64, 1500, W, 0);
}

static void request(struct rig *rig)
{
	rig_desc(rig, 0, RIG_GPA, 16, N, 7);
	rig_desc(rig, 7, RIG_GPA + 4096, 4096, N | W, 3);
	rig_desc(rig, 3, RIG_GPA + 16, 1, W, 0);
}

static void all_descriptors(struct rig *rig)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		rig_desc(rig, i, RIG_GPA + 64 * i, i, i < 7 ? N : 0, i + 1);
}

static void table(struct rig *rig)
{
	unsigned int i;

	rig_desc(rig, 0, RIG_GPA + RIG_TABLE, 4 * 16, I, 0);
	for (i = 0; i < 4; i++)
		rig_table(rig, i, RIG_GPA + 64 * i, 32,
			  (i < 3 ? N : 0) | (i > 1 ? W : 0), i + 1);
}

static void descriptor_and_table(struct rig *rig)
{
	rig_desc(rig, 0, RIG_GPA, 12, N, 6);
	rig_desc(rig, 6, RIG_GPA + RIG_TABLE, 2 * 16, I | W, 0);
	rig_table(rig, 0, RIG_GPA + 64, 32, N, 1);
	rig_table(rig, 1, RIG_GPA + 128, 32, W, 0);
}

static void two_regions(struct rig *rig)
{
	rig_no_regions(rig);
	rig_region(rig, RIG_GPA, RIG_GPA + 999, 0);
	rig_region(rig, RIG_GPA + 1000, RIG_GPA + 0xfff7, 4000);
	rig_region(rig, RIG_GPA + 0xfff8, RIG_GPA + RIG_RAM - 1, 0xfff8);
	rig_desc(rig, 0, RIG_GPA + 990, 20, N, 1);
	rig_desc(rig, 1, RIG_GPA + RIG_TABLE, 16, I, 0);
	rig_table(rig, 0, RIG_GPA + 500, 1000, W, 0);
}

static void empty(struct rig *rig)
{
	rig_desc(rig, 0, 0, 0, N, 1);
	rig_desc(rig, 1, 0, 0, W, 0);
}

static void (*const corpus[])(struct rig *rig) = {
	one_buffer, net_receive, request, all_descriptors, table,
	descriptor_and_table, two_regions, empty,
};

#define NR_CORPUS	(sizeof(corpus) / sizeof(*corpus))

static struct rig rig, untouched;
static struct oracle oracle;

static void prepare(unsigned int flags)
{
	rig_init(&rig, 8, flags | RIG_INDIRECT, 65535);
	untouched = rig;
}

/* A case as it was before anybody has read or written. */
static void make(unsigned int which)
{
	rig = untouched;
	drv_put_used_idx(&rig.drv, 65535);
	corpus[which](&rig);
	rig_offer(&rig, 0);
	shim_forget();
}

static void test_read_once(void)
{
	unsigned int i;

	prepare(0);
	for (i = 0; i < NR_CORPUS; i++) {
		tap_case("case %u", i);
		make(i);
		oracle_walk(&rig, 0, &oracle);
		expect_eq(oracle.fault, VFP_FAULT_NONE);
		expect_eq(rig_pop(&rig), 1);
		expect_eq(shim.most, 1);
		expect_eq(shim.faults, 0);
		oracle_compare(&rig, &oracle);
	}
	rig_exit(&rig);
}

/* What a pop that reads from altered memory does. */
static int expected(void)
{
	u16 ahead = drv_idx(&rig.drv) - rig.ring.last_avail;
	u16 head;

	oracle.fault = VFP_FAULT_NONE;
	if (!ahead)
		return 0;
	if (ahead > rig.drv.num)
		oracle.fault = VFP_FAULT_AVAIL_JUMP;
	else if (!oracle_head(&rig, &head))
		oracle.fault = VFP_FAULT_HEAD;
	else
		oracle_walk(&rig, head, &oracle);
	return oracle.fault ? -EIO : 1;
}

/*
 * A value that is altered for one read only must do as if it had been so
 * all the time; else something was read a second time, or not used as read.
 * The exception is what closes a loop, which for one read is a detour.
 */
static bool alter(unsigned int which, unsigned long k, unsigned int bit)
{
	struct vfp_ring after;
	int ret, want;

	make(which);
	shim.flip_at = k;
	shim.flip_bit = bit;
	ret = vfp_ring_pop(&rig.ring, &rig.chain);
	shim.flip_at = SHIM_NEVER;
	if (!shim.flipped)
		return false;
	tap_case("case %u, read %lu, bit %u", which, k, bit);
	shim_flip((void *)shim.flipped, shim.flipped_len, bit);
	after = rig.ring;
	rig.ring = untouched.ring;
	want = expected();
	rig.ring = after;
	if (oracle.fault != VFP_FAULT_LOOP || shim.most == 1) {
		expect_eq(ret, want);
		expect_eq(rig.ring.fault, oracle.fault);
	}
	if (ret == 1 && want == 1)
		oracle_compare(&rig, &oracle);
	expect(shim.reads <= 2 + 8 + 2 * VFP_MAX_SEGS);
	return true;
}

static void test_alter_pop(void)
{
	unsigned long k, tried = 0;
	unsigned int which, bit;

	prepare(0);
	for (which = 0; which < NR_CORPUS; which++) {
		for (k = 0; alter(which, k, 0); k++)
			for (bit = 1; bit <= ALL_BITS; bit++)
				tried += alter(which, k, bit);
	}
	rig_exit(&rig);
	tap_note("%lu alterations", tried);
	expect(tried > 3000);
}

/* A segment is memory that a region gives. */
static bool in_regions(const struct iovec *seg)
{
	const struct vhost_iotlb_map *map = rig.mem.maps;
	unsigned long at = (unsigned long)seg->iov_base;
	unsigned int i;

	for (i = 0; i < rig.mem.nmaps; i++, map++)
		if (at >= map->addr && at - map->addr <= map->last - map->start &&
		    seg->iov_len - 1 <= map->last - map->start -
					(at - map->addr))
			return true;
	return false;
}

static void transfer(void)
{
	const struct vfp_chain *chain = &rig.chain;
	static u8 buf[RIG_RAM];
	unsigned int i;
	size_t n;

	for (i = 0; i < chain->nr_out + chain->nr_in; i++)
		expect(in_regions(&chain->iov[i]));
	n = rig_gather(chain, buf, sizeof(buf));
	expect(n == chain->out_len || chain->out_len > sizeof(buf));
	n = chain->in_len < sizeof(buf) ? chain->in_len : sizeof(buf);
	expect_eq(rig_scatter(chain, buf, n), n);
	rig_push(&rig.ring, chain->id, n);
}

/* A device's life, up to the first fault. */
static void live(void)
{
	unsigned int i, calls = 0;
	struct vfp_ring *ring = &rig.ring;

	if (vfp_ring_start(ring))
		return;
	for (i = 0; i < 4; i++) {
		if (vfp_ring_notify_on(ring) < 0 || vfp_ring_notify_off(ring))
			return;
		while (calls++ < 64 && vfp_ring_pop(ring, &rig.chain) == 1)
			transfer();
		if (ring->fault || vfp_ring_publish(ring) < 0)
			return;
		vfp_ring_need_call(ring);
		rig_offer(&rig, 0);
	}
}

static bool alter_life(unsigned int which, unsigned long k, unsigned int bit)
{
	tap_case("case %u, read %lu, bit %u", which, k, bit);
	make(which);
	shim.flip_at = k;
	shim.flip_bit = bit;
	live();
	shim.flip_at = SHIM_NEVER;
	expect_eq(shim.faults, 0);
	expect(rig.ring.fault < VFP_FAULT_DIRECTION);
	expect(shim.reads < 100000);
	return shim.flipped;
}

static void test_alter_life(void)
{
	static const unsigned int bits[] = {
		0, 1, 3, 7, 15, 31, 47, 62, 63, 64, 71, 79, 95, 96, 97, 98,
		112, 115, 127, 1000000000,
	};
	unsigned int which, flags, i;
	unsigned long k, tried = 0;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		prepare(flags);
		for (which = 0; which < NR_CORPUS; which++)
			for (k = 0; alter_life(which, k, 0); k++)
				for (i = 1; i < 20; i++)
					tried += alter_life(which, k, bits[i]);
		rig_exit(&rig);
	}
	tap_note("%lu alterations", tried);
	expect(tried > 3000);
}

const struct test hostile_tests[] = {
	{ "a pop reads each field at most once", test_read_once, NULL },
	{ "any read of a pop, altered, is used as read, or refused",
		test_alter_pop, NULL },
	{ "any read in a device's life, altered, reaches no other memory",
		test_alter_life, NULL },
	{ },
};
