// SPDX-License-Identifier: GPL-2.0-only
/*
 * An input of a fuzzer, taken for what a guest and its device do with a ring:
 * first what kind of ring it is, then step by step what is written into its
 * memory, and what the device takes, gives back and asks for.
 *
 * Whatever it is, a chain that is taken has segments in the guest's regions
 * alone, no more of them than there is room for, and no more steps than the
 * walk may take; a ring that is found to be broken says so, and works again
 * when it is started anew.  Memory is watched by ASan and by the shim.
 */
#include <string.h>

#include "kselftest/ring/bytes.h"
#include "kselftest/ring/fuzz.h"

#define MAX_IN_HAND	64
#define MAX_POPS	128

struct fuzz_counts fuzz_counts;

static const unsigned int split_sizes[] = { 1, 4, 8, 64 };
static const unsigned int packed_sizes[] = { 1, 3, 8, 64 };
static struct rig rigs[2][4];

static const u8 *input;
static size_t left;

static struct rig *rig;
static struct {
	struct vfp_used	used;
	u16		mark;
} in_hand[MAX_IN_HAND];
static unsigned int nr_in_hand;

static u8 take8(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static u16 take16(void)
{
	u16 low = take8();

	return low | take8() << 8;
}

static void init(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		rig_init(&rigs[0][i], split_sizes[i], 0, 0);
		rig_init_packed(&rigs[1][i], packed_sizes[i], 0, 0, true);
	}
}

/* An address near what there is, or any. */
static u64 take_addr(void)
{
	u8 kind = take8();

	switch (kind & 7) {
	case 0:
		return RIG_GPA + RIG_TABLE + 16 * (kind >> 3);
	case 1:
		return RIG_GPA + RIG_RAM - (kind >> 3);
	case 2:
		return RIG_GPA - (kind >> 3);
	case 3:
		return -(u64)(kind >> 3);
	case 4:
		return (u64)take16() << 48 | take16();
	default:
		return RIG_GPA + take16();
	}
}

static u32 take_len(void)
{
	u16 len = take16();

	return len & 0x8000 ? (u32)len << 17 | (len & 0xff) : len;
}

static void put_desc(void)
{
	u8 i = take8() % rig->ring.num;
	u64 addr = take_addr();
	u32 len = take_len();
	u16 flags = take8(), tag = take16();

	if (!rig->ring.packed) {
		drv_put_desc(rig->drv.desc, i, addr, len, flags,
			     tag & 0x8000 ? tag : tag % (rig->ring.num + 1));
		return;
	}
	/* 2.8.1: mostly as it is in one lap or the other. */
	flags = (flags & 0x3f) | (flags & 0x40 ? PDRV_F_AVAIL : PDRV_F_USED) |
		(flags & 0x80 ? PDRV_F_AVAIL | PDRV_F_USED : 0);
	pdrv_put_desc(rig->pdrv.ring, i, addr, len, tag, flags);
}

static void put_table(void)
{
	u8 i = take8() % 32;
	u64 addr = take_addr();
	u32 len = take_len();
	u8 flags = take8(), next = take8();

	drv_put_desc(rig->ram + RIG_TABLE, i, addr, len, flags & 7, next);
}

/* So many descriptors are available at once, all alike but for their place. */
static void put_many(void)
{
	u8 n = take8() % (rig->ring.num + 1), flags = take8();
	struct pdrv_pos pos = {
		rig->ring.last_avail & 0x7fff, rig->ring.last_avail >> 15,
	};
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (rig->ring.packed) {
			if (pos.index >= rig->ring.num)
				return;
			pdrv_put_desc(rig->pdrv.ring, pos.index, RIG_GPA, 64, i,
				      (flags & 7) | pdrv_avail_flags(pos));
			pos = pdrv_ahead(&rig->pdrv, pos, 1);
		} else {
			drv_put_desc(rig->drv.desc, i, RIG_GPA, 64, flags & 7,
				     (i + 1) % rig->ring.num);
			drv_put_avail(&rig->drv, rig->ring.last_avail + i, i);
		}
	}
	if (!rig->ring.packed)
		drv_put_idx(&rig->drv, rig->ring.last_avail + n);
}

static void offer(void)
{
	u16 head = take8();

	if (rig->ring.packed) {
		pdrv_put_flags(&rig->pdrv, head % rig->ring.num, take16());
		return;
	}
	drv_put_avail(&rig->drv, take16(), head);
	drv_put_idx(&rig->drv, drv_idx(&rig->drv) + 1);
}

/* Any byte of any part of the ring. */
static void poke(void)
{
	unsigned int num = rig->ring.num;
	u16 at = take16();
	u8 value = take8();
	u8 *part;
	u64 size;

	switch (take8() % 3) {
	case 0:
		part = rig->ring.packed ? rig->pdrv.ring : rig->drv.desc;
		size = drv_desc_size(num);
		break;
	case 1:
		part = rig->ring.packed ? rig->pdrv.driver_event : rig->drv.avail;
		size = rig->ring.packed ? PDRV_EVENT_SIZE : drv_avail_size(num);
		break;
	default:
		part = rig->ring.packed ? rig->pdrv.device_event : rig->drv.used;
		size = rig->ring.packed ? PDRV_EVENT_SIZE : drv_used_size(num);
		break;
	}
	part[at % size] = value;
}

static void begin_anew(void)
{
	u16 base = take16();

	nr_in_hand = 0;
	if (rig->ring.packed) {
		base = base % rig->ring.num | (base & 0x8000);
		vfp_ring_set_base(&rig->ring, base | (u32)base << 16);
	} else {
		vfp_ring_set_base(&rig->ring, base);
	}
	if (vfp_ring_start(&rig->ring))
		fuzz_violated("a ring with a sound base did not start");
}

static void check_segments(void)
{
	const struct vfp_chain *chain = &rig->chain;
	unsigned int i, n = chain->nr_out + chain->nr_in;
	size_t out = 0, in = 0;

	if (n > chain->max || chain->steps > 2 * VFP_MAX_SEGS + 1 ||
	    !chain->slots || chain->slots > rig->ring.num)
		fuzz_violated("more than a chain can have");
	for (i = 0; i < n; i++) {
		if (!shim_reachable(chain->iov[i].iov_base,
				    chain->iov[i].iov_len))
			fuzz_violated("a segment that is not the guest's");
		*(i < chain->nr_out ? &out : &in) += chain->iov[i].iov_len;
	}
	if (out != chain->out_len || in != chain->in_len)
		fuzz_violated("lengths that are not those of the segments");
}

static void broken(void)
{
	if (rig->ring.fault == VFP_FAULT_NONE ||
	    rig->ring.fault >= VFP_FAULT_DIRECTION)
		fuzz_violated("a failure that is none");
	fuzz_counts.faults[rig->ring.fault]++;
	begin_anew();
}

static bool pop(void)
{
	u16 mark = vfp_ring_mark(&rig->ring);
	int ret;

	rig->chain.max = VFP_MAX_SEGS;
	ret = vfp_ring_pop(&rig->ring, &rig->chain);
	fuzz_counts.pops++;
	if (ret < 0) {
		if (vfp_ring_mark(&rig->ring) != mark)
			fuzz_violated("a broken chain was taken");
		broken();
		return false;
	}
	if (!ret)
		return false;
	fuzz_counts.chains++;
	check_segments();
	if (nr_in_hand == MAX_IN_HAND) {
		vfp_ring_rewind(&rig->ring, mark);
		return false;
	}
	in_hand[nr_in_hand].mark = mark;
	in_hand[nr_in_hand++].used = (struct vfp_used) {
		.id = rig->chain.id,
		.slots = rig->chain.slots,
		.len = rig->chain.in_len,
	};
	return true;
}

static void pop_many(void)
{
	unsigned int i;

	for (i = 0; i < MAX_POPS && pop(); i++)
		;
}

static void put_back(void)
{
	if (nr_in_hand)
		vfp_ring_rewind(&rig->ring, in_hand[--nr_in_hand].mark);
}

static void give_back(unsigned int n)
{
	struct vfp_used used[MAX_IN_HAND];
	unsigned int i;

	n = n > nr_in_hand ? nr_in_hand : n;
	if (!n)
		return;
	for (i = 0; i < n; i++)
		used[i] = in_hand[i].used;
	nr_in_hand -= n;
	memmove(in_hand, in_hand + n, nr_in_hand * sizeof(*in_hand));
	if (vfp_ring_push(&rig->ring, used, n) ||
	    vfp_ring_publish(&rig->ring) != 1)
		fuzz_violated("chains could not be given back");
	vfp_ring_need_call(&rig->ring);
	fuzz_counts.given += n;
}

static void ask(void)
{
	if (vfp_ring_notify_on(&rig->ring) < 0 ||
	    vfp_ring_notify_off(&rig->ring) < 0)
		broken();
}

/* The next reads are altered, one of them. */
static void flip(void)
{
	shim.flip_at = shim.reads + take8() % 64;
	shim.flip_bit = take8();
}

static void step(void)
{
	switch (take8() % 16) {
	case 0:
	case 1:
		put_desc();
		break;
	case 2:
		put_table();
		break;
	case 3:
		offer();
		break;
	case 4:
		put_many();
		break;
	case 5:
		poke();
		break;
	case 6:
	case 7:
		pop();
		break;
	case 8:
		pop_many();
		break;
	case 9:
		put_back();
		break;
	case 10:
		give_back(1);
		break;
	case 11:
		give_back(1 + take8() % MAX_IN_HAND);
		break;
	case 12:
		ask();
		break;
	case 13:
		flip();
		break;
	case 14:
		vfp_ring_look_again(&rig->ring);
		break;
	default:
		begin_anew();
		break;
	}
}

static void clear(void)
{
	unsigned int num = rig->ring.num;

	if (rig->ring.packed) {
		memset(rig->pdrv.ring, 0, pdrv_ring_size(num));
		memset(rig->pdrv.driver_event, 0, PDRV_EVENT_SIZE);
	} else {
		memset(rig->drv.desc, 0, drv_desc_size(num));
		memset(rig->drv.avail, 0, drv_avail_size(num));
		memset(rig->drv.used, 0, drv_used_size(num));
	}
	memset(rig->ram + RIG_TABLE, 0, 32 * 16);
}

int fuzz_one(const u8 *data, size_t size)
{
	u8 kind;

	if (!rigs[0][0].ram)
		init();
	input = data;
	left = size;
	kind = take8();
	rig = &rigs[kind & 1][kind >> 1 & 3];
	rig->ring.event_idx = kind & 8;
	rig->ring.indirect = !(kind & 16);
	rig->ring.in_order = kind & 32;
	rig_no_regions(rig);
	rig_region(rig, RIG_GPA, RIG_GPA + (kind & 64 ? 0x8fff : RIG_RAM - 1), 0);
	if (kind & 64)
		rig_region(rig, RIG_GPA + 0x9000, RIG_GPA + RIG_RAM - 1, 0x9000);
	clear();
	shim.flip_at = SHIM_NEVER;
	shim_forget();
	begin_anew();
	pop_many();
	while (left)
		step();
	pop_many();
	shim.flip_at = SHIM_NEVER;
	fuzz_counts.inputs++;
	return 0;
}
