// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds of the engine for every guest: any value at every read, any access
 * that fails, any state of the ring that the engine can have come to.  Checked
 * by CBMC, which ./prove runs; bounds and pointers are its own checks.
 */
#include <string.h>

#include "virtio-fastpath/memory.h"

#define claim(cond)	__CPROVER_assert(cond, #cond)
#define assume(cond)	__CPROVER_assume(cond)

u16 nondet_u16(void);

static struct vhost_iotlb_map region;

struct vhost_iotlb_map *vhost_iotlb_itree_first(struct vhost_iotlb *iotlb,
						u64 start, u64 last)
{
	(void)iotlb;
	if (nondet_bool())
		return NULL;
	region.start = nondet_u64();
	region.last = nondet_u64();
	region.addr = nondet_u64();
	assume(region.start <= start && last <= region.last);
	/* What lies in more pieces than that takes many turns, see translates(). */
	assume(region.last - start >= PROVE_PIECE - 1);
	return &region;
}

unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	(void)from;
	__CPROVER_havoc_slice(to, n);
	return nondet_bool() ? n : 0;
}

static struct vfp_cache cache;

static void any_ring(struct vfp_ring *ring, bool packed)
{
	memset(ring, 0, sizeof(*ring));
	ring->packed = packed;
	ring->num = nondet_u64();
	assume(ring->num && ring->num <= PROVE_NUM);
	assume(packed || !(ring->num & (ring->num - 1)));
	ring->event_idx = nondet_bool();
	ring->indirect = nondet_bool();
	ring->in_order = nondet_bool();
	ring->cache = &cache;
	ring->mem = (struct vhost_iotlb *)1;
	vfp_ring_set_base(ring, (u32)nondet_u64());
	assume(!vfp_ring_start(ring));
}

/* What is decided on calls and kicks, and where used entries go. */
static void gives(bool packed)
{
	struct vfp_used used[2];
	struct vfp_ring ring;
	int ret;

	any_ring(&ring, packed);
	used[0] = (struct vfp_used) { nondet_u16(), nondet_u16(), nondet_u64() };
	used[1] = (struct vfp_used) { nondet_u16(), nondet_u16(), nondet_u64() };
	/* As they were popped: no more than the ring has. */
	assume(used[0].slots && used[1].slots &&
	       used[0].slots + used[1].slots <= ring.num);
	ret = vfp_ring_push(&ring, used, 1 + nondet_bool());
	claim(ret == 0 || (ret == -EIO && ring.next_used == ring.used_idx));
	claim(!packed || (ring.next_used & 0x7fff) < ring.num);
	if (ret)
		return;
	ret = vfp_ring_publish(&ring);
	claim(ret == 1 || ret == -EIO);
	claim(ret < 0 || ring.used_idx == ring.next_used);
	if (ret == 1)
		claim(vfp_ring_need_call(&ring) || ring.called_valid ||
		      !ring.event_idx);
	ret = vfp_ring_notify_on(&ring);
	claim(ret == 0 || ret == 1 || ret == -EIO);
	ret = vfp_ring_notify_off(&ring);
	claim(ret == 0 || ret == -EIO);
}

void split_gives(void)	{ gives(false); }
void packed_gives(void)	{ gives(true); }

/* -- taking chains: what was read ahead, and the walk from there ---------- */

/* Where a chain may be that was read ahead, and its table. */
static bool well_formed(const struct vfp_ring *ring, const struct vfp_head *head)
{
	return head->id < ring->num && head->known &&
	       head->first + head->known <= VFP_AHEAD &&
	       head->table + head->tabled <= VFP_TABLES;
}

/* Packed: of what refers to one, at least. */
static bool has_table(unsigned int slot)
{
	return !(cache.ahead[slot].flags & VRING_DESC_F_INDIRECT) ||
	       cache.heads[slot].table + cache.heads[slot].tabled <= VFP_TABLES;
}

/* A region that was hit before, of any size, at any place. */
static void any_hot(void)
{
	static struct vhost_iotlb_map hot;

	hot = (struct vhost_iotlb_map) { nondet_u64(), nondet_u64(), nondet_u64() };
	assume(hot.start <= hot.last && hot.last - hot.start < 1ULL << 47);
	if (nondet_bool())
		cache.hot[0] = &hot;
}

/* Whatever was read, what the cache says of it is so; the chain has no room. */
static void reads(bool packed)
{
	struct vfp_ring ring;
	struct iovec iov[1];
	struct vfp_chain chain = { .iov = iov, .max = 0 };
	unsigned int i;
	int ret;

	any_ring(&ring, packed);
	any_hot();
	ret = vfp_ring_pop(&ring, &chain);
	claim(ret == 0 || ret == 1 || ret == -EIO);
	claim(ret >= 0 || ring.fault);
	claim(ring.nr_ahead <= VFP_AHEAD);
	claim(!packed || (ring.last_avail & 0x7fff) < ring.num);
	for (i = 0; i < ring.nr_ahead; i++)
		claim(packed ? has_table(i) : well_formed(&ring, &cache.heads[i]));
}

/* What the walk promises, from any descriptors that were read ahead. */
static void walks(bool packed)
{
	struct vfp_head *head = &cache.heads[0];
	struct iovec iov[VFP_MAX_SEGS];
	struct vfp_chain chain = { .iov = iov };
	struct vfp_ring ring;
	unsigned int i;
	size_t sum = 0;
	int ret;

	any_ring(&ring, packed);
	chain.max = nondet_u64();
	assume(chain.max <= VFP_MAX_SEGS);
	__CPROVER_havoc_object(&cache);
	memset(cache.hot, 0, sizeof(cache.hot));
	assume(well_formed(&ring, head));
	ring.nr_ahead = nondet_u16();
	assume(ring.nr_ahead && ring.nr_ahead <= VFP_AHEAD);
	ret = packed ? vfp_chain_walk_packed(&ring, head->id, 0, ring.num, &chain) :
		       vfp_chain_walk(&ring, head, &chain);
	claim(ret == 0 || ret == -EIO);
	claim(!ret == !ring.fault);
	if (ret)
		return;
	claim(chain.slots && chain.slots <= ring.num);
	claim(packed || chain.id == head->id);
	claim(chain.nr_out + chain.nr_in <= chain.max);
	for (i = 0; i < VFP_MAX_SEGS; i++)
		if (i < chain.nr_out + chain.nr_in)
			sum += iov[i].iov_len;
	claim(sum == chain.out_len + chain.in_len);
}

/* A range of guest memory, in as many pieces as it has bytes. */
void translates(void)
{
	struct iovec iov[VFP_MAX_SEGS];
	struct vfp_ring ring;
	unsigned int max = nondet_u64(), i;
	u64 addr = nondet_u64(), sum = 0;
	u32 len = nondet_u64();
	int ret;

	any_ring(&ring, false);
	assume(max <= VFP_MAX_SEGS && len <= 2 * VFP_MAX_SEGS);
	ret = vfp_translate(&ring, addr, len, iov, max);
	claim(ret == -EIO || (ret >= 0 && (unsigned int)ret <= max));
	claim(ret >= 0 || ring.fault);
	for (i = 0; ret > 0 && i < (unsigned int)ret; i++)
		sum += iov[i].iov_len;
	claim(ret < 0 || sum == len);
}

void split_reads(void)	{ reads(false); }
void packed_reads(void)	{ reads(true); }
void split_walks(void)	{ walks(false); }
void packed_walks(void)	{ walks(true); }
