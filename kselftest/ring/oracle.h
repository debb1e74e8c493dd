/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device should make of a chain, from the specification (virtio 1.3,
 * section 2.7.5), as plainly as can be.  It looks at memory with no accessor,
 * so that it is neither counted nor altered.
 */
#ifndef RING_ORACLE_H
#define RING_ORACLE_H

#include "kselftest/ring/rig.h"

struct oracle {
	enum vfp_fault	fault;
	unsigned int	nr_out;
	unsigned int	nr_in;
	size_t		out_len;
	size_t		in_len;
	struct iovec	iov[VFP_MAX_SEGS];
};

/* Returns the number of segments, or -EIO and a fault. */
int oracle_translate(const struct vhost_iotlb *mem, u64 addr, u32 len,
		     struct iovec *iov, unsigned int max,
		     enum vfp_fault *fault);

/* What the chain that begins with @head is. */
void oracle_walk(const struct rig *rig, u16 head, struct oracle *oracle);

/* The next chain of the ring; false if the entry names no descriptor. */
bool oracle_head(const struct rig *rig, u16 *head);

/* Does the driver want to be told that used->idx went from @old to @idx? */
bool oracle_event(u16 event, u16 idx, u16 old);

/* rig->chain must be what the reference says. */
void oracle_compare(const struct rig *rig, const struct oracle *oracle);

#endif
