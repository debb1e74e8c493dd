/* SPDX-License-Identifier: GPL-2.0-only */
/* A table of regions of which nothing is known but that an answer is right. */
#ifndef PROVE_LINUX_VHOST_IOTLB_H
#define PROVE_LINUX_VHOST_IOTLB_H

#include <linux/types.h>

struct vhost_iotlb_map {
	u64 start;
	u64 last;
	u64 addr;
};

struct vhost_iotlb;

struct vhost_iotlb_map *vhost_iotlb_itree_first(struct vhost_iotlb *iotlb,
						u64 start, u64 last);

#endif
