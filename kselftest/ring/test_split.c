// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking chains, giving them back, showing them to the driver.
 */
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const u16 bases[] = { 0, 1, 32767, 32768, 65534, 65535 };

/* What chain @i carries, and where. */
static void fill_slot(struct rig *rig, unsigned int i, struct drv_buf bufs[2])
{
	u64 at = i % 1024 * 64;

	memset(rig->ram + at, i % 251, 16);
	memset(rig->ram + at + 32, 0xee, 16);
	bufs[0] = (struct drv_buf) { RIG_GPA + at, 16, false };
	bufs[1] = (struct drv_buf) { RIG_GPA + at + 32, 16, true };
}

/* The device's part: what is read is written back. */
static void echo(struct rig *rig, u16 want_head)
{
	u8 buf[16];

	expect_eq(rig_pop(rig), 1);
	expect(shim.most <= 1);
	expect_eq(rig->chain.id, want_head);
	expect_eq(rig->chain.out_len, rig->chain.in_len);
	expect_eq(rig_gather(&rig->chain, buf, 16), 16);
	expect_eq(rig_scatter(&rig->chain, buf, 16), 16);
	expect_eq(rig_push(&rig->ring, rig->chain.id, 16), 0);
}

static void take_echo(struct rig *rig, u16 want_head, unsigned int i)
{
	u64 at = i % 1024 * 64;
	u32 id = ~0, len = ~0;

	expect(drv_take(&rig->drv, &id, &len));
	expect_eq(id, want_head);
	expect_eq(len, 16);
	expect(!memcmp(rig->ram + at, rig->ram + at + 32, 16));
	expect_eq(rig->ram[at + 32], i % 251);
}

/* One at a time.  With one descriptor there is no room for a writable one. */
static void single_trips(unsigned int num, u16 base, unsigned int trips)
{
	struct drv_buf bufs[2];
	struct rig rig;
	unsigned int i;
	u32 id, len;
	int head;

	rig_init(&rig, num, 0, base);
	for (i = 0; i < trips && !tap_failed(); i++) {
		fill_slot(&rig, i, bufs);
		head = drv_send(&rig.drv, bufs, num > 1 ? 2 : 1);
		expect(head >= 0);
		if (num > 1) {
			echo(&rig, head);
		} else {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig_push(&rig.ring, head, 16), 0);
		}
		expect(!drv_take(&rig.drv, &id, &len));
		expect_eq(vfp_ring_publish(&rig.ring), 1);
		if (num > 1)
			take_echo(&rig, head, i);
		else
			expect(drv_take(&rig.drv, &id, &len) && !id);
		expect_eq(rig_pop(&rig), 0);
		expect_eq(vfp_ring_publish(&rig.ring), 0);
	}
	rig_exit(&rig);
}

static void test_single_trips(void)
{
	unsigned int num, i;

	for (num = 1; num <= 32768; num *= 2) {
		for (i = 0; i < 6; i++) {
			tap_case("num %u, base %u", num, bases[i]);
			single_trips(num, bases[i] - 2, 6);
		}
	}
}

static void test_full_lap(void)
{
	tap_case("two laps of the index");
	single_trips(4, 0, 2 * 65536 + 3);
}

/* A ring that is full of chains of one, taken and given back as a whole. */
static void full_ring(struct rig *rig, unsigned int num)
{
	struct drv_buf buf = { RIG_GPA, 1, false };
	u32 id, len;
	unsigned int i;

	for (i = 0; i < num; i++)
		drv_offer(&rig->drv, drv_chain(&rig->drv, &buf, 1));
	expect_eq(drv_chain(&rig->drv, &buf, 1), -1);
	drv_publish(&rig->drv);
	for (i = 0; i < num; i++) {
		expect_eq(rig_pop(rig), 1);
		expect_eq(rig_push(&rig->ring, rig->chain.id, i), 0);
	}
	expect_eq(rig_pop(rig), 0);
	expect(!drv_take(&rig->drv, &id, &len));
	expect_eq(vfp_ring_publish(&rig->ring), 1);
	for (i = 0; i < num; i++) {
		expect(drv_take(&rig->drv, &id, &len));
		expect_eq(len, i);
	}
	expect(!drv_take(&rig->drv, &id, &len));
	expect_eq(rig->drv.nr_free, num);
}

static void test_full_rings(void)
{
	struct rig rig;
	unsigned int num, i;

	for (num = 1; num <= 32768; num *= 2) {
		tap_case("num %u", num);
		rig_init(&rig, num, 0, 65535 - num / 2);
		for (i = 0; i < 3 && !tap_failed(); i++)
			full_ring(&rig, num);
		rig_exit(&rig);
	}
}

static void test_any_order(void)
{
	static const unsigned int order[] = { 2, 0, 3, 1 };
	struct drv_buf buf = { RIG_GPA, 1, true };
	u16 heads[4];
	struct rig rig;
	u32 id, len;
	unsigned int i;

	rig_init(&rig, 4, 0, 65534);
	for (i = 0; i < 4; i++) {
		drv_send(&rig.drv, &buf, 1);
		expect_eq(rig_pop(&rig), 1);
		heads[i] = rig.chain.id;
	}
	for (i = 0; i < 4; i++)
		rig_push(&rig.ring, heads[order[i]], 0xfffffff0 + i);
	vfp_ring_publish(&rig.ring);
	for (i = 0; i < 4; i++) {
		expect(drv_take(&rig.drv, &id, &len));
		expect_eq(id, heads[order[i]]);
		expect_eq(len, 0xfffffff0 + i);
	}
	rig_exit(&rig);
}

static void test_index_read_once(void)
{
	struct drv_buf buf = { RIG_GPA, 1, true };
	unsigned int i, want;
	struct rig rig;

	rig_init(&rig, 2 * VFP_AHEAD, 0, 65534);
	for (i = 0; i < 2 * VFP_AHEAD; i++)
		drv_send(&rig.drv, &buf, 1);
	for (i = 0; i < 2 * VFP_AHEAD; i++) {
		/* Heads and descriptors of some are read with it. */
		want = i % VFP_AHEAD ? 0 : 3 * VFP_AHEAD;
		expect_eq(rig_pop(&rig), 1);
		expect_eq(shim.reads, i ? want : want + 1);
	}
	rig_exit(&rig);
}

/* Base and used index are apart: chains were in flight at the stop. */
static void test_start_reads_used(void)
{
	struct drv_buf buf = { RIG_GPA, 1, false };
	struct rig rig;
	unsigned int i;
	u32 id, len;

	for (i = 0; i < 6; i++) {
		tap_case("used index %u", bases[i]);
		rig_init(&rig, 8, 0, bases[i] + 3);
		drv_put_used_idx(&rig.drv, bases[i]);
		rig.drv.seen = bases[i];
		expect_eq(vfp_ring_start(&rig.ring), 0);
		expect_eq(rig.ring.used_idx, bases[i]);
		drv_send(&rig.drv, &buf, 1);
		expect_eq(rig_pop(&rig), 1);
		rig_push(&rig.ring, rig.chain.id, 7);
		expect_eq(vfp_ring_publish(&rig.ring), 1);
		expect_eq(drv_used_idx(&rig.drv), (u16)(bases[i] + 1));
		expect(drv_take(&rig.drv, &id, &len) && len == 7);
		rig_exit(&rig);
	}
}

static void test_start_forgets_fault(void)
{
	struct rig rig;

	rig_init(&rig, 4, 0, 0);
	rig_offer(&rig, 4);
	expect_eq(rig_pop(&rig), -EIO);
	expect_eq(rig.ring.fault, VFP_FAULT_HEAD);
	vfp_ring_set_base(&rig.ring, 1);
	expect_eq(vfp_ring_start(&rig.ring), 0);
	expect_eq(rig.ring.fault, VFP_FAULT_NONE);
	rig_offer(&rig, 3);
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig.chain.id, 3);
	rig_exit(&rig);
}

static void test_unpop(void)
{
	struct drv_buf buf = { RIG_GPA, 1, true };
	struct rig rig;
	unsigned int i, back;
	u16 heads[4];

	for (back = 0; back <= 4; back++) {
		tap_case("%u put back", back);
		rig_init(&rig, 4, 0, 65534);
		for (i = 0; i < 4; i++)
			heads[i] = drv_send(&rig.drv, &buf, 1);
		for (i = 0; i < 4; i++)
			expect_eq(rig_pop(&rig), 1);
		rig_unpop(&rig.ring, back);
		for (i = 4 - back; i < 4; i++) {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig.chain.id, heads[i]);
		}
		expect_eq(rig_pop(&rig), 0);
		rig_exit(&rig);
	}
}

/* Nothing moves when the used ring can't be written, and it goes on later. */
static void test_push_fault(void)
{
	struct drv_buf buf = { RIG_GPA, 1, true };
	struct rig rig;
	u32 id, len;

	rig_init(&rig, 2, 0, 65535);
	drv_send(&rig.drv, &buf, 1);
	expect_eq(rig_pop(&rig), 1);
	shim_unmap(rig.drv.used);
	expect_eq(rig_push(&rig.ring, rig.chain.id, 1), -EIO);
	expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
	expect_eq(vfp_ring_publish(&rig.ring), 0);
	shim_map(rig.drv.used, drv_used_size(2));
	expect_eq(rig_push(&rig.ring, rig.chain.id, 1), 0);
	shim_unmap(rig.drv.used);
	expect_eq(vfp_ring_publish(&rig.ring), -EIO);
	shim_map(rig.drv.used, drv_used_size(2));
	expect(!drv_take(&rig.drv, &id, &len));
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	expect(drv_take(&rig.drv, &id, &len) && len == 1);
	rig_exit(&rig);
}

static bool access_ok_with(unsigned long desc, unsigned long avail,
			   unsigned long used)
{
	struct vfp_ring ring = {
		.num = 256,
		.desc = (void *)desc,
		.avail = (void *)avail,
		.used = (void *)used,
	};

	return vfp_ring_access_ok(&ring);
}

/* Each part must end below the end of what a process can have. */
static void test_access_ok(void)
{
	const unsigned long end = 1UL << 47;
	unsigned long desc = end - drv_desc_size(256);
	unsigned long avail = end - drv_avail_size(256);
	unsigned long used = end - drv_used_size(256);

	expect(access_ok_with(desc, avail, used));
	expect(!access_ok_with(desc + 16, avail, used));
	expect(!access_ok_with(desc, avail + 2, used));
	expect(!access_ok_with(desc, avail, used + 4));
	expect(!access_ok_with(desc, -2UL, used));
}

const struct test split_tests[] = {
	{ "chains go round one at a time, across the wrap, sizes 1..32768",
		test_single_trips, NULL },
	{ "chains go round for two laps of the 16-bit index",
		test_full_lap, NULL },
	{ "full rings go round across the wrap, sizes 1..32768",
		test_full_rings, NULL },
	{ "used entries carry id and length in any order of pushes",
		test_any_order, NULL },
	{ "the driver's index is read once for all chains that it shows",
		test_index_read_once, NULL },
	{ "start goes on at the used index that the ring holds",
		test_start_reads_used, NULL },
	{ "start forgets an earlier fault", test_start_forgets_fault, NULL },
	{ "chains that were put back are taken again, in order",
		test_unpop, NULL },
	{ "a push or publish that fails moves nothing",
		test_push_fault, NULL },
	{ "access_ok checks each part of the ring to its last byte",
		test_access_ok, NULL },
	{ },
};
