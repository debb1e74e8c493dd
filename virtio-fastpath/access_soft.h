/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For compiling a file of the engine once more: what it says of user memory is said of
 * the kernel's own mappings of it, which an access section has.  Nothing faults.
 *
 * To be included first.  A ring's addresses are what vfp_soft_begin() has put there.
 */
#ifndef VIRTIO_FASTPATH_ACCESS_SOFT_H
#define VIRTIO_FASTPATH_ACCESS_SOFT_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/uaccess.h>

#define vfp_read		vfp_soft_read
#define vfp_translate		vfp_soft_translate
#define vfp_ring_set_mem	vfp_soft_ring_set_mem
#define vfp_chain_walk		vfp_soft_chain_walk
#define vfp_chain_walk_packed	vfp_soft_chain_walk_packed

#define vfp_split_sizes		vfp_soft_split_sizes
#define vfp_split_access_ok	vfp_soft_split_access_ok
#define vfp_split_log_ok	vfp_soft_split_log_ok
#define vfp_split_start		vfp_soft_split_start
#define vfp_split_pop		vfp_soft_split_pop
#define vfp_split_push		vfp_soft_split_push
#define vfp_split_publish	vfp_soft_split_publish
#define vfp_split_need_call	vfp_soft_split_need_call
#define vfp_split_notify_off	vfp_soft_split_notify_off
#define vfp_split_notify_on	vfp_soft_split_notify_on

#define vfp_packed_sizes	vfp_soft_packed_sizes
#define vfp_packed_access_ok	vfp_soft_packed_access_ok
#define vfp_packed_log_ok	vfp_soft_packed_log_ok
#define vfp_packed_start	vfp_soft_packed_start
#define vfp_packed_pop		vfp_soft_packed_pop
#define vfp_packed_push		vfp_soft_packed_push
#define vfp_packed_publish	vfp_soft_packed_publish
#define vfp_packed_need_call	vfp_soft_packed_need_call
#define vfp_packed_notify_off	vfp_soft_packed_notify_off
#define vfp_packed_notify_on	vfp_soft_packed_notify_on

#undef access_ok
#define access_ok(at, len)	((void)(at), (void)(len), true)

#undef get_user
#define get_user(x, from)							\
({										\
	BUILD_BUG_ON(sizeof(x) != sizeof(*(from)));				\
	(x) = READ_ONCE(*(typeof(x) *)(__force const void *)(from));		\
	0;									\
})

#undef put_user
#define put_user(x, to)								\
({										\
	BUILD_BUG_ON(sizeof(x) != sizeof(*(to)));				\
	WRITE_ONCE(*(typeof(x) *)(__force void *)(to), x);			\
	0;									\
})

#undef unsafe_get_user
#define unsafe_get_user(x, from, label)						\
do {										\
	if (get_user(x, from))							\
		goto label;							\
} while (0)

#undef unsafe_put_user
#define unsafe_put_user(x, to, label)						\
do {										\
	if (put_user(x, to))							\
		goto label;							\
} while (0)

#undef user_read_access_begin
#define user_read_access_begin(at, len)		access_ok(at, len)
#undef user_read_access_end
#define user_read_access_end()			do { } while (0)
#undef user_write_access_begin
#define user_write_access_begin(at, len)	access_ok(at, len)
#undef user_write_access_end
#define user_write_access_end()			do { } while (0)

#define vfp_table_at(ring, at, len)						\
	((__force const void __user *)vfp_stlb_at((ring)->stlb, at, len))

/* Of memory.c's alone, which has a ring at hand. */
#undef copy_from_user
#define copy_from_user(to, from, len)		vfp_stlb_copy(ring->stlb, to, from, len)

#endif /* VIRTIO_FASTPATH_ACCESS_SOFT_H */
