// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packed ring: taking chains, giving them back, showing them to the driver,
 * and what is no chain.
 */
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const unsigned int sizes[] = {
	1, 2, 3, 4, 5, 7, 8, 16, 100, 255, 256, 257, 1000, 4096, 32767, 32768,
};

#define NR_SIZES	(sizeof(sizes) / sizeof(*sizes))

static const struct drv_buf one = { RIG_GPA, 1, true };

/* What buffer @i carries, and where: a readable part and a writable one. */
static void fill_slot(struct rig *rig, unsigned int i, struct drv_buf bufs[2])
{
	u64 at = i % 1024 * 64;

	memset(rig->ram + at, i % 251, 16);
	memset(rig->ram + at + 32, 0xee, 16);
	bufs[0] = (struct drv_buf) { RIG_GPA + at, 16, false };
	bufs[1] = (struct drv_buf) { RIG_GPA + at + 32, 16, true };
}

static void trip(struct rig *rig, unsigned int i)
{
	unsigned int parts = rig->pdrv.num > 1 ? 2 : 1;
	u16 id = i * 40503;
	struct drv_buf bufs[2];
	u8 buf[16];

	fill_slot(rig, i, bufs);
	expect(pdrv_put(&rig->pdrv, bufs, parts, id));
	expect_eq(rig_pop(rig), 0);
	pdrv_show(&rig->pdrv);
	expect_eq(rig_pop(rig), 1);
	expect(shim.most <= 1);
	expect_eq(rig->chain.id, id);
	expect_eq(rig->chain.slots, parts);
	expect_eq(rig->chain.out_len, 16);
	expect_eq(rig->chain.in_len, parts == 2 ? 16 : 0);
	expect_eq(rig_gather(&rig->chain, buf, 16), 16);
	expect_eq(buf[7], i % 251);
	if (parts == 2)
		expect_eq(rig_scatter(&rig->chain, buf, 16), 16);
	expect_eq(rig_push_packed(rig, rig->chain.in_len), 0);
	expect(!pdrv_has_used(&rig->pdrv));
	expect_eq(vfp_ring_publish(&rig->ring), 1);
	expect(rig_comes_back(rig, id, rig->chain.in_len));
	expect_eq(rig->ram[i % 1024 * 64 + 32], parts == 2 ? i % 251 : 0xee);
	expect_eq(rig_pop(rig), 0);
	expect_eq(vfp_ring_publish(&rig->ring), 0);
}

static void test_trips(void)
{
	unsigned int i, s, wrap, from;
	struct rig rig;

	for (s = 0; s < NR_SIZES; s++) {
		for (wrap = 0; wrap <= 1; wrap++) {
			from = sizes[s] > 3 ? sizes[s] - 3 : 0;
			tap_case("num %u, wrap %u", sizes[s], wrap);
			rig_init_packed(&rig, sizes[s], 0, from, wrap);
			for (i = 0; i < 3 * 16 && !tap_failed(); i++)
				trip(&rig, i);
			rig_exit_packed(&rig);
		}
	}
}

static void test_many_laps(void)
{
	unsigned int i, s;
	struct rig rig;

	for (s = 0; s < 8; s++) {
		tap_case("num %u", sizes[s]);
		rig_init_packed(&rig, sizes[s], 0, 0, true);
		for (i = 0; i < 70000 && !tap_failed(); i++)
			trip(&rig, i);
		rig_exit_packed(&rig);
	}
}

/* A ring full of chains of @parts, given back as a whole. */
static void full_ring(struct rig *rig, unsigned int parts)
{
	struct drv_buf bufs[5] = { one, one, one, one, one };
	unsigned int i, n = rig->pdrv.num / parts;

	for (i = 0; i < n; i++)
		expect(pdrv_send(&rig->pdrv, bufs, parts, i));
	expect(!pdrv_send(&rig->pdrv, bufs, parts, i));
	for (i = 0; i < n; i++) {
		expect_eq(rig_pop(rig), 1);
		expect_eq(rig->chain.id, i);
		expect_eq(rig->chain.slots, parts);
		expect_eq(rig_push_packed(rig, i + 1), 0);
	}
	expect_eq(rig_pop(rig), 0);
	expect(!pdrv_has_used(&rig->pdrv));
	expect_eq(vfp_ring_publish(&rig->ring), 1);
	for (i = 0; i < n; i++)
		expect(rig_comes_back(rig, i, i + 1));
	expect(!pdrv_has_used(&rig->pdrv));
	expect_eq(rig->pdrv.nr_free, rig->pdrv.num);
}

/* Chains of more than one go over the end of the ring, too. */
static void test_full_rings(void)
{
	unsigned int i, s, parts;
	struct rig rig;

	for (s = 0; s < NR_SIZES; s++) {
		for (parts = 1; parts <= 5 && parts <= sizes[s]; parts++) {
			tap_case("num %u, %u parts", sizes[s], parts);
			rig_init_packed(&rig, sizes[s], 0, sizes[s] / 2, true);
			for (i = 0; i < 5 && !tap_failed(); i++)
				full_ring(&rig, parts);
			rig_exit_packed(&rig);
		}
	}
}

static void test_many_at_once(void)
{
	struct vfp_used used[4];
	struct rig rig;
	unsigned int i;

	rig_init_packed(&rig, 6, 0, 4, false);
	for (i = 0; i < 4; i++) {
		expect(pdrv_send(&rig.pdrv, &one, 1, 100 + i));
		expect_eq(rig_pop(&rig), 1);
		used[i] = (struct vfp_used) { rig.chain.id, 1, i + 1 };
	}
	expect_eq(vfp_ring_push(&rig.ring, used, 4), 0);
	expect(!pdrv_has_used(&rig.pdrv));
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	for (i = 0; i < 4; i++)
		expect(rig_comes_back(&rig, 100 + i, i + 1));
	rig_exit_packed(&rig);
}

static void test_any_order(void)
{
	static const unsigned int order[] = { 2, 0, 3, 1 };
	struct vfp_used used[4];
	struct rig rig;
	unsigned int i;

	rig_init_packed(&rig, 4, 0, 2, true);
	for (i = 0; i < 4; i++) {
		expect(pdrv_send(&rig.pdrv, &one, 1, i));
		expect_eq(rig_pop(&rig), 1);
		used[i] = (struct vfp_used) { i, 1, 10 + i };
	}
	for (i = 0; i < 4; i++)
		expect_eq(vfp_ring_push(&rig.ring, &used[order[i]], 1), 0);
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	for (i = 0; i < 4; i++)
		expect(rig_comes_back(&rig, order[i], 10 + order[i]));
	rig_exit_packed(&rig);
}

static void test_rewind(void)
{
	unsigned int i, back;
	struct rig rig;
	u16 marks[5];

	for (back = 0; back <= 4; back++) {
		tap_case("%u put back", back);
		rig_init_packed(&rig, 4, 0, 2, false);
		for (i = 0; i < 4; i++)
			expect(pdrv_send(&rig.pdrv, &one, 1, i));
		for (i = 0; i < 4; i++) {
			marks[i] = vfp_ring_mark(&rig.ring);
			expect_eq(rig_pop(&rig), 1);
		}
		marks[4] = vfp_ring_mark(&rig.ring);
		vfp_ring_rewind(&rig.ring, marks[4 - back]);
		for (i = 4 - back; i < 4; i++) {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig.chain.id, i);
		}
		expect_eq(rig_pop(&rig), 0);
		rig_exit_packed(&rig);
	}
}

static void test_tables(void)
{
	struct drv_buf bufs[8];
	struct rig rig;
	unsigned int i, n;

	for (n = 1; n <= 8; n++) {
		tap_case("a table of %u", n);
		rig_init_packed(&rig, 2, RIG_INDIRECT, 1, true);
		for (i = 0; i < n; i++)
			bufs[i] = (struct drv_buf) {
				RIG_GPA + 64 * i, 10 + i, i >= n / 2,
			};
		expect(pdrv_put_table(&rig.pdrv, bufs, n, 77,
				      RIG_GPA + RIG_TABLE, rig.ram + RIG_TABLE));
		pdrv_show(&rig.pdrv);
		expect_eq(rig_pop(&rig), 1);
		expect_eq(rig.chain.id, 77);
		expect_eq(rig.chain.slots, 1);
		expect_eq(rig.chain.nr_out, n / 2);
		expect_eq(rig.chain.nr_in, n - n / 2);
		for (i = 0; i < n; i++)
			expect_eq(rig.iov[i].iov_len, 10 + i);
		rig_exit_packed(&rig);
	}
}

/* A queue that stops and starts goes on, whatever was in hand is taken anew. */
static void test_stop_and_start(void)
{
	unsigned int i, in_hand;
	struct rig rig;
	u32 base;

	for (in_hand = 0; in_hand <= 3; in_hand++) {
		tap_case("%u in hand", in_hand);
		rig_init_packed(&rig, 5, 0, 3, false);
		for (i = 0; i < 5; i++)
			expect(pdrv_send(&rig.pdrv, &one, 1, i));
		for (i = 0; i < 2; i++) {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig_push_packed(&rig, 1), 0);
		}
		expect_eq(vfp_ring_publish(&rig.ring), 1);
		for (i = 0; i < in_hand; i++)
			expect_eq(rig_pop(&rig), 1);
		base = vfp_ring_base(&rig.ring);
		/* What was in hand is the VMM's to put back. */
		base = (base >> 16) | (base & 0xffff0000);
		vfp_ring_set_base(&rig.ring, base);
		expect_eq(vfp_ring_start(&rig.ring), 0);
		for (i = 2; i < 5; i++) {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig.chain.id, i);
			expect_eq(rig_push_packed(&rig, 1), 0);
		}
		expect_eq(vfp_ring_publish(&rig.ring), 1);
		for (i = 0; i < 5; i++)
			expect(rig_comes_back(&rig, i, 1));
		rig_exit_packed(&rig);
	}
}

const struct test packed_tests[] = {
	{ "packed: chains go round one at a time, any size, both laps",
		test_trips, NULL },
	{ "packed: chains go round for many laps", test_many_laps, NULL },
	{ "packed: full rings of chains of 1 to 5, over the end of the ring",
		test_full_rings, NULL },
	{ "packed: many chains are given back at once", test_many_at_once, NULL },
	{ "packed: used descriptors carry id and length in any order",
		test_any_order, NULL },
	{ "packed: chains that were put back are taken again, in order",
		test_rewind, NULL },
	{ "packed: of a table's flags only WRITE counts", test_tables, NULL },
	{ "packed: a queue goes on where it was stopped", test_stop_and_start,
		NULL },
	{ },
};
