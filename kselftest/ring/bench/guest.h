/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's memory and a full ring in it, and what is right to make of that. */
#ifndef RING_BENCH_GUEST_H
#define RING_BENCH_GUEST_H

#include <stdint.h>

#include "kselftest/ring/bench/bench.h"
#include "kselftest/ring/driver.h"
#include "kselftest/ring/packed.h"

#define GUEST_MAX_REGIONS	64

/**
 * struct setting - a kind of work
 * @name:	as it stands in the tables
 * @segs:	segments of each chain
 * @indirect:	they are in an indirect table
 * @batch:	chains between two publications
 * @regions:	of the guest's memory, a power of two; each buffer lies in
 *		another one than the buffer before
 */
struct setting {
	const char	*name;
	unsigned int	segs;
	bool		indirect;
	unsigned int	batch;
	unsigned int	regions;
};

/**
 * struct guest - a ring full of chains, for one contender
 * @ring:	as the contender is told of it
 * @packed:	it is a packed ring
 * @drv:	its driver, if it is a split one
 * @pdrv:	else: its driver
 * @laps:	packed: the ring as it is when all is available, by wrap counter
 * @wrap:	packed: that of the lap which was offered last
 * @slots:	packed: descriptors of each chain
 * @chains:	how many there are; all are offered at once
 * @heads:	where they begin; packed: their ids
 * @hash:	of what the contender is to see of them
 */
struct guest {
	struct bench_ring	ring;
	bool			packed;
	struct drv		drv;
	struct pdrv		pdrv;
	uint8_t			laps[2][16 * BENCH_NUM];
	bool			wrap;
	unsigned int		slots;
	unsigned int		chains;
	uint16_t		heads[BENCH_NUM];
	uint64_t		hash;
	struct bench_region	regions[GUEST_MAX_REGIONS];
};

void guest_init(struct guest *guest, const struct setting *setting, bool packed);
void guest_exit(struct guest *guest);

/* Offer all chains (again). */
void guest_offer(struct guest *guest);

/* The driver wants no call, or none but at the end of a lap. */
void guest_want_no_calls(struct guest *guest);

/* Does the contender what a device must?  If not, that is said. */
bool guest_check(const struct bench_contender *contender,
		 const struct setting *setting);

#endif
