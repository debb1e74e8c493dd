// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk along a descriptor chain (virtio 1.3, section 2.7.5).
 *
 * A chain is a few descriptors of the ring, the last of which may refer to
 * one indirect table.  The walk takes at most as many steps in the ring as
 * the ring has descriptors, and in the table as the table has; and never more
 * than a chain may have segments, for empty descriptors cost time, too.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include "virtio-fastpath/vfp.h"

/* A descriptor in the host's byte order, copied once. */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static struct desc to_cpu(const struct vring_desc *raw)
{
	return (struct desc) {
		.addr	= le64_to_cpu((__force __le64)raw->addr),
		.len	= le32_to_cpu((__force __le32)raw->len),
		.flags	= le16_to_cpu((__force __le16)raw->flags),
		.next	= le16_to_cpu((__force __le16)raw->next),
	};
}

static int add_segments(struct vfp_ring *ring, struct vfp_chain *chain,
			const struct desc *desc)
{
	unsigned int used = chain->nr_out + chain->nr_in;
	int n;

	chain->steps++;
	if (unlikely(!(desc->flags & VRING_DESC_F_WRITE) && chain->nr_in))
		return vfp_fault(ring, VFP_FAULT_ORDER);
	n = vfp_translate(ring, desc->addr, desc->len, chain->iov + used,
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

static int walk_indirect(struct vfp_ring *ring, const struct desc *table,
			 struct vfp_chain *chain)
{
	unsigned int num = table->len / sizeof(struct vring_desc);
	unsigned int steps, i = 0;
	struct vring_desc raw;
	struct desc desc;
	int err;

	if (unlikely(!ring->indirect || !num ||
		     table->len % sizeof(struct vring_desc) ||
		     table->flags & VRING_DESC_F_NEXT))
		return vfp_fault(ring, VFP_FAULT_INDIRECT);
	if (unlikely(table->addr + (table->len - 1) < table->addr))
		return vfp_fault(ring, VFP_FAULT_ADDRESS);
	num = min_t(unsigned int, num, VFP_MAX_SEGS);
	for (steps = 0; steps < num; steps++) {
		err = vfp_read(ring, table->addr + i * sizeof(raw), &raw,
			       sizeof(raw));
		if (unlikely(err))
			return err;
		desc = to_cpu(&raw);
		if (unlikely(desc.flags & VRING_DESC_F_INDIRECT))
			return vfp_fault(ring, VFP_FAULT_INDIRECT);
		err = add_segments(ring, chain, &desc);
		if (unlikely(err))
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		i = desc.next;
		if (unlikely(i >= num))
			return vfp_fault(ring, VFP_FAULT_NEXT);
	}
	return vfp_fault(ring, VFP_FAULT_LOOP);
}

/**
 * vfp_chain_walk() - turn a chain into segments
 * @ring: the ring
 * @head: first descriptor, below @ring->num
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_chain_walk(struct vfp_ring *ring, u16 head, struct vfp_chain *chain)
{
	struct vring_desc raw;
	struct desc desc;
	unsigned int most = min_t(unsigned int, ring->num, VFP_MAX_SEGS + 1);
	unsigned int steps, i = head;
	int err;

	chain->id = head;
	chain->slots = 1;
	chain->steps = 0;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;

	for (steps = 0; steps < most; steps++) {
		if (unlikely(copy_from_user(&raw, ring->desc + i, sizeof(raw))))
			return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
		desc = to_cpu(&raw);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(ring, &desc, chain);
		err = add_segments(ring, chain, &desc);
		if (unlikely(err))
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		i = desc.next;
		if (unlikely(i >= ring->num))
			return vfp_fault(ring, VFP_FAULT_NEXT);
	}
	return vfp_fault(ring, VFP_FAULT_LOOP);
}
