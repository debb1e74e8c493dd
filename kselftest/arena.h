/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a hostile guest: a few small regions with canaries, holes and a
 * read-only page between and in them, the rings, and a shadow of it all that
 * tells what was written by somebody else.
 */
#ifndef KSELFTEST_ARENA_H
#define KSELFTEST_ARENA_H

#include <linux/vhost.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest/report.h"

#define ARENA_PAGE	4096u
#define ARENA_PAGES	30u
#define ARENA_SIZE	(ARENA_PAGES * ARENA_PAGE)
#define ARENA_CANARY	0xc5

/* Pages of each queue's ring, from its first on. */
enum { ARENA_DESC, ARENA_AVAIL = 2, ARENA_USED, ARENA_RING_PAGES = 5 };
#define ARENA_RING(q)	(19 + (q) * ARENA_RING_PAGES)
/* The hole behind the last of them. */
#define ARENA_HOLE	29

struct arena_region {
	uint64_t	gpa;
	unsigned int	page;
	unsigned int	pages;
};

#ifndef ARENA_IN_GUEST
/* Guest-physical and ours.  The first two adjoin for the guest alone. */
static const struct arena_region arena_regions[] = {
	{ 0x40000000, 1, 3 },
	{ 0x40003000, 5, 2 },
	{ 0xffffe000, 10, 4 },	/* across 2^32; the second page is read-only, */
	{ -4096ull, 15, 1 },	/* the third a hole; up to 2^64 */
};

#define ARENA_READ_ONLY	11
#else
/* Of a real guest: where they are shows when it runs.  The last is all there is. */
static struct arena_region arena_regions[] = {
	{ 0, 1, 3 }, { 0, 4, 2 }, { 0, 10, 4 }, { 0, 15, 1 }, { 0, 0, ARENA_PAGES },
};

#define ARENA_READ_ONLY	ARENA_PAGES	/* none */
#endif

/* Those that addresses are chosen of, and those that have an address. */
#define ARENA_REGIONS	4
#define ARENA_KNOWN	(sizeof(arena_regions) / sizeof(arena_regions[0]))
#define ARENA_MISSING	12

/* Mapped pages, what lies between them is not. */
static const struct {
	unsigned int	page;
	unsigned int	pages;
} arena_pieces[] = { { 0, 8 }, { 9, 3 }, { 13, 4 }, { 18, 11 } };

#define ARENA_PIECES	4

/* Indirect tables lie in the first page of the first region. */
#define ARENA_TABLES	4
#define ARENA_TABLE	16	/* descriptors of each */
#define ARENA_BUFFERS	(ARENA_TABLES * ARENA_TABLE * 16)

struct arena {
	uint8_t	*mem;
	uint8_t	*shadow;
	uint8_t	*may;	/* for each byte: may the device write it? */
	bool	marked[ARENA_PAGES];	/* pages of @may in which there are such */
};

/*
 * Who writes into it: with numbers of its own, and the shadow kept in step,
 * unless it is a thread that nobody waits for.
 */
struct pen {
	struct arena	*arena;
	uint64_t	state;
	bool		shadowed;
};

static inline uint64_t pen_random(struct pen *pen)
{
	uint64_t z = pen->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint32_t pen_below(struct pen *pen, uint32_t n)
{
	return (pen_random(pen) >> 32) % n;
}

static inline bool pen_once_in(struct pen *pen, uint32_t n)
{
	return !pen_below(pen, n);
}

static inline uint8_t *arena_page(const struct arena *arena, unsigned int page)
{
	return arena->mem + page * ARENA_PAGE;
}

static inline void pen_put(struct pen *pen, void *at, const void *from,
			   size_t len)
{
	memcpy(at, from, len);
	if (pen->shadowed)
		memcpy(pen->arena->shadow + ((uint8_t *)at - pen->arena->mem),
		       from, len);
}

static inline void pen_put16(struct pen *pen, void *at, uint16_t value)
{
	pen_put(pen, at, &value, sizeof(value));
}

static inline void pen_put32(struct pen *pen, void *at, uint32_t value)
{
	pen_put(pen, at, &value, sizeof(value));
}

static inline void pen_fill(struct pen *pen, void *at, uint8_t value, size_t len)
{
	memset(at, value, len);
	memset(pen->arena->shadow + ((uint8_t *)at - pen->arena->mem), value, len);
}

/* As much of a guest's range as lies in one region; 0 if it begins in none. */
static inline size_t arena_find(const struct arena *arena, uint64_t gpa,
				uint64_t len, uint8_t **at)
{
	const struct arena_region *r;
	uint64_t offset, left;

	for (r = arena_regions; r < arena_regions + ARENA_KNOWN; r++) {
		offset = gpa - r->gpa;
		left = r->pages * ARENA_PAGE - offset;
		if (gpa < r->gpa || offset >= r->pages * ARENA_PAGE)
			continue;
		*at = arena_page(arena, r->page) + offset;
		return len < left ? len : left;
	}
	return 0;
}

/* Write to guest memory that is there. */
static inline void pen_put_guest(struct pen *pen, uint64_t gpa,
				 const void *from, size_t len)
{
	uint8_t *at;
	size_t part;

	for (; len; len -= part, gpa += part, from = (const char *)from + part) {
		part = arena_find(pen->arena, gpa, len, &at);
		must(part);
		pen_put(pen, at, from, part);
	}
}

/* Is it what is there? */
static inline bool arena_equals(const struct arena *arena, uint64_t gpa,
				const void *with, size_t len)
{
	uint8_t *at;
	size_t part;

	for (; len; len -= part, gpa += part, with = (const char *)with + part) {
		part = arena_find(arena, gpa, len, &at);
		must(part);
		if (memcmp(at, with, part))
			return false;
	}
	return true;
}

/* The device may write there. */
static inline void arena_allow(struct arena *arena, const void *at, size_t len)
{
	size_t offset = (const uint8_t *)at - arena->mem;
	unsigned int page;

	memset(arena->may + offset, 1, len);
	for (page = offset / ARENA_PAGE; page * ARENA_PAGE < offset + len; page++)
		arena->marked[page] = true;
}

static inline void arena_allow_guest(struct arena *arena, uint64_t gpa,
				     uint64_t len)
{
	uint8_t *at;
	size_t part;

	for (; len; len -= part, gpa += part) {
		part = arena_find(arena, gpa, len, &at);
		if (!part)
			return;
		arena_allow(arena, at, part);
	}
}

static inline void arena_allow_regions(struct arena *arena)
{
	const struct arena_region *r;

	for (r = arena_regions; r < arena_regions + ARENA_KNOWN; r++)
		arena_allow(arena, arena_page(arena, r->page),
			    r->pages * ARENA_PAGE);
	if (ARENA_READ_ONLY < ARENA_PAGES)
		memset(arena->may + ARENA_READ_ONLY * ARENA_PAGE, 0, ARENA_PAGE);
}

static inline void arena_allow_nothing(struct arena *arena)
{
	unsigned int page;

	for (page = 0; page < ARENA_PAGES; page++)
		if (arena->marked[page])
			memset(arena->may + page * ARENA_PAGE, 0, ARENA_PAGE);
	memset(arena->marked, 0, sizeof(arena->marked));
}

/* Returns the first byte that was written and may not be, or -1. */
static inline long arena_check_range(struct arena *arena, size_t from,
				     size_t len)
{
	size_t i;

	if (!memcmp(arena->mem + from, arena->shadow + from, len))
		return -1;
	for (i = from; i < from + len; i++) {
		if (arena->mem[i] == arena->shadow[i])
			continue;
		if (!arena->may[i])
			return i;
		arena->shadow[i] = arena->mem[i];
	}
	return -1;
}

/* Likewise; what may be written is henceforth as it is. */
static inline long arena_check(struct arena *arena)
{
	unsigned int i, page;
	long bad;

	for (i = 0; i < ARENA_PIECES; i++) {
		for (page = arena_pieces[i].page;
		     page < arena_pieces[i].page + arena_pieces[i].pages; page++) {
			bad = arena_check_range(arena, page * ARENA_PAGE, ARENA_PAGE);
			if (bad >= 0)
				return bad;
		}
	}
	return -1;
}

static inline void arena_open(struct arena *arena)
{
	unsigned int i, first, last = 0;

	arena->mem = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(arena->mem != MAP_FAILED);
	arena->shadow = malloc(ARENA_SIZE);
	arena->may = calloc(1, ARENA_SIZE);
	must(arena->shadow && arena->may);
	memset(arena->mem, ARENA_CANARY, ARENA_SIZE);
	memset(arena->shadow, ARENA_CANARY, ARENA_SIZE);
	for (i = 0; i <= ARENA_PIECES; i++) {
		first = i < ARENA_PIECES ? arena_pieces[i].page : ARENA_PAGES;
		if (first > last)
			must(!mprotect(arena_page(arena, last),
				       (first - last) * ARENA_PAGE, PROT_NONE));
		if (i < ARENA_PIECES)
			last = first + arena_pieces[i].pages;
	}
	must(!mprotect(arena_page(arena, ARENA_READ_ONLY), ARENA_PAGE, PROT_READ));
}

static inline int arena_set_mem(const struct arena *arena, int dev)
{
	struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r[ARENA_REGIONS];
	} table = { .nregions = ARENA_REGIONS };
	unsigned int i;

	for (i = 0; i < ARENA_REGIONS; i++)
		table.r[i] = (struct vhost_memory_region) {
			.guest_phys_addr = arena_regions[i].gpa,
			.memory_size	 = arena_regions[i].pages * ARENA_PAGE,
			.userspace_addr	 = (uintptr_t)arena_page(arena,
						arena_regions[i].page),
		};
	return ioctl(dev, VHOST_SET_MEM_TABLE, &table) < 0 ? -errno : 0;
}

#endif /* KSELFTEST_ARENA_H */
