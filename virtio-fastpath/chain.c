// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk along a descriptor chain (virtio 1.3, sections 2.7.5 and 2.8.5).
 *
 * A chain is a few descriptors of the ring, the last of which may refer to
 * one indirect table; in a packed ring a chain is either the one or the other.
 * The walk takes at most as many steps in the ring as the ring has
 * descriptors, and in the table as the table has; and never more than a chain
 * may have segments, for empty descriptors cost time, too.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include "virtio-fastpath/vfp.h"

/* A descriptor in the host's byte order, copied once; @next: split, @id: packed. */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	union {
		u16 next;
		u16 id;
	};
};

/* As it is in memory, of the one format or the other. */
union raw_desc {
	struct vring_desc		split;
	struct vring_packed_desc	packed;
};

static struct desc split_to_cpu(const struct vring_desc *raw)
{
	return (struct desc) {
		.addr	= le64_to_cpu((__force __le64)raw->addr),
		.len	= le32_to_cpu((__force __le32)raw->len),
		.flags	= le16_to_cpu((__force __le16)raw->flags),
		.next	= le16_to_cpu((__force __le16)raw->next),
	};
}

static struct desc packed_to_cpu(const struct vring_packed_desc *raw)
{
	return (struct desc) {
		.addr	= le64_to_cpu(raw->addr),
		.len	= le32_to_cpu(raw->len),
		.flags	= le16_to_cpu(raw->flags),
		.id	= le16_to_cpu(raw->id),
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

/* Descriptors in a table; 0 for one that is none. */
static unsigned int table_size(const struct vfp_ring *ring,
			       const struct desc *table)
{
	if (!ring->indirect || table->flags & VRING_DESC_F_NEXT ||
	    table->len % sizeof(union raw_desc))
		return 0;
	return table->len / sizeof(union raw_desc);
}

/* In a packed ring's table they stand one behind the other. */
static void make_linear(struct desc *desc, unsigned int i, unsigned int num)
{
	desc->flags &= VRING_DESC_F_WRITE;
	desc->next = i + 1;
	if (desc->next < num)
		desc->flags |= VRING_DESC_F_NEXT;
}

static int read_table(struct vfp_ring *ring, u64 table, unsigned int i,
		      unsigned int num, struct desc *desc)
{
	union raw_desc raw;
	int err;

	err = vfp_read(ring, table + i * sizeof(raw), &raw, sizeof(raw));
	if (unlikely(err))
		return err;
	if (ring->packed) {
		*desc = packed_to_cpu(&raw.packed);
		make_linear(desc, i, num);
	} else {
		*desc = split_to_cpu(&raw.split);
	}
	return 0;
}

static int walk_indirect(struct vfp_ring *ring, const struct desc *table,
			 struct vfp_chain *chain)
{
	unsigned int all = table_size(ring, table);
	unsigned int num = min_t(unsigned int, all, VFP_MAX_SEGS);
	unsigned int steps, i = 0;
	struct desc desc;
	int err;

	if (unlikely(!all))
		return vfp_fault(ring, VFP_FAULT_INDIRECT);
	/* In a split ring's table a chain may leave most of it out. */
	if (unlikely(ring->packed && all > VFP_MAX_SEGS))
		return vfp_fault(ring, VFP_FAULT_TOO_LONG);
	if (unlikely(table->addr + (table->len - 1) < table->addr))
		return vfp_fault(ring, VFP_FAULT_ADDRESS);
	for (steps = 0; steps < num; steps++) {
		err = read_table(ring, table->addr, i, all, &desc);
		if (unlikely(err))
			return err;
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

static void begin(struct vfp_chain *chain)
{
	chain->slots = 0;
	chain->steps = 0;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
}

/**
 * vfp_chain_walk() - turn a split ring's chain into segments
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

	begin(chain);
	chain->id = head;
	for (steps = 0; steps < most; steps++) {
		if (unlikely(copy_from_user(&raw, ring->desc + i, sizeof(raw))))
			return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
		desc = split_to_cpu(&raw);
		chain->slots = steps + 1;
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

/* The first one's flags were read before the rest, and are not read again. */
static int read_packed(struct vfp_ring *ring, unsigned int i, bool first,
		       u16 flags, struct desc *desc)
{
	struct vring_packed_desc raw = { .flags = cpu_to_le16(flags) };
	size_t len = first ? offsetof(struct vring_packed_desc, flags) :
			     sizeof(raw);

	if (unlikely(copy_from_user(&raw, ring->packed_desc + i, len)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	*desc = packed_to_cpu(&raw);
	return 0;
}

/**
 * vfp_chain_walk_packed() - turn a packed ring's chain into segments
 * @ring: the ring
 * @head: index of the first descriptor, below @ring->num
 * @flags: the flags of that one
 * @most: how many descriptors there can be
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_chain_walk_packed(struct vfp_ring *ring, u16 head, u16 flags,
			  unsigned int most, struct vfp_chain *chain)
{
	unsigned int slots, i = head;
	struct desc desc;
	int err;

	begin(chain);
	most = min_t(unsigned int, most, VFP_MAX_SEGS + 1);
	for (slots = 1; slots <= most; slots++) {
		err = read_packed(ring, i, slots == 1, flags, &desc);
		if (unlikely(err))
			return err;
		chain->id = desc.id;
		chain->slots = slots;
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(slots > 1))
				return vfp_fault(ring, VFP_FAULT_INDIRECT);
			return walk_indirect(ring, &desc, chain);
		}
		err = add_segments(ring, chain, &desc);
		if (unlikely(err))
			return err;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		if (++i == ring->num)
			i = 0;
	}
	return vfp_fault(ring, VFP_FAULT_LOOP);
}
