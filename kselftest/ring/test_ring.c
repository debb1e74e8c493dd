// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring memory that can't be reached, indices that jump, barriers.
 */
#include "kselftest/ring/order.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const struct drv_buf one = { RIG_GPA, 1, true };

/* The driver's index at @ahead of what was taken; the last is a fault. */
static void jump(struct rig *rig, u16 base, u16 ahead, bool by_notify)
{
	unsigned int num = rig->drv.num;
	int want = !ahead ? 0 : ahead <= num ? 1 : -EIO;
	int ret;

	vfp_ring_set_base(&rig->ring, base);
	vfp_ring_start(&rig->ring);
	drv_put_idx(&rig->drv, base + ahead);
	ret = by_notify ? vfp_ring_notify_on(&rig->ring) : rig_pop(rig);
	if (ret != want)
		tap_case("num %u, base %u, ahead %u", num, base, ahead);
	expect_eq(ret, want);
	expect_eq(rig->ring.fault,
		  want < 0 ? VFP_FAULT_AVAIL_JUMP : VFP_FAULT_NONE);
}

static void test_jump(void)
{
	static const u16 bases[] = { 0, 1, 32767, 32768, 65535 };
	unsigned int num, i, ahead;
	struct rig rig;

	for (num = 1; num <= 32768; num *= 2) {
		rig_init(&rig, num, 0, 0);
		for (i = 0; i < 5; i++) {
			for (ahead = 0; ahead < 65536; ahead += 1 + num / 64) {
				jump(&rig, bases[i], ahead, false);
				jump(&rig, bases[i], ahead, true);
			}
			for (ahead = num - 1; ahead <= num + 1; ahead++) {
				jump(&rig, bases[i], ahead, false);
				jump(&rig, bases[i], ahead, true);
			}
			jump(&rig, bases[i], -1, false);
		}
		rig_exit(&rig);
	}
}

/* Chains in hand that were put back count, too. */
static void test_jump_after_unpop(void)
{
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 4, 0, 65534);
	for (i = 0; i < 4; i++)
		drv_send(&rig.drv, &one, 1);
	for (i = 0; i < 4; i++)
		expect_eq(rig_pop(&rig), 1);
	rig_unpop(&rig.ring, 2);
	drv_put_idx(&rig.drv, (u16)(65534 + 2 + 4));
	expect_eq(vfp_ring_notify_on(&rig.ring), 1);
	drv_put_idx(&rig.drv, (u16)(65534 + 2 + 5));
	expect_eq(vfp_ring_notify_on(&rig.ring), -EIO);
	expect_eq(rig.ring.fault, VFP_FAULT_AVAIL_JUMP);
	rig_exit(&rig);
}

/* A part of the ring that ends @missing bytes early. */
static void expect_access(struct rig *rig, void *part, size_t len,
			  size_t missing, int (*call)(struct rig *rig),
			  int want)
{
	struct vfp_ring before = rig->ring;

	shim_unmap(part);
	if (len > missing)
		shim_map(part, len - missing);
	tap_case("%zu of %zu bytes", len - missing, len);
	expect_eq(call(rig), want);
	expect_eq(rig->ring.fault,
		  want < 0 ? VFP_FAULT_RING_ACCESS : VFP_FAULT_NONE);
	rig->ring = before;
	if (len > missing)
		shim_unmap(part);
	shim_map(part, len);
}

static int call_start(struct rig *rig)
{
	return vfp_ring_start(&rig->ring);
}

static int call_on(struct rig *rig)
{
	return vfp_ring_notify_on(&rig->ring);
}

static int call_off(struct rig *rig)
{
	return vfp_ring_notify_off(&rig->ring);
}

static int call_push(struct rig *rig)
{
	return rig_push(&rig->ring, 0, 0);
}

static int call_publish(struct rig *rig)
{
	return vfp_ring_publish(&rig->ring);
}

/* Base 3 of size 4: the last entry of each ring is due. */
static void test_access_pop(void)
{
	size_t avail = drv_avail_size(4);
	struct rig rig;

	rig_init(&rig, 4, 0, 3);
	rig_desc(&rig, 3, RIG_GPA, 1, 0, 0);
	rig_offer(&rig, 3);
	expect_access(&rig, rig.drv.avail, avail, 2, rig_pop, 1);
	expect_access(&rig, rig.drv.avail, avail, 3, rig_pop, -EIO);
	expect_access(&rig, rig.drv.avail, avail, avail - 3, rig_pop, -EIO);
	expect_access(&rig, rig.drv.avail, avail, avail, rig_pop, -EIO);
	expect_access(&rig, rig.drv.desc, 64, 0, rig_pop, 1);
	expect_access(&rig, rig.drv.desc, 64, 1, rig_pop, -EIO);
	expect_access(&rig, rig.drv.desc, 64, 64, rig_pop, -EIO);
	expect_eq(rig_pop(&rig), 1);
	rig_exit(&rig);
}

static void test_access_used(void)
{
	size_t used = drv_used_size(4);
	unsigned int flags;
	struct rig rig;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		rig_init(&rig, 4, flags, 3);
		expect_access(&rig, rig.drv.used, used, used, call_start, -EIO);
		expect_access(&rig, rig.drv.used, used, used - 3, call_start,
			      -EIO);
		expect_access(&rig, rig.drv.used, used, used - 4, call_start,
			      0);
		expect_access(&rig, rig.drv.used, used, 0, call_on, 0);
		expect_access(&rig, rig.drv.used, used, 1, call_on,
			      flags ? -EIO : 0);
		expect_access(&rig, rig.drv.used, used, used, call_on, -EIO);
		vfp_ring_notify_on(&rig.ring);
		expect_access(&rig, rig.drv.used, used, used, call_off,
			      flags ? 0 : -EIO);
		expect_access(&rig, rig.drv.used, used, 2, call_push, 0);
		expect_access(&rig, rig.drv.used, used, 3, call_push, -EIO);
		call_push(&rig);
		expect_access(&rig, rig.drv.used, used, used - 4, call_publish,
			      1);
		expect_access(&rig, rig.drv.used, used, used - 3, call_publish,
			      -EIO);
		rig_exit(&rig);
	}
}

static void test_access_recheck(void)
{
	size_t avail = drv_avail_size(4);
	struct rig rig;

	rig_init(&rig, 4, RIG_EVENT_IDX, 3);
	expect_access(&rig, rig.drv.avail, avail, avail, call_on, -EIO);
	expect_access(&rig, rig.drv.avail, avail, avail - 4, call_on, 0);
	rig_exit(&rig);
}

/* One round of a device at index 3 of a ring of 4 obeys a rule. */
static void obey(unsigned int flags, size_t first, size_t then,
		 enum shim_event barrier, bool used_first, bool used_then)
{
	struct rig rig;

	rig_init(&rig, 4, flags, 3);
	drv_send(&rig.drv, &one, 1);
	rule.first = (used_first ? rig.drv.used : rig.drv.avail) + first;
	rule.then = (used_then ? rig.drv.used : rig.drv.avail) + then;
	rule.barrier = barrier;
	rule.pending = false;
	rule.seen = 0;
	shim.on_event = watch_order;
	expect_eq(rig_pop(&rig), 1);
	rig_push(&rig.ring, rig.chain.id, 0);
	vfp_ring_publish(&rig.ring);
	vfp_ring_need_call(&rig.ring);
	call_push(&rig);
	vfp_ring_publish(&rig.ring);
	vfp_ring_need_call(&rig.ring);
	vfp_ring_notify_on(&rig.ring);
	shim.on_event = NULL;
	expect(rule.seen);
	rig_exit(&rig);
}

static void test_barriers(void)
{
	tap_case("avail index, then the entry");
	obey(0, 2, 4 + 2 * 3, SHIM_RMB, false, false);
	tap_case("used entry, then the index");
	obey(0, 4 + 8 * 3, 2, SHIM_WMB, true, true);
	tap_case("used index, then avail flags");
	obey(0, 2, 0, SHIM_MB, true, false);
	tap_case("used index, then used_event");
	obey(RIG_EVENT_IDX, 2, 4 + 2 * 4, SHIM_MB, true, false);
	tap_case("used flags, then avail index");
	obey(0, 0, 2, SHIM_MB, true, false);
	tap_case("avail_event, then avail index");
	obey(RIG_EVENT_IDX, 4 + 8 * 4, 2, SHIM_MB, true, false);
}

const struct test ring_tests[] = {
	{ "AVAIL_JUMP: num is sound, num+1 is not, at any base and size",
		test_jump, NULL },
	{ "AVAIL_JUMP: counted from the chains that were put back",
		test_jump_after_unpop, NULL },
	{ "RING_ACCESS: pop, to the last byte of each part",
		test_access_pop, NULL },
	{ "RING_ACCESS: start, notify, push, publish, to the last byte",
		test_access_used, NULL },
	{ "RING_ACCESS: the recheck of notify_on", test_access_recheck, NULL },
	{ "a barrier stands where the ordering contract has one",
		test_barriers, NULL },
	{ },
};
