// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB: which page an address of the owner's process has, for those who
 * are in no context of its own and can't fault.
 *
 * Filled where a fault may be taken, with a page that may be written to; emptied by
 * whoever changes the owner's page tables, before the change.  In between no page is
 * held: an entry lives no longer than the mapping that it stands for.
 *
 *   who fills                               who changes the page tables
 *   --------------------------------------  --------------------------------------
 *   notes the number of changes begun,      counts a change begun and under way,
 *     gives up if one is under way            drops its pages; both under the lock
 *   faults the page in, takes a reference   changes them, lets the pages go
 *   under the lock: enters the page,        is no longer under way
 *     unless a change has begun since
 *   lets the reference go
 *
 * A page is dirty before its reference goes; as long as the entry is there the mapping
 * is writable, and so whoever takes that away finds it dirty, too: to write a page
 * back, the mapping is write-protected first, which is a change.
 *
 * An access section holds the lock.  So a change waits for a packet at most, never for
 * RCU, a mutex, or somebody who has lost his processor.
 */
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include "virtio-fastpath/vfp.h"

static __always_inline unsigned long page_of(const void __user *at)
{
	return (__force unsigned long)at & PAGE_MASK;
}

static __always_inline struct vfp_stlb_set *set_of(struct vfp_stlb *stlb,
						   unsigned long at)
{
	return &stlb->sets[(at >> PAGE_SHIFT) % VFP_STLB_SETS];
}

static __always_inline struct page *find_page(struct vfp_stlb *stlb, unsigned long at)
{
	const struct vfp_stlb_entry *entry = set_of(stlb, at)->way;
	unsigned int i;

	for (i = 0; i < VFP_STLB_WAYS; i++)
		if (entry[i].at == at && entry[i].page)
			return entry[i].page;
	return NULL;
}

/**
 * vfp_stlb_init() - make a TLB that is empty
 * @stlb: zeroed memory
 */
void vfp_stlb_init(struct vfp_stlb *stlb)
{
	spin_lock_init(&stlb->lock);
}

/**
 * vfp_stlb_forget() - forget all pages, and the ring
 * @stlb: the TLB
 *
 * Context: any but hard interrupts.
 */
void vfp_stlb_forget(struct vfp_stlb *stlb)
{
	spin_lock_bh(&stlb->lock);
	stlb->changes++;
	stlb->mapped = false;
	stlb->lacked = NULL;
	memset(stlb->sets, 0, sizeof(stlb->sets));
	spin_unlock_bh(&stlb->lock);
}

static bool drop_from_set(struct vfp_stlb_set *set, unsigned long first,
			  unsigned long last)
{
	struct vfp_stlb_entry *entry = set->way;
	bool found = false;
	unsigned int i;

	for (i = 0; i < VFP_STLB_WAYS; i++) {
		if (entry[i].page && entry[i].at >= first && entry[i].at <= last) {
			entry[i].page = NULL;
			found = true;
		}
	}
	return found;
}

static bool drop_pages(struct vfp_stlb *stlb, unsigned long first, unsigned long last)
{
	unsigned long at, n = (last - first) / PAGE_SIZE + 1;
	bool found = false;
	unsigned int i;

	if (n < VFP_STLB_SETS) {
		for (at = first; n; n--, at += PAGE_SIZE)
			found |= drop_from_set(set_of(stlb, at), at, at);
		return found;
	}
	for (i = 0; i < VFP_STLB_SETS; i++)
		found |= drop_from_set(&stlb->sets[i], first, last);
	return found;
}

static bool drop_areas(struct vfp_stlb *stlb, unsigned long first, unsigned long last)
{
	unsigned int i;

	if (!stlb->mapped)
		return false;
	for (i = 0; i < VFP_STLB_AREAS; i++) {
		if (stlb->areas[i].first <= last && stlb->areas[i].last >= first) {
			stlb->mapped = false;
			return true;
		}
	}
	return false;
}

/**
 * vfp_stlb_invalidate() - the owner's page tables are about to change
 * @stlb: the TLB
 * @first: first address that is concerned
 * @last: last address
 *
 * At return nobody uses what was known of them, and until vfp_stlb_settled() nothing
 * new is learnt.
 *
 * Context: any but hard interrupts; waits for an access section.
 * Return: whether something was known.
 */
bool vfp_stlb_invalidate(struct vfp_stlb *stlb, unsigned long first,
			 unsigned long last)
{
	bool found;

	spin_lock_bh(&stlb->lock);
	stlb->changes++;
	stlb->under_way++;
	found = drop_pages(stlb, first & PAGE_MASK, last);
	found |= drop_areas(stlb, first & PAGE_MASK, last | ~PAGE_MASK);
	spin_unlock_bh(&stlb->lock);
	return found;
}

/**
 * vfp_stlb_settled() - the owner's page tables have changed
 * @stlb: the TLB, for which vfp_stlb_invalidate() was called
 *
 * Context: any but hard interrupts.
 */
void vfp_stlb_settled(struct vfp_stlb *stlb)
{
	spin_lock_bh(&stlb->lock);
	stlb->under_way--;
	spin_unlock_bh(&stlb->lock);
}

/**
 * vfp_stlb_note() - begin to learn something
 * @stlb: the TLB
 * @changes: the number of changes begun, to be compared when it is entered
 *
 * Context: any but hard interrupts.
 * Return: whether that makes sense: no change is under way.
 */
bool vfp_stlb_note(struct vfp_stlb *stlb, unsigned long *changes)
{
	bool settled;

	spin_lock_bh(&stlb->lock);
	settled = !stlb->under_way;
	*changes = stlb->changes;
	spin_unlock_bh(&stlb->lock);
	return settled;
}

/* Where a page is to go. */
static struct vfp_stlb_entry *make_room(struct vfp_stlb *stlb, unsigned long at)
{
	struct vfp_stlb_entry *entry = set_of(stlb, at)->way;
	unsigned int i;

	for (i = 0; i < VFP_STLB_WAYS; i++)
		if (!entry[i].page)
			return &entry[i];
	return &entry[stlb->victim++ % VFP_STLB_WAYS];
}

static bool enter_page(struct vfp_stlb *stlb, unsigned long changes, unsigned long at,
		       struct page *page)
{
	bool same;

	spin_lock_bh(&stlb->lock);
	same = stlb->changes == changes;
	if (same)
		*make_room(stlb, at) = (struct vfp_stlb_entry) { .at = at, .page = page };
	spin_unlock_bh(&stlb->lock);
	return same;
}

/**
 * vfp_stlb_fill() - learn of a page
 * @stlb: the TLB
 * @at: an address in it, of the owner's process
 *
 * Context: process, current->mm is the owner's; sleeps and faults.
 * Return: 1 if it was learnt, 0 if it was known, -EAGAIN if the page tables are
 * changing, or -EFAULT if the page can't be written to, or is none of memory's.
 */
int vfp_stlb_fill(struct vfp_stlb *stlb, const void __user *at)
{
	unsigned long first = page_of(at), changes;
	struct page *page;
	bool known, entered;

	spin_lock_bh(&stlb->lock);
	known = find_page(stlb, first);
	spin_unlock_bh(&stlb->lock);
	if (known)
		return 0;
	if (!vfp_stlb_note(stlb, &changes))
		return -EAGAIN;
	if (pin_user_pages_fast(first, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	/* The kernel reaches it by an address of its own, at any time. */
	entered = !PageHighMem(page) && enter_page(stlb, changes, first, page);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return entered ? 1 : -EAGAIN;
}

/**
 * vfp_stlb_fill_segments() - learn of the pages that segments lie in
 * @stlb: the TLB
 * @iov: the segments
 * @n: how many
 * @max: how many of their pages, from the first on; a guest may have named many
 *
 * Context: process, current->mm is the owner's; sleeps and faults.
 * Return: how many pages were learnt, or the error of the first that can't be.
 */
int vfp_stlb_fill_segments(struct vfp_stlb *stlb, const struct iovec *iov,
			   unsigned int n, unsigned int max)
{
	unsigned long at, last;
	int ret, learnt = 0;

	for (; n; n--, iov++) {
		if (!iov->iov_len)
			continue;
		at = page_of(iov->iov_base);
		last = page_of(iov->iov_base + (iov->iov_len - 1));
		for (; at <= last; at += PAGE_SIZE) {
			if (!max--)
				return learnt;
			ret = vfp_stlb_fill(stlb, (const void __user *)at);
			if (ret < 0)
				return ret;
			learnt += ret;
		}
	}
	return learnt;
}

/**
 * vfp_stlb_at() - where an address is for the kernel
 * @stlb: the TLB, in an access section
 * @at: the address, of the owner's process
 * @len: bytes from there on
 *
 * Context: any but hard interrupts; @stlb->lock held.
 * Return: where; NULL if the page is not here, then @stlb->missed and @stlb->lacked are
 * set, or if they are more than one.
 */
void *vfp_stlb_at(struct vfp_stlb *stlb, const void __user *at, size_t len)
{
	unsigned long offset = offset_in_page(at);
	struct page *page = find_page(stlb, page_of(at));

	if (unlikely(!page)) {
		stlb->missed = true;
		stlb->lacked = at;
		return NULL;
	}
	if (unlikely(len > PAGE_SIZE - offset))
		return NULL;
	/* Also for a processor that guesses the outcome: not beyond the page. */
	offset &= array_index_mask_nospec(offset, PAGE_SIZE - len + 1);
	return page_address(page) + offset;
}

/**
 * vfp_stlb_copy() - copy from the owner's memory
 * @stlb: the TLB, in an access section
 * @to: where to
 * @from: an address of the owner's process
 * @len: bytes
 *
 * Context: any but hard interrupts; @stlb->lock held.
 * Return: how many bytes were not copied, as copy_from_user().
 */
unsigned long vfp_stlb_copy(struct vfp_stlb *stlb, void *to, const void __user *from,
			    size_t len)
{
	const void *at;
	size_t part;

	for (; len; len -= part, to += part, from += part) {
		part = min_t(size_t, len, PAGE_SIZE - offset_in_page(from));
		at = vfp_stlb_at(stlb, from, part);
		if (unlikely(!at))
			break;
		memcpy(to, at, part);
	}
	return len;
}

/**
 * vfp_stlb_segments() - segments of the owner's process as pages
 * @stlb: the TLB, in an access section
 * @iov: the segments, at least @len bytes
 * @len: how many bytes of them, at least 1
 * @to: where the pages go
 * @max: how many there is room for
 *
 * Context: any but hard interrupts; @stlb->lock held.  Good as long as that is.
 * Return: how many there are, or 0 with @stlb->missed set.
 */
unsigned int vfp_stlb_segments(struct vfp_stlb *stlb, const struct iovec *iov,
			       size_t len, struct bio_vec *to, unsigned int max)
{
	size_t done = 0, part;
	unsigned int n = 0;
	struct page *page;
	void __user *at;

	for (; len; len -= part, done += part) {
		for (; done == iov->iov_len; iov++)
			done = 0;
		at = iov->iov_base + done;
		part = min3(len, iov->iov_len - done,
			    (size_t)(PAGE_SIZE - offset_in_page(at)));
		page = find_page(stlb, page_of(at));
		if (unlikely(!page || n == max)) {
			stlb->missed = true;
			return 0;
		}
		to[n++] = (struct bio_vec) {
			.bv_page = page,
			.bv_len = part,
			.bv_offset = offset_in_page(at),
		};
	}
	return n;
}
