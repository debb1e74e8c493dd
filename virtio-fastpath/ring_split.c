// SPDX-License-Identifier: GPL-2.0-only
/*
 * The split virtqueue, device side (virtio 1.3, section 2.7).
 *
 * Used entries are written as the chains are done with (vfp_ring_push) and
 * shown to the driver all at once (vfp_ring_publish).  The barriers are
 * explained, with their pairs, at the top of vfp.h.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <asm/barrier.h>

#include "virtio-fastpath/dirty.h"
#include "virtio-fastpath/memory.h"

static int read16(struct vfp_ring *ring, const __virtio16 __user *from, u16 *to)
{
	__le16 v;

	if (unlikely(get_user(v, (const __le16 __user *)from)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	*to = le16_to_cpu(v);
	return 0;
}

static int put16(struct vfp_ring *ring, __virtio16 __user *to, u16 v)
{
	if (unlikely(put_user(cpu_to_le16(v), (__le16 __user *)to)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	return 0;
}

/* To the used ring, whose event index is a part of it. */
static int write16(struct vfp_ring *ring, __virtio16 __user *to, u16 v)
{
	return put16(ring, to, v) ?: vfp_wrote_device_area(ring, to, sizeof(*to));
}

static __virtio16 __user *avail_event(const struct vfp_ring *ring)
{
	return (__virtio16 __user *)&ring->used->ring[ring->num];
}

static __virtio16 __user *used_event(const struct vfp_ring *ring)
{
	return &ring->avail->ring[ring->num];
}

/* Learn how far the driver has come; the entries before that may be read. */
static int refresh_avail(struct vfp_ring *ring)
{
	u16 idx;

	if (unlikely(read16(ring, &ring->avail->idx, &idx)))
		return -EIO;
	if (unlikely((u16)(idx - ring->last_avail) > ring->num))
		return vfp_fault(ring, VFP_FAULT_AVAIL_JUMP);
	/* An index that was set back: what was read ahead is not offered now. */
	if (unlikely((u16)(idx - ring->last_avail) <
		     (u16)(ring->avail_idx - ring->last_avail)))
		ring->nr_ahead = 0;
	ring->avail_idx = idx;
	smp_rmb();	/* the index before the entries that it covers */
	return 0;
}

static __always_inline __le16 __user *avail_at(const struct vfp_ring *ring,
					       u16 at)
{
	return (__le16 __user *)&ring->avail->ring[at & (ring->num - 1)];
}

static unsigned long avail_size(const struct vfp_ring *ring)
{
	return sizeof(*ring->avail) +
	       (ring->num + 1) * sizeof(ring->avail->ring[0]);
}

static unsigned long used_size(const struct vfp_ring *ring)
{
	return sizeof(*ring->used) + ring->num * sizeof(ring->used->ring[0]) +
	       sizeof(__virtio16);
}

/**
 * vfp_split_sizes() - how long the ring's parts are
 * @ring: the ring, with @num set
 * @size: bytes of the descriptor table, driver area, and device area
 *
 * Context: any; nothing of the ring changes meanwhile.
 */
void vfp_split_sizes(const struct vfp_ring *ring, unsigned long *size)
{
	size[0] = ring->num * sizeof(*ring->desc);
	size[1] = avail_size(ring);
	size[2] = used_size(ring);
}

/**
 * vfp_split_access_ok() - can the ring's addresses be addresses of a process?
 * @ring: the ring, with @num and the addresses set
 *
 * A ring need not lie in the guest's regions.  Each access is checked again
 * when it is made; this is for an early and clear error, and no wider than
 * vhost's: nothing need be mapped there yet.
 *
 * Context: process; nothing of the ring changes meanwhile.
 * Return: whether they can.
 */
bool vfp_split_access_ok(const struct vfp_ring *ring)
{
	return access_ok(ring->desc, ring->num * sizeof(*ring->desc)) &&
	       access_ok(ring->avail, avail_size(ring)) &&
	       access_ok(ring->used, used_size(ring));
}

/**
 * vfp_split_log_ok() - can the used ring's part of a log be memory of a process?
 * @ring: the ring, with @num and @log_addr set
 * @log: the log's address
 *
 * Context: process; nothing of the ring changes meanwhile.
 * Return: whether it can.
 */
bool vfp_split_log_ok(const struct vfp_ring *ring, u64 log)
{
	return vfp_log_ok(log, ring->log_addr, used_size(ring));
}

/**
 * vfp_split_start() - take up a ring
 * @ring: the ring, with size, addresses, features, memory and base set
 *
 * Where the used ring goes on is read from it, as vhost does: the driver or
 * an earlier device has left it there.  Kicks are off until the first
 * vfp_split_notify_on().
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO if the ring can't be accessed.
 */
int vfp_split_start(struct vfp_ring *ring)
{
	ring->fault = VFP_FAULT_NONE;
	vfp_ring_look_again(ring);
	ring->called_valid = false;
	ring->notify_on = false;
	if (read16(ring, &ring->used->idx, &ring->used_idx))
		return -EIO;
	ring->next_used = ring->used_idx;
	/* With event index the flags are to be 0, and are not looked at. */
	return write16(ring, &ring->used->flags,
		       ring->event_idx ? 0 : VRING_USED_F_NO_NOTIFY);
}

/*
 * Copies the chain that begins with @head to @to and on, as far as there is
 * room before @end.  Returns where it ends; NULL: a fault.
 */
static __always_inline struct vfp_desc *
copy_chain(const struct vfp_ring *ring, unsigned int head, struct vfp_desc *to,
	   const struct vfp_desc *end)
{
	do {
		if (unlikely(!vfp_copy_desc(to, ring->desc + head, false)))
			return NULL;
		head = to->next & (ring->num - 1);
	} while (vfp_goes_on(ring, to++) && to < end);
	return to;
}

/*
 * Copies entries of the avail ring from last_avail on, and the chains that they
 * name, as far as the driver has come and there is room.  What is wrong with
 * one that is not the first shows when it is the first.
 */
static noinline int read_ahead(struct vfp_ring *ring)
{
	u16 n = 0, at = ring->last_avail, idx = ring->avail_idx;
	struct vfp_desc *first, *to = ring->cache->ahead, *end = to + VFP_AHEAD;
	struct vfp_desc *table = ring->cache->tables, *table_end = table + VFP_TABLES;
	struct vfp_head *chain = ring->cache->heads;
	enum vfp_fault fault = VFP_FAULT_RING_ACCESS;
	unsigned int head;
	__le16 raw;

	if (unlikely(!access_ok(ring->desc, ring->num * sizeof(*ring->desc)) ||
		     !user_read_access_begin(ring->avail, avail_size(ring))))
		return vfp_fault(ring, fault);
	if (idx == at) {
		unsafe_get_user(raw, (__le16 __user *)&ring->avail->idx, out);
		idx = le16_to_cpu(raw);
		smp_rmb();	/* the index before the entries that it covers */
	}
	fault = VFP_FAULT_AVAIL_JUMP;
	if (unlikely((u16)(idx - at) > ring->num))
		goto out;
	ring->avail_idx = idx;
	for (; at != idx && to < end; n++, at++) {
		fault = VFP_FAULT_RING_ACCESS;
		unsafe_get_user(raw, avail_at(ring, at), out);
		head = le16_to_cpu(raw);
		fault = VFP_FAULT_HEAD;
		if (unlikely(head >= ring->num))
			goto out;
		fault = VFP_FAULT_RING_ACCESS;
		first = to;
		/* Masked as it was checked, see chain.c. */
		to = copy_chain(ring, head & (ring->num - 1), first, end);
		if (unlikely(!to))
			goto out;
		*chain = (struct vfp_head) {
			.id = head,
			.first = first - ring->cache->ahead,
			.known = to - first,
		};
		if (to[-1].flags & VRING_DESC_F_INDIRECT) {
			chain->table = table - ring->cache->tables;
			chain->tabled = vfp_copy_table(ring, to - 1, table,
						       table_end, false);
			table += chain->tabled;
		}
		chain++;
	}
	fault = VFP_FAULT_NONE;
out:
	user_read_access_end();
	ring->ahead_pos = ring->last_avail;
	ring->nr_ahead = n;
	return n || !fault ? n : vfp_fault(ring, fault);
}

/**
 * vfp_split_pop() - take the next chain
 * @ring: the ring
 * @chain: in: @iov and @max; out: all else
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 with @chain filled, 0 if there is none, or -EIO with the ring's
 * fault set; then the chain was not taken.
 */
int vfp_split_pop(struct vfp_ring *ring, struct vfp_chain *chain)
{
	unsigned int i = (u16)(ring->last_avail - ring->ahead_pos);
	const struct vfp_head *head;
	const struct vfp_desc *desc;
	int ret;

	if (i >= ring->nr_ahead) {
		i = 0;
		ret = read_ahead(ring);
		if (unlikely(ret <= 0))
			return ret;
	}
	/* Masked as it was checked, see chain.c. */
	head = ring->cache->heads + (i & (VFP_AHEAD - 1));
	desc = ring->cache->ahead + head->first;
	ret = likely(vfp_stands_alone(desc)) ?
		vfp_walk_single(ring, head->id, desc, chain) :
		vfp_chain_walk(ring, head, chain);
	if (unlikely(ret))
		return ret;
	ring->last_avail++;
	return 1;
}

/* Id and length are one word. */
static __always_inline __le64 used_word(const struct vfp_used *used)
{
	return cpu_to_le64(used->id | (u64)used->len << 32);
}

static __always_inline __le64 __user *used_at(const struct vfp_ring *ring,
					      u16 at)
{
	return (__le64 __user *)&ring->used->ring[at & (ring->num - 1)];
}

/* So many entries, which may go on at the ring's beginning. */
static noinline void log_used(struct vfp_ring *ring, u16 at, unsigned int n)
{
	unsigned int until_end = ring->num - (at & (ring->num - 1));
	unsigned int part = min_t(unsigned int, n, until_end);

	if (vfp_log_device_area(ring, used_at(ring, at), part * sizeof(__le64)))
		return;
	if (part < n)
		vfp_log_device_area(ring, used_at(ring, 0), (n - part) * sizeof(__le64));
}

/**
 * vfp_split_push() - give chains back to the driver
 * @ring: the ring
 * @used: the chains
 * @n: how many, at least 1
 *
 * The driver sees them at the next vfp_split_publish().  With IN_ORDER there
 * is one entry for all of them, that of the last (virtio 1.3, section 2.7.9);
 * so the others must have been filled, as far as they can be written to.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set; then nothing has moved.
 */
int vfp_split_push(struct vfp_ring *ring, const struct vfp_used *used,
		   unsigned int n)
{
	unsigned int first = ring->in_order ? n - 1 : 0, i = first;
	u16 at = ring->next_used;

	/* One access is cheaper when it does not stand in a section. */
	if (n - i == 1) {
		if (unlikely(put_user(used_word(&used[i]), used_at(ring, at))))
			return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
		goto done;
	}
	if (unlikely(!user_write_access_begin(ring->used, used_size(ring))))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	for (; i < n; i++, at++)
		unsafe_put_user(used_word(&used[i]), used_at(ring, at), fault);
	user_write_access_end();
done:
	if (unlikely(ring->log_ring))
		log_used(ring, ring->next_used, n - first);
	ring->next_used += n;
	return 0;

fault:
	user_write_access_end();
	if (unlikely(ring->log_ring && i > first))
		log_used(ring, ring->next_used, i - first);
	return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
}

/**
 * vfp_split_publish() - show the driver all that was pushed
 * @ring: the ring
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 if there was something new (ask vfp_split_need_call() next), 0 if
 * not, or -EIO with the ring's fault set.
 */
int vfp_split_publish(struct vfp_ring *ring)
{
	if (ring->next_used == ring->used_idx)
		return 0;
	smp_wmb();	/* the entries before the index that covers them */
	if (unlikely(put16(ring, &ring->used->idx, ring->next_used)))
		return -EIO;
	ring->used_idx = ring->next_used;
	vfp_wrote_device_area(ring, &ring->used->idx, sizeof(ring->used->idx));
	return 1;
}

/**
 * vfp_split_need_call() - does the driver want an interrupt?
 * @ring: the ring, something just having been published
 *
 * Virtio 1.3, sections 2.7.7 and 2.7.8.  If its wish can't be read, it gets
 * one.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: whether it does.
 */
bool vfp_split_need_call(struct vfp_ring *ring)
{
	u16 event, flags, old = ring->called_idx;

	smp_mb();	/* used->idx out before the driver's wish is read */
	if (!ring->event_idx) {
		if (read16(ring, &ring->avail->flags, &flags))
			return true;
		return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
	}
	ring->called_idx = ring->used_idx;
	if (unlikely(!ring->called_valid)) {
		ring->called_valid = true;
		return true;
	}
	if (read16(ring, used_event(ring), &event))
		return true;
	return vring_need_event(event, ring->used_idx, old);
}

/**
 * vfp_split_notify_off() - the driver need not kick
 * @ring: the ring
 *
 * With event index there is nothing to write: an index that is not moved
 * does as well (virtio 1.3, section 2.7.10).
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set.
 */
int vfp_split_notify_off(struct vfp_ring *ring)
{
	if (!ring->notify_on)
		return 0;
	ring->notify_on = false;
	if (ring->event_idx)
		return 0;
	return write16(ring, &ring->used->flags, VRING_USED_F_NO_NOTIFY);
}

/**
 * vfp_split_notify_on() - the driver is to kick when it adds a chain
 * @ring: the ring
 *
 * What was seen already does not count as new: a caller that gave chains
 * back because they did not suffice waits for more than those.
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 1 if a chain has come that was not seen before (its kick may never
 * come), 0 if not, or -EIO with the ring's fault set.
 */
int vfp_split_notify_on(struct vfp_ring *ring)
{
	u16 seen = ring->avail_idx;
	int err;

	ring->notify_on = true;
	if (ring->event_idx)
		err = write16(ring, avail_event(ring), seen);
	else
		err = write16(ring, &ring->used->flags, 0);
	if (unlikely(err))
		return err;
	smp_mb();	/* the wish out before avail->idx is read again */
	err = refresh_avail(ring);
	if (unlikely(err))
		return err;
	/* An index that was set back is no news. */
	return (u16)(ring->avail_idx - ring->last_avail) >
	       (u16)(seen - ring->last_avail);
}
