/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_UACCESS_H
#define SHIM_LINUX_UACCESS_H

#include <linux/errno.h>
#include <linux/types.h>

bool access_ok(const void __user *addr, unsigned long size);
unsigned long copy_from_user(void *to, const void __user *from,
			     unsigned long n);
unsigned long copy_to_user(void __user *to, const void *from, unsigned long n);

#define get_user(x, from)						\
({									\
	_Static_assert(sizeof(x) == sizeof(*(from)), "get_user");	\
	copy_from_user(&(x), (from), sizeof(x)) ? -EFAULT : 0;		\
})

#define put_user(x, to)							\
({									\
	__typeof__(*(to)) put_v = (x);					\
									\
	copy_to_user((to), &put_v, sizeof(put_v)) ? -EFAULT : 0;	\
})

#include "kselftest/ring/shim/sections.h"

#endif
