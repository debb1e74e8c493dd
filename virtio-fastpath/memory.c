// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: guest-physical addresses to addresses of the owner's process.
 *
 * The regions are a vhost_iotlb.  Those that were hit are remembered beside the
 * ring, at a place that some bits of the address give, and looked at first.
 * They die with the table: vfp_ring_set_mem() forgets them.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "virtio-fastpath/memory.h"

/**
 * vfp_ring_set_mem() - give a ring its memory
 * @ring: the ring
 * @mem: its regions, or NULL; they must outlive the ring's use of them
 *
 * Context: process; the lock of the ring's owner is held.
 */
void vfp_ring_set_mem(struct vfp_ring *ring, struct vhost_iotlb *mem)
{
	ring->mem = mem;
	memset(ring->cache->hot, 0, sizeof(ring->cache->hot));
	ring->nr_ahead = 0;	/* tables were read by the old regions */
}

static const struct vhost_iotlb_map *find_region(struct vfp_ring *ring,
						 u64 addr)
{
	const struct vhost_iotlb_map *map = vfp_hot_region(ring, addr);

	if (likely(map))
		return map;
	if (unlikely(!ring->mem))
		return NULL;
	map = vhost_iotlb_itree_first(ring->mem, addr, addr);
	if (map)
		*vfp_hot_place(ring, addr) = map;
	return map;
}

/* The first part of a range, as far as one region holds it; 0 if none does. */
static u32 first_part(struct vfp_ring *ring, u64 addr, u32 len,
		      void __user **user)
{
	const struct vhost_iotlb_map *map = find_region(ring, addr);

	if (unlikely(!map))
		return 0;
	*user = (void __user *)(unsigned long)(map->addr + (addr - map->start));
	/* One less than the bytes left, so that 2^64 does not wrap. */
	return min_t(u64, map->last - addr, len - 1) + 1;
}

/**
 * vfp_translate() - translate a guest-physical range
 * @ring: the ring whose descriptor names the range
 * @addr: guest-physical address
 * @len: bytes; none give no segment
 * @iov: where the segments go
 * @max: how many segments there is room for
 *
 * A range may lie in several adjacent regions; each part becomes a segment.
 *
 * Context: process; the lock of the ring's owner is held.
 * Return: the number of segments, or -EIO with the ring's fault set.
 */
int vfp_translate(struct vfp_ring *ring, u64 addr, u32 len,
		  struct iovec *iov, unsigned int max)
{
	unsigned int n = 0;
	u32 part;

	if (unlikely(len && addr + (len - 1) < addr))
		return vfp_fault(ring, VFP_FAULT_ADDRESS);

	for (; len; addr += part, len -= part) {
		if (unlikely(n == max))
			return vfp_fault(ring, VFP_FAULT_TOO_LONG);
		part = first_part(ring, addr, len, &iov[n].iov_base);
		if (unlikely(!part))
			return vfp_fault(ring, VFP_FAULT_ADDRESS);
		iov[n++].iov_len = part;
	}
	return n;
}

/**
 * vfp_read() - copy from a guest-physical range
 * @ring: the ring whose descriptor names the range
 * @addr: guest-physical address
 * @buf: where to
 * @len: bytes
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_read(struct vfp_ring *ring, u64 addr, void *buf, u32 len)
{
	void __user *from;
	u32 part;

	for (; len; addr += part, buf += part, len -= part) {
		part = first_part(ring, addr, len, &from);
		if (unlikely(!part || copy_from_user(buf, from, part)))
			return vfp_fault(ring, VFP_FAULT_ADDRESS);
	}
	return 0;
}
