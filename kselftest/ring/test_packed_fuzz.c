// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random packed rings, most of them nearly sound, against a reference that is
 * as plain as can be.
 */
#include <string.h>

#include "kselftest/ring/oracle.h"
#include "kselftest/ring/tests.h"

static u64 seed;
/* Each byte of the guest's memory lies in a region of its own. */
static bool bytes;
static unsigned long taken, faults[VFP_NR_FAULTS];

struct reference {
	enum vfp_fault	fault;
	bool		empty;
	u16		id;
	unsigned int	slots;
	struct oracle	chain;
};

struct step {
	u64 addr;
	u32 len;
	u16 id;
	u16 flags;
};

static u32 below(u32 n)
{
	return rig_random(&seed) % n;
}

static bool once_in(u32 n)
{
	return !below(n);
}

static struct step parse(const u8 *desc)
{
	struct step step;

	memcpy(&step, desc, sizeof(step));
	return step;
}

static bool add(const struct rig *rig, const struct step *step,
		struct reference *ref)
{
	struct oracle *o = &ref->chain;
	unsigned int n = o->nr_out + o->nr_in;
	bool write = step->flags & DRV_F_WRITE;
	int ret;

	ref->fault = VFP_FAULT_ORDER;
	if (!write && o->nr_in)
		return false;
	ret = oracle_translate(&rig->mem, step->addr, step->len, o->iov + n,
			       VFP_MAX_SEGS - n, &ref->fault);
	if (ret < 0)
		return false;
	*(write ? &o->nr_in : &o->nr_out) += ret;
	*(write ? &o->in_len : &o->out_len) += step->len;
	return true;
}

/* 2.8.7 */
static void walk_table(const struct rig *rig, const struct step *table,
		       struct reference *ref)
{
	unsigned int i, n = table->len / 16;
	struct step step;

	ref->fault = VFP_FAULT_INDIRECT;
	if (!rig->ring.indirect || table->flags & DRV_F_NEXT ||
	    !n || table->len % 16)
		return;
	ref->fault = VFP_FAULT_TOO_LONG;
	if (n > VFP_MAX_SEGS)
		return;
	for (i = 0; i < n; i++) {
		ref->fault = VFP_FAULT_ADDRESS;
		if (table->addr < RIG_GPA || table->addr > RIG_GPA + RIG_RAM ||
		    table->addr + 16 * i + 16 > RIG_GPA + RIG_RAM)
			return;
		step = parse(rig->ram + (table->addr - RIG_GPA) + 16 * i);
		if (!add(rig, &step, ref))
			return;
	}
	ref->fault = VFP_FAULT_NONE;
}

/*
 * 2.8.5 and 2.8.6: the list that begins at @pos, where @in_hand descriptors
 * are with the device already and @again of those to come were seen.
 */
static void refer(const struct rig *rig, struct pdrv_pos pos,
		  unsigned int in_hand, unsigned int again,
		  struct reference *ref)
{
	const struct pdrv *drv = &rig->pdrv;
	struct step step;

	memset(ref, 0, sizeof(*ref));
	if ((pdrv_flags(drv, pos.index) & (PDRV_F_AVAIL | PDRV_F_USED)) !=
	    pdrv_avail_flags(pos)) {
		ref->empty = !again;
		ref->fault = again ? VFP_FAULT_AVAIL_JUMP : VFP_FAULT_NONE;
		return;
	}
	ref->fault = VFP_FAULT_AVAIL_JUMP;
	if (in_hand == drv->num)
		return;
	for (;;) {
		step = parse(drv->ring + 16 * pos.index);
		ref->id = step.id;
		ref->slots++;
		if (step.flags & DRV_F_INDIRECT) {
			ref->fault = VFP_FAULT_INDIRECT;
			if (ref->slots == 1)
				walk_table(rig, &step, ref);
			return;
		}
		if (!add(rig, &step, ref))
			return;
		ref->fault = VFP_FAULT_NONE;
		if (!(step.flags & DRV_F_NEXT))
			return;
		ref->fault = VFP_FAULT_LOOP;
		if (in_hand + ref->slots == drv->num)
			return;
		pos = pdrv_ahead(drv, pos, 1);
	}
}

static u64 any_addr(void)
{
	static const u64 ends[] = { 0, RIG_GPA, RIG_GPA + RIG_RAM, 1ULL << 63 };

	if (once_in(24))
		return ends[below(4)] + below(33) - 16;
	return RIG_GPA + below(RIG_RAM - 4096);
}

static u32 any_len(void)
{
	static const u32 lens[] = { 0, 1, 0xffff, 0x80000000, 0xffffffff };

	return once_in(24) ? lens[below(5)] : 1 + below(bytes ? 40 : 2000);
}

static void any_desc(struct rig *rig, unsigned int i, struct pdrv_pos pos,
		     unsigned int *writes)
{
	u16 flags = 0;
	u64 addr = any_addr();
	u32 len = any_len();

	if (!once_in(3))
		flags |= DRV_F_NEXT;
	else
		*writes = 0;
	*writes |= once_in(4);
	if (*writes && !once_in(24))
		flags |= DRV_F_WRITE;
	if (once_in(12)) {
		flags = DRV_F_INDIRECT | (once_in(8) ? flags : 0);
		addr = RIG_GPA + RIG_TABLE + 4096 * below(4);
		len = once_in(16) ? below(200) : 16 * (1 + below(8));
		if (once_in(64))
			len = 16 * (VFP_MAX_SEGS - 1 + below(3));
	}
	if (once_in(64))
		flags ^= 1 << below(16);
	pdrv_put_desc(rig->pdrv.ring, i, addr, len, rig_random(&seed),
		      flags | pdrv_avail_flags(pos));
}

/* Descriptors that are available from where the driver is, some of them not. */
static void any_ring(struct rig *rig)
{
	struct pdrv_pos pos = { below(rig->pdrv.num), once_in(2) };
	unsigned int i, n, writes = 0;
	u32 base = pos.index | pos.wrap << 15;

	rig->ring.indirect = !once_in(16);
	/* A region of one byte is another rig's by now, see shim_byte_of(). */
	vfp_ring_set_mem(&rig->ring, &rig->mem);
	vfp_ring_set_base(&rig->ring, base | base << 16);
	expect_eq(vfp_ring_start(&rig->ring), 0);
	for (i = 0; i < 4 * 8; i++) {
		u16 flags = rig_random(&seed) & ~(once_in(8) ? 0 : DRV_F_WRITE);

		pdrv_put_desc(rig->ram + RIG_TABLE + 4096 * (i / 8), i % 8,
			      any_addr(), any_len(), rig_random(&seed),
			      flags | (i % 8 > 4 ? DRV_F_WRITE : 0));
	}
	n = rig->pdrv.num + (once_in(8) ? 1 + below(3) : 0);
	for (i = 0; i < n; i++) {
		any_desc(rig, pos.index, pos, &writes);
		if (once_in(12))
			pdrv_put_flags(&rig->pdrv, pos.index, rig_random(&seed));
		pos = pdrv_ahead(&rig->pdrv, pos, 1);
	}
}

void fuzz_packed_ring(struct rig *rig, u64 *state)
{
	seed = *state;
	any_ring(rig);
	*state = seed;
}

static struct pdrv_pos at(const struct vfp_ring *ring)
{
	return (struct pdrv_pos) {
		ring->last_avail & 0x7fff, ring->last_avail >> 15,
	};
}

static bool pop(struct rig *rig, unsigned int in_hand, unsigned int again,
		struct reference *ref)
{
	int ret;

	refer(rig, at(&rig->ring), in_hand, again, ref);
	ret = rig_pop(rig);
	expect_eq(ret, ref->fault ? -EIO : ref->empty ? 0 : 1);
	expect_eq(rig->ring.fault, ref->fault);
	expect_eq(shim.writes, 0);
	faults[rig->ring.fault]++;
	if (ret != 1)
		return false;
	taken++;
	expect_eq(rig->chain.id, ref->id);
	expect_eq(rig->chain.slots, ref->slots);
	oracle_compare(rig, &ref->chain);
	return !tap_failed();
}

static void try_ring(struct rig *rig)
{
	static struct reference ref;
	unsigned int i, in_hand = 0, again = 0;
	struct vfp_used used = { };
	u16 mark;

	for (i = 0; i < 8; i++) {
		mark = vfp_ring_mark(&rig->ring);
		if (!pop(rig, in_hand, again, &ref))
			return;
		again -= again < ref.slots ? again : ref.slots;
		if (once_in(6)) {
			vfp_ring_rewind(&rig->ring, mark);
			again = again + ref.slots;
			if (once_in(4)) {
				pdrv_put_flags(&rig->pdrv, at(&rig->ring).index,
					       rig_random(&seed));
				rig_read_anew(rig);
			}
			continue;
		}
		in_hand += ref.slots;
		if (again || once_in(3))
			continue;
		used.id = ref.id;
		used.slots = ref.slots;
		used.len = below(3);
		/* The slots of the one in hand longest, for all that is known. */
		if (in_hand == ref.slots) {
			expect_eq(vfp_ring_push(&rig->ring, &used, 1), 0);
			in_hand = 0;
			expect_eq(vfp_ring_publish(&rig->ring), 1);
			vfp_ring_need_call(&rig->ring);
		}
		if (once_in(4) && vfp_ring_notify_on(&rig->ring) < 0)
			return;
	}
}

static void fuzz(const char *name, unsigned long rings)
{
	static const unsigned int sizes[] = { 1, 2, 3, 4, 7, 8, 13, 32 };
	static struct rig rigs[8];
	unsigned long n;
	unsigned int i;

	seed = fuzz_seed;
	for (i = 0; i < 8; i++) {
		rig_init_packed(&rigs[i], sizes[i], i & 1 ? RIG_EVENT_IDX : 0,
				0, true);
		rigs[i].mem.bytes = bytes;
	}
	for (n = 0; n < rings && !tap_failed(); n++) {
		tap_case("ring %lu of seed %#llx", n, fuzz_seed);
		any_ring(&rigs[n % 8]);
		try_ring(&rigs[n % 8]);
	}
	fuzz_note(name, n, taken, faults);
	expect(taken);
	for (i = VFP_FAULT_AVAIL_JUMP; i < VFP_FAULT_DIRECTION; i++) {
		tap_case("fault %u", i);
		/* Heads and nexts are a split ring's. */
		if (i != VFP_FAULT_HEAD && i != VFP_FAULT_NEXT)
			expect(faults[i]);
	}
	for (i = 0; i < 8; i++)
		rig_exit_packed(&rigs[i]);
}

static void test_fuzz(void)
{
	fuzz("packed", fuzz_rings);
}

static void test_bytes(void)
{
	bytes = true;
	fuzz("packed-by-bytes", fuzz_rings / 8);
}

const struct test packed_fuzz_tests[] = {
	{ "packed: random rings do as the reference says", test_fuzz, NULL },
	{ "packed: so do random rings where each byte is a region", test_bytes, NULL },
	{ },
};
