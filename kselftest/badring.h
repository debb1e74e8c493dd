/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rings of either format in a hostile guest's memory: laid out as a sound driver
 * would, and then spoilt, a field here and there.
 */
#ifndef KSELFTEST_BADRING_H
#define KSELFTEST_BADRING_H

#include <linux/virtio_ring.h>

#include "kselftest/arena.h"

#define BAD_MAX_LAID	64
#define BAD_WRAP	0x8000	/* of a position */
#define BAD_AVAIL	0x0080
#define BAD_USED	0x8000

/**
 * struct badring - a queue's ring
 * @packed:	its format
 * @indirect:	tables may be used
 * @single:	each chain is to take one place of the ring, however spoilt
 * @dir:	descriptor flag of the direction that is right
 * @next:	split: the next descriptor; packed: the next position
 * @avail_idx:	split: likewise, with what was not shown
 * @tables:	tables that were used
 * @header:	the virtio-net header of a frame, or NULL
 * @laid:	descriptors that were laid out, of the ring and of tables
 */
struct badring {
	struct arena	*arena;
	bool		packed;
	bool		event_idx;
	bool		indirect;
	bool		single;
	unsigned int	num;
	uint16_t	dir;
	uint8_t		*desc;
	uint8_t		*avail;
	uint8_t		*used;
	uint16_t	next;
	uint16_t	avail_idx;
	unsigned int	tables;
	uint8_t		*header;
	unsigned int	nr_laid;
	uint8_t		*laid[BAD_MAX_LAID];
};

struct part {
	uint64_t	addr;
	uint32_t	len;
};

/* Offsets, and what stands there in a packed ring. */
enum { D_ADDR = 0, D_LEN = 8, D_FLAGS = 12, D_NEXT = 14 };
#define D_ID(r)		((r)->packed ? 12 : 14)
#define D_FLAGS_AT(r)	((r)->packed ? 14 : 12)

static inline uint16_t bad_get16(const void *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint8_t *bad_desc(const struct badring *r, unsigned int i)
{
	return r->desc + 16 * i;
}

static inline uint8_t *bad_table(const struct badring *r, unsigned int i)
{
	return arena_page(r->arena, arena_regions[0].page) +
	       16 * ARENA_TABLE * i;
}

static inline void bad_put_desc(struct badring *r, struct pen *pen, uint8_t *at,
				struct part part, uint16_t flags, uint16_t next)
{
	pen_put(pen, at + D_ADDR, &part.addr, 8);
	pen_put32(pen, at + D_LEN, part.len);
	pen_put16(pen, at + D_ID(r), next);
	pen_put16(pen, at + D_FLAGS_AT(r), flags);
	if (r->nr_laid < BAD_MAX_LAID)
		r->laid[r->nr_laid++] = at;
}

/* The position so many descriptors further on in a packed ring. */
static inline uint16_t bad_ahead(const struct badring *r, uint16_t pos,
				 unsigned int n)
{
	unsigned int index = (pos & ~BAD_WRAP) + n;
	uint16_t wrap = pos & BAD_WRAP;

	for (; index >= r->num; index -= r->num)
		wrap ^= BAD_WRAP;
	return wrap | index;
}

static inline unsigned int bad_distance(const struct badring *r, uint16_t from,
					uint16_t to)
{
	int n = (to & ~BAD_WRAP) - (from & ~BAD_WRAP);

	return (from ^ to) & BAD_WRAP ? n + (int)r->num : n;
}

static inline uint16_t bad_avail_flags(uint16_t pos)
{
	return pos & BAD_WRAP ? BAD_AVAIL : BAD_USED;
}

/* Nothing is in the ring; @base is where the device goes on. */
static inline void bad_begin(struct badring *r, struct pen *pen, uint16_t base,
			     uint16_t used_idx)
{
	pen_fill(pen, r->desc, 0, 16 * r->num);
	pen_fill(pen, r->avail, 0, r->packed ? 4 : 6 + 2 * r->num);
	pen_fill(pen, r->used, 0, r->packed ? 4 : 6 + 8 * r->num);
	r->nr_laid = 0;
	r->header = NULL;
	r->tables = 0;
	r->next = r->packed ? base : pen_below(pen, r->num);
	r->avail_idx = base;
	if (r->packed)
		return;
	pen_put16(pen, r->avail + 2, base);
	pen_put16(pen, r->used + 2, used_idx);
}

/* The parts one behind the other in a table; returns the table. */
static inline struct part bad_lay_table(struct badring *r, struct pen *pen,
					const struct part *parts, unsigned int n)
{
	uint8_t *table = bad_table(r, r->tables++ % ARENA_TABLES);
	unsigned int i;

	for (i = 0; i < n; i++)
		bad_put_desc(r, pen, table + 16 * i, parts[i],
			     r->dir | (!r->packed && i + 1 < n ?
				       VRING_DESC_F_NEXT : 0), i + 1);
	return (struct part) {
		arena_regions[0].gpa + (table - bad_table(r, 0)), 16 * n
	};
}

/* A chain of at most @num descriptors; returns its id. */
static inline uint16_t bad_lay_chain(struct badring *r, struct pen *pen,
				     const struct part *parts, unsigned int n,
				     bool table)
{
	uint16_t head = r->next, dir = r->dir, flags, at;
	struct part one;
	unsigned int i;

	if (table) {
		one = bad_lay_table(r, pen, parts, n);
		parts = &one;
		dir = VRING_DESC_F_INDIRECT;
		n = 1;
	}
	for (i = 0; i < n; i++) {
		flags = dir | (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		at = r->next;
		r->next = r->packed ? bad_ahead(r, at, 1) : (at + 1) % r->num;
		if (r->packed)
			bad_put_desc(r, pen, bad_desc(r, at & ~BAD_WRAP),
				     parts[i], flags | bad_avail_flags(at), head);
		else
			bad_put_desc(r, pen, bad_desc(r, at), parts[i], flags,
				     r->next);
	}
	if (!r->packed)
		pen_put16(pen, r->avail + 4 +
			  2 * (r->avail_idx++ & (r->num - 1)), head);
	return head;
}

static inline void bad_show(struct badring *r, struct pen *pen)
{
	if (!r->packed)
		pen_put16(pen, r->avail + 2, r->avail_idx);
}

/* Boundary values */

static inline uint64_t bad_addr(const struct badring *r, struct pen *pen)
{
	const uint64_t user = (uintptr_t)r->arena->mem;
	const uint64_t ends[] = {
		0, 1ull << 16, 1ull << 32, 1ull << 63, user,
		user + ARENA_PAGE, (uintptr_t)r->desc, (uintptr_t)r->used,
	};
	const struct arena_region *region =
		&arena_regions[pen_below(pen, ARENA_REGIONS)];

	switch (pen_below(pen, 8)) {
	case 0:
		return ends[pen_below(pen, 8)] + pen_below(pen, 33) - 16;
	case 1:
		return pen_random(pen);
	case 2:
	case 3:
	case 4:
		return region->gpa + ARENA_PAGE *
		       pen_below(pen, region->pages + 1) + pen_below(pen, 33) - 16;
	default:
		return region->gpa + pen_below(pen, region->pages * ARENA_PAGE);
	}
}

static inline uint32_t bad_len(struct pen *pen)
{
	static const uint32_t lens[] = {
		0, 1, 2, 11, 12, 13, 15, 16, 17, 25, 26, 27, 4095, 4096, 4097,
		0x4000, 0x4010, 0xffff, 0x10000, 0x100000, 0x100001, 0x7fffffff,
		0x80000000, 0xfffffff0, 0xffffffff,
	};

	if (pen_once_in(pen, 3))
		return pen_below(pen, 2000);
	return lens[pen_below(pen, sizeof(lens) / sizeof(lens[0]))];
}

static inline uint16_t bad_index(const struct badring *r, struct pen *pen)
{
	switch (pen_below(pen, 4)) {
	case 0:
		return r->num;
	case 1:
		return pen_random(pen);
	default:
		return pen_below(pen, r->num);
	}
}

static inline uint16_t bad_flags(struct pen *pen, uint16_t now)
{
	static const uint16_t flags[] = {
		0, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE, VRING_DESC_F_INDIRECT,
		VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT,
		VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 7,
	};

	if (pen_once_in(pen, 4))
		return now ^ 1 << pen_below(pen, 16);
	return (now & ~7) | flags[pen_below(pen, 8)];
}

/* A field of a descriptor. */
static inline void bad_spoil_desc(struct badring *r, struct pen *pen, uint8_t *at)
{
	uint16_t flags = bad_get16(at + D_FLAGS_AT(r));
	uint64_t addr = bad_addr(r, pen);

	switch (pen_below(pen, 6)) {
	case 0:
		pen_put(pen, at + D_ADDR, &addr, 8);
		return;
	case 1:
		pen_put32(pen, at + D_LEN, bad_len(pen));
		return;
	case 2:
		pen_put(pen, at + D_ADDR, &addr, 8);
		pen_put32(pen, at + D_LEN, bad_len(pen));
		return;
	case 3:
		flags = bad_flags(pen, flags);
		break;
	case 4:
		if (!r->packed)
			flags |= VRING_DESC_F_NEXT;
		pen_put16(pen, at + D_ID(r), bad_index(r, pen));
		break;
	default:
		flags = VRING_DESC_F_INDIRECT | (flags & ~7);
		addr = arena_regions[0].gpa + 16 * pen_below(pen, 64);
		if (!pen_once_in(pen, 4))
			pen_put(pen, at + D_ADDR, &addr, 8);
		pen_put32(pen, at + D_LEN, pen_once_in(pen, 2) ? bad_len(pen) :
					   16 * pen_below(pen, ARENA_TABLE));
		break;
	}
	if (r->single)
		flags &= ~VRING_DESC_F_NEXT;
	pen_put16(pen, at + D_FLAGS_AT(r), flags);
}

/* More is available than was laid out, or less, or what the driver wants. */
static inline void bad_spoil_split(struct badring *r, struct pen *pen)
{
	static const uint16_t jumps[] = { 1, 2, 0x7fff, 0x8000, 0xffff, 0xfffe };

	switch (pen_below(pen, 6)) {
	case 0:
		r->avail_idx += jumps[pen_below(pen, 6)];
		break;
	case 1:
		r->avail_idx += r->num + pen_below(pen, 3) - 1;
		break;
	case 2:
	case 3:
		pen_put16(pen, r->avail + 4 + 2 * pen_below(pen, r->num),
			  bad_index(r, pen));
		pen_put16(pen, r->avail + 4 + 2 *
			  ((r->avail_idx - 1) & (r->num - 1)), bad_index(r, pen));
		break;
	case 4:
		pen_put16(pen, r->avail + 4 + 2 * r->num,
			  r->avail_idx + pen_below(pen, 5) - 2);
		break;
	default:
		pen_put16(pen, r->avail, pen_random(pen));
		break;
	}
}

static inline void bad_spoil_packed(struct badring *r, struct pen *pen)
{
	uint8_t *at = bad_desc(r, pen_below(pen, r->num)) + 14;
	uint16_t flags = bad_get16(at);
	bool chained = !r->single && pen_once_in(pen, 2);
	unsigned int i, n;

	switch (pen_below(pen, 6)) {
	case 0:
		pen_put16(pen, at, flags ^ (BAD_AVAIL | BAD_USED));
		break;
	case 1:
		pen_put16(pen, at, flags ^ (pen_once_in(pen, 2) ? BAD_AVAIL :
								  BAD_USED));
		break;
	case 2:
	case 3:
		/* As many as there are, of this lap and then of the next. */
		n = pen_once_in(pen, 2) ? r->num : pen_below(pen, r->num + 1);
		for (i = 0; i < n; i++, r->next = bad_ahead(r, r->next, 1)) {
			at = bad_desc(r, r->next & ~BAD_WRAP);
			flags = r->dir | bad_avail_flags(r->next) |
				(chained ? VRING_DESC_F_NEXT : 0);
			bad_put_desc(r, pen, at, (struct part) {
				arena_regions[0].gpa + ARENA_BUFFERS,
				pen_below(pen, 100) }, flags, i);
		}
		break;
	case 4:
		pen_put16(pen, r->avail, pen_random(pen));
		pen_put16(pen, r->avail + 2, pen_below(pen, 4));
		break;
	default:
		pen_put32(pen, r->avail, pen_random(pen));
		break;
	}
}

/* What comes first is looked at for certain. */
static inline unsigned int bad_early(struct pen *pen, unsigned int n)
{
	return pen_below(pen, 1 + pen_below(pen, n));
}

/* One thing.  Takes any moment: the device may be at work. */
static inline void bad_spoil(struct badring *r, struct pen *pen)
{
	uint32_t way = pen_below(pen, 8);

	if (way == 0 && r->packed)
		bad_spoil_packed(r, pen);
	else if (way == 0)
		bad_spoil_split(r, pen);
	else if (way == 1 && r->indirect)
		bad_spoil_desc(r, pen, bad_table(r, 0) +
			       16 * pen_below(pen, ARENA_TABLES * ARENA_TABLE));
	else if (r->nr_laid)
		bad_spoil_desc(r, pen, r->laid[bad_early(pen, r->nr_laid)]);
}

/*
 * The device may write what the descriptors that there are let it.  If that is a
 * table, too, what it writes there may be descriptors.
 */
static inline void bad_allow(const struct badring *r, struct arena *arena)
{
	unsigned int i, n = r->num + ARENA_TABLES * ARENA_TABLE;
	uint8_t *at;
	uint64_t addr;
	uint32_t len;

	for (i = 0; i < n; i++) {
		at = i < r->num ? bad_desc(r, i) : bad_table(r, 0) + 16 * (i - r->num);
		if (!(bad_get16(at + D_FLAGS_AT(r)) & VRING_DESC_F_WRITE))
			continue;
		memcpy(&addr, at + D_ADDR, 8);
		memcpy(&len, at + D_LEN, 4);
		arena_allow_guest(arena, addr, len);
	}
	if (memchr(arena->may + (bad_table(r, 0) - arena->mem), 1, ARENA_BUFFERS))
		arena_allow_regions(arena);
}

/* Of the ring itself the device may write this much. */
static inline void bad_allow_used(const struct badring *r, struct arena *arena)
{
	unsigned int i;

	arena_allow(arena, r->used, r->packed ? 4 : 6 + 8 * r->num);
	for (i = 0; r->packed && i < r->num; i++)
		arena_allow(arena, bad_desc(r, i) + 8, 8);
}

/* What the device gave back at @at, if it was one chain. */

static inline const uint8_t *bad_used_entry(const struct badring *r, uint16_t at)
{
	return r->packed ? bad_desc(r, at & ~BAD_WRAP) :
			   r->used + 4 + 8 * (at & (r->num - 1));
}

static inline uint32_t bad_used_len(const struct badring *r, uint16_t at)
{
	uint32_t len;

	memcpy(&len, bad_used_entry(r, at) + (r->packed ? D_LEN : 4), 4);
	return len;
}

static inline uint16_t bad_used_id(const struct badring *r, uint16_t at)
{
	return bad_get16(bad_used_entry(r, at) + (r->packed ? D_ID(r) : 0));
}

#endif /* KSELFTEST_BADRING_H */
