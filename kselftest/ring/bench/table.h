/* SPDX-License-Identifier: GPL-2.0-only */
/* The regions of a ring as the kernel's own table; kernel side. */
#ifndef RING_BENCH_TABLE_H
#define RING_BENCH_TABLE_H

#include <linux/errno.h>
#include <linux/vhost_iotlb.h>
#include <uapi/linux/vhost_types.h>

#include "kselftest/ring/bench/bench.h"

static inline int bench_table(struct vhost_iotlb *table,
			      const struct bench_ring *ring)
{
	unsigned int i;
	int err;

	if (table->limit)
		vhost_iotlb_reset(table);
	vhost_iotlb_init(table, ring->nr_regions, 0);
	for (i = 0; i < ring->nr_regions; i++) {
		const struct bench_region *r = &ring->regions[i];

		err = vhost_iotlb_add_range(table, r->start, r->last, r->addr,
					    VHOST_ACCESS_RW);
		if (err)
			return err;
	}
	return 0;
}

#endif
