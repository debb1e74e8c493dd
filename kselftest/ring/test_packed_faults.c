// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packed ring: what is no chain, no base, no memory.
 */
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const struct drv_buf one = { RIG_GPA, 1, true };

/* One descriptor of the driver's lap, with these flags besides. */
static void put(struct rig *rig, unsigned int i, u64 addr, u32 len, u16 flags)
{
	struct pdrv_pos pos = { i, true };

	pdrv_put_desc(rig->pdrv.ring, i, addr, len, i,
		      flags | pdrv_avail_flags(pos));
}

static void expect_broken(struct rig *rig, enum vfp_fault want)
{
	u16 before = vfp_ring_mark(&rig->ring);

	expect_eq(rig_pop(rig), want ? -EIO : 1);
	expect_eq(rig->ring.fault, want);
	if (want)
		expect_eq(vfp_ring_mark(&rig->ring), before);
	expect_eq(shim.writes, 0);
	rig_exit_packed(rig);
}

static void begin(struct rig *rig, const char *what)
{
	tap_case("%s", what);
	rig_init_packed(rig, 4, RIG_INDIRECT, 0, true);
}

static void test_no_chain(void)
{
	const u16 N = DRV_F_NEXT, W = DRV_F_WRITE, I = DRV_F_INDIRECT;
	struct rig rig;
	unsigned int i;

	begin(&rig, "all descriptors");
	for (i = 0; i < 4; i++)
		put(&rig, i, RIG_GPA, 1, i < 3 ? N : 0);
	expect_broken(&rig, VFP_FAULT_NONE);
	begin(&rig, "one more than there are");
	for (i = 0; i < 4; i++)
		put(&rig, i, RIG_GPA, 1, N);
	expect_broken(&rig, VFP_FAULT_LOOP);
	begin(&rig, "readable after writable");
	put(&rig, 0, RIG_GPA, 1, N | W);
	put(&rig, 1, RIG_GPA, 1, 0);
	expect_broken(&rig, VFP_FAULT_ORDER);
	begin(&rig, "no memory");
	put(&rig, 0, RIG_GPA - 1, 1, 0);
	expect_broken(&rig, VFP_FAULT_ADDRESS);
	begin(&rig, "a table in a list");
	put(&rig, 0, RIG_GPA, 1, N);
	put(&rig, 1, RIG_GPA, 16, I);
	expect_broken(&rig, VFP_FAULT_INDIRECT);
	begin(&rig, "a list after a table");
	put(&rig, 0, RIG_GPA, 16, I | N);
	expect_broken(&rig, VFP_FAULT_INDIRECT);
	begin(&rig, "a table of no descriptor");
	put(&rig, 0, RIG_GPA, 0, I);
	expect_broken(&rig, VFP_FAULT_INDIRECT);
	begin(&rig, "a table of a descriptor and a half");
	put(&rig, 0, RIG_GPA, 24, I);
	expect_broken(&rig, VFP_FAULT_INDIRECT);
	begin(&rig, "a table that was not negotiated");
	rig.ring.indirect = false;
	put(&rig, 0, RIG_GPA, 16, I);
	expect_broken(&rig, VFP_FAULT_INDIRECT);
	begin(&rig, "a table of as many as a chain may have");
	put(&rig, 0, RIG_GPA, 16 * VFP_MAX_SEGS, I);
	expect_broken(&rig, VFP_FAULT_NONE);
	begin(&rig, "a table of one more");
	put(&rig, 0, RIG_GPA, 16 * (VFP_MAX_SEGS + 1), I);
	expect_broken(&rig, VFP_FAULT_TOO_LONG);
	begin(&rig, "a table that wraps");
	put(&rig, 0, -16ULL, 32, I);
	expect_broken(&rig, VFP_FAULT_ADDRESS);
}

/* All are in hand, and the next lap's flags are there already. */
static void test_made_up(void)
{
	struct rig rig;
	unsigned int i;

	rig_init_packed(&rig, 4, 0, 0, true);
	for (i = 0; i < 4; i++)
		put(&rig, i, RIG_GPA, 1, 0);
	for (i = 0; i < 4; i++)
		expect_eq(rig_pop(&rig), 1);
	for (i = 0; i < 4; i++)
		pdrv_put_flags(&rig.pdrv, i, PDRV_F_USED);
	expect_broken(&rig, VFP_FAULT_AVAIL_JUMP);
	tap_case("one may be in the next lap when one was given back");
	rig_init_packed(&rig, 4, 0, 0, true);
	for (i = 0; i < 4; i++)
		put(&rig, i, RIG_GPA, 1, 0);
	for (i = 0; i < 4; i++)
		expect_eq(rig_pop(&rig), 1);
	expect_eq(rig_push_packed(&rig, 1), 0);
	pdrv_put_flags(&rig.pdrv, 0, PDRV_F_USED | DRV_F_NEXT);
	pdrv_put_flags(&rig.pdrv, 1, PDRV_F_USED);
	expect_broken(&rig, VFP_FAULT_LOOP);
}

/* What was put back must be there again; what was never seen need not. */
static void test_taken_back(void)
{
	struct rig rig;
	u16 mark;

	rig_init_packed(&rig, 4, 0, 0, true);
	mark = vfp_ring_mark(&rig.ring);
	put(&rig, 0, RIG_GPA, 1, 0);
	expect_eq(rig_pop(&rig), 1);
	vfp_ring_rewind(&rig.ring, mark);
	pdrv_put_flags(&rig.pdrv, 0, 0);
	rig_read_anew(&rig);
	expect_broken(&rig, VFP_FAULT_AVAIL_JUMP);

	rig_init_packed(&rig, 4, 0, 0, true);
	put(&rig, 0, RIG_GPA, 1, 0);
	pdrv_put_flags(&rig.pdrv, 0, 0);
	expect_eq(rig_pop(&rig), 0);
	rig_exit_packed(&rig);
}

#define NO_BASE	0xffffffff

/*
 * A base is two positions that are less than a lap apart.  If they are a lap
 * apart, the position of the next chain is what was meant.
 */
static void test_base(void)
{
	static const struct {
		u32 base;
		u32 then;
	} cases[] = {
		{ 0x80008000, 0x80008000 }, { 0, 0 },
		{ 0x80038003, 0x80038003 }, { 0x80008001, 0x80008001 },
		{ 0x80030000, 0x80030000 }, { 0x00038002, 0x00038002 },
		{ 0x80000000, 0x00000000 }, { 0x00008000, 0x80008000 },
		{ 0x00028002, 0x80028002 },
		{ 0x80048004, NO_BASE }, { 0x80008004, NO_BASE },
		{ 0x80048000, NO_BASE }, { 0x80018000, NO_BASE },
		{ 0x80020003, NO_BASE }, { 0x00020001, NO_BASE },
		{ 0xffffffff, NO_BASE },
	};
	struct rig rig;
	unsigned int i;
	bool good;

	rig_init_packed(&rig, 4, 0, 0, true);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tap_case("base %#x", cases[i].base);
		good = cases[i].then != NO_BASE;
		vfp_ring_set_base(&rig.ring, cases[i].base);
		expect_eq(!vfp_ring_start(&rig.ring), good);
		expect_eq(!rig.ring.fault, good);
		if (good)
			expect_eq(vfp_ring_base(&rig.ring), cases[i].then);
	}
	tap_case("a chain passes where one position alone was told");
	vfp_ring_set_base(&rig.ring, 0x00008000);
	expect_eq(vfp_ring_start(&rig.ring), 0);
	expect(pdrv_send(&rig.pdrv, &one, 1, 3));
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig_push_packed(&rig, 1), 0);
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	expect(rig_comes_back(&rig, 3, 1));
	rig_exit_packed(&rig);
}

static bool access_ok_with(unsigned long desc, unsigned long driver,
			   unsigned long device)
{
	struct vfp_ring ring = {
		.num = 256,
		.packed = true,
		.packed_desc = (void *)desc,
		.driver_event = (void *)driver,
		.device_event = (void *)device,
	};

	return vfp_ring_access_ok(&ring);
}

static void test_access_ok(void)
{
	const unsigned long end = 1UL << 47, desc = end - 4096, event = end - 4;

	expect(access_ok_with(desc, event, event));
	expect(!access_ok_with(desc + 16, event, event));
	expect(!access_ok_with(desc, event + 4, event));
	expect(!access_ok_with(desc, event, event + 4));
	tap_case("alignment");
	expect(!access_ok_with(desc - 8, event, event));
	expect(!access_ok_with(desc, event - 2, event));
	expect(!access_ok_with(desc, event, event - 2));
}

/* Nothing moves when the ring can't be written. */
static void test_push_fault(void)
{
	struct vfp_used two[2] = { { 0, 1, 1 }, { 1, 1, 1 } };
	struct rig rig;

	rig_init_packed(&rig, 2, 0, 0, true);
	expect(pdrv_send(&rig.pdrv, &one, 1, 5));
	expect_eq(rig_pop(&rig), 1);
	shim_unmap(rig.pdrv.ring);
	expect_eq(rig.ring.fault, VFP_FAULT_NONE);
	expect_eq(rig_push_packed(&rig, 1), -EIO);
	expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
	expect_eq(vfp_ring_publish(&rig.ring), 0);
	expect_eq(rig_pop(&rig), -EIO);
	expect_eq(vfp_ring_notify_on(&rig.ring), -EIO);
	shim_map(rig.pdrv.ring, pdrv_ring_size(2));
	expect_eq(rig_push_packed(&rig, 1), 0);
	shim_unmap(rig.pdrv.ring);
	expect_eq(vfp_ring_publish(&rig.ring), -EIO);
	shim_map(rig.pdrv.ring, pdrv_ring_size(2));
	expect(!pdrv_has_used(&rig.pdrv));
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	expect(rig_comes_back(&rig, 5, 1));
	tap_case("the second of two");
	shim_unmap(rig.pdrv.ring);
	shim_map(rig.pdrv.ring, 16);
	vfp_ring_set_base(&rig.ring, 0x80008000);
	rig.ring.next_used = 0x8000;
	expect_eq(vfp_ring_push(&rig.ring, two, 2), -EIO);
	expect_eq(vfp_ring_publish(&rig.ring), 0);
	shim_unmap(rig.pdrv.ring);
	shim_map(rig.pdrv.ring, pdrv_ring_size(2));
	tap_case("the device area");
	shim_unmap(rig.pdrv.device_event);
	expect_eq(vfp_ring_notify_on(&rig.ring), -EIO);
	expect_eq(vfp_ring_notify_off(&rig.ring), -EIO);
	expect_eq(vfp_ring_start(&rig.ring), -EIO);
	expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
	shim_map(rig.pdrv.device_event, PDRV_EVENT_SIZE);
	rig_exit_packed(&rig);
}

const struct test packed_fault_tests[] = {
	{ "packed: what is no chain is a fault, and is not taken",
		test_no_chain, NULL },
	{ "packed: no more chains are taken than the ring can hold",
		test_made_up, NULL },
	{ "packed: a chain that was seen must not be taken back",
		test_taken_back, NULL },
	{ "packed: a base that is none is refused", test_base, NULL },
	{ "packed: access_ok checks each part of the ring to its last byte",
		test_access_ok, NULL },
	{ "packed: what can't be written or read moves nothing",
		test_push_fault, NULL },
	{ },
};
