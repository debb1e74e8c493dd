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
#include <linux/uaccess.h>
#include <asm/barrier.h>

#include "virtio-fastpath/vfp.h"

static int read16(struct vfp_ring *ring, const __virtio16 __user *from, u16 *to)
{
	__le16 v;

	if (unlikely(get_user(v, (const __le16 __user *)from)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	*to = le16_to_cpu(v);
	return 0;
}

static int write16(struct vfp_ring *ring, __virtio16 __user *to, u16 v)
{
	if (unlikely(put_user(cpu_to_le16(v), (__le16 __user *)to)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	return 0;
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
	ring->avail_idx = idx;
	smp_rmb();	/* the index before the entries that it covers */
	return 0;
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
	       access_ok(ring->avail, sizeof(*ring->avail) +
			 (ring->num + 1) * sizeof(ring->avail->ring[0])) &&
	       access_ok(ring->used, sizeof(*ring->used) +
			 ring->num * sizeof(ring->used->ring[0]) +
			 sizeof(__virtio16));
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
	ring->avail_idx = ring->last_avail;
	ring->called_valid = false;
	ring->notify_on = false;
	if (read16(ring, &ring->used->idx, &ring->used_idx))
		return -EIO;
	ring->next_used = ring->used_idx;
	/* With event index the flags are to be 0, and are not looked at. */
	return write16(ring, &ring->used->flags,
		       ring->event_idx ? 0 : VRING_USED_F_NO_NOTIFY);
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
	u16 head;
	int err;

	if (ring->avail_idx == ring->last_avail) {
		err = refresh_avail(ring);
		if (unlikely(err))
			return err;
		if (ring->avail_idx == ring->last_avail)
			return 0;
	}
	err = read16(ring, &ring->avail->ring[ring->last_avail &
					      (ring->num - 1)], &head);
	if (unlikely(err))
		return err;
	if (unlikely(head >= ring->num))
		return vfp_fault(ring, VFP_FAULT_HEAD);
	err = vfp_chain_walk(ring, head, chain);
	if (unlikely(err))
		return err;
	ring->last_avail++;
	return 1;
}

static int write_used(struct vfp_ring *ring, u16 at,
		      const struct vfp_used *used)
{
	struct vring_used_elem __user *to =
		&ring->used->ring[at & (ring->num - 1)];

	/* Id and length are one word. */
	if (unlikely(put_user(cpu_to_le64(used->id | (u64)used->len << 32),
			      (__le64 __user *)to)))
		return vfp_fault(ring, VFP_FAULT_RING_ACCESS);
	return 0;
}

/**
 * vfp_split_push() - give chains back to the driver
 * @ring: the ring
 * @used: the chains
 * @n: how many
 *
 * The driver sees them at the next vfp_split_publish().
 *
 * Context: process, current->mm is the owner's; may fault.
 * Return: 0, or -EIO with the ring's fault set; then nothing has moved.
 */
int vfp_split_push(struct vfp_ring *ring, const struct vfp_used *used,
		   unsigned int n)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = write_used(ring, ring->next_used + i, &used[i]);
		if (unlikely(err))
			return err;
	}
	ring->next_used += n;
	return 0;
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
	if (unlikely(write16(ring, &ring->used->idx, ring->next_used)))
		return -EIO;
	ring->used_idx = ring->next_used;
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
