// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest addresses to addresses of the process, and memory that is not there.
 */
#include <string.h>

#include "kselftest/ring/oracle.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"
#include "virtio-fastpath/memory.h"

typedef int (*translate)(struct vfp_ring *ring, u64 addr, u32 len,
			 struct iovec *iov, unsigned int max);

/* What walks call: it has a way of its own when the region was hit before. */
static int to_segments(struct vfp_ring *ring, u64 addr, u32 len,
		       struct iovec *iov, unsigned int max)
{
	return vfp_to_segments(ring, addr, len, iov, max);
}

static void expect_as(struct rig *rig, u64 addr, u32 len, unsigned int max,
		      translate translate)
{
	struct iovec want[16], got[16];
	enum vfp_fault fault = VFP_FAULT_NONE;
	int n, want_n, i;

	rig->ring.fault = VFP_FAULT_NONE;
	want_n = oracle_translate(&rig->mem, addr, len, want, max, &fault);
	n = translate(&rig->ring, addr, len, got, max);
	if (n != want_n || rig->ring.fault != fault)
		tap_case("address %#llx, length %#x", (long long)addr, len);
	expect_eq(n, want_n);
	expect_eq(rig->ring.fault, fault);
	for (i = 0; i < n && i < want_n; i++) {
		expect_eq(got[i].iov_base, want[i].iov_base);
		expect_eq(got[i].iov_len, want[i].iov_len);
	}
}

/* Both must do as the reference does. */
static void expect_same(struct rig *rig, u64 addr, u32 len, unsigned int max)
{
	expect_as(rig, addr, len, max, vfp_translate);
	expect_as(rig, addr, len, max, to_segments);
}

static const u64 corners[] = {
	0, 1ULL << 16, 1ULL << 31, 1ULL << 32, 1ULL << 63,
	(1ULL << 63) + (1ULL << 32),
};

static const u32 lens[] = {
	0, 1, 2, 3, 4, 7, 8, 9, 16, 32, 65535, 65536, 65537, 0x7fffffff,
	0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
};

static void try_corner(struct rig *rig, u64 corner)
{
	unsigned int i, max;
	int d;

	for (d = -20; d <= 20; d++)
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++)
			for (max = 0; max <= 5; max++)
				expect_same(rig, corner + d, lens[i], max);
}

/* Regions around @at, which is 0 for 2^64: none of them wraps. */
static void region(struct rig *rig, u64 at, s64 from, s64 to, u64 offset)
{
	u64 start = at + from, last = at + to;

	if (start <= last)
		rig_region(rig, start, last, offset);
}

static void layouts(struct rig *rig, u64 at)
{
	rig_no_regions(rig);
	try_corner(rig, at);
	region(rig, at, -8, -1, 0);
	try_corner(rig, at);
	region(rig, at, 0, 7, 100);
	try_corner(rig, at);
	rig_no_regions(rig);
	region(rig, at, 0, 7, 0);
	try_corner(rig, at);
	rig_no_regions(rig);	/* a hole of one byte, and single bytes */
	region(rig, at, -8, -2, 0);
	region(rig, at, 0, 0, 50);
	region(rig, at, 1, 1, 40);
	region(rig, at, 2, 2, 30);
	try_corner(rig, at);
	rig_no_regions(rig);	/* huge ones */
	region(rig, at, -0x100000000, -1, 0);
	region(rig, at, 0, 0x1ffffffff, 0x1000);
	try_corner(rig, at);
}

static void test_translate(void)
{
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 1, 0, 0);
	for (i = 0; i < sizeof(corners) / sizeof(*corners); i++)
		layouts(&rig, corners[i]);
	rig_exit(&rig);
}

static void test_all_of_it(void)
{
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 1, 0, 0);
	rig_no_regions(&rig);
	rig_region(&rig, 0, ~0ULL, 0);
	for (i = 0; i < sizeof(corners) / sizeof(*corners); i++)
		try_corner(&rig, corners[i]);
	rig_exit(&rig);
}

/* In any state of the cache the answer is that of the table. */
static void test_hot(void)
{
	static const u64 addrs[] = { 99, 100, 199, 200, 299, 300, 450, 499 };
	unsigned int first, second;
	struct rig rig;

	rig_init(&rig, 1, 0, 0);
	rig_no_regions(&rig);
	rig_region(&rig, 400, 499, 1000);
	rig_region(&rig, 100, 199, 2000);
	rig_region(&rig, 200, 299, 3000);
	for (first = 0; first < 8; first++) {
		for (second = 0; second < 8; second++) {
			expect_same(&rig, addrs[first], 1, 1);
			expect_same(&rig, addrs[second], 120, 3);
		}
	}
	rig_exit(&rig);
}

static void test_set_mem(void)
{
	struct vhost_iotlb other = { .nmaps = 1 };
	struct rig rig;

	rig_init(&rig, 1, 0, 0);
	expect_same(&rig, RIG_GPA, 8, 1);
	other.maps[0] = (struct vhost_iotlb_map) {
		.start = RIG_GPA, .last = RIG_GPA + 15,
		.addr = (unsigned long)rig.ram + 64,
	};
	vfp_ring_set_mem(&rig.ring, &other);
	rig.mem = other;
	expect_same(&rig, RIG_GPA, 8, 1);
	expect_same(&rig, RIG_GPA + 16, 8, 1);
	vfp_ring_set_mem(&rig.ring, NULL);
	rig.mem.nmaps = 0;
	expect_same(&rig, RIG_GPA, 8, 1);
	rig_exit(&rig);
}

static void test_buffer_over_regions(void)
{
	static const u8 text[] = "over two regions";
	struct drv_buf buf = { RIG_GPA + 90, 16, false };
	struct rig rig;
	u8 got[16];

	rig_init(&rig, 2, 0, 0);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + 99, 0);
	rig_region(&rig, RIG_GPA + 100, RIG_GPA + 199, 5000);
	memcpy(rig.ram + 90, text, 10);
	memcpy(rig.ram + 5000, text + 10, 6);
	drv_send(&rig.drv, &buf, 1);
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig.chain.nr_out, 2);
	expect_eq(rig.chain.out_len, 16);
	expect_eq(rig_gather(&rig.chain, got, 16), 16);
	expect(!memcmp(got, text, 16));
	rig_exit(&rig);
}

static void test_buffer_over_hole(void)
{
	struct rig rig;
	u32 len;

	rig_init(&rig, 2, 0, 0);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + 99, 0);
	rig_region(&rig, RIG_GPA + 101, RIG_GPA + 199, 5000);
	for (len = 1; len < 40; len++) {
		rig_desc(&rig, 0, RIG_GPA + 90, len, 0, 0);
		rig_offer(&rig, 0);
		expect_fault(&rig, len <= 10 ? VFP_FAULT_NONE :
					       VFP_FAULT_ADDRESS);
	}
	rig_exit(&rig);
}

/* A table whose every byte is in a region of its own. */
static void test_table_in_bytes(void)
{
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 2, RIG_INDIRECT, 0);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + 99, 0);
	for (i = 0; i < 32; i++)
		rig_region(&rig, RIG_GPA + RIG_TABLE + i,
			   RIG_GPA + RIG_TABLE + i, RIG_TABLE + 64 * i);
	rig_table(&rig, 200, RIG_GPA + 1, 7, DRV_F_NEXT, 1);
	rig_table(&rig, 201, RIG_GPA + 2, 9, DRV_F_WRITE, 0);
	for (i = 0; i < 32; i++)
		rig.ram[RIG_TABLE + 64 * i] = rig.ram[RIG_TABLE + 3200 + i];
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 32, DRV_F_INDIRECT, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	expect_eq(rig.chain.out_len, 7);
	expect_eq(rig.chain.in_len, 9);
	rig.mem.nmaps--;
	vfp_ring_set_mem(&rig.ring, &rig.mem);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ADDRESS);
	rig_exit(&rig);
}

/* The region is there, the memory below it is not. */
static void test_table_unmapped(void)
{
	struct rig rig;

	rig_init(&rig, 2, RIG_INDIRECT, 0);
	rig_desc(&rig, 0, RIG_GPA + RIG_TABLE, 16, DRV_F_INDIRECT, 0);
	rig_offer(&rig, 0);
	shim_unmap(rig.ram);
	expect_fault(&rig, VFP_FAULT_ADDRESS);
	shim_map(rig.ram, RIG_RAM);
	rig_exit(&rig);
}

/* The last bytes of all memory, and the first, are no neighbours. */
static void test_table_wraps(void)
{
	struct rig rig;

	rig_init(&rig, 2, RIG_INDIRECT, 0);
	rig_no_regions(&rig);
	rig_region(&rig, 0, 4095, 0);
	rig_region(&rig, -4096ULL, ~0ULL, 4096);
	drv_put_desc(rig.ram + 8192 - 16, 0, 0, 1, DRV_F_NEXT, 1);
	drv_put_desc(rig.ram, 0, 0, 1, 0, 0);
	tap_case("two descriptors, the second at 0");
	rig_desc(&rig, 0, -16ULL, 32, DRV_F_INDIRECT, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ADDRESS);
	tap_case("one descriptor, half of it at 0");
	rig_desc(&rig, 0, -8ULL, 16, DRV_F_INDIRECT, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_ADDRESS);
	tap_case("one descriptor that just fits");
	drv_put_desc(rig.ram + 8192 - 16, 0, 0, 1, 0, 0);
	rig_desc(&rig, 0, -16ULL, 16, DRV_F_INDIRECT, 0);
	rig_offer(&rig, 0);
	expect_fault(&rig, VFP_FAULT_NONE);
	rig_exit(&rig);
}

const struct test memory_tests[] = {
	{ "translation around 0, 2^16, 2^31, 2^32, 2^63 and 2^64 is right",
		test_translate, NULL },
	{ "one region of 2^64 bytes can be translated",
		test_all_of_it, NULL },
	{ "the region that was hit last never changes an answer",
		test_hot, NULL },
	{ "set_mem forgets the region that was hit last",
		test_set_mem, NULL },
	{ "a buffer over two adjacent regions is whole",
		test_buffer_over_regions, NULL },
	{ "ADDRESS: a hole of one byte in a buffer",
		test_buffer_over_hole, NULL },
	{ "an indirect table may be strewn over regions of one byte",
		test_table_in_bytes, NULL },
	{ "ADDRESS: an indirect table that can't be read",
		test_table_unmapped, NULL },
	{ "ADDRESS: an indirect table that goes on beyond 2^64",
		test_table_wraps, NULL },
	{ },
};
