/* SPDX-License-Identifier: GPL-2.0-only */
/* Of one thread: that locks and unlocks match. */
#ifndef SHIM_LINUX_SPINLOCK_H
#define SHIM_LINUX_SPINLOCK_H

#include <stdlib.h>

typedef struct {
	int held;
} spinlock_t;

#define spin_lock_init(lock)	((void)((lock)->held = 0))

static inline void spin_lock_bh(spinlock_t *lock)
{
	if (lock->held++)
		abort();
}

static inline void spin_unlock_bh(spinlock_t *lock)
{
	if (--lock->held)
		abort();
}

#endif
