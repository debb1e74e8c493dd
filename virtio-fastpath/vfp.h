/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-fastpath: the device side of a virtqueue, and the guest memory that
 * it lives in.  This is the one header that other folders include.
 *
 * Everything that is read from a ring was written by a guest: each field is
 * read once into a local, the local is checked, the local is used.  No input
 * makes a function here loop, allocate, or reach memory outside the regions.
 *
 * Ordering contract (virtio 1.3, sections 2.7 and 2.8).  Split ring:
 *
 *   what we do                            pairs with, in the driver
 *   ------------------------------------  -----------------------------------
 *   read avail->idx; smp_rmb();           write ring and descriptors; wmb;
 *     read avail->ring[], descriptors       write avail->idx
 *   write used->ring[]; smp_wmb();        read used->idx; rmb;
 *     write used->idx                       read used->ring[]
 *   write used->idx; smp_mb();            write used_event/avail->flags; mb;
 *     read used_event/avail->flags          read used->idx
 *   write avail_event/used->flags;        write avail->idx; mb;
 *     smp_mb(); read avail->idx             read avail_event/used->flags
 *
 * Packed ring, where "flags" are those of a chain's first descriptor:
 *
 *   read flags; smp_rmb();                write the other descriptors; wmb;
 *     read all else of the chain            write flags
 *   write all else of the batch;          read flags; rmb;
 *     smp_wmb(); write flags of its first   read id, len
 *   write flags; smp_mb();                write its event structure; mb;
 *     read the driver's event structure     read flags
 *   write our event structure; smp_mb();  write flags; mb;
 *     read flags                            read our event structure
 */
#ifndef VIRTIO_FASTPATH_VFP_H
#define VIRTIO_FASTPATH_VFP_H

#include <linux/types.h>
#include <linux/uio.h>
#include <linux/vhost_iotlb.h>
#include <uapi/linux/virtio_ring.h>

#include "virtio-fastpath/stlb.h"

/* Segments of one chain, and of all the chains that one frame fills. */
#define VFP_MAX_SEGS	UIO_MAXIOV

/* Descriptors of a ring. */
#define VFP_MAX_RING	32768

/* Descriptors that are read ahead of the chains that are taken; a power of two. */
#define VFP_AHEAD	32

/* Descriptors of their indirect tables that are, a u8; and at most of each table. */
#define VFP_TABLES	96U
#define VFP_RUN		8U

/* Bytes of guest memory that a bit of the dirty log stands for. */
#define VFP_LOG_PAGE	4096

/* Regions that translations hit last are found by these bits of an address. */
#define VFP_HOT		64
#define VFP_HOT_SHIFT	20

/**
 * enum vfp_fault - how a ring was found to be broken
 * @VFP_FAULT_NONE:	it is not
 * @VFP_FAULT_RING_ACCESS: ring memory can't be read or written
 * @VFP_FAULT_AVAIL_JUMP: avail->idx moved by more than the size; packed: more
 *			descriptors than that, or a chain was taken back
 * @VFP_FAULT_HEAD:	a head that is no descriptor
 * @VFP_FAULT_NEXT:	a next that is no descriptor
 * @VFP_FAULT_LOOP:	more steps than descriptors, or than VFP_MAX_SEGS
 * @VFP_FAULT_INDIRECT:	a table that is not negotiated, nested or of odd size
 * @VFP_FAULT_ORDER:	a readable descriptor after a writable one
 * @VFP_FAULT_TOO_LONG:	more than VFP_MAX_SEGS segments
 * @VFP_FAULT_ADDRESS:	memory outside of the regions
 * @VFP_FAULT_DIRECTION: readable where writable is due, or the reverse, or none
 * @VFP_FAULT_LOG:	the dirty log can't be written to
 * @VFP_NR_FAULTS:	how many there are
 *
 * A fault is final for the ring until it is started anew.  That of a log is found after
 * the write: to push or to publish succeeds then, with the fault set.
 */
enum vfp_fault {
	VFP_FAULT_NONE,
	VFP_FAULT_RING_ACCESS,
	VFP_FAULT_AVAIL_JUMP,
	VFP_FAULT_HEAD,
	VFP_FAULT_NEXT,
	VFP_FAULT_LOOP,
	VFP_FAULT_INDIRECT,
	VFP_FAULT_ORDER,
	VFP_FAULT_TOO_LONG,
	VFP_FAULT_ADDRESS,
	VFP_FAULT_DIRECTION,
	VFP_FAULT_LOG,
	VFP_NR_FAULTS
};

/**
 * struct vfp_chain - one descriptor chain, translated
 * @iov:	room for the segments, given by the caller
 * @max:	how many segments there is room for
 * @id:		what the driver knows the chain by, to be pushed back
 * @slots:	descriptors of the ring that it takes up, likewise
 * @steps:	descriptors that were read for it
 * @nr_out:	segments that the device reads; they come first in @iov
 * @nr_in:	segments that the device writes
 * @out_len:	bytes in the former
 * @in_len:	bytes in the latter
 */
struct vfp_chain {
	struct iovec	*iov;
	unsigned int	max;
	u16		id;
	u16		slots;
	unsigned int	steps;
	unsigned int	nr_out;
	unsigned int	nr_in;
	size_t		out_len;
	size_t		in_len;
};

/**
 * struct vfp_used - a chain that is done with
 * @id:		vfp_chain.id
 * @slots:	vfp_chain.slots
 * @len:	bytes that were written into it
 */
struct vfp_used {
	u16	id;
	u16	slots;
	u32	len;
};

/**
 * struct vfp_desc - a descriptor, copied once, in the host's byte order
 * @addr:	guest-physical address of its buffer, or of a table
 * @len:	bytes of that
 * @flags:	VRING_DESC_F_*; packed: the two for available and used, too
 * @next:	split: which one follows
 * @id:		packed: what the driver knows the chain by
 */
struct vfp_desc {
	u64	addr;
	u32	len;
	u16	flags;
	union {
		u16	next;
		u16	id;
	};
};

/**
 * struct vfp_head - a chain that was read ahead
 * @id:		split: its head
 * @first:	split: where in vfp_cache.ahead its descriptors are
 * @known:	split: how many of them are there; at least 1, and maybe not all
 * @table:	if the last of these (packed: the one descriptor) refers to a table:
 *		where in vfp_cache.tables that is
 * @tabled:	then: how many of the table's are there; maybe none
 *
 * Aligned, so that an index is shifted, and one word written.
 */
struct vfp_head {
	u16	id;
	u8	first;
	u8	known;
	u8	table;
	u8	tabled;
} __aligned(8);

/**
 * struct vfp_cache - what a ring remembers of what it has read
 * @hot:	regions that translations hit last, or NULL, by VFP_HOT_SHIFT
 * @heads:	the chains that were read ahead; packed: for each of @ahead
 * @tables:	the descriptors of their tables
 * @ahead:	their own, chain by chain; packed: descriptors one by one
 */
struct vfp_cache {
	const struct vhost_iotlb_map	*hot[VFP_HOT];
	struct vfp_head			heads[VFP_AHEAD];
	struct vfp_desc			tables[VFP_TABLES];
	struct vfp_desc			ahead[VFP_AHEAD];
};

/**
 * struct vfp_ring - the device side of one virtqueue
 * @num:	descriptors in the ring; a power of two if it is split
 * @packed:	VIRTIO_F_RING_PACKED was negotiated
 * @desc:	split: descriptor table, an address of the owner's process
 * @packed_desc: packed: descriptor ring, likewise
 * @avail:	split: driver area, likewise
 * @driver_event: packed: driver area, likewise
 * @used:	split: device area, likewise
 * @device_event: packed: device area, likewise
 * @event_idx:	VIRTIO_RING_F_EVENT_IDX was negotiated
 * @indirect:	VIRTIO_RING_F_INDIRECT_DESC was negotiated
 * @in_order:	VIRTIO_F_IN_ORDER was negotiated, and one used entry may stand for
 *		all the chains of a push
 * @log_data:	what is written to buffers is to be logged (VHOST_F_LOG_ALL); by who
 *		writes it
 * @log_ring:	what is written to the ring is (VHOST_VRING_F_LOG)
 * @logged:	something was, since this was last cleared
 * @log:	the dirty log, an address of the owner's process
 * @log_addr:	guest-physical address of the device area, for the log
 * @last_avail:	next entry of the avail ring to take
 * @avail_idx:	avail->idx when it was last read; packed: how far chains were seen
 * @next_used:	next entry of the used ring to write
 * @used_idx:	used->idx as the driver sees it
 * @first_flags: packed: of the descriptor at @used_idx, once it is published
 * @called_idx:	@used_idx at the last decision on calling the driver
 * @called_valid: @called_idx means something
 * @notify_on:	the driver was told to kick
 * @fault:	why the ring is broken
 * @mem:	the guest's memory
 * @cache:	what of them both was read already; the owner of the ring gives it
 * @stlb:	what vfp_soft_* functions reach memory by, or NULL
 * @ahead_pos:	where what was read ahead begins; compares with @last_avail
 * @nr_ahead:	how much there is: chains; packed: descriptors
 *
 * Between vfp_soft_begin() and vfp_soft_end() the three addresses are the kernel's own.
 *
 * Of a packed ring, what is an entry above is a position: an index into the
 * ring, and a wrap counter in the top bit.
 *
 * Whoever calls a vfp_ring function holds the lock of the ring's owner, in
 * process context, with current->mm the mm that the addresses belong to:
 * ring memory may fault in.  Who calls a vfp_soft function is in an access section
 * of @stlb instead, in any context but hard interrupts.
 */
struct vfp_ring {
	unsigned int			num;
	bool				packed;
	union {
		struct vring_desc __user		*desc;
		struct vring_packed_desc __user		*packed_desc;
	};
	union {
		struct vring_avail __user		*avail;
		struct vring_packed_desc_event __user	*driver_event;
	};
	union {
		struct vring_used __user		*used;
		struct vring_packed_desc_event __user	*device_event;
	};
	bool				event_idx;
	bool				indirect;
	bool				in_order;
	bool				log_data;
	bool				log_ring;
	bool				logged;
	u64				log;
	u64				log_addr;

	u16				last_avail;
	u16				avail_idx;
	u16				next_used;
	u16				used_idx;
	u16				first_flags;
	u16				called_idx;
	bool				called_valid;
	bool				notify_on;
	enum vfp_fault			fault;

	struct vhost_iotlb		*mem;
	struct vfp_cache		*cache;
	struct vfp_stlb			*stlb;
	u16				ahead_pos;
	u16				nr_ahead;
};

/* memory.c: the guest's memory as regions of a process */

void vfp_ring_set_mem(struct vfp_ring *ring, struct vhost_iotlb *mem);
int vfp_translate(struct vfp_ring *ring, u64 addr, u32 len,
		  struct iovec *iov, unsigned int max);
int vfp_read(struct vfp_ring *ring, u64 addr, void *buf, u32 len);

/* dirty.c: the log of what was written */

bool vfp_log_ok(u64 base, u64 addr, u64 len);
int vfp_log_buffers(struct vfp_ring *ring, const struct iovec *iov, size_t len);

/* chain.c: from a head to segments */

int vfp_chain_walk(struct vfp_ring *ring, const struct vfp_head *head,
		   struct vfp_chain *chain);
int vfp_chain_walk_packed(struct vfp_ring *ring, u16 head, unsigned int slot,
			  unsigned int most, struct vfp_chain *chain);

/* ring_split.c: taking chains, giving them back, and who is told when */

void vfp_split_sizes(const struct vfp_ring *ring, unsigned long *size);
bool vfp_split_access_ok(const struct vfp_ring *ring);
bool vfp_split_log_ok(const struct vfp_ring *ring, u64 log);
int vfp_split_start(struct vfp_ring *ring);
int vfp_split_pop(struct vfp_ring *ring, struct vfp_chain *chain);
int vfp_split_push(struct vfp_ring *ring, const struct vfp_used *used,
		   unsigned int n);
int vfp_split_publish(struct vfp_ring *ring);
bool vfp_split_need_call(struct vfp_ring *ring);
int vfp_split_notify_off(struct vfp_ring *ring);
int vfp_split_notify_on(struct vfp_ring *ring);

/* ring_packed.c: the same for the other format */

void vfp_packed_sizes(const struct vfp_ring *ring, unsigned long *size);
bool vfp_packed_access_ok(const struct vfp_ring *ring);
bool vfp_packed_log_ok(const struct vfp_ring *ring, u64 log);
int vfp_packed_start(struct vfp_ring *ring);
int vfp_packed_pop(struct vfp_ring *ring, struct vfp_chain *chain);
int vfp_packed_push(struct vfp_ring *ring, const struct vfp_used *used,
		    unsigned int n);
int vfp_packed_publish(struct vfp_ring *ring);
bool vfp_packed_need_call(struct vfp_ring *ring);
int vfp_packed_notify_off(struct vfp_ring *ring);
int vfp_packed_notify_on(struct vfp_ring *ring);

/* The thin branch between the two. */

static inline bool vfp_ring_access_ok(const struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_access_ok(ring) : vfp_split_access_ok(ring);
}

/* Can the part of a log that is about the ring be memory of a process? */
static inline bool vfp_ring_log_ok(const struct vfp_ring *ring, u64 log)
{
	return ring->packed ? vfp_packed_log_ok(ring, log) : vfp_split_log_ok(ring, log);
}

static inline int vfp_ring_start(struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_start(ring) : vfp_split_start(ring);
}

static inline int vfp_ring_pop(struct vfp_ring *ring, struct vfp_chain *chain)
{
	return ring->packed ? vfp_packed_pop(ring, chain) : vfp_split_pop(ring, chain);
}

static inline int vfp_ring_push(struct vfp_ring *ring,
				const struct vfp_used *used,
				unsigned int n)
{
	return ring->packed ? vfp_packed_push(ring, used, n) : vfp_split_push(ring, used, n);
}

static inline int vfp_ring_publish(struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_publish(ring) : vfp_split_publish(ring);
}

static inline bool vfp_ring_need_call(struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_need_call(ring) : vfp_split_need_call(ring);
}

static inline int vfp_ring_notify_off(struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_notify_off(ring) : vfp_split_notify_off(ring);
}

static inline int vfp_ring_notify_on(struct vfp_ring *ring)
{
	return ring->packed ? vfp_packed_notify_on(ring) : vfp_split_notify_on(ring);
}

/**
 * vfp_ring_set_base() - say where to go on
 * @ring: a ring that nobody pumps meanwhile, and that does not run
 * @base: as VHOST_SET_VRING_BASE has it: the next entry to take; packed: the
 *	position of the next chain, and in the upper half that of the next used
 *	descriptor
 */
static inline void vfp_ring_set_base(struct vfp_ring *ring, u32 base)
{
	ring->last_avail = base;
	ring->avail_idx = base;
	ring->nr_ahead = 0;
	if (ring->packed)
		ring->used_idx = base >> 16;
}

/**
 * vfp_ring_base() - where it goes on
 * @ring: a ring that nobody pumps meanwhile
 *
 * Return: as vfp_ring_set_base() takes it.
 */
static inline u32 vfp_ring_base(const struct vfp_ring *ring)
{
	if (ring->packed)
		return ring->last_avail | (u32)ring->used_idx << 16;
	return ring->last_avail;
}

/* Forget what was seen of the chains to come: they are elsewhere now. */
static inline void vfp_ring_look_again(struct vfp_ring *ring)
{
	ring->avail_idx = ring->last_avail;
	ring->nr_ahead = 0;
}

/* Virtio 1.3, sections 2.7 and 2.8: a power of two, or any number. */
static inline bool vfp_ring_size_ok(const struct vfp_ring *ring, u32 num)
{
	return num && num <= VFP_MAX_RING &&
	       (ring->packed || !(num & (num - 1)));
}

/* Where the next pop goes on, for vfp_ring_rewind(). */
static inline u16 vfp_ring_mark(const struct vfp_ring *ring)
{
	return ring->last_avail;
}

/* Put the chains back that were taken since; none of them may be pushed. */
static inline void vfp_ring_rewind(struct vfp_ring *ring, u16 mark)
{
	ring->last_avail = mark;
}

/* Note why a ring is broken; for use as 'return vfp_fault(...)'. */
static inline int vfp_fault(struct vfp_ring *ring, enum vfp_fault fault)
{
	ring->fault = fault;
	return -EIO;
}

#include "virtio-fastpath/soft.h"

#endif /* VIRTIO_FASTPATH_VFP_H */
