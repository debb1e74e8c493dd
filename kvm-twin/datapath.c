// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the guest to the wire: chains are taken from the ring, frames given to
 * the backend, chains given back.
 *
 * Every frame that is taken is sent or counted as a drop with its reason.
 * When the backend has no room the chain stays in the ring.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/uio.h>

#include "kvm-twin/datapath.h"
#include "kvm-twin/trace.h"

/**
 * ktwin_drop() - count frames that are lost
 * @vq: the queue
 * @n: how many
 * @err: why
 *
 * Context: any.
 */
void ktwin_drop(struct ktwin_vq *vq, unsigned int n, int err)
{
	switch (err) {
	case -EINVAL:
		ktwin_add(vq, DROP_MALFORMED, n);
		break;
	case -EFAULT:
		ktwin_add(vq, DROP_FAULT, n);
		break;
	case -EMSGSIZE:
		ktwin_add(vq, DROP_TOO_BIG, n);
		break;
	case -EBADFD:
	case -EIO:
		ktwin_add(vq, DROP_NO_DEVICE, n);
		break;
	case -ENOMEM:
	case -ENOBUFS:
		ktwin_add(vq, DROP_NO_MEMORY, n);
		break;
	default:
		ktwin_add(vq, DROP_OTHER, n);
		break;
	}
}

/**
 * ktwin_account() - count what has passed
 * @vq: the queue
 * @n: of how many frames of the backend's it was made
 * @len: its length, with the header
 * @flags: NSHIM_FRAME_*
 * @soft: in an access section
 *
 * Context: any.
 */
void ktwin_account(struct ktwin_vq *vq, unsigned int n, size_t len, unsigned int flags,
		   bool soft)
{
	ktwin_add(vq, PACKETS, n);
	if (soft)
		ktwin_add(vq, PACKETS_SOFTIRQ, n);
	if (n > 1)
		ktwin_add(vq, PACKETS_AGGREGATED, n);
	ktwin_add(vq, BYTES, len - vq->twin->hdr_len);
	if (flags & NSHIM_FRAME_CSUM)
		ktwin_inc(vq, CSUM_PACKETS);
	if (flags & NSHIM_FRAME_GSO)
		ktwin_inc(vq, GSO_PACKETS);
}

/**
 * ktwin_publish() - show the driver what was used, and call it if it wants
 * @vq: the queue
 * @soft: in an access section
 *
 * Context: process, vq->lock held, current->mm is the owner's; or an access section.
 * Return: 0, or -EIO if the ring is broken.
 */
int ktwin_publish(struct ktwin_vq *vq, bool soft)
{
	struct vfp_ring *ring = &vq->ring;
	int ret = soft ? vfp_soft_publish(ring) : vfp_ring_publish(ring);

	if (ret <= 0)
		return ret;
	ktwin_inc(vq, BATCHES);
	if (soft ? vfp_soft_need_call(ring) : vfp_ring_need_call(ring)) {
		ktwin_vq_call(vq);
	} else {
		ktwin_inc(vq, CALLS_SUPPRESSED);
		trace_ktwin_call(vq, vq->ring.used_idx, false);
	}
	return vq->ring.fault ? -EIO : 0;
}

/**
 * ktwin_break() - a pump has found a fault in the ring
 * @vq: the queue
 *
 * Context: any but hard interrupts, the queue's.
 */
void ktwin_break(struct ktwin_vq *vq)
{
	ktwin_moderation_end(vq);
	ktwin_vq_break(vq);
	ktwin_unschedule(vq);
}

/**
 * ktwin_end_soft() - how a pump in softirq has ended
 * @vq: the queue
 * @verdict: of its last step
 *
 * Context: an access section.
 * Return: the same for who has called the pump.
 */
enum ktwin_soft_verdict ktwin_end_soft(struct ktwin_vq *vq, enum ktwin_verdict verdict)
{
	if (verdict == KTWIN_GO_ON)
		return KTWIN_SOFT_MORE;
	if (verdict == KTWIN_DEFER)
		return KTWIN_SOFT_DEFER;
	if (unlikely(verdict == KTWIN_BROKEN))
		ktwin_break(vq);
	return KTWIN_SOFT_DONE;
}

/* NSHIM_FRAME_*, or an error; -EBUSY if softirq can't do it. */
static __always_inline int transmit(struct ktwin_vq *vq, const struct vfp_chain *chain,
				    bool soft)
{
	size_t skip = ktwin_own_hdr_len(vq->twin);
	struct iov_iter frame;
	unsigned int n;

	if (unlikely(chain->out_len < max_t(size_t, vq->twin->hdr_len, 1)))
		return -EINVAL;
	if (soft) {
		if (chain->out_len > KTWIN_SOFT_TX_BYTES)
			return -EBUSY;
		n = ktwin_soft_pages(vq, chain->out_len);
		if (unlikely(!n))
			return -EBUSY;
		iov_iter_bvec(&frame, ITER_SOURCE, vq->pages, n, chain->out_len);
	} else {
		iov_iter_init(&frame, ITER_SOURCE, chain->iov, chain->nr_out,
			      chain->out_len);
	}
	iov_iter_advance(&frame, skip);
	return vq->port->ops->xmit(vq->port, &frame, !soft);
}

/* Chains in vq->heads that are to be given back, and where each was taken. */
struct batch {
	unsigned int	n;
	u16		marks[KTWIN_PUBLISH_CHAINS];
};

/* A chain stays in the ring for now. */
static enum ktwin_verdict leave(struct ktwin_vq *vq, u16 mark, enum ktwin_verdict verdict)
{
	vfp_ring_rewind(&vq->ring, mark);
	return verdict;
}

static __always_inline enum ktwin_verdict send_next(struct ktwin_vq *vq,
						    struct ktwin_share *share,
						    struct batch *batch, bool soft)
{
	struct vfp_chain chain = { .iov = vq->iov, .max = VFP_MAX_SEGS };
	u16 mark = vfp_ring_mark(&vq->ring);
	int ret;

	ret = ktwin_pop(vq, &chain, soft);
	if (unlikely(ret == -EAGAIN))
		return leave(vq, mark, KTWIN_DEFER);
	if (ret <= 0)
		return ret ? KTWIN_BROKEN : KTWIN_EMPTY;
	ktwin_share_walk(share, &chain);
	if (unlikely(chain.nr_in)) {
		vfp_fault(&vq->ring, VFP_FAULT_DIRECTION);
		return leave(vq, mark, KTWIN_BROKEN);
	}
	ret = transmit(vq, &chain, soft);
	if (unlikely(ret == -EAGAIN))
		return leave(vq, mark, KTWIN_BLOCKED);
	if (soft && unlikely(ret == -EBUSY))
		return leave(vq, mark, KTWIN_DEFER);
	if (unlikely(ret < 0))
		ktwin_drop(vq, 1, ret);
	else
		ktwin_account(vq, 1, chain.out_len, ret, soft);
	ktwin_share_use(share, chain.out_len);
	vq->moderation.taken++;
	vq->heads[batch->n] = (struct vfp_used) {
		.id = chain.id,
		.slots = chain.slots,
	};
	batch->marks[batch->n++] = mark;
	return KTWIN_GO_ON;
}

/**
 * ktwin_flush_tx() - let the frames go that were taken from the ring
 * @vq: a TX queue that runs
 *
 * Context: any but hard interrupts, the queue's; not in an access section.
 */
void ktwin_flush_tx(struct ktwin_vq *vq)
{
	struct nshim_flushed flushed;
	unsigned int lost;

	vq->port->ops->flush(vq->port, &flushed);
	if (flushed.direct)
		ktwin_add(vq, PACKETS_DIRECT, flushed.direct);
	if (flushed.switched)
		ktwin_add(vq, PACKETS_SWITCHED, flushed.switched);
	if (flushed.aggregated)
		ktwin_add(vq, PACKETS_AGGREGATED, flushed.aggregated);
	if (flushed.expanded)
		ktwin_add(vq, ACKS_EXPANDED, flushed.expanded);
	lost = flushed.no_device + flushed.no_memory + flushed.malformed + flushed.full;
	if (likely(!lost))
		return;
	ktwin_add(vq, DROP_NO_DEVICE, flushed.no_device);
	ktwin_add(vq, DROP_NO_MEMORY, flushed.no_memory);
	ktwin_add(vq, DROP_MALFORMED, flushed.malformed);
	ktwin_add(vq, DROP_FULL, flushed.full);
	ktwin_add(vq, PACKETS, -(u64)lost);
}

/*
 * All at once, or else as many as can be: the others are sent once more, should
 * the queue be started again; but not lost.
 */
static __always_inline int give_back(struct ktwin_vq *vq, const struct batch *batch,
				     bool soft)
{
	unsigned int i;

	if (!batch->n || !ktwin_push(vq, vq->heads, batch->n, soft))
		return 0;
	for (i = 0; i < batch->n; i++)
		if (ktwin_push(vq, &vq->heads[i], 1, soft))
			break;
	if (i < batch->n)
		vfp_ring_rewind(&vq->ring, batch->marks[i]);
	return -EIO;
}

/*
 * Frames first, then the chains that they came in, then the call.  In an access section
 * frames are copied alone, and go out after it.
 */
static __always_inline enum ktwin_verdict send_batch(struct ktwin_vq *vq,
						     struct ktwin_share *share, bool soft)
{
	enum ktwin_verdict verdict = KTWIN_GO_ON;
	struct batch batch;
	unsigned int i;

	batch.n = 0;
	for (i = 0; i < KTWIN_PUBLISH_CHAINS && verdict == KTWIN_GO_ON &&
	     !ktwin_share_done(share) && !(i && ktwin_is_wanted(vq, soft)); i++)
		verdict = send_next(vq, share, &batch, soft);
	if (!soft)
		ktwin_flush_tx(vq);
	if (unlikely(give_back(vq, &batch, soft)))
		verdict = KTWIN_BROKEN;
	return ktwin_publish(vq, soft) ? KTWIN_BROKEN : verdict;
}

/* The ring is empty.  Returns whether that is all for now. */
static __always_inline bool wait_for_kick(struct ktwin_vq *vq, bool soft)
{
	int ret;

	ktwin_unschedule(vq);
	if (ktwin_moderation_begin(vq))
		return true;
	ret = soft ? vfp_soft_notify_on(&vq->ring) : vfp_ring_notify_on(&vq->ring);
	if (unlikely(ret < 0)) {
		ktwin_vq_break(vq);
		return true;
	}
	return !ret || !ktwin_reschedule(vq);
}

/* The backend is full.  Returns whether that is all for now. */
static bool wait_for_room(struct ktwin_vq *vq)
{
	ktwin_inc(vq, NO_ROOM);
	ktwin_moderation_end(vq);
	set_bit(KTWIN_VQ_WANTS_ROOM, &vq->state);
	ktwin_unschedule(vq);
	return !vq->port->ops->may_send(vq->port) || !ktwin_reschedule(vq);
}

/* Returns KTWIN_EMPTY if that is all for now. */
static __always_inline enum ktwin_verdict pump(struct ktwin_vq *vq,
					       struct ktwin_share *share, bool soft)
{
	enum ktwin_verdict verdict;
	bool all = false;

	ktwin_assert_owned(vq);
	/* A guest can have us look in vain, but not without end. */
	ktwin_share_use(share, 0);
	if (unlikely(soft ? vfp_soft_notify_off(&vq->ring) :
			    vfp_ring_notify_off(&vq->ring)))
		return KTWIN_BROKEN;
	verdict = send_batch(vq, share, soft);
	if (verdict == KTWIN_EMPTY)
		all = wait_for_kick(vq, soft);
	else if (verdict == KTWIN_BLOCKED)
		all = wait_for_room(vq);
	else
		return verdict;
	return all ? KTWIN_EMPTY : KTWIN_GO_ON;
}

/**
 * ktwin_pump_tx() - send what the guest has made available
 * @vq: a TX queue that runs
 *
 * Context: process, vq->lock held, current->mm is the owner's.  Sleeps and
 * faults.  KTWIN_VQ_SCHEDULED is set.
 * Return: whether to come back: this share is done, and there is more.
 */
bool ktwin_pump_tx(struct ktwin_vq *vq)
{
	enum ktwin_verdict verdict = KTWIN_GO_ON;
	struct ktwin_share share = { };

	while (!ktwin_share_done(&share) && verdict == KTWIN_GO_ON) {
		cond_resched();
		verdict = pump(vq, &share, false);
	}
	if (unlikely(verdict == KTWIN_BROKEN))
		ktwin_break(vq);
	return verdict == KTWIN_GO_ON;
}

/**
 * ktwin_pump_tx_soft() - the same in softirq; what is sent waits for ktwin_flush_tx()
 * @vq: a TX queue that runs
 * @budget: how many frames, at most KTWIN_PUBLISH_CHAINS
 * @done: how many of them it was, or as many as their bytes stand for; counted on
 *
 * Ends early when somebody else waits for the queue or its TLB.
 *
 * Context: softirq, between vfp_soft_begin() and vfp_soft_end().  KTWIN_VQ_SCHEDULED is
 * set.
 * Return: whether there is more, and who can do it.
 */
enum ktwin_soft_verdict ktwin_pump_tx_soft(struct ktwin_vq *vq, int budget, int *done)
{
	struct ktwin_share share = ktwin_share_of(budget - *done);
	unsigned int before = share.packets;
	enum ktwin_verdict verdict;

	verdict = pump(vq, &share, true);
	*done += ktwin_share_weight(&share, before);
	return ktwin_end_soft(vq, verdict);
}
