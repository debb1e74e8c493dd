/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine's own files have inline of the way to guest memory: regions
 * that were hit before, descriptors in two loads each, and what these add to a
 * chain.
 */
#ifndef VIRTIO_FASTPATH_MEMORY_H
#define VIRTIO_FASTPATH_MEMORY_H

#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "virtio-fastpath/vfp.h"

/* Where so many bytes of a table can be read; NULL: they can't be at once. */
#ifndef vfp_table_at
#define vfp_table_at(ring, at, len)	(at)
#endif

/* Where the region of an address is remembered. */
static __always_inline const struct vhost_iotlb_map **
vfp_hot_place(struct vfp_ring *ring, u64 addr)
{
	return &ring->cache->hot[(addr >> VFP_HOT_SHIFT) % VFP_HOT];
}

/* The region of an address, if it was hit of late, or NULL. */
static __always_inline const struct vhost_iotlb_map *
vfp_hot_region(struct vfp_ring *ring, u64 addr)
{
	const struct vhost_iotlb_map *map = *vfp_hot_place(ring, addr);

	if (likely(map && addr >= map->start && addr <= map->last))
		return map;
	return NULL;
}

/* As far as known regions go: where a range is, if it is in one of them. */
static inline void __user *vfp_hot_range(struct vfp_ring *ring, u64 addr,
					 u32 len)
{
	const struct vhost_iotlb_map *map = vfp_hot_region(ring, addr);

	if (unlikely(!map || !len || map->last - addr < len - 1))
		return NULL;
	return (void __user *)(unsigned long)(map->addr + (addr - map->start));
}

/*
 * As vfp_hot_range(), for one descriptor at least, and for where nothing stops a
 * processor that guesses the checks' outcome: what it reads begins in the region.
 */
static __always_inline const void __user *
vfp_hot_inside(struct vfp_ring *ring, u64 addr, u32 len)
{
	const struct vhost_iotlb_map *map = vfp_hot_region(ring, addr);
	u64 offset, last;

	if (!map)
		return NULL;
	offset = addr - map->start;
	last = map->last - map->start;
	if (unlikely(last - offset < len - 1))
		return NULL;
	offset &= array_index_mask_nospec(offset, last);
	return (const void __user *)(unsigned long)(map->addr + offset);
}

/* As vfp_translate(), which does what is not done at the first look. */
static __always_inline int vfp_to_segments(struct vfp_ring *ring, u64 addr,
					   u32 len, struct iovec *iov,
					   unsigned int max)
{
	void __user *at = vfp_hot_range(ring, addr, len);

	if (unlikely(!at || !max))
		return vfp_translate(ring, addr, len, iov, max);
	iov->iov_base = at;
	iov->iov_len = len;
	return 1;
}

/*
 * A descriptor as its two words of memory; the second of these has the two
 * fields at its end the other way round in a packed ring.
 */
static __always_inline struct vfp_desc vfp_split_desc(__le64 addr, __le64 rest)
{
	u64 word = le64_to_cpu(rest);

	return (struct vfp_desc) {
		.addr	= le64_to_cpu(addr),
		.len	= word,
		.flags	= word >> 32,
		.next	= word >> 48,
	};
}

static __always_inline struct vfp_desc vfp_packed_desc(__le64 addr, __le64 rest)
{
	u64 word = le64_to_cpu(rest);

	return (struct vfp_desc) {
		.addr	= le64_to_cpu(addr),
		.len	= word,
		.id	= word >> 32,
		.flags	= word >> 48,
	};
}

/* Split: does another of the ring's descriptors follow? */
static __always_inline bool vfp_goes_on(const struct vfp_ring *ring,
					const struct vfp_desc *desc)
{
	return desc->flags & VRING_DESC_F_NEXT && desc->next < ring->num;
}

/*
 * Copies a descriptor, between user_read_access_begin() and its end: no calls,
 * and no arrays whose bounds a checking kernel would look at.  False: a fault.
 */
static __always_inline bool vfp_copy_desc(struct vfp_desc *to,
					  const void __user *from, bool packed)
{
	const __le64 __user *words = from;
	__le64 addr, rest;

	unsafe_get_user(addr, words, fault);
	unsafe_get_user(rest, words + 1, fault);
	*to = packed ? vfp_packed_desc(addr, rest) : vfp_split_desc(addr, rest);
	return true;

fault:
	return false;
}

/* Likewise, those that lie side by side; how many, up to the first fault. */
static __always_inline unsigned int
vfp_copy_descs(struct vfp_desc *to, const struct vring_desc __user *from,
	       unsigned int n, bool packed)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (unlikely(!vfp_copy_desc(to + i, from + i, packed)))
			break;
	return i;
}

/*
 * Copies the first descriptors of the table that @desc refers to, likewise, to @to
 * and on, as far as there is room before @end; how many.  Only where that is as
 * easy as it mostly is: what is not copied here is read, and found to be wrong,
 * when its turn comes.
 */
static __always_inline unsigned int
vfp_copy_table(struct vfp_ring *ring, const struct vfp_desc *desc,
	       struct vfp_desc *to, const struct vfp_desc *end, bool packed)
{
	unsigned int most = desc->len / sizeof(struct vring_desc);
	unsigned int room = end - to, n = min3(most, room, VFP_RUN);
	const struct vring_desc __user *from;

	if (unlikely(!most))
		return 0;
	from = vfp_hot_inside(ring, desc->addr, desc->len);
	if (unlikely(!from || !access_ok(from, desc->len)))
		return 0;
	from = vfp_table_at(ring, from, n * sizeof(*from));
	return from ? vfp_copy_descs(to, from, n, packed) : 0;
}

static __always_inline void vfp_chain_begin(struct vfp_chain *chain)
{
	chain->slots = 0;
	chain->steps = 0;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
}

/* Adds what a descriptor names.  0, or -EIO with the fault set. */
static __always_inline int vfp_add_segments(struct vfp_ring *ring,
					    struct vfp_chain *chain,
					    const struct vfp_desc *desc)
{
	unsigned int used = chain->nr_out + chain->nr_in;
	int n;

	chain->steps++;
	if (unlikely(!(desc->flags & VRING_DESC_F_WRITE) && chain->nr_in))
		return vfp_fault(ring, VFP_FAULT_ORDER);
	n = vfp_to_segments(ring, desc->addr, desc->len, chain->iov + used,
			    chain->max - used);
	if (unlikely(n < 0))
		return n;
	if (desc->flags & VRING_DESC_F_WRITE) {
		chain->nr_in += n;
		chain->in_len += desc->len;
	} else {
		chain->nr_out += n;
		chain->out_len += desc->len;
	}
	return 0;
}

/* Is a descriptor all there is of its chain? */
static __always_inline bool vfp_stands_alone(const struct vfp_desc *desc)
{
	return !(desc->flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT));
}

/* The walk along a chain of one descriptor, as most are. */
static __always_inline int vfp_walk_single(struct vfp_ring *ring, u16 id,
					   const struct vfp_desc *desc,
					   struct vfp_chain *chain)
{
	vfp_chain_begin(chain);
	chain->id = id;
	chain->slots = 1;
	return vfp_add_segments(ring, chain, desc);
}

#endif /* VIRTIO_FASTPATH_MEMORY_H */
