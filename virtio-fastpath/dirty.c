// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which of the guest's pages we have written to, for a VMM that moves
 * the guest elsewhere meanwhile (VHOST_SET_LOG_BASE: a bit for each page of
 * VFP_LOG_PAGE bytes, by guest-physical address, in the owner's memory).
 *
 * The VMM takes a bit away and then copies the page; so a page is written to first,
 * and its bit is set afterwards.  What can't be logged is a fault of the ring: a page
 * that changes unseen would be wrong on the other side.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/barrier.h>

#include "virtio-fastpath/dirty.h"

/* Bits of the log in a page of the process. */
#define BITS_PER_PAGE	(8 * PAGE_SIZE)

/**
 * vfp_log_ok() - can a part of a log be memory of a process?
 * @base: where the log begins, an address of the owner's process
 * @addr: guest-physical address of what is to be logged
 * @len: bytes of that, at least 1
 *
 * As vfp_split_access_ok() this is for an early error, and as wide as vhost's, which may
 * be a byte short: each access is checked again when it is made.
 *
 * Context: process.
 * Return: whether it can.
 */
bool vfp_log_ok(u64 base, u64 addr, u64 len)
{
	u64 first = addr / VFP_LOG_PAGE / 8;
	u64 bytes = (len + VFP_LOG_PAGE * 8 - 1) / VFP_LOG_PAGE / 8;

	if (first + base < base || (unsigned long)(first + base) != first + base)
		return false;
	return access_ok((void __user *)(unsigned long)(base + first), bytes);
}

/*
 * Sets as many bits as one page of the process holds, from that of page @first of the
 * guest on, up to @last.  Returns how many, or -EFAULT.
 */
static int set_bits(u64 base, u64 first, u64 last)
{
	u64 at = base + first / 8;
	unsigned int bit = offset_in_page(at) * 8 + first % 8;
	unsigned int n = min_t(u64, last - first + 1, BITS_PER_PAGE - bit);
	struct page *page;
	unsigned int i;
	void *map;

	if (at < base ||
	    pin_user_pages_fast((unsigned long)at, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	map = kmap_local_page(page);
	for (i = 0; i < n; i++)
		set_bit(bit + i, map);
	kunmap_local(map);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return n;
}

/* Guest-physical addresses, which do not wrap around. */
static int log_range(struct vfp_ring *ring, u64 addr, u64 len)
{
	u64 page = addr / VFP_LOG_PAGE, last = (addr + (len - 1)) / VFP_LOG_PAGE;
	int n;

	smp_wmb();	/* what was written before the bit that tells */
	for (; page <= last; page += n) {
		n = set_bits(ring->log, page, last);
		if (unlikely(n < 0))
			return vfp_fault(ring, VFP_FAULT_LOG);
	}
	ring->logged = true;
	return 0;
}

/**
 * vfp_log_user() - log what was written to addresses of the owner's process
 * @ring: the ring
 * @from: what was written
 * @len: bytes, at least 1
 *
 * Where that is in the guest's memory the regions tell.  A packed ring's descriptors need
 * not lie there; what does not is no memory of the guest's, and is not logged.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_log_user(struct vfp_ring *ring, const void __user *from, size_t len)
{
	u64 begin = (unsigned long)from, end = begin + (len - 1), first, last;
	struct vhost_iotlb_map *map;

	if (!ring->mem)
		return 0;
	for (map = vhost_iotlb_itree_first(ring->mem, 0, U64_MAX); map;
	     map = vhost_iotlb_itree_next(map, 0, U64_MAX)) {
		first = max_t(u64, begin, map->addr);
		last = min_t(u64, end, map->addr + (map->last - map->start));
		if (first <= last &&
		    log_range(ring, map->start + (first - map->addr), last - first + 1))
			return -EIO;
	}
	return 0;
}

/**
 * vfp_log_buffers() - log what was written to buffers
 * @ring: the ring, whose log_data is set
 * @iov: segments, as vfp_ring_pop() has given them
 * @len: bytes that were written, from the first on
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_log_buffers(struct vfp_ring *ring, const struct iovec *iov, size_t len)
{
	size_t part;

	for (; len; len -= part, iov++) {
		cond_resched();
		part = min_t(size_t, len, iov->iov_len);
		if (part && vfp_log_user(ring, iov->iov_base, part))
			return -EIO;
	}
	return 0;
}

/**
 * vfp_log_device_area() - log what was written to the ring's device area
 * @ring: the ring, whose log_ring is set
 * @at: what was written; split: in the used ring
 * @len: bytes
 *
 * The VMM has said where in the guest's memory the area is; it need not lie there by
 * way of the regions.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_log_device_area(struct vfp_ring *ring, const void __user *at, size_t len)
{
	u64 offset = at - (const void __user *)ring->used;

	if (unlikely(ring->log_addr + offset + (len - 1) < ring->log_addr))
		return vfp_fault(ring, VFP_FAULT_LOG);
	return log_range(ring, ring->log_addr + offset, len);
}
