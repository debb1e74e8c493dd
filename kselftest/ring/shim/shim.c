// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of the process, and the accessors to it.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/shim/shim.h"

#define MAX_AREAS	32
#define MAX_TOUCHED	8192

/* Some bytes of the process; @counts has how often each one was read. */
struct area {
	u8	*base;
	size_t	len;
	u16	*counts;
};

struct touched {
	u16	*counts;
	size_t	len;
};

struct shim shim = { .flip_at = SHIM_NEVER, .fail_at = SHIM_NEVER };

static struct area areas[MAX_AREAS];
static unsigned int nr_areas;
static struct touched touched[MAX_TOUCHED];
static unsigned int nr_touched;

static void die(const char *why)
{
	fprintf(stderr, "shim: %s\n", why);
	abort();
}

void shim_map(void *base, size_t len)
{
	if (nr_areas == MAX_AREAS)
		die("too many areas");
	areas[nr_areas++] = (struct area) {
		.base = base,
		.len = len,
		.counts = calloc(len, sizeof(u16)),
	};
}

void shim_unmap(void *base)
{
	unsigned int i;

	shim_forget();
	for (i = 0; i < nr_areas; i++)
		if (areas[i].base == base)
			break;
	if (i == nr_areas)
		die("unmap of what was not mapped");
	free(areas[i].counts);
	areas[i] = areas[--nr_areas];
}

static struct area *find_area(const void *addr, size_t len)
{
	uintptr_t at = (uintptr_t)addr;
	struct area *a;

	for (a = areas; a < areas + nr_areas; a++)
		if (at >= (uintptr_t)a->base && len <= a->len &&
		    at - (uintptr_t)a->base <= a->len - len)
			return a;
	return NULL;
}

bool shim_reachable(const void *addr, size_t len)
{
	return find_area(addr, len);
}

/* Begin to count anew. */
void shim_forget(void)
{
	unsigned int i;

	if (nr_touched > MAX_TOUCHED) {
		for (i = 0; i < nr_areas; i++)
			memset(areas[i].counts, 0, areas[i].len * sizeof(u16));
		nr_touched = 0;
	}
	while (nr_touched) {
		nr_touched--;
		memset(touched[nr_touched].counts, 0,
		       touched[nr_touched].len * sizeof(u16));
	}
	shim.reads = 0;
	shim.writes = 0;
	shim.most = 0;
	shim.faults = 0;
	shim.flipped = NULL;
	shim.accesses = 0;
	shim.failed = NULL;
}

static void count_read(struct area *a, const u8 *from, size_t len)
{
	u16 *counts = a->counts + (from - a->base);
	size_t i;

	for (i = 0; i < len; i++)
		if (++counts[i] > shim.most)
			shim.most = counts[i];
	if (nr_touched < MAX_TOUCHED)
		touched[nr_touched] = (struct touched) { counts, len };
	if (nr_touched <= MAX_TOUCHED)
		nr_touched++;
}

/* Alter a value: one of its bits, or all. */
void shim_flip(void *value, size_t len, unsigned int bit)
{
	u8 *p = value;
	size_t i;

	if (bit < len * 8) {
		p[bit / 8] ^= 1 << bit % 8;
		return;
	}
	for (i = 0; i < len; i++)
		p[i] ^= 0xff;
}

bool access_ok(const void __user *addr, unsigned long size)
{
	unsigned long limit = 1UL << 47;

	return size <= limit && (unsigned long)addr <= limit - size;
}

/* Is it the turn of this access to fail? */
static bool must_fail(const void *who)
{
	if (shim.accesses++ != shim.fail_at)
		return false;
	shim.failed = who;
	return true;
}

unsigned long copy_from_user(void *to, const void __user *from,
			     unsigned long n)
{
	struct area *a = find_area(from, n);

	if (shim.on_event)
		shim.on_event(SHIM_READ, from);
	if (must_fail(__builtin_return_address(0)) || !a) {
		shim.faults++;
		memset(to, 0, n);
		return n;
	}
	memcpy(to, from, n);
	count_read(a, from, n);
	if (shim.reads++ == shim.flip_at) {
		shim_flip(to, n, shim.flip_bit);
		shim.flipped = from;
		shim.flipped_len = n;
	}
	return 0;
}

unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	if (shim.on_event)
		shim.on_event(SHIM_WRITE, to);
	if (must_fail(__builtin_return_address(0)) || !find_area(to, n)) {
		shim.faults++;
		return n;
	}
	shim.writes++;
	if (!shim.on_store || !shim.on_store(to, from, n))
		memcpy(to, from, n);
	return 0;
}

void shim_barrier(enum shim_event event)
{
	if (shim.on_event)
		shim.on_event(event, NULL);
}

/* Is it there, by a byte that it begins with? */
static bool has_page(const void *at)
{
	return shim_reachable(at, 1) &&
	       (!shim.on_pin || shim.on_pin((void *)((uintptr_t)at & PAGE_MASK)));
}

/* The pages from an address on. */
int pin_user_pages_fast(unsigned long start, int n, unsigned int flags,
			struct page **pages)
{
	int i;

	if (flags != FOLL_WRITE)
		return -EFAULT;
	for (i = 0; i < n; i++, start = (start & PAGE_MASK) + PAGE_SIZE) {
		if (!has_page((void *)start))
			break;
		pages[i] = (struct page *)((start & PAGE_MASK) + shim.distance);
		shim.pinned++;
	}
	return i ? i : -EFAULT;
}

void unpin_user_pages_dirty_lock(struct page **pages, unsigned long n, bool dirty)
{
	(void)pages;
	if (!n || !dirty)
		die("a page that stays clean");
	if (n > shim.pinned)
		die("a page is let go that is not held");
	shim.pinned -= n;
	shim.dirtied += n;
}

/* Pages that lie side by side already are where they are mapped to. */
void *vmap(struct page **pages, unsigned int n, unsigned long flags, int prot)
{
	unsigned int i;

	(void)flags;
	(void)prot;
	if (shim.no_space)
		return NULL;
	for (i = 1; i < n; i++)
		if ((char *)pages[i] != (char *)pages[0] + i * PAGE_SIZE)
			die("pages are mapped in another order");
	shim.mapped++;
	return pages[0];
}

void vunmap(const void *at)
{
	if (!at || !shim.mapped--)
		die("unmap of what was not mapped");
}
