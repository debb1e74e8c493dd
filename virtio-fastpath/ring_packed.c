// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packed virtqueue, device side (virtio 1.3, section 2.8).
 *
 * A position in the ring is an index and, in its top bit, a wrap counter that
 * changes with each lap: the form in which event suppression structures and
 * VHOST_SET_VRING_BASE have it.  Of two positions that are at most a lap apart
 * it can so be told which comes first.
 *
 *	next_used ... last_avail ... avail_idx
 *	  chains in hand   chains seen and put back
 *
 * Used descriptors are written as the chains are done with, but for the flags
 * of the first: the driver looks at that one alone, and so it sees none of
 * them before vfp_packed_publish() writes these.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <asm/barrier.h>

#include "virtio-fastpath/dirty.h"
#include "virtio-fastpath/memory.h"

#define POS_WRAP	BIT(VRING_PACKED_EVENT_F_WRAP_CTR)
#define POS_INDEX	(POS_WRAP - 1)

#define DESC_AVAIL	BIT(VRING_PACKED_DESC_F_AVAIL)
#define DESC_USED	BIT(VRING_PACKED_DESC_F_USED)

/* 2.8.10.1 */
#define DESC_ALIGN	16
#define EVENT_ALIGN	4

/* The position so many descriptors further on, at most a lap. */
static __always_inline u16 ahead(const struct vfp_ring *ring, u16 pos, unsigned int slots)
{
	unsigned int index = (pos & POS_INDEX) + slots;

	if (index < ring->num)
		return (pos & POS_WRAP) | index;
	return (~pos & POS_WRAP) | (index - ring->num);
}

/* Descriptors from a position to another that comes less than two laps later. */
static unsigned int distance(const struct vfp_ring *ring, u16 from, u16 to)
{
	int slots = (to & POS_INDEX) - (from & POS_INDEX);
	int num = ring->num;

	if ((from ^ to) & POS_WRAP)
		slots += num;
	return slots < 0 ? slots + 2 * num : slots;
}

static __always_inline struct vring_packed_desc __user *
desc_at(const struct vfp_ring *ring, u16 pos)
{
	return ring->packed_desc + (pos & POS_INDEX);
}

static int read_flags(struct vfp_ring *ring, u16 pos, u16 *flags)
{
	__le16 raw;

	if (unlikely(get_user(raw, &desc_at(ring, pos)->flags)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	*flags = le16_to_cpu(raw);
	return 0;
}

static unsigned long ring_size(const struct vfp_ring *ring)
{
	return ring->num * sizeof(*ring->packed_desc);
}

/* Available: the one bit is as the wrap counter is, the other is not. */
static __always_inline u16 avail_flags(u16 pos)
{
	return pos & POS_WRAP ? DESC_AVAIL : DESC_USED;
}

static bool is_avail(u16 flags, u16 pos)
{
	return (flags & (DESC_AVAIL | DESC_USED)) == avail_flags(pos);
}

/* Both parts of an event suppression structure at once, so that they match. */
static int write_event(struct vfp_ring *ring, u16 pos, u16 flags)
{
	u32 raw = pos | (u32)flags << 16;

	if (unlikely(put_user(cpu_to_le32(raw),
			      (__le32 __user *)ring->device_event)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	return vfp_wrote_device_area(ring, ring->device_event, sizeof(raw));
}

/**
 * vfp_packed_sizes() - how long the ring's parts are
 * @ring: the ring, with @num set
 * @size: bytes of the descriptor ring, driver area, and device area
 *
 * Context: any; nothing of the ring changes meanwhile.
 */
void vfp_packed_sizes(const struct vfp_ring *ring, unsigned long *size)
{
	size[0] = ring_size(ring);
	size[1] = sizeof(*ring->driver_event);
	size[2] = sizeof(*ring->device_event);
}

/**
 * vfp_packed_access_ok() - can the ring's addresses be addresses of a process?
 * @ring: the ring, with @num and the addresses set
 *
 * As vfp_split_access_ok(); and are they aligned?
 *
 * Context: process; nothing of the ring changes meanwhile.
 * Return: whether they can.
 */
bool vfp_packed_access_ok(const struct vfp_ring *ring)
{
	return IS_ALIGNED((unsigned long)ring->packed_desc, DESC_ALIGN) &&
	       IS_ALIGNED((unsigned long)ring->driver_event, EVENT_ALIGN) &&
	       IS_ALIGNED((unsigned long)ring->device_event, EVENT_ALIGN) &&
	       access_ok(ring->packed_desc, ring_size(ring)) &&
	       access_ok(ring->driver_event, sizeof(*ring->driver_event)) &&
	       access_ok(ring->device_event, sizeof(*ring->device_event));
}

/**
 * vfp_packed_log_ok() - can the device area's part of a log be memory of a process?
 * @ring: the ring, with @log_addr set
 * @log: the log's address
 *
 * Context: process; nothing of the ring changes meanwhile.
 * Return: whether it can.
 */
bool vfp_packed_log_ok(const struct vfp_ring *ring, u64 log)
{
	return vfp_log_ok(log, ring->log_addr, sizeof(*ring->device_event));
}

/**
 * vfp_packed_start() - take up a ring
 * @ring: the ring, with size, addresses, features, memory and base set
 *
 * Unlike a split ring, this one does not tell where to go on writing used
 * descriptors: the base has that, too.  Kicks are off until the first
 * vfp_packed_notify_on().
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO if the ring can't be accessed, or the base is none.
 */
int vfp_packed_start(struct vfp_ring *ring)
{
	ring->fault = VFP_FAULT_NONE;
	vfp_ring_look_again(ring);
	ring->called_valid = false;
	ring->notify_on = false;
	if ((ring->last_avail & POS_INDEX) >= ring->num ||
	    (ring->used_idx & POS_INDEX) >= ring->num ||
	    distance(ring, ring->used_idx, ring->last_avail) > ring->num)
		return vfp_fault(ring, VFP_FAULT_AVAIL_JUMP);
	/*
	 * All descriptors in hand?  Nobody would give them back; but there are
	 * clients that tell only the one position, with its wrap counter.
	 */
	if (distance(ring, ring->used_idx, ring->last_avail) == ring->num)
		ring->used_idx = ring->last_avail;
	ring->next_used = ring->used_idx;
	return write_event(ring, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/*
 * Copies a descriptor if it is @avail: available in this lap.  1 if it is, 0 if
 * not, -EFAULT.  A chain's first flags cover its other descriptors, flags and
 * all, so that the barrier stands behind each.
 */
static __always_inline int
copy_available(struct vfp_desc *to, const struct vring_packed_desc __user *from,
	       u16 avail)
{
	__le64 addr;
	__le32 len;
	__le16 id, flags;

	unsafe_get_user(flags, &from->flags, fault);
	to->flags = le16_to_cpu(flags);
	if ((to->flags & (DESC_AVAIL | DESC_USED)) != avail)
		return 0;
	smp_rmb();	/* the flags before the rest of what they cover */
	unsafe_get_user(addr, &from->addr, fault);
	unsafe_get_user(len, &from->len, fault);
	unsafe_get_user(id, &from->id, fault);
	to->addr = le64_to_cpu(addr);
	to->len = le32_to_cpu(len);
	to->id = le16_to_cpu(id);
	return 1;

fault:
	return -EFAULT;
}

/*
 * Copies descriptors from last_avail on, as far as they are available, at most
 * so many and not beyond the ring's end.  What can't be read shows when it is
 * the first.  Returns how many, or -EIO with the ring's fault set.
 */
static noinline int read_ahead(struct vfp_ring *ring, unsigned int most)
{
	u16 pos = ring->last_avail, avail = avail_flags(pos);
	const struct vring_packed_desc __user *from = desc_at(ring, pos);
	struct vfp_desc *table = ring->cache->tables, *end = table + VFP_TABLES;
	struct vfp_head *head = ring->cache->heads;
	struct vfp_desc *to = ring->cache->ahead;
	unsigned int n = 0;
	int got = 0;

	most = min_t(unsigned int, most, ring->num - (pos & POS_INDEX));
	ring->ahead_pos = pos;
	ring->nr_ahead = 0;
	if (unlikely(!user_read_access_begin(ring->packed_desc,
					     ring_size(ring))))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	for (; n < most; n++) {
		got = copy_available(to + n, from + n, avail);
		if (got <= 0)
			break;
		if (to[n].flags & VRING_DESC_F_INDIRECT) {
			head[n].table = table - ring->cache->tables;
			head[n].tabled = vfp_copy_table(ring, to + n, table, end,
							true);
			table += head[n].tabled;
		}
	}
	user_read_access_end();
	if (unlikely(got < 0 && !n))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	ring->nr_ahead = n;
	return n;
}

/* No chain where one may be. */
static int none_yet(struct vfp_ring *ring)
{
	/* A driver must not take back what was seen. */
	if (unlikely(ring->last_avail != ring->avail_idx))
		return vfp_fault(ring, VFP_FAULT_AVAIL_JUMP);
	return 0;
}

/**
 * vfp_packed_pop() - take the next chain
 * @ring: the ring
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 with @chain filled, 0 if there is none, or -EIO with the ring's
 * fault set; then the chain was not taken.
 */
int vfp_packed_pop(struct vfp_ring *ring, struct vfp_chain *chain)
{
	u16 pos = ring->last_avail;
	unsigned int most = ring->num - distance(ring, ring->next_used, pos);
	/* All that was read ahead is of one lap. */
	unsigned int slot = (u16)(pos - ring->ahead_pos);
	const struct vfp_desc *desc;
	int ret;

	if (slot >= ring->nr_ahead) {
		slot = 0;
		ret = read_ahead(ring, clamp_t(unsigned int, most, 1, VFP_AHEAD));
		if (ret <= 0)
			return ret ? ret : none_yet(ring);
	}
	/* All descriptors in hand, and yet another: it makes them up. */
	if (unlikely(!most))
		return vfp_fault(ring, VFP_FAULT_AVAIL_JUMP);
	/* Masked as it was checked, see chain.c. */
	slot &= VFP_AHEAD - 1;
	desc = ring->cache->ahead + slot;
	ret = likely(vfp_stands_alone(desc)) ?
		vfp_walk_single(ring, desc->id, desc, chain) :
		vfp_chain_walk_packed(ring, pos & POS_INDEX, slot, most, chain);
	if (unlikely(ret))
		return ret;
	ring->last_avail = ahead(ring, pos, chain->slots);
	if (pos == ring->avail_idx ||
	    distance(ring, pos, ring->avail_idx) < chain->slots)
		ring->avail_idx = ring->last_avail;
	return 1;
}

static __always_inline u16 used_flags(u16 pos, u32 len)
{
	return (pos & POS_WRAP ? DESC_AVAIL | DESC_USED : 0) |
	       (len ? VRING_DESC_F_WRITE : 0);
}

/*
 * Length, id and flags of a used descriptor, which are one word.  The first
 * that is not published goes on looking available.
 */
static __always_inline __le64 used_word(struct vfp_ring *ring, u16 pos,
					const struct vfp_used *used)
{
	u16 flags = used_flags(pos, used->len);

	if (pos == ring->used_idx) {
		ring->first_flags = flags;
		flags = avail_flags(pos);
	}
	return cpu_to_le64(used->len | (u64)used->id << 32 | (u64)flags << 48);
}

/* One stands for all, that of the last; it lies where the first of them does. */
static int push_last(struct vfp_ring *ring, const struct vfp_used *used,
		     unsigned int n)
{
	__le64 __user *to = (__le64 __user *)&desc_at(ring, ring->next_used)->len;
	unsigned int i;

	if (unlikely(put_user(used_word(ring, ring->next_used, &used[n - 1]),
			      to)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	vfp_wrote_descs(ring, to, sizeof(*to));
	for (i = 0; i < n; i++)
		ring->next_used = ahead(ring, ring->next_used, used[i].slots);
	return 0;
}

/* The words of so many chains' descriptors, one by one. */
static noinline void log_used(struct vfp_ring *ring, const struct vfp_used *used,
			      unsigned int n)
{
	u16 pos = ring->next_used;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (vfp_log_user(ring, &desc_at(ring, pos)->len, sizeof(__le64)))
			return;
		pos = ahead(ring, pos, used[i].slots);
	}
}

/**
 * vfp_packed_push() - give chains back to the driver
 * @ring: the ring
 * @used: the chains
 * @n: how many, at least 1
 *
 * The driver sees them at the next vfp_packed_publish().  With IN_ORDER there
 * is one descriptor for all of them, as in vfp_split_push().
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set; then nothing has moved.
 */
int vfp_packed_push(struct vfp_ring *ring, const struct vfp_used *used,
		    unsigned int n)
{
	u16 pos = ring->next_used;
	unsigned int i;

	/* One access is cheaper when it does not stand in a section. */
	if (n == 1 || ring->in_order)
		return push_last(ring, used, n);
	if (unlikely(!user_write_access_begin(ring->packed_desc,
					      ring_size(ring))))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	for (i = 0; i < n; i++) {
		unsafe_put_user(used_word(ring, pos, &used[i]), (__le64 __user *)
				&desc_at(ring, pos)->len, fault);
		pos = ahead(ring, pos, used[i].slots);
	}
	user_write_access_end();
	if (unlikely(ring->log_ring))
		log_used(ring, used, n);
	ring->next_used = pos;
	return 0;

fault:
	user_write_access_end();
	if (unlikely(ring->log_ring))
		log_used(ring, used, i);
	return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
}

/**
 * vfp_packed_publish() - show the driver all that was pushed
 * @ring: the ring
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 if there was something new (ask vfp_packed_need_call() next), 0 if
 * not, or -EIO with the ring's fault set.
 */
int vfp_packed_publish(struct vfp_ring *ring)
{
	if (ring->next_used == ring->used_idx)
		return 0;
	smp_wmb();	/* all of the batch before the flags of its first */
	if (unlikely(put_user(cpu_to_le16(ring->first_flags),
			      &desc_at(ring, ring->used_idx)->flags)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	vfp_wrote_descs(ring, &desc_at(ring, ring->used_idx)->flags,
			sizeof(ring->first_flags));
	ring->used_idx = ring->next_used;
	return 1;
}

/**
 * vfp_packed_need_call() - does the driver want an interrupt?
 * @ring: the ring, something just having been published
 *
 * Virtio 1.3, section 2.8.10.  If its wish can't be read, or makes no sense,
 * it gets one.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: whether it does.
 */
bool vfp_packed_need_call(struct vfp_ring *ring)
{
	u16 event, old = ring->called_idx;
	bool first = !ring->called_valid;
	__le32 raw;

	ring->called_idx = ring->used_idx;
	ring->called_valid = true;
	smp_mb();	/* the used flags out before the driver's wish is read */
	if (unlikely(get_user(raw, (__le32 __user *)ring->driver_event))) {
		vfp_fault(ring, VFP_FAULT_RING_ACCESS);
		return true;
	}
	event = le32_to_cpu(raw);
	switch (le32_to_cpu(raw) >> 16 & 3) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	case VRING_PACKED_EVENT_FLAG_DESC:
		return first || !ring->event_idx ||
		       (event & POS_INDEX) >= ring->num ||
		       distance(ring, old, event) <
		       distance(ring, old, ring->used_idx);
	default:
		return true;
	}
}

/**
 * vfp_packed_notify_off() - the driver need not kick
 * @ring: the ring
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_packed_notify_off(struct vfp_ring *ring)
{
	if (!ring->notify_on)
		return 0;
	ring->notify_on = false;
	return write_event(ring, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/**
 * vfp_packed_notify_on() - the driver is to kick when it adds a chain
 * @ring: the ring
 *
 * What was seen already does not count as new, as in vfp_split_notify_on().
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 if a chain has come that was not seen before (its kick may never
 * come), 0 if not, or -EIO with the ring's fault set.
 */
int vfp_packed_notify_on(struct vfp_ring *ring)
{
	u16 flags, seen = ring->avail_idx;
	int err;

	ring->notify_on = true;
	if (ring->event_idx)
		err = write_event(ring, seen, VRING_PACKED_EVENT_FLAG_DESC);
	else
		err = write_event(ring, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	if (unlikely(err))
		return err;
	smp_mb();	/* the wish out before the flags are read again */
	err = read_flags(ring, seen, &flags);
	if (unlikely(err))
		return err;
	return is_avail(flags, seen);
}
