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

/* Several accesses at one go: each is as any other to whoever watches. */
#define user_read_access_begin(from, size)	access_ok((from), (size))
#define user_write_access_begin(to, size)	access_ok((to), (size))
#define user_read_access_end()			do { } while (0)
#define user_write_access_end()			do { } while (0)

#define unsafe_get_user(x, from, label)					\
do {									\
	if (get_user(x, from))						\
		goto label;						\
} while (0)

#define unsafe_put_user(x, to, label)					\
do {									\
	if (put_user(x, to))						\
		goto label;						\
} while (0)

#endif
