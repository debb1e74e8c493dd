/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log, for the engine's own files: what they write to rings.
 */
#ifndef VIRTIO_FASTPATH_DIRTY_H
#define VIRTIO_FASTPATH_DIRTY_H

#include "virtio-fastpath/vfp.h"

int vfp_log_device_area(struct vfp_ring *ring, const void __user *at, size_t len);
int vfp_log_user(struct vfp_ring *ring, const void __user *from, size_t len);

/* After a write to the device area; 0, or -EIO with the ring's fault set. */
static __always_inline int vfp_wrote_device_area(struct vfp_ring *ring,
						 const void __user *at, size_t len)
{
	return unlikely(ring->log_ring) ? vfp_log_device_area(ring, at, len) : 0;
}

/* Likewise, after a write to a packed ring's descriptors. */
static __always_inline int vfp_wrote_descs(struct vfp_ring *ring,
					   const void __user *at, size_t len)
{
	return unlikely(ring->log_ring) ? vfp_log_user(ring, at, len) : 0;
}

#endif /* VIRTIO_FASTPATH_DIRTY_H */
