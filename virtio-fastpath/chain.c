// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk along a descriptor chain (virtio 1.3, sections 2.7.5 and 2.8.5).
 *
 * A chain is a few descriptors of the ring, the last of which may refer to
 * one indirect table; in a packed ring a chain is either the one or the other.
 * The walk takes at most as many steps in the ring as the ring has
 * descriptors, and in the table as the table has; and never more than a chain
 * may have segments, for empty descriptors cost time, too.
 *
 * Descriptors are copied some at a time, as each access to user memory has its
 * price; those that turn out not to belong to the chain are not looked at.  What
 * a guest has written and indexes memory here is masked, besides being checked:
 * a processor that guesses the check's outcome must not read what lies beyond.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/nospec.h>

#include "virtio-fastpath/memory.h"

#define DESC_SIZE	sizeof(struct vring_desc)

/**
 * struct run - descriptors that were copied
 * @desc:	the copies
 * @at:		in a ring: which copy is the next to be looked at
 * @n:		how many there are
 */
struct run {
	struct vfp_desc	desc[VFP_RUN];
	unsigned int	at;
	unsigned int	n;
};

/* Copies descriptors that lie side by side; how many, up to the first fault. */
static __always_inline unsigned int copy_run(const void __user *from,
					     unsigned int n, bool packed,
					     struct run *run)
{
	if (unlikely(!user_read_access_begin(from, n * DESC_SIZE)))
		return 0;
	n = vfp_copy_descs(run->desc, from, n, packed);
	user_read_access_end();
	return n;
}

/* One descriptor of a table that lies in a region not seen yet, or in two. */
static int read_single(struct vfp_ring *ring, u64 addr, struct run *run)
{
	__le64 words[2];
	int err;

	err = vfp_read(ring, addr, words, sizeof(words));
	if (unlikely(err))
		return err;
	run->desc[0] = ring->packed ? vfp_packed_desc(words[0], words[1]) :
				      vfp_split_desc(words[0], words[1]);
	run->n = 1;
	return 0;
}

/* Descriptor @i of a table of @num, and some that follow. */
static noinline int read_table(struct vfp_ring *ring, u64 table,
			       unsigned int i, unsigned int num,
			       struct run *run)
{
	unsigned int n = min_t(unsigned int, num - i, VFP_RUN);
	u64 addr = table + i * DESC_SIZE;
	const void __user *from = vfp_hot_range(ring, addr, n * DESC_SIZE);

	if (likely(from))
		from = vfp_table_at(ring, from, n * DESC_SIZE);
	run->n = from ? copy_run(from, n, ring->packed, run) : 0;
	return likely(run->n) ? 0 : read_single(ring, addr, run);
}

/* Descriptors in a table; 0 for one that is none. */
static unsigned int table_size(const struct vfp_ring *ring,
			       const struct vfp_desc *table)
{
	if (!ring->indirect || table->flags & VRING_DESC_F_NEXT ||
	    table->len % DESC_SIZE)
		return 0;
	return table->len / DESC_SIZE;
}

/*
 * @known: the first descriptors of the table, @n of them.  In a packed ring's table
 * they stand one behind the other, and flags say nothing but for WRITE.
 */
static __always_inline int walk_table(struct vfp_ring *ring, u64 table,
				      unsigned int all,
				      const struct vfp_desc *known,
				      unsigned int n, struct vfp_chain *chain,
				      bool packed)
{
	unsigned int num = min_t(unsigned int, all, VFP_MAX_SEGS);
	unsigned int steps, first = 0, i = 0;
	const struct vfp_desc *desc;
	struct run run;
	int err;

	for (steps = 0; steps < num; steps++) {
		if (i - first >= n) {
			err = read_table(ring, table, i, all, &run);
			if (unlikely(err))
				return err;
			known = run.desc;
			first = i;
			n = run.n;
		}
		desc = known + array_index_nospec(i - first, n);
		if (unlikely(!packed && desc->flags & VRING_DESC_F_INDIRECT))
			return vfp_fault(ring, VFP_FAULT_INDIRECT);
		err = vfp_add_segments(ring, chain, desc);
		if (unlikely(err))
			return err;
		if (packed ? i + 1 == all : !(desc->flags & VRING_DESC_F_NEXT))
			return 0;
		i = packed ? i + 1 : desc->next;
		if (unlikely(i >= num))
			return vfp_fault(ring, VFP_FAULT_NEXT);
	}
	return vfp_fault(ring, VFP_FAULT_LOOP);
}

/* @head: what was read of the table ahead, if anything. */
static __always_inline int walk_indirect(struct vfp_ring *ring,
					 const struct vfp_desc *table,
					 const struct vfp_head *head,
					 struct vfp_chain *chain, bool packed)
{
	unsigned int all = table_size(ring, table);

	if (unlikely(!all))
		return vfp_fault(ring, VFP_FAULT_INDIRECT);
	/* In a split ring's table a chain may leave most of it out. */
	if (unlikely(packed && all > VFP_MAX_SEGS))
		return vfp_fault(ring, VFP_FAULT_TOO_LONG);
	if (unlikely(table->addr + (table->len - 1) < table->addr))
		return vfp_fault(ring, VFP_FAULT_ADDRESS);
	return walk_table(ring, table->addr, all,
			  ring->cache->tables + head->table, head->tabled, chain,
			  packed);
}

/* Descriptor @i of a split ring, and those that follow it in the chain. */
static noinline int read_split(struct vfp_ring *ring, unsigned int i, struct run *run)
{
	struct vfp_desc *to = run->desc;
	unsigned int n = 0;

	run->at = 0;
	run->n = 0;
	if (unlikely(!user_read_access_begin(ring->desc,
					     ring->num * DESC_SIZE)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	do {
		if (unlikely(!vfp_copy_desc(to + n, ring->desc + i, false)))
			break;
		/* Checked below; masked, for processors that run ahead of that. */
		i = to[n].next & (ring->num - 1);
	} while (vfp_goes_on(ring, to + n++) && n < VFP_RUN);
	user_read_access_end();
	run->n = n;
	return likely(n) ? 0 : vfp_fault(ring, VFP_FAULT_RING_ACCESS);
}

/**
 * vfp_chain_walk() - turn a split ring's chain into segments
 * @ring: the ring
 * @head: what was read of it ahead
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_chain_walk(struct vfp_ring *ring, const struct vfp_head *head,
		   struct vfp_chain *chain)
{
	unsigned int most = min_t(unsigned int, ring->num, VFP_MAX_SEGS + 1);
	const struct vfp_desc *desc = ring->cache->ahead + head->first;
	unsigned int known = head->known;
	struct run run;
	int err;

	run.at = 0;
	run.n = 0;
	vfp_chain_begin(chain);
	chain->id = head->id;
	for (;;) {
		chain->slots++;
		if (desc->flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(ring, desc, head, chain, false);
		err = vfp_add_segments(ring, chain, desc);
		if (unlikely(err))
			return err;
		if (!(desc->flags & VRING_DESC_F_NEXT))
			return 0;
		if (unlikely(desc->next >= ring->num))
			return vfp_fault(ring, VFP_FAULT_NEXT);
		if (unlikely(chain->slots == most))
			return vfp_fault(ring, VFP_FAULT_LOOP);
		if (chain->slots < known) {
			desc++;
			continue;
		}
		if (run.at == run.n &&
		    read_split(ring, desc->next & (ring->num - 1), &run))
			return -EIO;
		desc = &run.desc[run.at++];
	}
}

/* Descriptor @i of a packed ring, and some of those behind it, @most in all. */
static noinline int read_packed(struct vfp_ring *ring, unsigned int i,
				unsigned int most, struct run *run)
{
	unsigned int n = min3(ring->num - i, most, VFP_RUN);

	run->at = 0;
	run->n = copy_run(ring->packed_desc + i, n, true, run);
	return likely(run->n) ? 0 : vfp_fault(ring, VFP_FAULT_RING_ACCESS);
}

/**
 * vfp_chain_walk_packed() - turn a packed ring's chain into segments
 * @ring: the ring
 * @head: index of the first descriptor, below @ring->num
 * @slot: which of those that were read ahead that is
 * @most: how many descriptors the chain can have, at least 1
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_chain_walk_packed(struct vfp_ring *ring, u16 head, unsigned int slot,
			  unsigned int most, struct vfp_chain *chain)
{
	const struct vfp_desc *desc = ring->cache->ahead + slot;
	unsigned int known = ring->nr_ahead - slot, i;
	struct run run;
	int err;

	run.at = 0;
	run.n = 0;
	vfp_chain_begin(chain);
	most = min_t(unsigned int, most, VFP_MAX_SEGS + 1);
	for (;;) {
		chain->slots++;
		if (desc->flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(chain->slots > 1))
				return vfp_fault(ring, VFP_FAULT_INDIRECT);
			chain->id = desc->id;
			return walk_indirect(ring, desc,
					     ring->cache->heads + slot, chain,
					     true);
		}
		err = vfp_add_segments(ring, chain, desc);
		if (unlikely(err))
			return err;
		if (!(desc->flags & VRING_DESC_F_NEXT))
			break;
		if (unlikely(chain->slots == most))
			return vfp_fault(ring, VFP_FAULT_LOOP);
		if (chain->slots < known) {
			desc++;
			continue;
		}
		i = head + chain->slots;
		if (i >= ring->num)
			i -= ring->num;
		if (run.at == run.n &&
		    read_packed(ring, i, most - chain->slots, &run))
			return -EIO;
		desc = &run.desc[run.at++];
	}
	chain->id = desc->id;
	return 0;
}
