/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory for a model checker: each read gives any value, and any access
 * may fail.  No memory is behind it, so that no guest is left out.
 */
#ifndef PROVE_LINUX_UACCESS_H
#define PROVE_LINUX_UACCESS_H

#include <linux/errno.h>
#include <linux/types.h>

_Bool nondet_bool(void);
unsigned long long nondet_u64(void);

#define access_ok(addr, size)		((void)(addr), (void)(size), nondet_bool())

#define get_user(x, from)						\
({									\
	(x) = (__typeof__(x))nondet_u64();				\
	nondet_bool() ? -EFAULT : 0;					\
})

#define put_user(x, to)		((void)(x), nondet_bool() ? -EFAULT : 0)

#include "kselftest/ring/shim/sections.h"

unsigned long copy_from_user(void *to, const void *from, unsigned long n);

#endif
