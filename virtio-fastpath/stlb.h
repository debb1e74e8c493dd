/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The software TLB, a part of vfp.h: pages of the owner's process, for contexts that
 * are not its own.
 */
#ifndef VIRTIO_FASTPATH_STLB_H
#define VIRTIO_FASTPATH_STLB_H

#include <linux/bvec.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uio.h>

struct vfp_ring;

/*
 * A software TLB's sets, a power of two, and the pages that each may have: as many as
 * a line of the processor's cache holds.  And areas of a ring.
 */
#define VFP_STLB_SETS		1024
#define VFP_STLB_WAYS		4
#define VFP_STLB_AREAS		3

/**
 * struct vfp_stlb_area - a part of a ring, mapped into the kernel
 * @first:	its first byte, an address of the owner's process
 * @last:	its last byte
 * @map:	the kernel's mapping of the pages that it lies in, or NULL
 */
struct vfp_stlb_area {
	unsigned long	first;
	unsigned long	last;
	void		*map;
};

/**
 * struct vfp_stlb_entry - a page of the owner's process
 * @at:		its address
 * @page:	the page, or NULL
 */
struct vfp_stlb_entry {
	unsigned long	at;
	struct page	*page;
};

/**
 * struct vfp_stlb_set - pages whose addresses have some bits in common
 * @way: the pages
 */
struct vfp_stlb_set {
	struct vfp_stlb_entry	way[VFP_STLB_WAYS];
} __aligned(64);

/**
 * struct vfp_stlb - a software TLB: the owner's memory from any context
 * @lock:	held for an access section, which does not sleep and is at most a packet
 *		long, and for each change
 * @changes:	how often the owner's page tables have begun to change
 * @under_way:	changes that have begun and not ended
 * @missed:	an access section has met a page that is not here
 * @lacked:	such a page by its address, if it was not a segment's, or NULL
 * @mapped:	@areas are those of the ring, and what they map is still the owner's
 * @areas:	the ring's descriptors, driver and device area
 * @victim:	which of a full set's pages goes when another comes
 * @sets:	pages, by some bits of their addresses
 *
 * No page is held: who is about to take one from the owner says so before
 * (vfp_stlb_invalidate()), and waits for an access section at most.
 */
struct vfp_stlb {
	spinlock_t		lock;
	unsigned long		changes;
	unsigned int		under_way;
	bool			missed;
	const void __user	*lacked;
	bool			mapped;
	struct vfp_stlb_area	areas[VFP_STLB_AREAS];
	unsigned int		victim;
	struct vfp_stlb_set	sets[VFP_STLB_SETS];
};

void vfp_stlb_init(struct vfp_stlb *stlb);
void vfp_stlb_forget(struct vfp_stlb *stlb);
bool vfp_stlb_invalidate(struct vfp_stlb *stlb, unsigned long first,
			 unsigned long last);
void vfp_stlb_settled(struct vfp_stlb *stlb);
bool vfp_stlb_note(struct vfp_stlb *stlb, unsigned long *changes);
int vfp_stlb_fill(struct vfp_stlb *stlb, const void __user *at);
int vfp_stlb_fill_segments(struct vfp_stlb *stlb, const struct iovec *iov,
			   unsigned int n, unsigned int max);
void *vfp_stlb_at(struct vfp_stlb *stlb, const void __user *at, size_t len);
unsigned long vfp_stlb_copy(struct vfp_stlb *stlb, void *to,
			    const void __user *from, size_t len);
unsigned int vfp_stlb_segments(struct vfp_stlb *stlb, const struct iovec *iov,
			       size_t len, struct bio_vec *to, unsigned int max);

#endif /* VIRTIO_FASTPATH_STLB_H */
