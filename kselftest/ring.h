/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver side of a split virtqueue (virtio 1.3, section 2.7), written
 * from the specification: what a guest does to make the device work.
 */
#ifndef KSELFTEST_RING_H
#define KSELFTEST_RING_H

#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "kselftest/report.h"

#define RING_MAX	1024
/* Each of the three parts has pages of its own, so that one can be unmapped. */
#define RING_PART	0x10000

/*
 * Descriptors that are not in use form a list through @next; so do those of
 * a chain, from its head to @tail[head].  The device can't change either.
 */
struct ring {
	unsigned int		num;
	bool			event_idx;
	uint8_t			*area;
	struct vring_desc	*desc;
	struct vring_avail	*avail;
	struct vring_used	*used;
	uint16_t		avail_idx;	/* with what was not published */
	uint16_t		published;
	uint16_t		used_idx;	/* next entry to look at */
	uint16_t		free;
	unsigned int		nr_free;
	uint16_t		next[RING_MAX];
	uint16_t		tail[RING_MAX];
	uint16_t		count[RING_MAX];
	int			kick;
	int			call;
	int			err;
};

/* One descriptor to be. */
struct seg {
	uint64_t	addr;
	uint32_t	len;
	uint16_t	flags;
};

static inline uint16_t *ring_used_event(struct ring *ring)
{
	return (uint16_t *)&ring->avail->ring[ring->num];
}

static inline uint16_t *ring_avail_event(struct ring *ring)
{
	return (uint16_t *)&ring->used->ring[ring->num];
}

/* Forget all that was in the ring; the device starts at entry @base. */
static inline void ring_reset(struct ring *ring, uint16_t base)
{
	unsigned int i;

	memset(ring->area, 0, 3 * RING_PART);
	ring->avail_idx = base;
	ring->published = base;
	ring->used_idx = base;
	ring->avail->idx = base;
	ring->used->idx = base;
	ring->free = 0;
	ring->nr_free = ring->num;
	for (i = 0; i < ring->num; i++)
		ring->next[i] = i + 1;
}

static inline void ring_drain_event(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		must(errno == EAGAIN);
}

static inline bool ring_map(struct ring *ring)
{
	void *area = mmap(ring->area, 3 * RING_PART, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS |
			  (ring->area ? MAP_FIXED : 0), -1, 0);

	if (area == MAP_FAILED)
		return false;
	ring->area = area;
	ring->desc = area;
	ring->avail = area + RING_PART;
	ring->used = area + 2 * RING_PART;
	return true;
}

static inline void ring_open(struct ring *ring, unsigned int num)
{
	memset(ring, 0, sizeof(*ring));
	ring->num = num;
	must(ring_map(ring));
	ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(ring->kick >= 0 && ring->call >= 0 && ring->err >= 0);
	ring_reset(ring, 0);
}

static inline void ring_close(struct ring *ring)
{
	munmap(ring->area, 3 * RING_PART);
	close(ring->kick);
	close(ring->call);
	close(ring->err);
}

/* Put a descriptor into the next entry of the avail ring, unseen as yet. */
static inline void ring_offer(struct ring *ring, uint16_t head)
{
	ring->avail->ring[ring->avail_idx++ & (ring->num - 1)] = head;
}

/* Add a chain; it is seen at the next ring_publish().  Returns its head. */
static inline int ring_add(struct ring *ring, const struct seg *segs,
			   unsigned int n)
{
	uint16_t head = ring->free, at = head, last = head;
	unsigned int i;

	if (!n || n > ring->nr_free)
		return -1;
	for (i = 0; i < n; i++) {
		last = at;
		at = ring->next[last];
		ring->desc[last] = (struct vring_desc) {
			.addr	= segs[i].addr,
			.len	= segs[i].len,
			.flags	= segs[i].flags |
				  (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next	= at,
		};
	}
	ring->free = at;
	ring->nr_free -= n;
	ring->tail[head] = last;
	ring->count[head] = n;
	ring_offer(ring, head);
	return head;
}

/* Show the device what was added.  Returns whether it wants a kick. */
static inline bool ring_publish(struct ring *ring)
{
	uint16_t old = ring->published, new = ring->avail_idx;

	__atomic_store_n(&ring->avail->idx, new, __ATOMIC_RELEASE);
	ring->published = new;
	/* avail->idx out before the device's wish is read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring->event_idx)
		return vring_need_event(__atomic_load_n(ring_avail_event(ring),
							__ATOMIC_RELAXED),
					new, old);
	return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) &
		 VRING_USED_F_NO_NOTIFY);
}

static inline void ring_signal(int fd)
{
	uint64_t one = 1;

	must(write(fd, &one, sizeof(one)) == sizeof(one));
}

/* Publish, and kick if the device wants it.  Returns whether it did. */
static inline bool ring_kick(struct ring *ring)
{
	bool wanted = ring_publish(ring);

	if (wanted)
		ring_signal(ring->kick);
	return wanted;
}

static inline bool ring_has_used(struct ring *ring)
{
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) !=
	       ring->used_idx;
}

/* Take the next used entry.  Returns its head, or -1. */
static inline int ring_reap(struct ring *ring, uint32_t *len)
{
	struct vring_used_elem elem;

	if (!ring_has_used(ring))
		return -1;
	elem = ring->used->ring[ring->used_idx++ & (ring->num - 1)];
	if (elem.id >= ring->num || !ring->count[elem.id]) {
		because("used id %u was not available", elem.id);
		return -1;
	}
	ring->next[ring->tail[elem.id]] = ring->free;
	ring->free = elem.id;
	ring->nr_free += ring->count[elem.id];
	ring->count[elem.id] = 0;
	if (len)
		*len = elem.len;
	return elem.id;
}

static inline bool ring_poll(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

/*
 * Wait until something is used, by the device's calls alone: an entry that
 * comes without a call that is due is a failure.
 */
static inline bool ring_wait(struct ring *ring, int timeout_ms)
{
	for (;;) {
		if (ring->event_idx) {
			*ring_used_event(ring) = ring->used_idx;
			/* the wish out before used->idx is read again */
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		}
		if (ring_has_used(ring))
			return true;
		if (!ring_poll(ring->call, timeout_ms))
			return because("no call within %d ms; used->idx %u, seen %u",
				       timeout_ms, ring->used->idx,
				       ring->used_idx);
		ring_drain_event(ring->call);
	}
}

/* Reap all that is used; waits until @n entries were.  Returns success. */
static inline bool ring_reap_n(struct ring *ring, unsigned int n, int timeout_ms)
{
	while (n) {
		if (!ring_wait(ring, timeout_ms))
			return false;
		if (ring_reap(ring, NULL) < 0)
			return false;
		n--;
	}
	return true;
}

#endif /* KSELFTEST_RING_H */
