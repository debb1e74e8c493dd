/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine's own files have inline of the way to guest memory: regions
 * that were hit before, and descriptors in two loads each.
 */
#ifndef VIRTIO_FASTPATH_MEMORY_H
#define VIRTIO_FASTPATH_MEMORY_H

#include <linux/uaccess.h>

#include "virtio-fastpath/vfp.h"

/* Where the region of an address is remembered. */
static inline const struct vhost_iotlb_map **
vfp_hot_place(struct vfp_ring *ring, u64 addr)
{
	return &ring->cache->hot[(addr >> VFP_HOT_SHIFT) % VFP_HOT];
}

/* The region of an address, if it was hit of late, or NULL. */
static inline const struct vhost_iotlb_map *
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

#endif /* VIRTIO_FASTPATH_MEMORY_H */
