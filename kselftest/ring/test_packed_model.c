// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packed ring: no notification is lost, in all interleavings of a small
 * model; as test_model.c, which explains it, for the other format.
 */
#include <string.h>

#include "kselftest/ring/explore.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

#define CHAINS	3
#define NUM	4
#define LIMIT	5000000UL

static struct rig rig;
static struct vfp_ring fresh;
static u8 fresh_ring[16 * NUM], fresh_wish[PDRV_EVENT_SIZE];
static struct pdrv fresh_drv;
static unsigned int handled;	/* by the side that must miss nothing */
static bool told;		/* a kick, or a call, is on its way */
static unsigned int batch;	/* chains that a publish shows */

/* What one side looks at while the other writes: flags and wishes. */
static bool shares(const void *addr)
{
	const u8 *at = addr;
	size_t offset = at - rig.pdrv.ring;

	if (at < rig.pdrv.ring || offset >= 16 * NUM)
		return at < rig.ram || at >= rig.ram + RIG_RAM;
	return offset % 16 == 14;
}

static void begin(void)
{
	rig.ring = fresh;
	rig.pdrv = fresh_drv;
	memcpy(rig.pdrv.ring, fresh_ring, sizeof(fresh_ring));
	memset(rig.pdrv.driver_event, 0, PDRV_EVENT_SIZE);
	memcpy(rig.pdrv.device_event, fresh_wish, PDRV_EVENT_SIZE);
	pdrv_calls_on(&rig.pdrv);
	handled = 0;
	told = false;
}

static void model(unsigned int flags, unsigned int index,
		  const struct explore_driver *driver, void (*once)(void))
{
	unsigned long runs;

	rig_init_packed(&rig, NUM, flags, index, true);
	fresh = rig.ring;
	fresh_drv = rig.pdrv;
	memcpy(fresh_ring, rig.pdrv.ring, sizeof(fresh_ring));
	memcpy(fresh_wish, rig.pdrv.device_event, PDRV_EVENT_SIZE);
	runs = explore(driver, once, LIMIT);
	expect(runs < LIMIT);
	tap_note("packed, %s, from %u: %lu interleavings",
		 flags ? "event index" : "flags", index, runs);
	rig_exit_packed(&rig);
}

static void both_kinds(const struct explore_driver *driver, void (*once)(void))
{
	unsigned int flags;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		model(flags, 0, driver, once);
		model(flags, NUM - 2, driver, once);
	}
}

/* Kicks.  The driver shows a chain, then decides on the kick, and so on. */
static unsigned int sender;

static enum explore_step sender_next(void)
{
	if (sender == 2 * CHAINS)
		return EXPLORE_NONE;
	return sender % 2 ? EXPLORE_SEEING : EXPLORE_BLIND;
}

static void sender_step(void)
{
	static const struct drv_buf one = { RIG_GPA, 1, false };

	if (sender++ % 2 == 0)
		expect(pdrv_send(&rig.pdrv, &one, 1, sender / 2));
	else if (pdrv_must_kick(&rig.pdrv))
		told = true;
}

static const struct explore_driver sending = {
	sender_next, sender_step, shares,
};

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

/* A device that wants two chains at once, and puts one alone back. */
static void pump_pairs(void)
{
	u16 mark;

	do {
		expect_eq(vfp_ring_notify_off(&rig.ring), 0);
		for (;;) {
			mark = vfp_ring_mark(&rig.ring);
			if (vfp_ring_pop(&rig.ring, &rig.chain) != 1)
				break;
			if (vfp_ring_pop(&rig.ring, &rig.chain) != 1) {
				vfp_ring_rewind(&rig.ring, mark);
				break;
			}
			handled += 2;
		}
	} while (vfp_ring_notify_on(&rig.ring) == 1);
	expect_eq(rig.ring.fault, VFP_FAULT_NONE);
}

/* To sleep is a barrier; then only a kick makes it go on. */
static void receive(void (*pump_once)(void))
{
	begin();
	sender = 0;
	do {
		told = false;
		pump_once();
		shim_barrier(SHIM_MB);
		while (!told && sender_next())
			sender_step();
	} while (told);
}

static void receive_all(void)
{
	receive(pump);
	expect_eq(handled, CHAINS);
}

static void receive_pairs(void)
{
	receive(pump_pairs);
	expect_eq(handled, CHAINS / 2 * 2);
}

static void test_kicks(void)
{
	both_kinds(&sending, receive_all);
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
	u16 id, flags;
	u32 len;

	if (!pdrv_take(&rig.pdrv, &id, &len, &flags)) {
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
		pdrv_calls_off(&rig.pdrv);
		taker = TAKE;
		break;
	case TAKE:
		take();
		break;
	case CALLS_ON:
		pdrv_calls_on(&rig.pdrv);
		taker = RECHECK;
		break;
	case RECHECK:
		taker = pdrv_has_used(&rig.pdrv) ? CALLS_OFF : ASLEEP;
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
	static const struct drv_buf one = { RIG_GPA, 1, true };
	struct vfp_used used = { .slots = 1 };
	unsigned int i;

	begin();
	taker = ASLEEP;
	for (i = 0; i < CHAINS; i++)
		expect(pdrv_send(&rig.pdrv, &one, 1, i));
	for (i = 0; i < CHAINS; i++) {
		used.id = i;
		used.len = 100 + i;
		expect_eq(vfp_ring_push(&rig.ring, &used, 1), 0);
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

const struct test packed_model_tests[] = {
	{ "packed: no kick is lost, in all interleavings", test_kicks, NULL },
	{ "packed: no kick is lost if chains are put back, in all interleavings",
		test_pairs, NULL },
	{ "packed: no call is lost and no entry is seen early, in all interleavings",
		test_calls, NULL },
	{ },
};
