// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/bytes.h"
#include "kselftest/ring/driver.h"

/* 2.7.5: struct virtq_desc */
enum {
	DESC_ADDR	= 0,
	DESC_LEN	= 8,
	DESC_FLAGS	= 12,
	DESC_NEXT	= 14,
	DESC_SIZE	= 16,
};

/* 2.7.6 and 2.7.8: struct virtq_avail, struct virtq_used */
enum {
	RING_FLAGS	= 0,
	RING_IDX	= 2,
	RING_ENTRIES	= 4,
	AVAIL_ENTRY	= 2,
	USED_ENTRY	= 8,
	EVENT_SIZE	= 2,
};

/* 2.7: minimal alignments; parts lie at odd multiples of theirs. */
enum {
	AVAIL_ALIGN	= 2,
	USED_ALIGN	= 4,
};

uint64_t drv_desc_size(unsigned int num)
{
	return (uint64_t)DESC_SIZE * num;
}

uint64_t drv_avail_size(unsigned int num)
{
	return RING_ENTRIES + (uint64_t)AVAIL_ENTRY * num + EVENT_SIZE;
}

uint64_t drv_used_size(unsigned int num)
{
	return RING_ENTRIES + (uint64_t)USED_ENTRY * num + EVENT_SIZE;
}

static uint8_t *used_event(const struct drv *drv)
{
	return drv->avail + RING_ENTRIES + AVAIL_ENTRY * drv->num;
}

static const uint8_t *avail_event(const struct drv *drv)
{
	return drv->used + RING_ENTRIES + USED_ENTRY * drv->num;
}

/* The memory ends where the ring's parts do, so that an overrun is seen. */
void drv_init(struct drv *drv, unsigned int num, bool event_idx, uint16_t base)
{
	unsigned int i;

	*drv = (struct drv) {
		.num = num,
		.event_idx = event_idx,
		.desc = calloc(1, drv_desc_size(num)),
		.avail = calloc(1, drv_avail_size(num) + AVAIL_ALIGN),
		.used = calloc(1, drv_used_size(num) + USED_ALIGN),
		.offered = base,
		.kicked = base,
		.seen = base,
		.free = calloc(num, sizeof(uint16_t)),
		.nr_free = num,
	};
	drv->avail += AVAIL_ALIGN;
	drv->used += USED_ALIGN;
	for (i = 0; i < num; i++)
		drv->free[i] = num - 1 - i;
	drv_put_idx(drv, base);
	drv_put_used_idx(drv, base);
	if (event_idx)
		drv_put_used_event(drv, base);
}

void drv_exit(struct drv *drv)
{
	free(drv->desc);
	free(drv->avail - AVAIL_ALIGN);
	free(drv->used - USED_ALIGN);
	free(drv->free);
}

void drv_put_desc(void *table, unsigned int i, uint64_t addr, uint32_t len,
		  uint16_t flags, uint16_t next)
{
	uint8_t *desc = (uint8_t *)table + (uint64_t)DESC_SIZE * i;

	put64(desc + DESC_ADDR, addr);
	put32(desc + DESC_LEN, len);
	put16(desc + DESC_FLAGS, flags);
	put16(desc + DESC_NEXT, next);
}

void drv_put_avail(struct drv *drv, uint16_t at, uint16_t head)
{
	put16(drv->avail + RING_ENTRIES + AVAIL_ENTRY * (at % drv->num), head);
}

void drv_put_idx(struct drv *drv, uint16_t idx)
{
	put16(drv->avail + RING_IDX, idx);
}

uint16_t drv_idx(const struct drv *drv)
{
	return get16(drv->avail + RING_IDX);
}

uint16_t drv_used_idx(const struct drv *drv)
{
	return get16(drv->used + RING_IDX);
}

uint16_t drv_used_flags(const struct drv *drv)
{
	return get16(drv->used + RING_FLAGS);
}

uint16_t drv_avail_event(const struct drv *drv)
{
	return get16(avail_event(drv));
}

void drv_put_used_idx(struct drv *drv, uint16_t idx)
{
	put16(drv->used + RING_IDX, idx);
}

void drv_put_used_event(struct drv *drv, uint16_t event)
{
	put16(used_event(drv), event);
}

void drv_put_avail_flags(struct drv *drv, uint16_t flags)
{
	put16(drv->avail + RING_FLAGS, flags);
}

/* 2.7.13.1: placing buffers into the descriptor table */
int drv_chain(struct drv *drv, const struct drv_buf *bufs, unsigned int n)
{
	unsigned int i;
	uint16_t head, flags, next;

	if (n > drv->nr_free)
		return -1;
	head = drv->free[drv->nr_free - 1];
	for (i = 0; i < n; i++) {
		uint16_t at = drv->free[--drv->nr_free];

		flags = bufs[i].write ? DRV_F_WRITE : 0;
		next = 0;
		if (i < n - 1) {
			flags |= DRV_F_NEXT;
			next = drv->free[drv->nr_free - 1];
		}
		drv_put_desc(drv->desc, at, bufs[i].addr, bufs[i].len, flags,
			     next);
	}
	return head;
}

/* 2.7.5.3: indirect descriptors */
int drv_chain_indirect(struct drv *drv, const struct drv_buf *bufs,
		       unsigned int n, uint64_t table_addr, void *table)
{
	unsigned int i;
	uint16_t head;

	if (!drv->nr_free)
		return -1;
	for (i = 0; i < n; i++)
		drv_put_desc(table, i, bufs[i].addr, bufs[i].len,
			     (bufs[i].write ? DRV_F_WRITE : 0) |
			     (i < n - 1 ? DRV_F_NEXT : 0), i + 1);
	head = drv->free[--drv->nr_free];
	drv_put_desc(drv->desc, head, table_addr, n * DESC_SIZE,
		     DRV_F_INDIRECT, 0);
	return head;
}

/* 2.7.13.2: updating the available ring */
void drv_offer(struct drv *drv, uint16_t head)
{
	drv_put_avail(drv, drv->offered, head);
	drv->offered++;
}

/* 2.7.13.3: updating idx */
void drv_publish(struct drv *drv)
{
	atomic_thread_fence(memory_order_release);	/* 2.7.13.3.1 */
	drv_put_idx(drv, drv->offered);
}

/*
 * 2.7.13.4 and 2.7.10: notifying the device.  With event index the driver
 * must kick if it has written the entry that avail_event numbers.
 */
bool drv_must_kick(struct drv *drv)
{
	uint16_t i, event, from = drv->kicked;

	drv->kicked = drv->offered;
	atomic_thread_fence(memory_order_seq_cst);	/* 2.7.13.4.1 */
	if (!drv->event_idx)
		return !(drv_used_flags(drv) & DRV_F_NO_NOTIFY);
	event = drv_avail_event(drv);
	for (i = from; i != drv->offered; i++)
		if (i == event)
			return true;
	return false;
}

/* A chain of its own, published; returns its head or -1. */
int drv_send(struct drv *drv, const struct drv_buf *bufs, unsigned int n)
{
	int head = drv_chain(drv, bufs, n);

	if (head < 0)
		return head;
	drv_offer(drv, head);
	drv_publish(drv);
	return head;
}

static void free_chain(struct drv *drv, uint16_t head)
{
	const uint8_t *desc;
	uint16_t at = head;

	for (;;) {
		desc = drv->desc + (uint64_t)DESC_SIZE * at;
		drv->free[drv->nr_free++] = at;
		if (!(get16(desc + DESC_FLAGS) & DRV_F_NEXT))
			break;
		at = get16(desc + DESC_NEXT);
	}
}

/* 2.7.14: receiving used buffers */
bool drv_take(struct drv *drv, uint32_t *id, uint32_t *len)
{
	const uint8_t *entry;

	if (drv->seen == drv_used_idx(drv))
		return false;
	atomic_thread_fence(memory_order_acquire);
	entry = drv->used + RING_ENTRIES + USED_ENTRY * (drv->seen % drv->num);
	*id = get32(entry);
	*len = get32(entry + 4);
	drv->seen++;
	if (*id < drv->num)
		free_chain(drv, *id);
	return true;
}

/* 2.7.7: used buffer notification suppression */
void drv_calls_off(struct drv *drv)
{
	if (!drv->event_idx)
		drv_put_avail_flags(drv, DRV_F_NO_INTERRUPT);
}

void drv_calls_on(struct drv *drv)
{
	if (drv->event_idx)
		drv_put_used_event(drv, drv->seen);
	else
		drv_put_avail_flags(drv, 0);
	atomic_thread_fence(memory_order_seq_cst);	/* before it looks again */
}
