/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that lie side by side already are where they are mapped to. */
#ifndef SHIM_LINUX_VMALLOC_H
#define SHIM_LINUX_VMALLOC_H

#include <linux/mm.h>

#define VM_MAP		0
#define PAGE_KERNEL	0

static inline void *vmap(struct page **pages, unsigned int n, unsigned long flags, int prot)
{
	unsigned int i;

	(void)flags;
	(void)prot;
	for (i = 1; i < n; i++)
		if ((char *)pages[i] != (char *)pages[0] + i * PAGE_SIZE)
			return NULL;
	return pages[0];
}

static inline void vunmap(const void *at)
{
	(void)at;
}

#endif
