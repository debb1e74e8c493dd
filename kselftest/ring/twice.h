/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that the process has at one address and the kernel at another, as far as
 * pages can be held or mapped: who takes the one for the other is seen.
 */
#ifndef RING_TWICE_H
#define RING_TWICE_H

#include <linux/mm.h>

#include "kselftest/ring/shim/shim.h"

/* There is one at a time.  Returns the process's address, of a page. */
u8 *twice_map(size_t len);
void twice_unmap(void);

static inline void *twice_kernel(const void *at)
{
	return (void *)((unsigned long)at + shim.distance);
}

/* Who writes to these of the kernel's pages dies; or who @reads them, too. */
void twice_forbid(const void *at, size_t len, bool reads);

/* Who touches the process's addresses does; or no longer. */
void twice_hide(bool hidden);

#endif
