/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of the process that this is: each is there, and is named by its address. */
#ifndef STRESS_LINUX_MM_H
#define STRESS_LINUX_MM_H

#include <linux/types.h>

#define PAGE_SIZE	4096UL
#define FOLL_WRITE	1

#define offset_in_page(at)	((unsigned long)(at) & (PAGE_SIZE - 1))

struct page;

static inline int pin_user_pages_fast(unsigned long start, int n, unsigned int flags,
				      struct page **pages)
{
	(void)n, (void)flags;
	*pages = (struct page *)(start & ~(PAGE_SIZE - 1));
	return 1;
}

static inline void unpin_user_pages_dirty_lock(struct page **pages, unsigned long n,
					       bool dirty)
{
	(void)pages, (void)n, (void)dirty;
}

#endif
