/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's is an interval tree; this is a list that is searched. */
#ifndef SHIM_LINUX_VHOST_IOTLB_H
#define SHIM_LINUX_VHOST_IOTLB_H

#include <linux/types.h>

#define SHIM_MAX_MAPS	64

struct vhost_iotlb_map {
	u64 start;
	u64 last;
	u64 addr;
};

struct vhost_iotlb {
	unsigned int		nmaps;
	struct vhost_iotlb_map	maps[SHIM_MAX_MAPS];
};

/* The region with the lowest start that meets start..last. */
static inline struct vhost_iotlb_map *
vhost_iotlb_itree_first(struct vhost_iotlb *iotlb, u64 start, u64 last)
{
	struct vhost_iotlb_map *map, *first = NULL;

	for (map = iotlb->maps; map < iotlb->maps + iotlb->nmaps; map++)
		if (map->start <= last && map->last >= start &&
		    (!first || map->start < first->start))
			first = map;
	return first;
}

#endif
