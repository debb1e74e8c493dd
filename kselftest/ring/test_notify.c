// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is told when, and the indices that this hangs on.
 */
#include <string.h>

#include "kselftest/ring/oracle.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const u16 bases[] = { 0, 1, 32767, 32768, 65534, 65535 };

#define NR_BASES	(sizeof(bases) / sizeof(*bases))

static const struct drv_buf one = { RIG_GPA, 1, true };

static void use(struct rig *rig, unsigned int n)
{
	while (n--)
		rig_push(&rig->ring, 0, 0);
	expect_eq(vfp_ring_publish(&rig->ring), 1);
}

/* The decision on @n entries after the index @base, for all events. */
static void all_events(u16 base, unsigned int n, unsigned int step)
{
	struct vfp_ring ring;
	struct rig rig;
	u32 event;

	rig_init(&rig, 32768, RIG_EVENT_IDX, base - 1);
	use(&rig, 1);
	vfp_ring_need_call(&rig.ring);
	ring = rig.ring;
	for (event = 0; event < 65536 && !tap_failed(); event += step) {
		tap_case("from %u by %u, event %u", base, n, event);
		rig.ring = ring;
		drv_put_used_event(&rig.drv, event);
		use(&rig, n);
		expect_eq(vfp_ring_need_call(&rig.ring),
			  oracle_event(event, base + n, base));
	}
	rig_exit(&rig);
}

static void test_events(void)
{
	unsigned int i;

	for (i = 0; i < NR_BASES; i++) {
		all_events(bases[i], 1, 1);
		all_events(bases[i], 3, 1);
		all_events(bases[i], 256, 127);
		all_events(bases[i], 32768, 8191);
	}
}

/* Each decision is on what came after the one before. */
static void test_event_chain(void)
{
	struct rig rig;
	unsigned int i, event;

	for (event = 65530; event < 65536 + 6; event++) {
		tap_case("event %u", (u16)event);
		rig_init(&rig, 16, RIG_EVENT_IDX, 65528);
		drv_put_used_event(&rig.drv, event);
		use(&rig, 1);
		expect(vfp_ring_need_call(&rig.ring));
		for (i = 65529; i < 65536 + 8; i++) {
			use(&rig, 1);
			expect_eq(vfp_ring_need_call(&rig.ring), i == event);
		}
		rig_exit(&rig);
	}
}

static void test_first_call(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_EVENT_IDX, 65535);
	drv_put_used_event(&rig.drv, 1000);
	use(&rig, 1);
	expect(vfp_ring_need_call(&rig.ring));
	use(&rig, 1);
	expect(!vfp_ring_need_call(&rig.ring));
	expect_eq(vfp_ring_start(&rig.ring), 0);
	use(&rig, 1);
	expect(vfp_ring_need_call(&rig.ring));
	rig_exit(&rig);
}

static void test_no_interrupt(void)
{
	struct rig rig;
	u32 flags;

	rig_init(&rig, 4, 0, 0);
	use(&rig, 1);
	for (flags = 0; flags < 65536; flags++) {
		drv_put_avail_flags(&rig.drv, flags);
		expect_eq(vfp_ring_need_call(&rig.ring),
			  !(flags & DRV_F_NO_INTERRUPT));
	}
	rig_exit(&rig);
}

/* If the driver's wish can't be read it is called: late is worse. */
static void test_wish_unreadable(void)
{
	unsigned int flags;
	struct rig rig;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		rig_init(&rig, 4, flags, 0);
		use(&rig, 1);
		vfp_ring_need_call(&rig.ring);
		drv_put_avail_flags(&rig.drv, DRV_F_NO_INTERRUPT);
		drv_put_used_event(&rig.drv, 1000);
		use(&rig, 1);
		shim_unmap(rig.drv.avail);
		expect(vfp_ring_need_call(&rig.ring));
		expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
		shim_map(rig.drv.avail, drv_avail_size(4));
		rig_exit(&rig);
	}
}

static const void *never;

static void watch_never(enum shim_event event, const void *addr)
{
	(void)event;
	expect(!addr || addr != never);
}

/* All that a device does, once. */
static void do_all(struct rig *rig)
{
	drv_send(&rig->drv, &one, 1);
	expect(vfp_ring_notify_on(&rig->ring) >= 0);
	expect_eq(rig_pop(rig), 1);
	expect_eq(vfp_ring_notify_off(&rig->ring), 0);
	use(rig, 1);
	vfp_ring_need_call(&rig->ring);
}

static void test_own_fields(void)
{
	struct rig rig;

	rig_init(&rig, 4, 0, 65535);
	shim.on_event = watch_never;
	tap_case("used_event");
	never = rig.drv.avail + drv_avail_size(4) - 2;
	do_all(&rig);
	tap_case("avail_event");
	never = rig.drv.used + drv_used_size(4) - 2;
	do_all(&rig);
	shim.on_event = NULL;
	rig_exit(&rig);

	rig_init(&rig, 4, RIG_EVENT_IDX, 65535);
	shim.on_event = watch_never;
	tap_case("avail flags with event index");
	never = rig.drv.avail;
	do_all(&rig);
	tap_case("used flags with event index");
	never = rig.drv.used;
	do_all(&rig);
	shim.on_event = NULL;
	rig_exit(&rig);
}

static void test_flags_written(void)
{
	struct rig rig;

	rig_init(&rig, 4, 0, 65535);
	expect_eq(drv_used_flags(&rig.drv), DRV_F_NO_NOTIFY);
	expect_eq(vfp_ring_notify_on(&rig.ring), 0);
	expect_eq(drv_used_flags(&rig.drv), 0);
	shim_forget();
	expect_eq(vfp_ring_notify_off(&rig.ring), 0);
	expect_eq(vfp_ring_notify_off(&rig.ring), 0);
	expect_eq(shim.writes, 1);
	expect_eq(drv_used_flags(&rig.drv), DRV_F_NO_NOTIFY);
	rig_exit(&rig);

	rig_init(&rig, 4, RIG_EVENT_IDX, 65535);
	expect_eq(vfp_ring_notify_on(&rig.ring), 0);
	expect_eq(vfp_ring_notify_off(&rig.ring), 0);
	expect_eq(drv_used_flags(&rig.drv), 0);
	expect_eq(drv_avail_event(&rig.drv), 65535);
	rig_exit(&rig);
}

/* The driver sends @n at once after it was told to kick. */
static void kick_due(unsigned int flags, u16 base, unsigned int n)
{
	struct rig rig;
	unsigned int i;

	rig_init(&rig, 4, flags, base);
	drv_send(&rig.drv, &one, 1);
	drv_must_kick(&rig.drv);
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig_pop(&rig), 0);
	expect_eq(vfp_ring_notify_on(&rig.ring), 0);
	expect_eq(vfp_ring_notify_off(&rig.ring), 0);
	expect_eq(vfp_ring_notify_on(&rig.ring), 0);
	for (i = 0; i < n; i++)
		drv_send(&rig.drv, &one, 1);
	expect(drv_must_kick(&rig.drv));
	rig_exit(&rig);
}

static void test_kick_due(void)
{
	unsigned int i, n, flags;

	for (i = 0; i < NR_BASES; i++) {
		for (n = 1; n <= 3; n++) {
			for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
				tap_case("base %u, %u sent, flags %u",
					 bases[i], n, flags);
				kick_due(flags, bases[i] - 1, n);
			}
		}
	}
}

static struct rig *watched;
static u16 seen;

/* Remember what the device has seen of the driver's index. */
static void watch_idx(enum shim_event event, const void *addr)
{
	if (event == SHIM_READ && addr == watched->drv.avail + 2)
		seen = drv_idx(&watched->drv);
}

static void random_step(struct rig *rig, u64 *seed, unsigned int *in_hand)
{
	unsigned int n = rig_random(seed) % 3;
	u16 before;

	switch (rig_random(seed) % 4) {
	case 0:
		while (n-- && (u16)(rig->drv.offered - rig->drv.seen) < 8)
			rig_offer(rig, rig_random(seed) % 8);
		break;
	case 1:
		if (rig_pop(rig) == 1)
			++*in_hand;
		break;
	case 2:
		n = n < *in_hand ? n : *in_hand;
		rig_unpop(&rig->ring, n);
		*in_hand -= n;
		break;
	case 3:
		before = seen;
		expect_eq(vfp_ring_notify_on(&rig->ring),
			  drv_idx(&rig->drv) != before);
		break;
	}
}

/* Driver and device act at random; chains in hand are used now and then. */
static void test_only_new(void)
{
	unsigned int i, in_hand = 0, flags;
	u64 seed = 42;
	struct rig rig;
	u32 id, len;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		rig_init(&rig, 8, flags, 65000);
		watched = &rig;
		seen = 65000;
		shim.on_event = watch_idx;
		for (i = 0; i < 200000 && !tap_failed(); i++) {
			random_step(&rig, &seed, &in_hand);
			if (i % 8)
				continue;
			for (; in_hand; in_hand--)
				rig_push(&rig.ring, 0, 0);
			vfp_ring_publish(&rig.ring);
			rig.drv.nr_free = 0;
			while (drv_take(&rig.drv, &id, &len))
				rig.drv.nr_free = 0;
		}
		shim.on_event = NULL;
		rig_exit(&rig);
	}
}

/* A chain that was put back is no news; another one is. */
static void test_put_back_is_no_news(void)
{
	unsigned int i;
	struct rig rig;

	for (i = 0; i < NR_BASES; i++) {
		tap_case("base %u", bases[i]);
		rig_init(&rig, 4, RIG_EVENT_IDX, bases[i]);
		expect_eq(vfp_ring_notify_on(&rig.ring), 0);
		drv_send(&rig.drv, &one, 1);
		drv_send(&rig.drv, &one, 1);
		expect_eq(vfp_ring_notify_on(&rig.ring), 1);
		expect_eq(rig_pop(&rig), 1);
		rig_unpop(&rig.ring, 1);
		expect_eq(vfp_ring_notify_on(&rig.ring), 0);
		expect_eq(vfp_ring_notify_on(&rig.ring), 0);
		drv_must_kick(&rig.drv);
		drv_send(&rig.drv, &one, 1);
		expect(drv_must_kick(&rig.drv));
		expect_eq(vfp_ring_notify_on(&rig.ring), 1);
		expect_eq(vfp_ring_notify_on(&rig.ring), 0);
		rig_exit(&rig);
	}
}

/* A guest that sets its index back and forth must not keep a device busy. */
static void test_index_set_back(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_EVENT_IDX, 65535);
	drv_send(&rig.drv, &one, 1);
	drv_send(&rig.drv, &one, 1);
	expect_eq(rig_pop(&rig), 1);
	rig_unpop(&rig.ring, 1);
	drv_put_idx(&rig.drv, 0);
	expect(vfp_ring_notify_on(&rig.ring) != 1);
	rig_exit(&rig);
}

static void test_news_at_start(void)
{
	struct rig rig;

	rig_init(&rig, 4, RIG_EVENT_IDX, 65535);
	drv_send(&rig.drv, &one, 1);
	expect_eq(vfp_ring_start(&rig.ring), 0);
	expect_eq(vfp_ring_notify_on(&rig.ring), 1);
	tap_case("seen before the start, and not taken");
	expect_eq(vfp_ring_start(&rig.ring), 0);
	expect_eq(vfp_ring_notify_on(&rig.ring), 1);
	expect_eq(rig_pop(&rig), 1);
	rig_exit(&rig);
}

const struct test notify_tests[] = {
	{ "event index decides as the specification says, for all events",
		test_events, NULL },
	{ "each decision is on the entries since the one before",
		test_event_chain, NULL },
	{ "the first decision after a start is to call", test_first_call, NULL },
	{ "NO_INTERRUPT, and no other flag, keeps the driver from being called",
		test_no_interrupt, NULL },
	{ "a driver whose wish can't be read is called",
		test_wish_unreadable, NULL },
	{ "fields of what was not negotiated are left alone",
		test_own_fields, NULL },
	{ "notify_on and notify_off write the flags, or the index",
		test_flags_written, NULL },
	{ "after notify_on the driver's next chains come with a kick",
		test_kick_due, NULL },
	{ "notify_on reports only what was not seen before, at random",
		test_only_new, NULL },
	{ "notify_on does not report chains that were put back",
		test_put_back_is_no_news, NULL },
	{ "notify_on does not report an index that was set back",
		test_index_set_back, NULL },
	{ "notify_on after a start reports what waits", test_news_at_start,
		NULL },
	{ },
};
