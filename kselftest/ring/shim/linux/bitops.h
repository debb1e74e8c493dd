/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

static inline void set_bit(long nr, void *addr)
{
	__atomic_fetch_or((unsigned char *)addr + nr / 8, 1 << nr % 8, __ATOMIC_RELAXED);
}

#endif
