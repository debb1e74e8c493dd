// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine in an access section against the engine in the owner's context: both do
 * the same with rings that are alike, as long as the software TLB knows the pages;
 * where it does not, the one has done nothing, and the other goes on.
 */
#include <linux/mm.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"
#include "kselftest/ring/twice.h"

#define NR_SIZES	6
#define MAX_IN_HAND	16

/* Each part of a ring has two pages and one behind them that nobody may touch. */
#define SLOT		(3 * PAGE_SIZE)
#define RAM_AT		(6 * SLOT)
#define MEMORY		(RAM_AT + RIG_RAM + 2 * PAGE_SIZE)

/* A ring with memory of its own, and what was taken from it. */
struct side {
	struct vfp_ring		*ring;
	u8			*part[3];
	struct vfp_chain	chain;
	struct iovec		iov[VFP_MAX_SEGS];
};

/*
 * The rig's ring is the owner's side; the other one is a copy, but for the guest's
 * memory, which is only read.  @old: the rig as it was made.  @hidden: in access
 * sections the owner's addresses are, and always the pages that are not known.
 */
static struct {
	struct rig		rig;
	struct rig		old;
	struct vfp_ring		ring;
	struct vfp_cache	cache;
	struct vfp_stlb		*stlb;
	struct side		owner;
	struct side		soft;
	unsigned long		size[3];
	u8			*memory;
	bool			all_known;
	bool			hidden;
	bool			was_hidden;
	struct vfp_used		used[MAX_IN_HAND];
	unsigned int		in_hand;
} pair;

static u64 seed;
static unsigned long chains, missed, others, faults[VFP_NR_FAULTS];

static u32 below(u32 n)
{
	return rig_random(&seed) % n;
}

static bool once_in(u32 n)
{
	return !below(n);
}

/* In the middle of its pages, or at their end. */
static u8 *place(unsigned int slot, unsigned long size, bool middle)
{
	u8 *at = pair.memory + slot * SLOT;

	twice_forbid(at + 2 * PAGE_SIZE, PAGE_SIZE, true);
	/* A used ring has no more than 4 bytes' alignment, and 2 behind them. */
	return middle ? at + PAGE_SIZE - (size / 2 & ~15UL) :
			at + 2 * PAGE_SIZE - ((size + 3) & ~3UL);
}

static void point_at(struct vfp_ring *ring, u8 *const *part)
{
	ring->desc = (void *)part[0];
	ring->avail = (void *)part[1];
	ring->used = (void *)part[2];
}

/* The driver of the rig writes there, too. */
static void move_rig(struct rig *rig, u8 *const *part)
{
	if (rig->ring.packed) {
		rig->pdrv.ring = part[0];
		rig->pdrv.driver_event = part[1];
		rig->pdrv.device_event = part[2];
	} else {
		rig->drv.desc = part[0];
		rig->drv.avail = part[1];
		rig->drv.used = part[2];
	}
	point_at(&rig->ring, part);
}

static void begin_side(struct side *side, struct vfp_ring *ring)
{
	side->ring = ring;
	side->chain.iov = side->iov;
}

static void init(bool packed, unsigned int num, unsigned int flags, bool middle)
{
	struct rig *rig = &pair.rig;
	unsigned int i;

	if (packed)
		rig_init_packed(rig, num, flags, 0, true);
	else
		rig_init(rig, num, flags, 0);
	pair.old = *rig;
	pair.memory = twice_map(MEMORY);
	pair.size[0] = drv_desc_size(num);
	pair.size[1] = packed ? PDRV_EVENT_SIZE : drv_avail_size(num);
	pair.size[2] = packed ? PDRV_EVENT_SIZE : drv_used_size(num);
	for (i = 0; i < 3; i++) {
		pair.owner.part[i] = place(i, pair.size[i], middle);
		pair.soft.part[i] = place(3 + i, pair.size[i], middle);
	}
	/* Tables lie in one page or in two. */
	rig->ram = pair.memory + RAM_AT + (middle ? PAGE_SIZE - 40 : 0);
	rig_no_regions(rig);
	rig_region(rig, RIG_GPA, RIG_GPA + RIG_RAM - 1, 0);
	move_rig(rig, pair.owner.part);
	begin_side(&pair.owner, &rig->ring);
	begin_side(&pair.soft, &pair.ring);
	pair.stlb = aligned_alloc(64, sizeof(*pair.stlb));
	memset(pair.stlb, 0, sizeof(*pair.stlb));
	vfp_stlb_init(pair.stlb);
}

static void finish(void)
{
	const struct rig *old = &pair.old;

	vfp_stlb_free(pair.stlb);
	free(pair.stlb);
	twice_unmap();
	expect_eq(shim.mapped, 0);
	expect_eq(shim.pinned, 0);
	pair.rig.drv = old->drv;
	pair.rig.pdrv = old->pdrv;
	pair.rig.ram = old->ram;
	if (old->ring.packed)
		rig_exit_packed(&pair.rig);
	else
		rig_exit(&pair.rig);
}

/* What the driver has written to the one ring stands in the other. */
static void copy_ring(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		memcpy(pair.soft.part[i], pair.owner.part[i], pair.size[i]);
}

static void expect_alike(void)
{
	const struct vfp_ring *a = pair.owner.ring, *b = pair.soft.ring;
	unsigned int i;

	for (i = 0; i < 3; i++)
		expect_eq(memcmp(pair.soft.part[i], pair.owner.part[i], pair.size[i]), 0);
	expect_eq(b->desc, pair.soft.part[0]);
	expect_eq(b->last_avail, a->last_avail);
	expect_eq(b->avail_idx, a->avail_idx);
	expect_eq(b->next_used, a->next_used);
	expect_eq(b->used_idx, a->used_idx);
	expect_eq(b->called_idx, a->called_idx);
	expect_eq(b->called_valid, a->called_valid);
	expect_eq(b->notify_on, a->notify_on);
	expect_eq(b->fault, a->fault);
}

/* Pages become known, and others are forgotten; these are nobody's any more. */
static void learn(void)
{
	u8 *at, *end = pair.memory + MEMORY;
	bool known;

	if (pair.hidden || pair.was_hidden)
		twice_forbid(pair.memory + RAM_AT, MEMORY - RAM_AT, false);
	pair.was_hidden = pair.hidden;
	for (at = pair.memory + RAM_AT; at < end; at += PAGE_SIZE) {
		known = pair.all_known || once_in(2);
		if (known) {
			expect(vfp_stlb_fill(pair.stlb, at) >= 0);
		} else {
			vfp_stlb_invalidate(pair.stlb, (unsigned long)at,
					    (unsigned long)at);
			vfp_stlb_settled(pair.stlb);
		}
		if (pair.hidden && !known)
			twice_forbid(at, PAGE_SIZE, true);
	}
	expect_eq(vfp_stlb_map(&pair.ring), 0);
}

static void begin_section(void)
{
	spin_lock_bh(&pair.stlb->lock);
	expect(vfp_soft_begin(&pair.ring));
	pair.stlb->missed = false;
	if (pair.hidden)
		twice_hide(true);
}

static void end_section(void)
{
	if (pair.hidden)
		twice_hide(false);
	vfp_soft_end(&pair.ring);
	spin_unlock_bh(&pair.stlb->lock);
}

/* Does the other side do it in an access section? */
static bool goes_soft(void)
{
	return !once_in(4);
}

/* One and the same of both; pop is another matter. */
#define BOTH(op, ...)							\
({									\
	int want = vfp_ring_##op(pair.owner.ring, ##__VA_ARGS__), got;	\
									\
	if (goes_soft()) {						\
		begin_section();					\
		got = vfp_soft_##op(&pair.ring, ##__VA_ARGS__);		\
		expect(!pair.stlb->missed);				\
		end_section();						\
	} else {							\
		got = vfp_ring_##op(&pair.ring, ##__VA_ARGS__);		\
	}								\
	expect_eq(got, want);						\
	expect_alike();							\
	want;								\
})

/* An access section has no page, and so it has done nothing. */
static void expect_nothing(u16 mark)
{
	missed++;
	expect(!pair.all_known);
	expect_eq(vfp_ring_mark(&pair.ring), mark);
	pair.ring.fault = VFP_FAULT_NONE;
}

static int pop_soft(void)
{
	u16 mark = vfp_ring_mark(&pair.ring);
	unsigned int i;
	int ret;

	if (goes_soft()) {
		begin_section();
		ret = vfp_soft_pop(&pair.ring, &pair.soft.chain);
		end_section();
		for (i = 0; i < 3; i++)
			expect_eq(memcmp(pair.soft.part[i], pair.owner.part[i],
					 pair.size[i]), 0);
		if (ret >= 0 || !pair.stlb->missed)
			return ret;
		expect_nothing(mark);
	}
	others++;
	return vfp_ring_pop(&pair.ring, &pair.soft.chain);
}

static void compare_chains(void)
{
	const struct vfp_chain *a = &pair.owner.chain, *b = &pair.soft.chain;

	expect_eq(b->id, a->id);
	expect_eq(b->slots, a->slots);
	expect_eq(b->steps, a->steps);
	expect_eq(b->nr_out, a->nr_out);
	expect_eq(b->nr_in, a->nr_in);
	expect_eq(b->out_len, a->out_len);
	expect_eq(b->in_len, a->in_len);
	expect_eq(memcmp(b->iov, a->iov, (a->nr_out + a->nr_in) * sizeof(*a->iov)), 0);
}

static bool pop(void)
{
	int want = vfp_ring_pop(pair.owner.ring, &pair.owner.chain);

	expect_eq(pop_soft(), want);
	expect_alike();
	faults[pair.ring.fault]++;
	if (want != 1 || tap_failed())
		return false;
	chains++;
	compare_chains();
	return true;
}

static void take(void)
{
	const struct vfp_chain *chain = &pair.owner.chain;

	pair.used[pair.in_hand++] = (struct vfp_used) {
		.id = chain->id, .slots = chain->slots, .len = below(3),
	};
}

static void put_back(u16 mark)
{
	vfp_ring_rewind(pair.owner.ring, mark);
	vfp_ring_rewind(pair.soft.ring, mark);
}

static void give_back(void)
{
	unsigned int n = 1 + below(pair.in_hand);

	BOTH(push, pair.used, n);
	pair.in_hand -= n;
	memmove(pair.used, pair.used + n, pair.in_hand * sizeof(*pair.used));
	if (once_in(3))
		return;
	BOTH(publish);
	/* What the driver wishes, see the tests of the one and the other format. */
	if (once_in(2)) {
		*(u16 *)pair.owner.part[1] = below(8);
		*(u16 *)(pair.owner.part[1] + pair.size[1] - 2) =
			pair.ring.packed ? below(4) : pair.ring.used_idx - below(4);
		copy_ring();
	}
	BOTH(need_call);
}

/* The driver changes a part of what it has offered. */
static void meddle(void)
{
	unsigned int part = below(2);

	pair.owner.part[part][below(pair.size[part])] ^= 1 << below(8);
	if (once_in(2)) {
		pair.owner.ring->nr_ahead = 0;
		pair.soft.ring->nr_ahead = 0;
	}
	copy_ring();
}

static void try_pair(void)
{
	unsigned int i;
	u16 mark;

	pair.in_hand = 0;
	for (i = 0; i < 8 && !tap_failed(); i++) {
		mark = vfp_ring_mark(pair.owner.ring);
		if (!pop())
			break;
		if (once_in(6) || pair.in_hand == MAX_IN_HAND)
			put_back(mark);
		else
			take();
		if (pair.in_hand && once_in(2))
			give_back();
		if (once_in(4) && BOTH(notify_on) < 0)
			break;
		if (once_in(4))
			BOTH(notify_off);
		if (once_in(8))
			meddle();
		if (!pair.all_known && once_in(4))
			learn();
	}
}

static void begin_pair(unsigned long n)
{
	struct rig *rig = &pair.rig;

	if (rig->ring.packed)
		fuzz_packed_ring(rig, &seed);
	else
		fuzz_split_ring(rig, &seed);
	rig->ring.in_order = once_in(4);
	pair.owner.chain.max = rig->chain.max;
	pair.soft.chain.max = rig->chain.max;
	pair.ring = rig->ring;
	pair.ring.cache = &pair.cache;
	pair.ring.stlb = pair.stlb;
	pair.cache = rig->cache;
	point_at(&pair.ring, pair.soft.part);
	copy_ring();
	pair.hidden = n % 8 == 0;
	learn();
}

static void many(bool packed, bool all_known)
{
	static const unsigned int packed_sizes[NR_SIZES] = { 1, 3, 4, 7, 13, 32 };
	unsigned long n, rings = fuzz_rings / 8 / NR_SIZES + 16;
	unsigned int i;

	seed = fuzz_seed;
	pair.all_known = all_known;
	for (i = 0; i < NR_SIZES; i++) {
		init(packed, packed ? packed_sizes[i] : 1U << i,
		     i & 1 ? RIG_EVENT_IDX : 0, i % 3);
		for (n = 0; n < rings && !tap_failed(); n++) {
			tap_case("size %u, ring %lu of seed %#llx", i, n, fuzz_seed);
			begin_pair(n);
			try_pair();
		}
		finish();
	}
	tap_note("%lu chains, %lu misses, %lu times the owner's turn", chains, missed, others);
	expect(chains && others);
	expect_eq(!missed, all_known);
	for (i = VFP_FAULT_AVAIL_JUMP; i < VFP_FAULT_DIRECTION; i++) {
		tap_case("fault %u", i);
		/* Heads and nexts are a split ring's; chains that are too long are rare. */
		if (rings > 10000 && i != VFP_FAULT_TOO_LONG &&
		    !(packed && (i == VFP_FAULT_HEAD || i == VFP_FAULT_NEXT)))
			expect(faults[i]);
	}
}

static void test_split(void)
{
	many(false, true);
}

static void test_split_misses(void)
{
	many(false, false);
}

static void test_packed(void)
{
	many(true, true);
}

static void test_packed_misses(void)
{
	many(true, false);
}

const struct test soft_tests[] = {
	{ "soft: any ring does in an access section as in the owner's context",
	  test_split, NULL },
	{ "soft: a page that is not known leaves a ring as it was",
	  test_split_misses, NULL },
	{ "soft: any packed ring does in an access section as in the owner's context",
	  test_packed, NULL },
	{ "soft: a page that is not known leaves a packed ring as it was",
	  test_packed_misses, NULL },
	{ },
};
