/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory as if it were one's own: included before all else in kernel code
 * that is to be timed without what the kernel adds to each access (a call, the
 * check of the address, lfence, stac and clac, rep movsb, and the way back
 * when the page is not there).  Then the contenders differ by what they do with
 * a ring, and by how often they look at it.
 */
#ifndef RING_BENCH_PLAIN_H
#define RING_BENCH_PLAIN_H

#include <linux/uaccess.h>

#undef get_user
#undef __get_user
#undef put_user
#undef __put_user
#undef access_ok
#undef user_read_access_begin
#undef user_read_access_end
#undef user_write_access_begin
#undef user_write_access_end
#undef unsafe_get_user
#undef unsafe_put_user

#define plain_get(x, from)						\
({									\
	(x) = READ_ONCE(*(from));					\
	0;								\
})

#define plain_put(x, to)						\
({									\
	WRITE_ONCE(*(to), (x));						\
	0;								\
})

#define plain_copy(to, from, n)						\
({									\
	__builtin_memcpy((void __force *)(to),				\
			 (const void __force *)(from), (n));		\
	0UL;								\
})

#define get_user		plain_get
#define __get_user		plain_get
#define put_user		plain_put
#define __put_user		plain_put
#define copy_from_user		plain_copy
#define __copy_from_user	plain_copy
#define raw_copy_from_user	plain_copy
#define copy_to_user		plain_copy
#define __copy_to_user		plain_copy
#define raw_copy_to_user	plain_copy
#define access_ok(from, n)	((void)(from), (void)(n), true)

#define user_read_access_begin	access_ok
#define user_write_access_begin	access_ok
#define user_read_access_end()	do { } while (0)
#define user_write_access_end()	do { } while (0)

/* The label is named, if never gone to. */
#define plain_unsafe(access, label)					\
do {									\
	if (access)							\
		goto label;						\
} while (0)

#define unsafe_get_user(x, from, label)	plain_unsafe(plain_get(x, from), label)
#define unsafe_put_user(x, to, label)	plain_unsafe(plain_put(x, to), label)

#endif
