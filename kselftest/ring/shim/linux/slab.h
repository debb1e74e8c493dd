/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <stdlib.h>

#include "kselftest/ring/shim/shim.h"

#define GFP_KERNEL_ACCOUNT	0

static inline void *kvmalloc_array(size_t n, size_t size, int gfp)
{
	(void)gfp;
	return shim.no_memory ? NULL : reallocarray(NULL, n, size);
}

static inline void kvfree(void *at)
{
	free(at);
}

#endif
