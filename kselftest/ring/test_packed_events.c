// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packed ring: who is told when, barriers, and a guest that changes what the
 * device reads.
 */
#include <string.h>

#include "kselftest/ring/order.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

static const struct drv_buf one = { RIG_GPA, 1, true };

static void use(struct rig *rig, unsigned int chains)
{
	struct vfp_used used = { .slots = 1, .len = 1 };

	while (chains--)
		expect_eq(vfp_ring_push(&rig->ring, &used, 1), 0);
	expect_eq(vfp_ring_publish(&rig->ring), 1);
}

static u16 off_wrap(struct pdrv_pos pos)
{
	return pos.index | pos.wrap << 15;
}

/* 2.8.10: is the event's descriptor among the @n from @pos on? */
static bool is_due(const struct rig *rig, struct pdrv_pos pos, unsigned int n,
		   struct pdrv_pos event)
{
	for (; n; n--, pos = pdrv_ahead(&rig->pdrv, pos, 1))
		if (pdrv_same(pos, event))
			return true;
	return false;
}

static void decide(struct rig *rig, struct pdrv_pos from, unsigned int n,
		   struct pdrv_pos event)
{
	struct vfp_ring before = rig->ring;

	tap_case("num %u, from %u/%u, %u used, event %u/%u", rig->pdrv.num,
		 from.index, from.wrap, n, event.index, event.wrap);
	use(rig, n);
	pdrv_put_driver_event(&rig->pdrv, off_wrap(event), PDRV_EVENT_DESC);
	expect_eq(vfp_ring_need_call(&rig->ring), is_due(rig, from, n, event));
	rig->ring = before;
}

static void all_decisions(unsigned int num)
{
	struct pdrv_pos from, event;
	struct rig rig;
	unsigned int i, k, n;

	for (i = 0; i < 2 * num; i++) {
		from = (struct pdrv_pos) { i % num, i < num };
		rig_init_packed(&rig, num, RIG_EVENT_IDX, from.index, from.wrap);
		/* So that the first decision is behind it. */
		rig.ring.called_valid = true;
		rig.ring.called_idx = off_wrap(from);
		for (k = 0; k < 2 * num; k++) {
			event = (struct pdrv_pos) { k % num, k < num };
			for (n = 1; n <= num; n++)
				decide(&rig, from, n, event);
		}
		rig_exit_packed(&rig);
	}
}

static void test_events(void)
{
	unsigned int num;

	for (num = 1; num <= 9 && !tap_failed(); num++)
		all_decisions(num);
}

static bool calls(struct rig *rig, u16 off, u16 flags)
{
	use(rig, 1);
	pdrv_put_driver_event(&rig->pdrv, off, flags);
	return vfp_ring_need_call(&rig->ring);
}

static void test_wishes(void)
{
	struct rig rig;

	rig_init_packed(&rig, 4, RIG_EVENT_IDX, 0, true);
	tap_case("the first, whatever the event");
	expect(calls(&rig, 3, PDRV_EVENT_DESC));
	expect(!calls(&rig, 3, PDRV_EVENT_DESC));
	tap_case("enable");
	expect(calls(&rig, 0, PDRV_EVENT_ENABLE));
	tap_case("disable");
	expect(!calls(&rig, 0, PDRV_EVENT_DISABLE));
	tap_case("the value that is reserved");
	expect(calls(&rig, 0, 3));
	tap_case("reserved bits");
	expect(!calls(&rig, 0, 0xfffc | PDRV_EVENT_DISABLE));
	expect(calls(&rig, 0, 0xfffc | PDRV_EVENT_ENABLE));
	tap_case("an event that is nowhere");
	expect(calls(&rig, 4, PDRV_EVENT_DESC));
	expect(calls(&rig, 0x7fff, PDRV_EVENT_DESC));
	tap_case("none that can be read");
	use(&rig, 1);
	shim_unmap(rig.pdrv.driver_event);
	expect(vfp_ring_need_call(&rig.ring));
	expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
	shim_map(rig.pdrv.driver_event, PDRV_EVENT_SIZE);
	rig_exit_packed(&rig);

	tap_case("an event without event index");
	rig_init_packed(&rig, 4, 0, 0, true);
	calls(&rig, 0, PDRV_EVENT_ENABLE);
	expect(calls(&rig, 3, PDRV_EVENT_DESC));
	rig_exit_packed(&rig);
}

static void test_written(void)
{
	unsigned int flags;
	struct rig rig;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		rig_init_packed(&rig, 5, flags, 3, true);
		expect_eq(pdrv_device_flags(&rig.pdrv), PDRV_EVENT_DISABLE);
		expect_eq(vfp_ring_notify_on(&rig.ring), 0);
		expect_eq(pdrv_device_flags(&rig.pdrv),
			  flags ? PDRV_EVENT_DESC : PDRV_EVENT_ENABLE);
		if (flags)
			expect_eq(pdrv_device_off(&rig.pdrv), 0x8003);
		shim_forget();
		expect_eq(vfp_ring_notify_off(&rig.ring), 0);
		expect_eq(vfp_ring_notify_off(&rig.ring), 0);
		expect_eq(shim.writes, 1);
		expect_eq(pdrv_device_flags(&rig.pdrv), PDRV_EVENT_DISABLE);
		rig_exit_packed(&rig);
	}
}

/* The driver sends @n at once after it was told to kick. */
static void test_kick_due(void)
{
	unsigned int flags, at, n, i;
	struct rig rig;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		for (at = 0; at < 8; at++) {
			for (n = 1; n <= 3; n++) {
				tap_case("flags %u, at %u, %u sent", flags, at, n);
				rig_init_packed(&rig, 4, flags, at % 4, at < 4);
				expect_eq(vfp_ring_notify_on(&rig.ring), 0);
				expect_eq(vfp_ring_notify_off(&rig.ring), 0);
				expect_eq(vfp_ring_notify_on(&rig.ring), 0);
				for (i = 0; i < n; i++)
					pdrv_send(&rig.pdrv, &one, 1, i);
				expect(pdrv_must_kick(&rig.pdrv));
				rig_exit_packed(&rig);
			}
		}
	}
}

/* A chain that was put back is no news; another one is. */
static void test_no_news(void)
{
	unsigned int flags, at;
	struct rig rig;
	u16 mark;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		for (at = 0; at < 8; at++) {
			tap_case("flags %u, at %u", flags, at);
			rig_init_packed(&rig, 4, flags, at % 4, at < 4);
			expect_eq(vfp_ring_notify_on(&rig.ring), 0);
			pdrv_send(&rig.pdrv, &one, 1, 0);
			pdrv_send(&rig.pdrv, &one, 1, 1);
			expect_eq(vfp_ring_notify_on(&rig.ring), 1);
			mark = vfp_ring_mark(&rig.ring);
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig_pop(&rig), 1);
			vfp_ring_rewind(&rig.ring, mark);
			expect_eq(vfp_ring_notify_on(&rig.ring), 0);
			expect_eq(rig_pop(&rig), 1);
			vfp_ring_rewind(&rig.ring, mark);
			expect_eq(vfp_ring_notify_on(&rig.ring), 0);
			pdrv_must_kick(&rig.pdrv);
			pdrv_send(&rig.pdrv, &one, 1, 2);
			expect(pdrv_must_kick(&rig.pdrv));
			expect_eq(vfp_ring_notify_on(&rig.ring), 1);
			tap_case("moved elsewhere, all is news");
			vfp_ring_look_again(&rig.ring);
			expect_eq(vfp_ring_notify_on(&rig.ring), 1);
			rig_exit_packed(&rig);
		}
	}
}

/* One round of a device at descriptor 1 of a ring of 4 obeys a rule. */
static void obey(const char *what, unsigned int flags, enum shim_event barrier,
		 void (*choose)(struct rig *rig))
{
	struct vfp_used used = { .slots = 1, .len = 1 };
	struct rig rig;

	tap_case("%s", what);
	rig_init_packed(&rig, 4, flags, 1, true);
	pdrv_send(&rig.pdrv, &one, 1, 0);
	pdrv_send(&rig.pdrv, &one, 1, 1);
	choose(&rig);
	rule.barrier = barrier;
	rule.pending = false;
	rule.seen = 0;
	shim.on_event = watch_order;
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig_pop(&rig), 1);
	vfp_ring_push(&rig.ring, &used, 1);
	vfp_ring_push(&rig.ring, &used, 1);
	vfp_ring_publish(&rig.ring);
	vfp_ring_need_call(&rig.ring);
	vfp_ring_notify_on(&rig.ring);
	shim.on_event = NULL;
	expect(rule.seen);
	rig_exit_packed(&rig);
}

static const u8 *desc(struct rig *rig, unsigned int i, unsigned int field)
{
	return rig->pdrv.ring + 16 * i + field;
}

static void flags_then_rest(struct rig *rig)
{
	rule.first = desc(rig, 1, 14);
	rule.then = desc(rig, 1, 0);
}

static void batch_then_flags(struct rig *rig)
{
	rule.first = desc(rig, 2, 8);
	rule.then = desc(rig, 1, 14);
}

static void flags_then_wish(struct rig *rig)
{
	rule.first = desc(rig, 1, 14);
	rule.then = rig->pdrv.driver_event;
}

static void wish_then_flags(struct rig *rig)
{
	rule.first = rig->pdrv.device_event;
	rule.then = desc(rig, 3, 14);
}

static void test_barriers(void)
{
	unsigned int flags;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		obey("flags, then the rest", flags, SHIM_RMB, flags_then_rest);
		obey("the batch, then the flags of its first", flags, SHIM_WMB,
		     batch_then_flags);
		obey("used flags, then the driver's wish", flags, SHIM_MB,
		     flags_then_wish);
		obey("our wish, then the flags again", flags, SHIM_MB,
		     wish_then_flags);
	}
}

/* The corpus: each makes one chain in a ring of 8, with a table in ram. */
static void corpus(struct rig *rig, unsigned int which)
{
	struct drv_buf bufs[8];
	unsigned int i, n = which < 2 ? which + 1 : 8;

	for (i = 0; i < n; i++)
		bufs[i] = (struct drv_buf) { RIG_GPA + 64 * i, 32, i >= n / 2 };
	if (which < 3)
		pdrv_put(&rig->pdrv, bufs, n, 5);
	else
		pdrv_put_table(&rig->pdrv, bufs, n, 5, RIG_GPA + RIG_TABLE,
			       rig->ram + RIG_TABLE);
	pdrv_show(&rig->pdrv);
}

#define NR_CORPUS	4

static bool in_ram(const struct rig *rig, const struct iovec *seg)
{
	const u8 *base = seg->iov_base;

	return base >= rig->ram && seg->iov_len <= RIG_RAM &&
	       (size_t)(base - rig->ram) <= RIG_RAM - seg->iov_len;
}

/* A device's life, up to the first fault, all memory being the guest's. */
static void live(struct rig *rig)
{
	struct vfp_used used = { .len = 1 };
	unsigned int i, pops = 0, s;
	u16 mark;

	for (i = 0; i < 4; i++) {
		if (vfp_ring_notify_on(&rig->ring) < 0 ||
		    vfp_ring_notify_off(&rig->ring))
			return;
		mark = vfp_ring_mark(&rig->ring);
		if (vfp_ring_pop(&rig->ring, &rig->chain) == 1)
			vfp_ring_rewind(&rig->ring, mark);
		while (pops++ < 64 &&
		       vfp_ring_pop(&rig->ring, &rig->chain) == 1) {
			expect(rig->chain.slots && rig->chain.slots <= 8);
			for (s = 0; s < rig->chain.nr_out + rig->chain.nr_in; s++)
				expect(in_ram(rig, &rig->iov[s]));
			used.id = rig->chain.id;
			used.slots = rig->chain.slots;
			vfp_ring_push(&rig->ring, &used, 1);
		}
		expect(pops < 64);
		if (rig->ring.fault || vfp_ring_publish(&rig->ring) < 0)
			return;
		vfp_ring_need_call(&rig->ring);
		corpus(rig, i % NR_CORPUS);
	}
}

static struct rig rig, untouched;
static u8 untouched_ring[16 * 8];

static void prepare(unsigned int flags)
{
	rig_init_packed(&rig, 8, flags | RIG_INDIRECT, 6, true);
	untouched = rig;
	memcpy(untouched_ring, rig.pdrv.ring, sizeof(untouched_ring));
}

static bool alter(unsigned int which, unsigned int flags, unsigned long k,
		  unsigned int bit)
{
	tap_case("case %u, flags %u, read %lu, bit %u", which, flags, k, bit);
	rig = untouched;
	memcpy(rig.pdrv.ring, untouched_ring, sizeof(untouched_ring));
	memset(rig.pdrv.count, 0, 64 * sizeof(*rig.pdrv.count));
	corpus(&rig, which);
	shim_forget();
	shim.flip_at = k;
	shim.flip_bit = bit;
	live(&rig);
	shim.flip_at = SHIM_NEVER;
	expect_eq(shim.faults, 0);
	expect(shim.reads < 100000);
	return shim.flipped && !tap_failed();
}

static void test_alter(void)
{
	unsigned int which, flags, bit;
	unsigned long k, tried = 0;

	for (flags = 0; flags <= RIG_EVENT_IDX; flags++) {
		prepare(flags);
		for (which = 0; which < NR_CORPUS; which++)
			for (k = 0; alter(which, flags, k, 0); k++)
				for (bit = 1; bit <= 128; bit++)
					tried += alter(which, flags, k, bit);
		rig_exit_packed(&rig);
	}
	tap_note("%lu alterations", tried);
	expect(tried > 3000);
}

static void test_read_once(void)
{
	unsigned int i;

	for (i = 0; i < NR_CORPUS; i++) {
		tap_case("case %u", i);
		rig_init_packed(&rig, 8, RIG_INDIRECT, 6, true);
		corpus(&rig, i);
		expect_eq(rig_pop(&rig), 1);
		expect_eq(shim.most, 1);
		expect_eq(shim.faults, 0);
		rig_exit_packed(&rig);
	}
}

const struct test packed_event_tests[] = {
	{ "packed: event index decides as the specification says, for all events",
		test_events, NULL },
	{ "packed: a driver is called as it wishes, and if it can't be known",
		test_wishes, NULL },
	{ "packed: notify_on and notify_off write our event structure",
		test_written, NULL },
	{ "packed: after notify_on the driver's next chains come with a kick",
		test_kick_due, NULL },
	{ "packed: notify_on does not report chains that were put back",
		test_no_news, NULL },
	{ "packed: a barrier stands where the ordering contract has one",
		test_barriers, NULL },
	{ "packed: a pop reads each field at most once", test_read_once, NULL },
	{ "packed: any read in a device's life, altered, reaches no other memory",
		test_alter, NULL },
	{ },
};
