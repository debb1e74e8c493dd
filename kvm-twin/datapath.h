/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two pumps, datapath.c and receive.c, have in common.
 *
 * Both are there twice: in the owner's context, and in softirq (@soft), where memory is
 * what the software TLB knows.  What softirq can't do it leaves as it was.
 */
#ifndef KVM_TWIN_DATAPATH_H
#define KVM_TWIN_DATAPATH_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "kvm-twin/twin.h"

/* How a step of a pump has ended. */
enum ktwin_verdict {
	KTWIN_GO_ON,
	KTWIN_EMPTY,	/* the source has nothing more */
	KTWIN_BLOCKED,	/* the sink takes nothing more */
	KTWIN_BROKEN,	/* the ring has a fault */
	KTWIN_DEFER,	/* softirq can't do it */
};

/* What a pump has done of its share. */
struct ktwin_share {
	unsigned int	packets;
	size_t		bytes;
};

static inline void ktwin_share_use(struct ktwin_share *share, size_t bytes)
{
	share->packets++;
	share->bytes += bytes;
}

/* To walk a long chain costs time, whether it is of use or not. */
static inline void ktwin_share_walk(struct ktwin_share *share,
				    const struct vfp_chain *chain)
{
	share->packets += chain->steps / KTWIN_PACKET_STEPS;
}

static inline bool ktwin_share_done(const struct ktwin_share *share)
{
	return share->packets >= KTWIN_PUMP_PACKETS ||
	       share->bytes >= KTWIN_PUMP_BYTES;
}

/* A share of so many packets. */
static inline struct ktwin_share ktwin_share_of(unsigned int packets)
{
	return (struct ktwin_share) { .packets = KTWIN_PUMP_PACKETS - packets };
}

/* What a poll is given is packets; long ones are as many as their bytes are. */
static inline int ktwin_share_weight(const struct ktwin_share *share, unsigned int before)
{
	return max_t(size_t, share->packets - before,
		     share->bytes / (KTWIN_PUMP_BYTES / NAPI_POLL_WEIGHT));
}

/* Does somebody wait for the access section, or the poll, to end? */
static __always_inline bool ktwin_is_wanted(struct ktwin_vq *vq, bool soft)
{
	return soft && (spin_is_contended(&vq->stlb->lock) ||
			spin_is_contended(&vq->poll_lock));
}

/*
 * Take the next chain.  1, or 0 if there is none, -EIO if the ring is broken, -EAGAIN if
 * the TLB lacks a page.
 */
static __always_inline int ktwin_pop(struct ktwin_vq *vq, struct vfp_chain *chain, bool soft)
{
	int ret;

	if (!soft)
		return vfp_ring_pop(&vq->ring, chain);
	vq->stlb->missed = false;
	ret = vfp_soft_pop(&vq->ring, chain);
	if (likely(ret >= 0 || !vq->stlb->missed))
		return ret;
	vq->ring.fault = VFP_FAULT_NONE;
	ktwin_inc(vq, STLB_MISSES);
	return -EAGAIN;
}

static __always_inline int ktwin_push(struct ktwin_vq *vq, const struct vfp_used *used,
				      unsigned int n, bool soft)
{
	return soft ? vfp_soft_push(&vq->ring, used, n) : vfp_ring_push(&vq->ring, used, n);
}

/*
 * The pages, in vq->pages, that the first @len bytes in vq->iov lie in, at least 1.  How
 * many, or 0 if the TLB lacks one.
 */
static inline unsigned int ktwin_soft_pages(struct ktwin_vq *vq, size_t len)
{
	unsigned int n = vfp_stlb_segments(vq->stlb, vq->iov, len, vq->pages,
					   KTWIN_SOFT_PAGES);

	if (unlikely(!n))
		ktwin_inc(vq, STLB_MISSES);
	return n;
}

/*
 * From here on an event schedules a pump: what came before is still to be
 * looked for, after this.  Pairs with the test_and_set_bit() of the event.
 */
static inline void ktwin_unschedule(struct ktwin_vq *vq)
{
	clear_bit(KTWIN_VQ_SCHEDULED, &vq->state);
	smp_mb__after_atomic();	/* the bit before the caller's last look */
}

/* Go on, unless an event has scheduled another pump meanwhile. */
static inline bool ktwin_reschedule(struct ktwin_vq *vq)
{
	return !test_and_set_bit(KTWIN_VQ_SCHEDULED, &vq->state);
}

void ktwin_drop(struct ktwin_vq *vq, unsigned int n, int err);
void ktwin_account(struct ktwin_vq *vq, unsigned int n, size_t len, unsigned int flags,
		   bool soft);
void ktwin_break(struct ktwin_vq *vq);
enum ktwin_soft_verdict ktwin_end_soft(struct ktwin_vq *vq, enum ktwin_verdict verdict);

#endif /* KVM_TWIN_DATAPATH_H */
