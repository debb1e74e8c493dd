// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring in an access section: its areas are mapped into the kernel, as long as their
 * pages are the owner's, and the functions of soft_split.c and soft_packed.c find
 * these mappings where the ring has the owner's addresses otherwise.
 *
 * A mapping is dropped as an entry of the TLB is, see stlb.c, by not being used any
 * more; it is taken down when there is another, or the ring ends.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "virtio-fastpath/vfp.h"

static void unmap_areas(struct vfp_stlb_area *areas)
{
	unsigned int i;

	for (i = 0; i < VFP_STLB_AREAS; i++)
		if (areas[i].map)
			vunmap(areas[i].map);
}

/**
 * vfp_stlb_free() - let go of what a TLB has mapped
 * @stlb: a TLB that nobody uses any more
 *
 * Context: process; may sleep.
 */
void vfp_stlb_free(struct vfp_stlb *stlb)
{
	unmap_areas(stlb->areas);
	memset(stlb->areas, 0, sizeof(stlb->areas));
}

/* Maps an area's pages, which are left to whoever unpins them: @pages, @n. */
static int map_area(struct vfp_stlb_area *area, struct page **pages, unsigned int *n)
{
	unsigned long first = area->first & PAGE_MASK;
	int want = (area->last - first) / PAGE_SIZE + 1, got;

	*n = 0;
	got = pin_user_pages_fast(first, want, FOLL_WRITE, pages);
	if (got <= 0)
		return -EFAULT;
	*n = got;
	if (got < want)
		return -EFAULT;
	area->map = vmap(pages, want, VM_MAP, PAGE_KERNEL);
	return area->map ? 0 : -ENOMEM;
}

static void find_areas(const struct vfp_ring *ring, struct vfp_stlb_area *areas)
{
	unsigned long size[VFP_STLB_AREAS];
	const void __user *at[VFP_STLB_AREAS] = { ring->desc, ring->avail, ring->used };
	unsigned int i;

	if (ring->packed)
		vfp_packed_sizes(ring, size);
	else
		vfp_split_sizes(ring, size);
	for (i = 0; i < VFP_STLB_AREAS; i++) {
		areas[i].first = (__force unsigned long)at[i];
		areas[i].last = areas[i].first + size[i] - 1;
		areas[i].map = NULL;
	}
}

/* The areas become the TLB's, unless a change has begun since; @areas: the old ones. */
static bool enter_areas(struct vfp_stlb *stlb, unsigned long changes,
			struct vfp_stlb_area *areas)
{
	unsigned int i;
	bool same;

	spin_lock_bh(&stlb->lock);
	same = stlb->changes == changes;
	if (same) {
		for (i = 0; i < VFP_STLB_AREAS; i++)
			swap(stlb->areas[i], areas[i]);
		stlb->mapped = true;
	}
	spin_unlock_bh(&stlb->lock);
	return same;
}

/* Pages of the longest area: the descriptors, or the used ring with them. */
static unsigned int most_pages(const struct vfp_stlb_area *areas)
{
	unsigned long most = 0;
	unsigned int i;

	for (i = 0; i < VFP_STLB_AREAS; i++)
		most = max(most, (areas[i].last >> PAGE_SHIFT) -
				 (areas[i].first >> PAGE_SHIFT) + 1);
	return most;
}

/**
 * vfp_stlb_map() - map a ring's areas, unless they are mapped
 * @ring: the ring, which has a TLB, and runs
 *
 * Context: process, current->mm is the owner's, and the lock of the ring's owner is
 * held; sleeps and faults.
 * Return: 0, -EAGAIN if the page tables are changing, -EFAULT if an area can't be
 * written to, or -ENOMEM.
 */
int vfp_stlb_map(struct vfp_ring *ring)
{
	struct vfp_stlb_area areas[VFP_STLB_AREAS];
	unsigned int n[VFP_STLB_AREAS] = { }, i, most;
	struct vfp_stlb *stlb = ring->stlb;
	unsigned long changes;
	struct page **pages;
	int err = 0;

	if (READ_ONCE(stlb->mapped))
		return 0;
	if (!vfp_stlb_note(stlb, &changes))
		return -EAGAIN;
	find_areas(ring, areas);
	most = most_pages(areas);
	pages = kvmalloc_array(VFP_STLB_AREAS * most, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < VFP_STLB_AREAS && !err; i++)
		err = map_area(&areas[i], pages + i * most, &n[i]);
	if (!err && !enter_areas(stlb, changes, areas))
		err = -EAGAIN;
	for (i = 0; i < VFP_STLB_AREAS; i++)
		if (n[i])
			unpin_user_pages_dirty_lock(pages + i * most, n[i], true);
	unmap_areas(areas);
	kvfree(pages);
	return err;
}

/* A ring's addresses become those in the kernel, or the owner's again. */
static void exchange(struct vfp_ring *ring, bool soft)
{
	const struct vfp_stlb_area *area = ring->stlb->areas;
	void __user *at[VFP_STLB_AREAS];
	unsigned int i;

	for (i = 0; i < VFP_STLB_AREAS; i++)
		at[i] = soft ? (__force void __user *)area[i].map +
			       offset_in_page(area[i].first) :
			       (void __user *)area[i].first;
	ring->desc = at[0];
	ring->avail = at[1];
	ring->used = at[2];
}

/**
 * vfp_soft_begin() - begin to use a ring in an access section
 * @ring: the ring; nobody else uses it
 *
 * Context: any but hard interrupts; @ring->stlb->lock held.
 * Return: whether vfp_soft functions may be called until vfp_soft_end(); not if the ring
 * is not mapped, or what is written is to be logged.
 */
bool vfp_soft_begin(struct vfp_ring *ring)
{
	if (unlikely(!ring->stlb->mapped || ring->log_data || ring->log_ring))
		return false;
	exchange(ring, true);
	return true;
}

/**
 * vfp_soft_end() - that was all
 * @ring: the ring
 *
 * Context: any but hard interrupts; @ring->stlb->lock held since vfp_soft_begin().
 */
void vfp_soft_end(struct vfp_ring *ring)
{
	exchange(ring, false);
}
