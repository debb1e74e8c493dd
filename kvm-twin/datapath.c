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
 * ktwin_drop() - count a frame that is lost
 * @vq: the queue
 * @err: why
 *
 * Context: any.
 */
void ktwin_drop(struct ktwin_vq *vq, int err)
{
	switch (err) {
	case -EINVAL:
		ktwin_inc(vq, DROP_MALFORMED);
		break;
	case -EFAULT:
		ktwin_inc(vq, DROP_FAULT);
		break;
	case -EMSGSIZE:
		ktwin_inc(vq, DROP_TOO_BIG);
		break;
	case -EBADFD:
	case -EIO:
		ktwin_inc(vq, DROP_NO_DEVICE);
		break;
	case -ENOMEM:
	case -ENOBUFS:
		ktwin_inc(vq, DROP_NO_MEMORY);
		break;
	default:
		ktwin_inc(vq, DROP_OTHER);
		break;
	}
}

/**
 * ktwin_account() - count a frame that has passed
 * @vq: the queue
 * @len: its length, with the header
 * @flags: NSHIM_FRAME_*
 *
 * Context: any.
 */
void ktwin_account(struct ktwin_vq *vq, size_t len, unsigned int flags)
{
	ktwin_inc(vq, PACKETS);
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

static int transmit(struct ktwin_vq *vq, const struct vfp_chain *chain)
{
	size_t skip = ktwin_own_hdr_len(vq->twin);
	struct iov_iter frame;

	if (unlikely(chain->out_len < vq->twin->hdr_len))
		return -EINVAL;
	iov_iter_init(&frame, ITER_SOURCE, chain->iov, chain->nr_out,
		      chain->out_len);
	iov_iter_advance(&frame, skip);
	return vq->port->ops->xmit(vq->port, &frame);
}

/* Chains in vq->heads that are to be given back, and where each was taken. */
struct batch {
	unsigned int	n;
	u16		marks[KTWIN_PUBLISH_CHAINS];
};

static enum ktwin_verdict send_next(struct ktwin_vq *vq,
				    struct ktwin_share *share,
				    struct batch *batch)
{
	struct vfp_chain chain = { .iov = vq->iov, .max = VFP_MAX_SEGS };
	u16 mark = vfp_ring_mark(&vq->ring);
	int ret;

	ret = vfp_ring_pop(&vq->ring, &chain);
	if (ret <= 0)
		return ret ? KTWIN_BROKEN : KTWIN_EMPTY;
	ktwin_share_walk(share, &chain);
	if (unlikely(chain.nr_in)) {
		vfp_ring_rewind(&vq->ring, mark);
		vfp_fault(&vq->ring, VFP_FAULT_DIRECTION);
		return KTWIN_BROKEN;
	}
	ret = transmit(vq, &chain);
	if (unlikely(ret == -EAGAIN)) {
		vfp_ring_rewind(&vq->ring, mark);
		return KTWIN_BLOCKED;
	}
	if (unlikely(ret < 0))
		ktwin_drop(vq, ret);
	else
		ktwin_account(vq, chain.out_len, ret);
	ktwin_share_use(share, chain.out_len);
	vq->moderation.taken++;
	vq->heads[batch->n] = (struct vfp_used) {
		.id = chain.id,
		.slots = chain.slots,
	};
	batch->marks[batch->n++] = mark;
	return KTWIN_GO_ON;
}

static void flush(struct ktwin_vq *vq)
{
	unsigned int refused = vq->port->ops->flush(vq->port);

	if (likely(!refused))
		return;
	ktwin_add(vq, DROP_NO_DEVICE, refused);
	ktwin_add(vq, PACKETS, -(u64)refused);
}

/*
 * All at once, or else as many as can be: the others are sent once more, should
 * the queue be started again; but not lost.
 */
static int give_back(struct ktwin_vq *vq, const struct batch *batch)
{
	unsigned int i;

	if (!batch->n || !vfp_ring_push(&vq->ring, vq->heads, batch->n))
		return 0;
	for (i = 0; i < batch->n; i++)
		if (vfp_ring_push(&vq->ring, &vq->heads[i], 1))
			break;
	if (i < batch->n)
		vfp_ring_rewind(&vq->ring, batch->marks[i]);
	return -EIO;
}

/* Frames first, then the chains that they came in, then the call. */
static enum ktwin_verdict send_batch(struct ktwin_vq *vq,
				     struct ktwin_share *share)
{
	enum ktwin_verdict verdict = KTWIN_GO_ON;
	struct batch batch;
	unsigned int i;

	batch.n = 0;
	for (i = 0; i < KTWIN_PUBLISH_CHAINS && verdict == KTWIN_GO_ON &&
	     !ktwin_share_done(share); i++)
		verdict = send_next(vq, share, &batch);
	flush(vq);
	if (unlikely(give_back(vq, &batch)))
		verdict = KTWIN_BROKEN;
	return ktwin_publish(vq, false) ? KTWIN_BROKEN : verdict;
}

/* The ring is empty.  Returns whether that is all for now. */
static bool wait_for_kick(struct ktwin_vq *vq)
{
	int ret;

	ktwin_unschedule(vq);
	if (ktwin_moderation_begin(vq))
		return true;
	ret = vfp_ring_notify_on(&vq->ring);
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
	struct ktwin_share share = { };

	lockdep_assert_held(&vq->lock);
	while (!ktwin_share_done(&share)) {
		/* A guest can have us look in vain, but not without end. */
		ktwin_share_use(&share, 0);
		cond_resched();
		if (unlikely(vfp_ring_notify_off(&vq->ring)))
			goto broken;
		switch (send_batch(vq, &share)) {
		case KTWIN_GO_ON:
			break;
		case KTWIN_EMPTY:
			if (wait_for_kick(vq))
				return false;
			break;
		case KTWIN_BLOCKED:
			if (wait_for_room(vq))
				return false;
			break;
		case KTWIN_DEFER:	/* of RX alone */
		case KTWIN_BROKEN:
			goto broken;
		}
	}
	return true;

broken:
	ktwin_moderation_end(vq);
	ktwin_vq_break(vq);
	ktwin_unschedule(vq);
	return false;
}
