// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains: what they give, and each way in which one is refused.
 */
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

enum {
	N = DRV_F_NEXT,
	W = DRV_F_WRITE,
	I = DRV_F_INDIRECT,
};

static void expect_segment(struct rig *rig, unsigned int i, u64 offset,
			   size_t len)
{
	expect_eq((u8 *)rig->iov[i].iov_base - rig->ram, offset);
	expect_eq(rig->iov[i].iov_len, len);
}

/* Readable descriptors, then writable ones, directly or in a table. */
static void shape(unsigned int out, unsigned int in, bool indirect)
{
	unsigned int i, n = out + in;
	struct drv_buf bufs[16];
	struct rig rig;
	int head;

	tap_case("%u readable, %u writable, indirect %d", out, in, indirect);
	rig_init(&rig, 16, RIG_INDIRECT, 65535);
	for (i = 0; i < n; i++)
		bufs[i] = (struct drv_buf) { RIG_GPA + 64 * i, i + 1, i >= out };
	head = indirect ?
		drv_chain_indirect(&rig.drv, bufs, n, RIG_GPA + RIG_TABLE,
				   rig.ram + RIG_TABLE) :
		drv_chain(&rig.drv, bufs, n);
	rig_offer(&rig, head);
	expect_eq(rig_pop(&rig), 1);
	expect_eq(shim.most, 1);
	expect_eq(rig.chain.nr_out, out);
	expect_eq(rig.chain.nr_in, in);
	expect_eq(rig.chain.out_len, out * (out + 1) / 2);
	expect_eq(rig.chain.out_len + rig.chain.in_len, n * (n + 1) / 2);
	for (i = 0; i < n; i++)
		expect_segment(&rig, i, 64 * i, i + 1);
	expect_eq(rig_pop(&rig), 0);
	rig_exit(&rig);
}

static void test_shapes(void)
{
	unsigned int out, in;

	for (out = 0; out <= 16; out++) {
		for (in = out ? 0 : 1; out + in <= 16; in++) {
			shape(out, in, false);
			shape(out, in, true);
		}
	}
}

static void test_head(void)
{
	unsigned int num, i;
	struct rig rig;

	for (num = 1; num <= 32768; num *= 2) {
		const unsigned int bad[] = {
			num, num + 1, 2 * num, 32768, 65534, 65535,
		};

		tap_case("num %u", num);
		rig_init(&rig, num, RIG_INDIRECT, 65533);
		for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			if (bad[i] < num || bad[i] > 65535)
				continue;
			rig_offer(&rig, bad[i]);
			expect_fault(&rig, VFP_FAULT_HEAD);
		}
		rig_desc(&rig, num - 1, RIG_GPA, 1, 0, 65535);
		rig_offer(&rig, num - 1);
		expect_fault(&rig, VFP_FAULT_NONE);
		rig_exit(&rig);
	}
}

static void test_next(void)
{
	static const u16 bad[] = { 8, 9, 16, 32767, 32768, 65535 };
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 8, 0, 0);
	rig_desc(&rig, 7, RIG_GPA, 1, 0, 8);
	rig_desc(&rig, 0, RIG_GPA, 1, N, 7);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	for (i = 0; i < 6; i++) {
		tap_case("next %u", bad[i]);
		rig_desc(&rig, 0, RIG_GPA, 1, N, bad[i]);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_NEXT);
		rig_desc(&rig, 0, RIG_GPA, 1, 0, bad[i]);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_NONE);
	}
	rig_exit(&rig);
}

static void test_next_indirect(void)
{
	static const u16 bad[] = { 3, 4, 8, 32768, 65535 };
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 8, RIG_INDIRECT, 0);
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 3 * 16, I, 65535);
	rig_table(&rig, 2, RIG_GPA, 1, 0, 3);
	/* What is beyond the table looks sound, and is not to be seen. */
	for (i = 3; i < 10; i++)
		rig_table(&rig, i, RIG_GPA, 1, 0, 0);
	rig_table(&rig, 0, RIG_GPA, 1, N, 2);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	for (i = 0; i < 5; i++) {
		tap_case("next %u", bad[i]);
		rig_table(&rig, 0, RIG_GPA, 1, N, bad[i]);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_NEXT);
	}
	rig_exit(&rig);
}

/* A chain over all descriptors is sound; one that goes on to any is a loop. */
/* A walk reads each descriptor twice over, and ahead of what it needs. */
static void loops(unsigned int num, u32 len)
{
	struct rig rig;
	unsigned int i, back;

	tap_case("num %u, length %u", num, len);
	rig_init(&rig, num, 0, 7);
	for (i = 0; i < num; i++)
		rig_desc(&rig, i, RIG_GPA, len, N, i + 1);
	rig_desc(&rig, num - 1, RIG_GPA, len, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	for (back = 0; back < num; back += 1 + num / 16) {
		rig_desc(&rig, num - 1, RIG_GPA, len, N, back);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_LOOP);
		rig_offer(&rig, 0);
		rig_pop(&rig);
		expect_eq(rig.chain.steps, num);
		expect(shim.reads <= 2 * (num + VFP_AHEAD) + 4);
		vfp_ring_set_base(&rig.ring, rig.drv.offered);
	}
	rig_exit(&rig);
}

static void test_loops(void)
{
	unsigned int num;

	for (num = 1; num <= VFP_MAX_SEGS; num *= 2) {
		loops(num, 0);
		loops(num, 1);
	}
}

/* In a large ring, too, a walk ends when no more segments could be of use. */
static void test_long_walk(void)
{
	const unsigned int most = VFP_MAX_SEGS + 1;
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 32768, 0, 7);
	for (i = 0; i < most; i++)
		rig_desc(&rig, i, RIG_GPA, 0, N, i + 1);
	rig_desc(&rig, most - 1, RIG_GPA, 0, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	rig_desc(&rig, most - 1, RIG_GPA, 0, N, most);
	rig_desc(&rig, most, RIG_GPA, 0, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_LOOP);
	rig_offer(&rig, 0);
	rig_pop(&rig);
	expect_eq(rig.chain.steps, most);
	expect(shim.reads <= 2 * (most + VFP_AHEAD) + 4);
	rig_exit(&rig);
}

static void test_loops_indirect(void)
{
	unsigned int n, back, i;
	struct rig rig;

	rig_init(&rig, 2, RIG_INDIRECT, 7);
	for (n = 1; n <= VFP_MAX_SEGS; n *= 2) {
		tap_case("table of %u", n);
		rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, n * 16, I, 0);
		for (i = 0; i < n; i++)
			rig_table(&rig, i, RIG_GPA, i & 1, N, i + 1);
		rig_table(&rig, n - 1, RIG_GPA, 0, 0, 0);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_NONE);
		for (back = 0; back < n; back += 1 + n / 16) {
			rig_table(&rig, n - 1, RIG_GPA, 0, N, back);
			rig_offer(&rig, 0);
			expect_eq(rig_pop(&rig), -EIO);
			expect_eq(rig.chain.steps, n);
			expect(shim.reads <= 2 * (n + VFP_AHEAD) + 6);
			expect_fault(&rig, VFP_FAULT_LOOP);
		}
	}
	rig_exit(&rig);
}

static void test_indirect_refused(void)
{
	static const u32 odd[] = {
		0, 1, 15, 17, 31, 33, 65535, 65537, 0x7fffffff, 0x80000001,
		0xfffffff1, 0xffffffff,
	};
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 4, RIG_INDIRECT, 65535);
	rig_table(&rig, 0, RIG_GPA, 1, 0, 0);
	for (i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		tap_case("table of %u bytes", odd[i]);
		rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, odd[i], I, 0);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_INDIRECT);
	}
	tap_case("next beside indirect");
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 16, I | N, 1);
	rig_desc(&rig, 1, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_INDIRECT);
	tap_case("nested");
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 16, I, 0);
	rig_table(&rig, 0, RIG_GPA + RIG_TABLE + 16, 16, I, 0);
	rig_table(&rig, 1, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_INDIRECT);
	tap_case("not offered");
	rig.ring.indirect = false;
	rig_table(&rig, 0, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_INDIRECT);
	rig_exit(&rig);
}

/* Of a table, only the descriptors up to the chain's end are looked at. */
static void test_indirect_sizes(void)
{
	static const u32 good[] = {
		16, 32, 65520, 65536, 65552, 0x7ffffff0, 0x80000000, 0xfffffff0,
	};
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 1, RIG_INDIRECT, 0);
	rig_table(&rig, 0, RIG_GPA, 5, 0, 0);
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		tap_case("table of %u bytes", good[i]);
		rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, good[i], I | W, 0);
		rig_offer(&rig, 0);
		expect_fault(&rig, VFP_FAULT_NONE);
		expect_eq(rig.chain.nr_out, 1);
		expect_eq(rig.chain.out_len, 5);
		expect_eq(rig.chain.nr_in, 0);
	}
	rig_exit(&rig);
}

static void test_direct_then_indirect(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_INDIRECT, 0);
	rig_desc(&rig, 3, RIG_GPA, 10, N, 1);
	rig_desc(&rig, 1, RIG_GPA + 100, 11, N, 2);
	rig_desc(&rig, 2, RIG_GPA + RIG_TABLE, 32, I, 0);
	rig_table(&rig, 0, RIG_GPA + 200, 12, N, 1);
	rig_table(&rig, 1, RIG_GPA + 300, 13, W, 0);
	rig_offer(&rig, 3);
	expect_fault(&rig, VFP_FAULT_NONE);
	expect_eq(rig.chain.id, 3);
	expect_eq(rig.chain.nr_out, 3);
	expect_eq(rig.chain.nr_in, 1);
	expect_segment(&rig, 0, 0, 10);
	expect_segment(&rig, 1, 100, 11);
	expect_segment(&rig, 2, 200, 12);
	expect_segment(&rig, 3, 300, 13);
	rig_exit(&rig);
}

static void test_order(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_INDIRECT, 0);
	tap_case("in the ring");
	rig_desc(&rig, 0, RIG_GPA, 1, W | N, 1);
	rig_desc(&rig, 1, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ORDER);
	tap_case("in the table");
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 32, I, 0);
	rig_table(&rig, 0, RIG_GPA, 1, W | N, 1);
	rig_table(&rig, 1, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ORDER);
	tap_case("from the ring to the table");
	rig_desc(&rig, 0, RIG_GPA, 1, W | N, 1);
	rig_desc(&rig, 1, RIG_GPA + RIG_TABLE, 16, I, 0);
	rig_table(&rig, 0, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ORDER);
	rig_exit(&rig);
}

/* Chains of @n segments with room for @room. */
static void room(struct rig *rig, unsigned int n, unsigned int room,
		 enum vfp_fault want)
{
	unsigned int i;

	tap_case("%u segments, room for %u", n, room);
	rig->chain.max = room;
	for (i = 0; i < n; i++)
		rig_desc(rig, i, RIG_GPA + 2 * i, 1, i < n - 1 ? N : 0, i + 1);
	rig_offer(rig, 0);
	expect_fault(rig, want);
}

static void test_too_long(void)
{
	struct rig rig;

	rig_init(&rig, 2048, RIG_INDIRECT, 0);
	room(&rig, 1, 0, VFP_FAULT_TOO_LONG);
	room(&rig, 1, 1, VFP_FAULT_NONE);
	room(&rig, 2, 1, VFP_FAULT_TOO_LONG);
	room(&rig, 3, 2, VFP_FAULT_TOO_LONG);
	room(&rig, VFP_MAX_SEGS, VFP_MAX_SEGS, VFP_FAULT_NONE);
	room(&rig, VFP_MAX_SEGS + 1, VFP_MAX_SEGS, VFP_FAULT_TOO_LONG);
	room(&rig, 2048, VFP_MAX_SEGS, VFP_FAULT_TOO_LONG);
	tap_case("one descriptor over two regions");
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + 99, 0);
	rig_region(&rig, RIG_GPA + 100, RIG_GPA + 199, 200);
	rig_desc(&rig, 0, RIG_GPA + 90, 20, 0, 0);
	rig.chain.max = 1;
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_TOO_LONG);
	rig.chain.max = 2;
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	rig_exit(&rig);
}

static void test_empty(void)
{
	struct rig rig;

	rig_init(&rig, 4, 0, 0);
	/* No byte of it is used: the address need not be one. */
	rig_desc(&rig, 0, 0xdeadbeef0000, 0, N, 1);
	rig_desc(&rig, 1, RIG_GPA, 4, N, 2);
	rig_desc(&rig, 2, ~0ULL, 0, W, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	expect_eq(rig.chain.nr_out, 1);
	expect_eq(rig.chain.nr_in, 0);
	expect_segment(&rig, 0, 0, 4);
	rig_exit(&rig);
}

static void test_flags(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_INDIRECT, 0);
	rig_desc(&rig, 0, RIG_GPA, 4, 0xfff8 | N, 1);
	rig_desc(&rig, 1, RIG_GPA, 4, 0xfff8 | W, 1);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	expect_eq(rig.chain.nr_out, 1);
	expect_eq(rig.chain.nr_in, 1);
	rig_exit(&rig);
}

const struct test chain_tests[] = {
	{ "every shape of up to 16 readable and writable buffers is taken",
		test_shapes, NULL },
	{ "HEAD: a head of num or more, sizes 1..32768", test_head, NULL },
	{ "NEXT: a next of num or more, and only if it is followed",
		test_next, NULL },
	{ "NEXT: a next beyond an indirect table", test_next_indirect, NULL },
	{ "LOOP: more steps than descriptors; that many are sound",
		test_loops, NULL },
	{ "LOOP: more steps than a chain may have segments", test_long_walk,
		NULL },
	{ "LOOP: more steps than an indirect table has",
		test_loops_indirect, NULL },
	{ "INDIRECT: odd sizes, nested, with next, not offered",
		test_indirect_refused, NULL },
	{ "indirect tables of 16 bytes to 2^32-16, the write flag ignored",
		test_indirect_sizes, NULL },
	{ "descriptors of the ring may come before an indirect one",
		test_direct_then_indirect, NULL },
	{ "ORDER: a readable descriptor after a writable one",
		test_order, NULL },
	{ "TOO_LONG: one segment more than there is room for",
		test_too_long, NULL },
	{ "empty descriptors give no segment", test_empty, NULL },
	{ "unknown flags are ignored", test_flags, NULL },
	{ },
};
