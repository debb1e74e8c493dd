/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's is an interval tree; this is a list that is searched. */
#ifndef SHIM_LINUX_VHOST_IOTLB_H
#define SHIM_LINUX_VHOST_IOTLB_H

#include <linux/limits.h>
#include <linux/types.h>

#define SHIM_MAX_MAPS	64

struct vhost_iotlb_map {
	u64 start;
	u64 last;
	u64 addr;
};

/* @bytes: each byte of the regions is as a region of its own */
struct vhost_iotlb {
	bool			bytes;
	unsigned int		nmaps;
	struct vhost_iotlb_map	maps[SHIM_MAX_MAPS];
};

/* Whoever remembers it finds another byte there later, and asks again. */
static inline struct vhost_iotlb_map *
shim_byte_of(const struct vhost_iotlb_map *map, u64 at)
{
	static struct vhost_iotlb_map byte;

	byte = (struct vhost_iotlb_map) { at, at, map->addr + (at - map->start) };
	return &byte;
}

/* What was searched last, for vhost_iotlb_itree_next(). */
static struct vhost_iotlb *shim_searched __attribute__((unused));

/* The region with the lowest start that meets start..last. */
static inline struct vhost_iotlb_map *
vhost_iotlb_itree_first(struct vhost_iotlb *iotlb, u64 start, u64 last)
{
	struct vhost_iotlb_map *map, *first = NULL;

	shim_searched = iotlb;
	for (map = iotlb->maps; map < iotlb->maps + iotlb->nmaps; map++)
		if (map->start <= last && map->last >= start &&
		    (!first || map->start < first->start))
			first = map;
	return first && iotlb->bytes ? shim_byte_of(first, start) : first;
}

/* Of those, the one that begins next.  Not of single bytes, nor of two alike. */
static inline struct vhost_iotlb_map *
vhost_iotlb_itree_next(struct vhost_iotlb_map *map, u64 start, u64 last)
{
	struct vhost_iotlb *iotlb = shim_searched;
	struct vhost_iotlb_map *next = NULL, *m;

	for (m = iotlb->maps; m < iotlb->maps + iotlb->nmaps; m++)
		if (m->start > map->start && m->start <= last && m->last >= start &&
		    (!next || m->start < next->start))
			next = m;
	return next;
}

#endif
