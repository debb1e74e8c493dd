// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the contenders find of the kernel around them.  All else that they name
 * is left unresolved, for no step here gets there: an error path, logging, an
 * IOTLB.  To get there nevertheless is a crash, not a wrong figure.
 *
 * __check_object_size() does more in the kernel: a copy whose size the compiler
 * does not know is checked there against the object it is from or for.
 */
#include <stdlib.h>

#include "kselftest/ring/bench/bench.h"

unsigned long bench_calls;

/* Up to 6.7, and since. */
void eventfd_signal(void)
{
	bench_calls++;
}

void eventfd_signal_mask(void)
{
	bench_calls++;
}

/* The kernel's slabs; only looked up, for the function below. */
void *kmalloc_caches[4096];

/* Up to 6.9, and since. */
void *kmalloc_trace(void *cache, unsigned int flags, size_t size)
{
	(void)cache;
	(void)flags;
	return calloc(1, size);
}

void *__kmalloc_cache_noprof(void *cache, unsigned int flags, size_t size)
{
	return kmalloc_trace(cache, flags, size);
}

void kfree(void *p)
{
	free(p);
}

/* Up to 6.6, and since: is a list sound? */
_Bool __list_add_valid(void)
{
	return 1;
}

_Bool __list_add_valid_or_report(void)
{
	return 1;
}

_Bool __list_del_entry_valid(void)
{
	return 1;
}

_Bool __list_del_entry_valid_or_report(void)
{
	return 1;
}

/* The last address that user memory may have, for modules. */
unsigned long USER_PTR_MAX = (1UL << 47) - 4096;

void __check_object_size(const void *p, unsigned long n, _Bool to_user)
{
	(void)p;
	(void)n;
	(void)to_user;
}

/* How the kernel's assembly returns, where nothing need be mitigated. */
void __x86_return_thunk(void)
{
}
