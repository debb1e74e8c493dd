/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine in an access section, a part of vfp.h: the same functions, compiled once
 * more for memory that a software TLB knows.
 */
#ifndef VIRTIO_FASTPATH_SOFT_H
#define VIRTIO_FASTPATH_SOFT_H

/* soft.c: a ring mapped into the kernel */

int vfp_stlb_map(struct vfp_ring *ring);
void vfp_stlb_free(struct vfp_stlb *stlb);
bool vfp_soft_begin(struct vfp_ring *ring);
void vfp_soft_end(struct vfp_ring *ring);

/* soft_split.c, soft_packed.c: those of the two formats, in an access section */

int vfp_soft_split_pop(struct vfp_ring *ring, struct vfp_chain *chain);
int vfp_soft_split_push(struct vfp_ring *ring, const struct vfp_used *used,
			unsigned int n);
int vfp_soft_split_publish(struct vfp_ring *ring);
bool vfp_soft_split_need_call(struct vfp_ring *ring);
int vfp_soft_split_notify_off(struct vfp_ring *ring);
int vfp_soft_split_notify_on(struct vfp_ring *ring);
int vfp_soft_packed_pop(struct vfp_ring *ring, struct vfp_chain *chain);
int vfp_soft_packed_push(struct vfp_ring *ring, const struct vfp_used *used,
			 unsigned int n);
int vfp_soft_packed_publish(struct vfp_ring *ring);
bool vfp_soft_packed_need_call(struct vfp_ring *ring);
int vfp_soft_packed_notify_off(struct vfp_ring *ring);
int vfp_soft_packed_notify_on(struct vfp_ring *ring);

/* The thin branch between the two. */

static inline int vfp_soft_pop(struct vfp_ring *ring, struct vfp_chain *chain)
{
	return ring->packed ? vfp_soft_packed_pop(ring, chain) :
			      vfp_soft_split_pop(ring, chain);
}

static inline int vfp_soft_push(struct vfp_ring *ring, const struct vfp_used *used,
				unsigned int n)
{
	return ring->packed ? vfp_soft_packed_push(ring, used, n) :
			      vfp_soft_split_push(ring, used, n);
}

static inline int vfp_soft_publish(struct vfp_ring *ring)
{
	return ring->packed ? vfp_soft_packed_publish(ring) :
			      vfp_soft_split_publish(ring);
}

static inline bool vfp_soft_need_call(struct vfp_ring *ring)
{
	return ring->packed ? vfp_soft_packed_need_call(ring) :
			      vfp_soft_split_need_call(ring);
}

static inline int vfp_soft_notify_off(struct vfp_ring *ring)
{
	return ring->packed ? vfp_soft_packed_notify_off(ring) :
			      vfp_soft_split_notify_off(ring);
}

static inline int vfp_soft_notify_on(struct vfp_ring *ring)
{
	return ring->packed ? vfp_soft_packed_notify_on(ring) :
			      vfp_soft_split_notify_on(ring);
}

#endif /* VIRTIO_FASTPATH_SOFT_H */
