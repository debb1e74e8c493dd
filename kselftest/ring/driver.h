/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver side of a split virtqueue, written from the virtio 1.3
 * specification (sections 2.7.5 to 2.7.14) with no look at the device side.
 *
 * The steps are apart, so that a test can do something between them: put the
 * buffers into descriptors, offer the head, publish the index, ask if a kick
 * is due.
 */
#ifndef RING_DRIVER_H
#define RING_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DRV_F_NEXT		= 1,
	DRV_F_WRITE		= 2,
	DRV_F_INDIRECT		= 4,
	DRV_F_NO_INTERRUPT	= 1,
	DRV_F_NO_NOTIFY		= 1,
};

struct drv_buf {
	uint64_t	addr;
	uint32_t	len;
	bool		write;
};

/**
 * struct drv - a driver
 * @num:	queue size
 * @event_idx:	VIRTIO_F_EVENT_IDX was negotiated
 * @desc:	descriptor table
 * @avail:	available ring
 * @used:	used ring
 * @offered:	the index after the last head that was offered
 * @kicked:	the index at the last decision on a kick
 * @seen:	the next used entry to look at
 * @free:	descriptors that are in no chain, a stack
 * @nr_free:	how many there are
 */
struct drv {
	unsigned int	num;
	bool		event_idx;
	uint8_t		*desc;
	uint8_t		*avail;
	uint8_t		*used;
	uint16_t	offered;
	uint16_t	kicked;
	uint16_t	seen;
	uint16_t	*free;
	unsigned int	nr_free;
};

uint64_t drv_desc_size(unsigned int num);
uint64_t drv_avail_size(unsigned int num);
uint64_t drv_used_size(unsigned int num);

void drv_init(struct drv *drv, unsigned int num, bool event_idx, uint16_t base);
void drv_exit(struct drv *drv);

/* Single fields, for what a good driver would not do. */
void drv_put_desc(void *table, unsigned int i, uint64_t addr, uint32_t len,
		  uint16_t flags, uint16_t next);
void drv_put_avail(struct drv *drv, uint16_t at, uint16_t head);
void drv_put_idx(struct drv *drv, uint16_t idx);
uint16_t drv_idx(const struct drv *drv);
uint16_t drv_used_idx(const struct drv *drv);
uint16_t drv_used_flags(const struct drv *drv);
uint16_t drv_avail_event(const struct drv *drv);
void drv_put_used_idx(struct drv *drv, uint16_t idx);
void drv_put_used_event(struct drv *drv, uint16_t event);
void drv_put_avail_flags(struct drv *drv, uint16_t flags);

/* Sending: the first two return a head, or -1 if descriptors are lacking. */
int drv_chain(struct drv *drv, const struct drv_buf *bufs, unsigned int n);
int drv_chain_indirect(struct drv *drv, const struct drv_buf *bufs,
		       unsigned int n, uint64_t table_addr, void *table);
void drv_offer(struct drv *drv, uint16_t head);
void drv_publish(struct drv *drv);
bool drv_must_kick(struct drv *drv);
int drv_send(struct drv *drv, const struct drv_buf *bufs, unsigned int n);

/* Receiving. */
bool drv_take(struct drv *drv, uint32_t *id, uint32_t *len);
void drv_calls_off(struct drv *drv);
void drv_calls_on(struct drv *drv);

#endif
