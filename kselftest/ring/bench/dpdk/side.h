/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that transmits, and the two device sides that take its frames: each copies
 * them into buffers of its own, as a switch does that has its frames from elsewhere.
 */
#ifndef RING_BENCH_DPDK_SIDE_H
#define RING_BENCH_DPDK_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "kselftest/ring/driver.h"
#include "kselftest/ring/packed.h"

enum {
	NUM	= 256,		/* descriptors; frames that are offered at once */
	BATCH	= 32,
	HEADER	= 12,		/* struct virtio_net_hdr_mrg_rxbuf */
	ROOM	= 2048,		/* for a frame */
};

#define GPA	0x100000000ULL

/**
 * struct work - what is transmitted
 * @name:	as it stands in the table
 * @packed:	by a packed ring
 * @table:	each frame in an indirect table: header and frame apart
 * @bytes:	of a frame
 */
struct work {
	const char	*name;
	bool		packed;
	bool		table;
	unsigned int	bytes;
};

/**
 * struct sender - the guest
 * @work:	what it does
 * @fd:		its memory, a memfd
 * @ram:	that memory
 * @drv:	the driver of its split ring
 * @pdrv:	or of its packed one
 * @laps:	packed: the ring with all frames offered, by wrap counter
 * @wrap:	packed: that of the lap offered last
 */
struct sender {
	const struct work	*work;
	int			fd;
	uint8_t			*ram;
	struct drv		drv;
	struct pdrv		pdrv;
	uint8_t			laps[2][16 * NUM];
	bool			wrap;
};

/* Where the parts of its memory are. */
enum {
	DESC_AT		= 0,
	AVAIL_AT	= 16 * NUM,
	USED_AT		= 8192,
	OTHER_AT	= 16384,	/* the receive queue, which is left alone */
	TABLES_AT	= 32768,
	FRAMES_AT	= 65536,
	RAM_SIZE	= FRAMES_AT + NUM * ROOM,
};

void sender_init(struct sender *sender, const struct work *work);
void sender_exit(struct sender *sender);
void sender_offer(struct sender *sender);
bool sender_all_back(struct sender *sender);

/*
 * The two sides.  *_take() takes NUM frames, BATCH at a time, and returns the sum of
 * what it has of them: their bytes' lengths, and the first byte of each.
 */
void twin_start(const struct sender *sender);
uint64_t twin_take(void);

void dpdk_init(void);
void dpdk_start(const struct sender *sender);
void dpdk_stop(void);
uint64_t dpdk_take(void);
const char *dpdk_version(void);

/* The front end of vhost-user, as far as a guest that is up needs it. */
void frontend_connect(const char *path, const struct sender *sender,
		      uint64_t features);
void frontend_close(void);

#endif
