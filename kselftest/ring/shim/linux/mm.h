/* SPDX-License-Identifier: GPL-2.0-only */
/* A page of the process is named by its address; shim.c says which there are. */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <linux/types.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define FOLL_WRITE	1

#define offset_in_page(at)	((unsigned long)(at) & (PAGE_SIZE - 1))

struct page;

static inline bool PageHighMem(struct page *page)
{
	(void)page;
	return false;
}

static inline void *page_address(struct page *page)
{
	return page;
}

int pin_user_pages_fast(unsigned long start, int n, unsigned int flags,
			struct page **pages);
void unpin_user_pages_dirty_lock(struct page **pages, unsigned long n, bool dirty);

#endif
