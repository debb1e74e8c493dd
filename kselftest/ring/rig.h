/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring with a driver on one side and the engine on the other, and a guest's
 * memory for the buffers.
 */
#ifndef RING_RIG_H
#define RING_RIG_H

#include <linux/errno.h>
#include <linux/uaccess.h>

#include "kselftest/ring/driver.h"
#include "kselftest/ring/packed.h"
#include "kselftest/ring/shim/shim.h"
#include "kselftest/ring/tap.h"
#include "virtio-fastpath/vfp.h"

enum {
	RIG_EVENT_IDX	= 1,
	RIG_INDIRECT	= 2,
};

#define RIG_RAM		(256 * 1024)
#define RIG_GPA		0x100000ULL	/* where the guest sees it */

struct rig {
	struct drv		drv;
	struct pdrv		pdrv;		/* instead of it */
	struct vfp_ring		ring;
	struct vfp_cache	cache;
	struct vhost_iotlb	mem;
	u8			*ram;
	struct vfp_chain	chain;
	struct iovec		iov[VFP_MAX_SEGS];
};

/* One region holds all of the guest's memory; the ring is started. */
void rig_init(struct rig *rig, unsigned int num, unsigned int flags, u16 base);
void rig_exit(struct rig *rig);

/*
 * A packed ring; the driver's next descriptor and the device's next used one
 * are at @index, in the lap whose counter is @wrap.
 */
void rig_init_packed(struct rig *rig, unsigned int num, unsigned int flags,
		     unsigned int index, bool wrap);
void rig_exit_packed(struct rig *rig);

/* Regions: forget all, and add one whose first byte is at @offset in ram. */
void rig_no_regions(struct rig *rig);
void rig_region(struct rig *rig, u64 start, u64 last, u64 offset);

/* Pop into rig->chain, with counters that begin at 0. */
int rig_pop(struct rig *rig);

/* Give one chain back; put the chains back that were taken last. */
static inline int rig_push(struct vfp_ring *ring, u16 id, u32 len)
{
	struct vfp_used used = { .id = id, .slots = 1, .len = len };

	return vfp_ring_push(ring, &used, 1);
}

static inline void rig_unpop(struct vfp_ring *ring, unsigned int chains)
{
	vfp_ring_rewind(ring, vfp_ring_mark(ring) - chains);
}

/* What was read ahead counts as it was then; from now on, as it is. */
static inline void rig_read_anew(struct rig *rig)
{
	rig->ring.nr_ahead = 0;
}

/* Of a packed ring: give back what was popped; see that a chain came back. */
int rig_push_packed(struct rig *rig, u32 len);
bool rig_comes_back(struct rig *rig, u16 id, u32 len);

/* A descriptor of the ring; one chain that begins with descriptor @head. */
void rig_desc(struct rig *rig, unsigned int i, u64 addr, u32 len, u16 flags,
	      u16 next);
void rig_offer(struct rig *rig, u16 head);

/* A descriptor of a table in ram, and where the guest sees that. */
#define RIG_TABLE	0x10000
void rig_table(struct rig *rig, unsigned int i, u64 addr, u32 len, u16 flags,
	       u16 next);

/* Pop; it must give the fault @want and not take the chain, or take it. */
void rig_expect_fault(struct rig *rig, enum vfp_fault want, const char *file,
		      int line);
#define expect_fault(rig, want) \
	rig_expect_fault(rig, want, __FILE__, __LINE__)

/* The bytes of a chain: out ones to @buf; in ones from @buf. */
size_t rig_gather(const struct vfp_chain *chain, u8 *buf, size_t max);
size_t rig_scatter(const struct vfp_chain *chain, const u8 *buf, size_t len);

/*
 * Chain @i of a test with many: @n buffers of its own length, each at an address of
 * its own; and popping it, as the next chain, whole.
 */
void rig_bufs(unsigned int i, unsigned int n, struct drv_buf *bufs);
void rig_expect_chain(struct rig *rig, unsigned int i, unsigned int n);

/* Numbers that look random; never seeded with 0. */
static inline u64 rig_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
