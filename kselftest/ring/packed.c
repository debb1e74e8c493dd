// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <stdlib.h>

#include "kselftest/ring/bytes.h"
#include "kselftest/ring/packed.h"

/* 2.8.13: struct pvirtq_desc */
enum {
	DESC_ADDR	= 0,
	DESC_LEN	= 8,
	DESC_ID		= 12,
	DESC_FLAGS	= 14,
};

/* 2.8.14: struct pvirtq_event_suppress */
enum {
	EVENT_DESC	= 0,
	EVENT_FLAGS	= 2,
};

#define EVENT_FLAGS_MASK	3
#define EVENT_WRAP_SHIFT	15

uint64_t pdrv_ring_size(unsigned int num)
{
	return (uint64_t)PDRV_DESC_SIZE * num;
}

struct pdrv_pos pdrv_ahead(const struct pdrv *drv, struct pdrv_pos pos,
			   unsigned int n)
{
	while (n--) {
		if (++pos.index == drv->num) {
			pos.index = 0;
			pos.wrap = !pos.wrap;
		}
	}
	return pos;
}

bool pdrv_same(struct pdrv_pos a, struct pdrv_pos b)
{
	return a.index == b.index && a.wrap == b.wrap;
}

static uint8_t *desc_at(const struct pdrv *drv, unsigned int i)
{
	return drv->ring + (uint64_t)PDRV_DESC_SIZE * i;
}

/* 2.8.1: the one bit as the counter, the other inverse. */
uint16_t pdrv_avail_flags(struct pdrv_pos pos)
{
	return pos.wrap ? PDRV_F_AVAIL : PDRV_F_USED;
}

/* The memory ends where the ring's parts do, so that an overrun is seen. */
void pdrv_init(struct pdrv *drv, unsigned int num, bool event_idx,
	       unsigned int index, bool wrap)
{
	struct pdrv_pos pos = { index, wrap };
	unsigned int i;
	bool used;

	*drv = (struct pdrv) {
		.num = num,
		.event_idx = event_idx,
		.ring = calloc(1, pdrv_ring_size(num)),
		.driver_event = calloc(1, PDRV_EVENT_SIZE),
		.device_event = calloc(1, PDRV_EVENT_SIZE),
		.next = pos,
		.shown = pos,
		.kicked = pos,
		.seen = pos,
		.nr_free = num,
		.count = calloc(65536, sizeof(uint16_t)),
	};
	/* Used in this lap up to here, in the lap before from here on. */
	for (i = 0; i < num; i++) {
		used = i < index ? wrap : !wrap;
		pdrv_put_flags(drv, i, used ? PDRV_F_AVAIL | PDRV_F_USED : 0);
	}
}

void pdrv_exit(struct pdrv *drv)
{
	free(drv->ring);
	free(drv->driver_event);
	free(drv->device_event);
	free(drv->count);
}

void pdrv_put_desc(void *ring, unsigned int i, uint64_t addr, uint32_t len,
		   uint16_t id, uint16_t flags)
{
	uint8_t *desc = (uint8_t *)ring + (uint64_t)PDRV_DESC_SIZE * i;

	put64(desc + DESC_ADDR, addr);
	put32(desc + DESC_LEN, len);
	put16(desc + DESC_ID, id);
	put16(desc + DESC_FLAGS, flags);
}

void pdrv_put_flags(struct pdrv *drv, unsigned int i, uint16_t flags)
{
	put16(desc_at(drv, i) + DESC_FLAGS, flags);
}

uint16_t pdrv_flags(const struct pdrv *drv, unsigned int i)
{
	return get16(desc_at(drv, i) + DESC_FLAGS);
}

void pdrv_put_driver_event(struct pdrv *drv, uint16_t off_wrap, uint16_t flags)
{
	put16(drv->driver_event + EVENT_DESC, off_wrap);
	put16(drv->driver_event + EVENT_FLAGS, flags);
}

uint16_t pdrv_device_off(const struct pdrv *drv)
{
	return get16(drv->device_event + EVENT_DESC);
}

uint16_t pdrv_device_flags(const struct pdrv *drv)
{
	return get16(drv->device_event + EVENT_FLAGS);
}

/* All but the flags of a descriptor that is the first of what is not shown. */
static void place(struct pdrv *drv, uint64_t addr, uint32_t len, uint16_t id,
		  uint16_t flags)
{
	unsigned int at = drv->next.index;
	bool first = pdrv_same(drv->next, drv->shown);

	flags |= pdrv_avail_flags(drv->next);
	pdrv_put_desc(drv->ring, at, addr, len, id,
		      first ? pdrv_flags(drv, at) : flags);
	if (first)
		drv->put_flags = flags;
	drv->next = pdrv_ahead(drv, drv->next, 1);
	drv->nr_free--;
}

/* 2.8.21.1: placing available buffers into the descriptor ring */
static bool room_for(struct pdrv *drv, unsigned int n)
{
	return pdrv_same(drv->next, drv->shown) && n <= drv->nr_free;
}

bool pdrv_put(struct pdrv *drv, const struct drv_buf *bufs, unsigned int n,
	      uint16_t id)
{
	unsigned int i;

	if (!room_for(drv, n))
		return false;
	for (i = 0; i < n; i++)
		place(drv, bufs[i].addr, bufs[i].len, id,
		      (bufs[i].write ? DRV_F_WRITE : 0) |
		      (i < n - 1 ? DRV_F_NEXT : 0));
	drv->put_count = n;
	drv->put_id = id;
	return true;
}

/* 2.8.7: indirect descriptors; but for WRITE, flags say nothing there. */
bool pdrv_put_table(struct pdrv *drv, const struct drv_buf *bufs,
		    unsigned int n, uint16_t id, uint64_t table_addr,
		    void *table)
{
	unsigned int i;

	if (!room_for(drv, 1))
		return false;
	for (i = 0; i < n; i++)
		pdrv_put_desc(table, i, bufs[i].addr, bufs[i].len, 0xdead,
			      (bufs[i].write ? DRV_F_WRITE : 0) |
			      (i % 2 ? 0xfffd : 0));
	place(drv, table_addr, n * PDRV_DESC_SIZE, id, DRV_F_INDIRECT);
	drv->put_count = 1;
	drv->put_id = id;
	return true;
}

void pdrv_show(struct pdrv *drv)
{
	atomic_thread_fence(memory_order_release);	/* 2.8.21.2.1 */
	pdrv_put_flags(drv, drv->shown.index, drv->put_flags);
	drv->count[drv->put_id] = drv->put_count;
	drv->shown = drv->next;
}

bool pdrv_send(struct pdrv *drv, const struct drv_buf *bufs, unsigned int n,
	       uint16_t id)
{
	if (!pdrv_put(drv, bufs, n, id))
		return false;
	pdrv_show(drv);
	return true;
}

/*
 * 2.8.10 and 2.8.21.3: with event index the device is told if the descriptor
 * that it names is among those that were made available.
 */
bool pdrv_must_kick(struct pdrv *drv)
{
	struct pdrv_pos pos = drv->kicked, event;
	uint16_t off;

	drv->kicked = drv->shown;
	atomic_thread_fence(memory_order_seq_cst);	/* 2.8.21.3.1 */
	off = pdrv_device_off(drv);
	switch (pdrv_device_flags(drv) & EVENT_FLAGS_MASK) {
	case PDRV_EVENT_ENABLE:
		return true;
	case PDRV_EVENT_DESC:
		event.index = off & ((1 << EVENT_WRAP_SHIFT) - 1);
		event.wrap = off >> EVENT_WRAP_SHIFT;
		for (; !pdrv_same(pos, drv->shown);
		     pos = pdrv_ahead(drv, pos, 1))
			if (pdrv_same(pos, event))
				return true;
		return false;
	default:
		return false;
	}
}

/* 2.8.1: used are both bits as the counter. */
bool pdrv_has_used(const struct pdrv *drv)
{
	uint16_t want = drv->seen.wrap ? PDRV_F_AVAIL | PDRV_F_USED : 0;

	return (pdrv_flags(drv, drv->seen.index) &
		(PDRV_F_AVAIL | PDRV_F_USED)) == want;
}

/* 2.8.22: receiving used buffers */
bool pdrv_take(struct pdrv *drv, uint16_t *id, uint32_t *len, uint16_t *flags)
{
	const uint8_t *desc = desc_at(drv, drv->seen.index);

	if (!pdrv_has_used(drv))
		return false;
	atomic_thread_fence(memory_order_acquire);
	*id = get16(desc + DESC_ID);
	*len = get32(desc + DESC_LEN);
	*flags = get16(desc + DESC_FLAGS);
	drv->seen = pdrv_ahead(drv, drv->seen, drv->count[*id]);
	drv->nr_free += drv->count[*id];
	drv->count[*id] = 0;
	return true;
}

/* 2.8.10: used buffer notification suppression */
void pdrv_calls_off(struct pdrv *drv)
{
	pdrv_put_driver_event(drv, 0, PDRV_EVENT_DISABLE);
}

void pdrv_calls_on(struct pdrv *drv)
{
	uint16_t off = drv->seen.index | drv->seen.wrap << EVENT_WRAP_SHIFT;

	if (drv->event_idx)
		pdrv_put_driver_event(drv, off, PDRV_EVENT_DESC);
	else
		pdrv_put_driver_event(drv, 0, PDRV_EVENT_ENABLE);
	atomic_thread_fence(memory_order_seq_cst);	/* before it looks again */
}
