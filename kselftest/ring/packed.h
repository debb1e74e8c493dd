/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver side of a packed virtqueue, written from the virtio 1.3
 * specification (section 2.8) with no look at the device side.
 */
#ifndef RING_PACKED_H
#define RING_PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include "kselftest/ring/driver.h"

enum {
	PDRV_F_AVAIL		= 1 << 7,
	PDRV_F_USED		= 1 << 15,
	PDRV_DESC_SIZE		= 16,
	PDRV_EVENT_SIZE		= 4,
	PDRV_EVENT_ENABLE	= 0,
	PDRV_EVENT_DISABLE	= 1,
	PDRV_EVENT_DESC		= 2,
};

/* A place in the ring, and the wrap counter of the lap that it is meant in. */
struct pdrv_pos {
	unsigned int	index;
	bool		wrap;
};

/**
 * struct pdrv - a driver
 * @num:	queue size
 * @event_idx:	VIRTIO_F_EVENT_IDX was negotiated
 * @ring:	descriptor ring
 * @driver_event: driver event suppression, ours
 * @device_event: device event suppression
 * @next:	where the next descriptor goes
 * @shown:	up to where they were made available
 * @kicked:	@shown at the last decision on a kick
 * @seen:	where the next used descriptor will be
 * @nr_free:	descriptors that are in no buffer
 * @put_flags:	of the first descriptor that is not shown, to be written
 * @put_id:	its buffer
 * @put_count:	descriptors of that
 * @count:	descriptors of the buffer with that id
 */
struct pdrv {
	unsigned int	num;
	bool		event_idx;
	uint8_t		*ring;
	uint8_t		*driver_event;
	uint8_t		*device_event;
	struct pdrv_pos	next;
	struct pdrv_pos	shown;
	struct pdrv_pos	kicked;
	struct pdrv_pos	seen;
	unsigned int	nr_free;
	uint16_t	put_flags;
	uint16_t	put_id;
	unsigned int	put_count;
	uint16_t	*count;
};

uint64_t pdrv_ring_size(unsigned int num);
struct pdrv_pos pdrv_ahead(const struct pdrv *drv, struct pdrv_pos pos,
			   unsigned int n);
bool pdrv_same(struct pdrv_pos a, struct pdrv_pos b);

/* The ring is as if descriptors had been used up to where it begins. */
void pdrv_init(struct pdrv *drv, unsigned int num, bool event_idx,
	       unsigned int index, bool wrap);
void pdrv_exit(struct pdrv *drv);

/* Single fields, for what a good driver would not do. */
void pdrv_put_desc(void *ring, unsigned int i, uint64_t addr, uint32_t len,
		   uint16_t id, uint16_t flags);
void pdrv_put_flags(struct pdrv *drv, unsigned int i, uint16_t flags);
uint16_t pdrv_flags(const struct pdrv *drv, unsigned int i);
uint16_t pdrv_avail_flags(struct pdrv_pos pos);
void pdrv_put_driver_event(struct pdrv *drv, uint16_t off_wrap, uint16_t flags);
uint16_t pdrv_device_off(const struct pdrv *drv);
uint16_t pdrv_device_flags(const struct pdrv *drv);

/*
 * Sending.  pdrv_put() fills in a buffer's descriptors, all but the flags of
 * the first; pdrv_show() writes those.  Both false if descriptors are lacking.
 */
bool pdrv_put(struct pdrv *drv, const struct drv_buf *bufs, unsigned int n,
	      uint16_t id);
bool pdrv_put_table(struct pdrv *drv, const struct drv_buf *bufs,
		    unsigned int n, uint16_t id, uint64_t table_addr,
		    void *table);
void pdrv_show(struct pdrv *drv);
bool pdrv_send(struct pdrv *drv, const struct drv_buf *bufs, unsigned int n,
	       uint16_t id);
bool pdrv_must_kick(struct pdrv *drv);

/* Receiving. */
bool pdrv_has_used(const struct pdrv *drv);
bool pdrv_take(struct pdrv *drv, uint16_t *id, uint32_t *len, uint16_t *flags);
void pdrv_calls_off(struct pdrv *drv);
void pdrv_calls_on(struct pdrv *drv);

#endif
