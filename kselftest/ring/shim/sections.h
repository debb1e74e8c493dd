/* SPDX-License-Identifier: GPL-2.0-only */
/* Several accesses at one go: each is as any other to whoever watches. */
#ifndef SHIM_SECTIONS_H
#define SHIM_SECTIONS_H

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
