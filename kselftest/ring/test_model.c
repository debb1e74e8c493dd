// SPDX-License-Identifier: GPL-2.0-only
/*
 * No notification is lost, in all interleavings of a small model: the device
 * runs the engine as a backend does, the driver does what the specification
 * says, each sleeps when it has nothing to do, and in the end nothing may be
 * left over.
 */
#include <string.h>

#include "kselftest/ring/explore.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

#define CHAINS	3
#define LIMIT	5000000UL

static struct rig rig;
static struct vfp_ring fresh;
static u8 fresh_flags[2];
static unsigned int handled;	/* by the side that must miss nothing */
static bool told;		/* a kick, or a call, is on its way */
static unsigned int batch;	/* chains that a publish shows */

/* What both sides look at while the other writes: all but the chains. */
static bool shares(const void *addr)
{
	const u8 *at = addr, *entries = rig.drv.avail + 4;

	if (at >= rig.drv.desc && at < rig.drv.desc + drv_desc_size(4))
		return false;
	return at < entries || at >= entries + 2 * 4;
}

static void begin(void)
{
	unsigned int i;

	rig.ring = fresh;
	drv_put_idx(&rig.drv, fresh.last_avail);
	drv_put_used_idx(&rig.drv, fresh.used_idx);
	drv_put_avail_flags(&rig.drv, 0);
	drv_put_used_event(&rig.drv, fresh.used_idx);
	rig.drv.offered = fresh.last_avail;
	rig.drv.kicked = fresh.last_avail;
	rig.drv.seen = fresh.used_idx;
	rig.drv.nr_free = 0;
	for (i = 0; i < 4; i++) {
		rig_desc(&rig, i, RIG_GPA, 1, 0, 0);
		drv_put_avail(&rig.drv, i, 0xffff);
	}
	memset(rig.drv.used + 4, 0xee, 8 * 4);
	memcpy(rig.drv.used, fresh_flags, sizeof(fresh_flags));
	handled = 0;
	told = false;
}

static void model(unsigned int flags, u16 base,
		  const struct explore_driver *driver, void (*once)(void))
{
	unsigned long runs;

	rig_init(&rig, 4, flags, base);
	fresh = rig.ring;
	memcpy(fresh_flags, rig.drv.used, sizeof(fresh_flags));
	runs = explore(driver, once, LIMIT);
	expect(runs < LIMIT);
	tap_note("%s, base %u: %lu interleavings",
		 flags ? "event index" : "flags", base, runs);
	rig_exit(&rig);
}

static void both_kinds(const struct explore_driver *driver, void (*once)(void))
{
	unsigned int flags;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		model(flags, 0, driver, once);
		model(flags, 65534, driver, once);
	}
}

/* Kicks.  The driver publishes a chain, then decides on the kick, and so on. */
static unsigned int sender;

static enum explore_step sender_next(void)
{
	if (sender == 2 * CHAINS)
		return EXPLORE_NONE;
	return sender % 2 ? EXPLORE_SEEING : EXPLORE_BLIND;
}

static void sender_step(void)
{
	if (sender++ % 2 == 0) {
		drv_offer(&rig.drv, sender / 2);
		drv_publish(&rig.drv);
	} else if (drv_must_kick(&rig.drv)) {
		told = true;
	}
}

static const struct explore_driver sending = {
	sender_next, sender_step, shares,
};

/* What a backend does when it was kicked, up to where it sleeps. */
static void pump(void)
{
	do {
		expect_eq(vfp_ring_notify_off(&rig.ring), 0);
		while (vfp_ring_pop(&rig.ring, &rig.chain) == 1) {
			expect_eq(rig.chain.id, handled);
			handled++;
		}
	} while (vfp_ring_notify_on(&rig.ring) == 1);
	expect_eq(rig.ring.fault, VFP_FAULT_NONE);
}

/* To sleep is a barrier; then only a kick makes it go on. */
static void receive_all(void)
{
	begin();
	sender = 0;
	do {
		told = false;
		pump();
		shim_barrier(SHIM_MB);
		while (!told && sender_next())
			sender_step();
	} while (told);
	expect_eq(handled, CHAINS);
}

static void test_kicks(void)
{
	both_kinds(&sending, receive_all);
}

/* A device that wants two chains at once, and puts one alone back. */
static void pump_pairs(void)
{
	int ret;

	do {
		expect_eq(vfp_ring_notify_off(&rig.ring), 0);
		for (;;) {
			ret = vfp_ring_pop(&rig.ring, &rig.chain);
			if (ret != 1)
				break;
			if (vfp_ring_pop(&rig.ring, &rig.chain) != 1) {
				rig_unpop(&rig.ring, 1);
				break;
			}
			handled += 2;
		}
	} while (vfp_ring_notify_on(&rig.ring) == 1);
	expect_eq(rig.ring.fault, VFP_FAULT_NONE);
}

static void receive_pairs(void)
{
	begin();
	sender = 0;
	do {
		told = false;
		pump_pairs();
		shim_barrier(SHIM_MB);
		while (!told && sender_next())
			sender_step();
	} while (told);
	expect_eq(handled, CHAINS / 2 * 2);
}

static void test_pairs(void)
{
	both_kinds(&sending, receive_pairs);
}

/* Calls.  The driver sleeps until it is called, then takes what there is. */
static enum { ASLEEP, CALLS_OFF, TAKE, CALLS_ON, RECHECK } taker;

static enum explore_step taker_next(void)
{
	switch (taker) {
	case ASLEEP:
		return told ? EXPLORE_BLIND : EXPLORE_NONE;
	case CALLS_OFF:
	case CALLS_ON:
		return EXPLORE_BLIND;
	default:
		return EXPLORE_SEEING;
	}
}

static void take(void)
{
	u32 id, len;

	if (!drv_take(&rig.drv, &id, &len)) {
		taker = CALLS_ON;
		return;
	}
	expect_eq(id, handled);
	expect_eq(len, 100 + handled);
	handled++;
}

static void taker_step(void)
{
	switch (taker) {
	case ASLEEP:
		told = false;
		taker = CALLS_OFF;
		break;
	case CALLS_OFF:
		drv_calls_off(&rig.drv);
		taker = TAKE;
		break;
	case TAKE:
		take();
		break;
	case CALLS_ON:
		drv_calls_on(&rig.drv);
		taker = RECHECK;
		break;
	case RECHECK:
		taker = rig.drv.seen == drv_used_idx(&rig.drv) ? ASLEEP :
								 CALLS_OFF;
		break;
	}
}

static const struct explore_driver taking = {
	taker_next, taker_step, shares,
};

static void show(void)
{
	int ret = vfp_ring_publish(&rig.ring);

	expect(ret >= 0);
	if (ret && vfp_ring_need_call(&rig.ring))
		told = true;
}

static void use_all(void)
{
	unsigned int i;

	begin();
	taker = ASLEEP;
	for (i = 0; i < CHAINS; i++) {
		rig_push(&rig.ring, i, 100 + i);
		if (i % batch == batch - 1)
			show();
	}
	show();
	explore_settle();
	expect_eq(handled, CHAINS);
}

static void test_calls(void)
{
	for (batch = 1; batch <= CHAINS; batch++)
		both_kinds(&taking, use_all);
}

const struct test model_tests[] = {
	{ "no kick is lost, in all interleavings", test_kicks, NULL },
	{ "no kick is lost if chains are put back, in all interleavings",
		test_pairs, NULL },
	{ "no call is lost and no entry is seen early, in all interleavings",
		test_calls, NULL },
	{ },
};
