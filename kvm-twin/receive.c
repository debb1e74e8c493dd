// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the wire to the guest: the backend's frames are copied into the chains
 * that the guest has posted, one or, with mergeable buffers, many for a frame.
 *
 * Room is found before a frame is touched; without room it stays in the
 * backend.
 *
 * All of this is there twice: in the owner's context, and in softirq (@soft), where
 * memory is what the software TLB knows.  What softirq can't do it leaves as it was.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/uio.h>
#include <uapi/linux/virtio_net.h>

#include "kvm-twin/datapath.h"

/* As many buffers a frame as a sender fills in its own time. */
#define TAKE_HEADS	4u

/*
 * The chains that a frame will fill; @mark is where the ring was before, @slots
 * what they take up of it, @steps how many descriptors were read for them.
 */
struct room {
	u16		mark;
	unsigned int	slots;
	unsigned int	steps;
	unsigned int	heads;
	unsigned int	segs;
	size_t		len;
};

static unsigned int max_heads(const struct ktwin_vq *vq)
{
	/* Logging may be turned on and off meanwhile. */
	return READ_ONCE(vq->twin->features) & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) ?
		VFP_MAX_SEGS : 1;
}

/* In softirq a frame must fit those pages, and each buffer is in one at least. */
static __always_inline bool is_full(const struct ktwin_vq *vq, const struct room *room,
				    bool soft)
{
	return room->heads == max_heads(vq) || room->segs >= VFP_MAX_SEGS ||
	       room->slots >= vq->ring.num || room->steps >= 2 * VFP_MAX_SEGS ||
	       (soft && room->heads >= KTWIN_SOFT_PAGES);
}

/*
 * Take chains until they hold @need bytes.  Returns 1, or 0 if the guest has
 * posted too few, -EMSGSIZE if it never can, -EIO if the ring is broken, -EAGAIN if
 * the TLB lacks a page; then none is taken.
 */
static __always_inline int find_room(struct ktwin_vq *vq, size_t need,
				     struct room *room, struct ktwin_share *share,
				     bool soft)
{
	struct vfp_chain chain = { .max = VFP_MAX_SEGS };
	int ret;

	*room = (struct room) { .mark = vfp_ring_mark(&vq->ring) };
	while (room->len < need) {
		ret = -EMSGSIZE;
		if (is_full(vq, room, soft))
			goto give_back;
		if (!soft)
			cond_resched();
		chain.iov = vq->iov + room->segs;
		ret = ktwin_pop(vq, &chain, soft);
		if (ret <= 0)
			goto give_back;
		ktwin_share_walk(share, &chain);
		if (unlikely(chain.nr_out || !chain.nr_in)) {
			ret = vfp_fault(&vq->ring, VFP_FAULT_DIRECTION);
			goto give_back;
		}
		vq->heads[room->heads++] = (struct vfp_used) {
			.id = chain.id,
			.slots = chain.slots,
			.len = chain.in_len,
		};
		room->slots += chain.slots;
		room->steps += chain.steps;
		room->segs += chain.nr_in;
		room->len += chain.in_len;
	}
	/* The last one is not filled to its end. */
	vq->heads[room->heads - 1].len -= room->len - need;
	return 1;

give_back:
	vfp_ring_rewind(&vq->ring, room->mark);
	return ret;
}

/*
 * The backend has written its header, if it has one; of most only we know how many chains
 * were filled (virtio 1.3, section 5.1.6.4.1: 1 without mergeable buffers).
 */
static int finish_header(struct ktwin_vq *vq, struct iov_iter *frame, unsigned int heads)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {
		.num_buffers = (__force __virtio16)cpu_to_le16(heads),
	};
	size_t skip = vq->twin->own_hdr ? 0 : sizeof(hdr.hdr);
	size_t len;

	/* No header, or one without num_buffers. */
	if (vq->port->counts_buffers || vq->twin->hdr_len <= skip)
		return 0;
	len = vq->twin->hdr_len - skip;
	iov_iter_advance(frame, skip);
	return copy_to_iter((void *)&hdr + skip, len, frame) == len ? 0 : -EFAULT;
}

/* The buffers of a frame.  0, or -EAGAIN if the TLB lacks a page. */
static __always_inline int buffers(struct ktwin_vq *vq, size_t need, unsigned int segs,
				   struct iov_iter *frame, bool soft)
{
	unsigned int n;

	if (!soft) {
		iov_iter_init(frame, ITER_DEST, vq->iov, segs, need);
		return 0;
	}
	n = ktwin_soft_pages(vq, need);
	if (unlikely(!n))
		return -EAGAIN;
	iov_iter_bvec(frame, ITER_DEST, vq->pages, n, need);
	return 0;
}

static __always_inline int fill(struct ktwin_vq *vq, size_t need,
				const struct room *room, bool soft)
{
	size_t own = ktwin_own_hdr_len(vq->twin);
	struct iov_iter frame, body;
	int ret;

	ret = buffers(vq, need, room->segs, &frame, soft);
	if (unlikely(ret))
		return ret;
	body = frame;
	if (own)
		iov_iter_advance(&body, own);
	ret = vq->port->ops->recv(vq->port, &body, room->heads);
	if (unlikely(ret < 0))
		return ret;
	/* The tap's header has another size than was said. */
	if (unlikely(ret != need - own))
		return -EINVAL;
	return finish_header(vq, &frame, room->heads);
}

/* A frame that no buffer of this guest holds. */
static void discard(struct ktwin_vq *vq)
{
	struct iov_iter none;

	iov_iter_init(&none, ITER_DEST, vq->iov, 0, 0);
	vq->port->ops->recv(vq->port, &none, 0);
	ktwin_drop(vq, 1, -EMSGSIZE);
}

/* A frame that was taken, or all it was read from, and can't be given. */
static enum ktwin_verdict lose(struct ktwin_vq *vq, const struct room *room, int err,
			       enum ktwin_verdict verdict)
{
	vfp_ring_rewind(&vq->ring, room->mark);
	ktwin_drop(vq, vq->port->frames, err);
	return verdict;
}

static __always_inline enum ktwin_verdict receive_next(struct ktwin_vq *vq,
						       struct ktwin_share *share,
						       bool soft)
{
	unsigned int flags;
	struct room room;
	ssize_t need;
	int ret;

	need = vq->port->ops->peek(vq->port, &flags, !soft);
	if (need <= 0)
		return need ? KTWIN_DEFER : KTWIN_EMPTY;
	need += ktwin_own_hdr_len(vq->twin);
	ret = find_room(vq, need, &room, share, soft);
	/* To take a chain costs time, too. */
	if (room.heads > 1)
		share->packets += room.heads - 1;
	/* One of them may find room, now. */
	if (vq->port->frames > 1 && unlikely(!ret || ret == -EMSGSIZE)) {
		ktwin_share_use(share, 0);
		vq->port->ops->part(vq->port);
		return KTWIN_GO_ON;
	}
	if (!ret)
		return KTWIN_BLOCKED;
	if (unlikely(ret == -EIO))
		return KTWIN_BROKEN;
	if (soft && unlikely(ret < 0))
		return KTWIN_DEFER;
	ktwin_share_use(share, need);
	share->packets += vq->port->frames / KTWIN_PACKET_FRAMES;
	if (unlikely(ret == -EMSGSIZE)) {
		discard(vq);
		return KTWIN_GO_ON;
	}
	ret = fill(vq, need, &room, soft);
	if (soft && unlikely(ret == -EAGAIN)) {
		vfp_ring_rewind(&vq->ring, room.mark);
		return KTWIN_DEFER;
	}
	/* A frame that was dropped has been written in part, or all of it. */
	if (unlikely(vq->ring.log_data &&
		     vfp_log_buffers(&vq->ring, vq->iov, need)))
		return lose(vq, &room, ret < 0 ? ret : -EFAULT, KTWIN_BROKEN);
	if (unlikely(ret))
		return lose(vq, &room, ret, KTWIN_GO_ON);
	if (unlikely(ktwin_push(vq, vq->heads, room.heads, soft)))
		return lose(vq, &room, -EFAULT, KTWIN_BROKEN);
	ktwin_account(vq, vq->port->frames, need, flags, soft);
	return KTWIN_GO_ON;
}

static __always_inline enum ktwin_verdict receive_batch(struct ktwin_vq *vq,
							struct ktwin_share *share,
							bool soft)
{
	enum ktwin_verdict verdict = KTWIN_GO_ON;
	unsigned int i;

	for (i = 0; i < KTWIN_PUBLISH_CHAINS && verdict == KTWIN_GO_ON &&
	     !ktwin_share_done(share) && !(i && ktwin_is_wanted(vq, soft)); i++)
		verdict = receive_next(vq, share, soft);
	return ktwin_publish(vq, soft) ? KTWIN_BROKEN : verdict;
}

/* The backend is empty.  Returns whether that is all for now. */
static bool wait_for_frame(struct ktwin_vq *vq, bool soft)
{
	unsigned int flags;

	ktwin_unschedule(vq);
	return !vq->port->ops->peek(vq->port, &flags, !soft) || !ktwin_reschedule(vq);
}

/*
 * The guest has posted too few buffers.  Returns whether that is all for now.
 * More than those seen must come: else a frame that needs many would be tried
 * again and again.
 */
static bool wait_for_buffers(struct ktwin_vq *vq, bool soft)
{
	int ret;

	ktwin_inc(vq, NO_BUFFERS);
	set_bit(KTWIN_VQ_WANTS_BUFFERS, &vq->state);
	ktwin_unschedule(vq);
	ret = soft ? vfp_soft_notify_on(&vq->ring) : vfp_ring_notify_on(&vq->ring);
	if (unlikely(ret < 0)) {
		ktwin_vq_break(vq);
		return true;
	}
	return !ret || !ktwin_reschedule(vq);
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
	clear_bit(KTWIN_VQ_WANTS_BUFFERS, &vq->state);
	smp_mb__after_atomic();	/* the bit before the backend's ring */
	if (unlikely(soft ? vfp_soft_notify_off(&vq->ring) :
			    vfp_ring_notify_off(&vq->ring)))
		return KTWIN_BROKEN;
	verdict = receive_batch(vq, share, soft);
	if (verdict == KTWIN_EMPTY)
		all = wait_for_frame(vq, soft);
	else if (verdict == KTWIN_BLOCKED)
		all = wait_for_buffers(vq, soft);
	else
		return verdict;
	return all ? KTWIN_EMPTY : KTWIN_GO_ON;
}

/**
 * ktwin_pump_rx() - give the guest the frames that wait in the backend
 * @vq: an RX queue that runs
 *
 * Context: process, vq->lock held, current->mm is the owner's.  Sleeps and
 * faults.  KTWIN_VQ_SCHEDULED is set.
 * Return: whether to come back: this share is done, and there is more.
 */
bool ktwin_pump_rx(struct ktwin_vq *vq)
{
	struct ktwin_share share = { };
	enum ktwin_verdict verdict = KTWIN_GO_ON;

	while (!ktwin_share_done(&share) && verdict == KTWIN_GO_ON) {
		cond_resched();
		verdict = pump(vq, &share, false);
	}
	if (unlikely(verdict == KTWIN_BROKEN))
		ktwin_break(vq);
	return verdict == KTWIN_GO_ON;
}

/**
 * ktwin_pump_rx_soft() - the same in softirq
 * @vq: an RX queue that runs
 * @budget: how many frames, at most KTWIN_PUMP_PACKETS; of those that are read as one,
 *	each KTWIN_PACKET_FRAMES are one more
 * @done: how many of them it was, or as many as their bytes stand for; counted on
 *
 * Ends early when somebody else waits for the queue or its TLB.
 *
 * Context: softirq, between vfp_soft_begin() and vfp_soft_end().  KTWIN_VQ_SCHEDULED is
 * set.
 * Return: whether there is more, and who can do it.
 */
enum ktwin_soft_verdict ktwin_pump_rx_soft(struct ktwin_vq *vq, int budget, int *done)
{
	struct ktwin_share share = ktwin_share_of(budget - *done);
	unsigned int before = share.packets;
	enum ktwin_verdict verdict;

	do {
		verdict = pump(vq, &share, true);
	} while (verdict == KTWIN_GO_ON && !ktwin_share_done(&share) &&
		 !ktwin_is_wanted(vq, true));
	*done += ktwin_share_weight(&share, before);
	return ktwin_end_soft(vq, verdict);
}

/* What follows of a frame, from where @to is on; it may not be there. */
static bool copy_rest(struct iov_iter *to, struct iov_iter *rest)
{
	while (iov_iter_count(to)) {
		const struct bio_vec *at = to->bvec;
		size_t len = min_t(size_t, at->bv_len - to->iov_offset, iov_iter_count(to));

		if (copy_page_from_iter(at->bv_page, at->bv_offset + to->iov_offset, len,
					rest) != len)
			return false;
		iov_iter_advance(to, len);
	}
	return true;
}

static bool copy_gift(struct ktwin_vq *vq, const struct nshim_gift *gift, size_t need,
		      unsigned int heads)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {
		.hdr = gift->hdr,
		.num_buffers = (__force __virtio16)cpu_to_le16(heads),
	};
	size_t hdr_len = vq->twin->hdr_len;
	struct iov_iter to;

	if (unlikely(buffers(vq, need, 0, &to, true)))
		return false;
	return _copy_to_iter(&hdr, hdr_len, &to) == hdr_len &&
	       _copy_to_iter(gift->data, gift->len, &to) == gift->len &&
	       (!gift->rest || copy_rest(&to, gift->rest));
}

/* If it can't be taken, it comes by the backend, and what is wrong is told then. */
static bool take_one(struct ktwin_vq *vq, const struct nshim_gift *gift,
		     struct ktwin_share *share)
{
	size_t need = vq->twin->hdr_len + gift->len;
	struct room room;

	if (gift->rest)
		need += iov_iter_count(gift->rest);
	if (find_room(vq, need, &room, share, true) <= 0)
		return false;
	ktwin_share_use(share, need);
	share->packets += room.heads - 1;
	if (unlikely(!copy_gift(vq, gift, need, room.heads) ||
		     ktwin_push(vq, vq->heads, room.heads, true))) {
		vfp_ring_rewind(&vq->ring, room.mark);
		return false;
	}
	ktwin_account(vq, 1, need, nshim_frame_flags(&gift->hdr), false);
	return true;
}

/**
 * ktwin_take_soft() - give the guest frames that do not come by the backend
 * @vq: an RX queue that runs
 * @gifts: the frames
 * @n: how many
 *
 * It is the sender's time, so what this guest makes of it by its buffers is bounded.  Ends
 * early when somebody else waits for the queue or its TLB.
 *
 * Context: the sender's, between vfp_soft_begin() and vfp_soft_end(), poll_lock held.
 * Return: how many were taken, from the first on.  None if the backend has frames, which
 * come first.
 */
unsigned int ktwin_take_soft(struct ktwin_vq *vq, const struct nshim_gift *gifts,
			     unsigned int n)
{
	struct ktwin_share share = ktwin_share_of(min(TAKE_HEADS * n, KTWIN_PUMP_PACKETS));
	unsigned int flags, i;

	ktwin_assert_owned(vq);
	/* Where the tap knows no header nobody tells of offloads. */
	if (vq->twin->own_hdr || vq->port->ops->peek(vq->port, &flags, false))
		return 0;
	for (i = 0; i < n && !ktwin_share_done(&share) && !(i && ktwin_is_wanted(vq, true)) &&
	     take_one(vq, &gifts[i], &share); i++)
		;
	if (likely(i)) {
		ktwin_add(vq, PACKETS_TAKEN, i);
		ktwin_publish(vq, true);	/* or the ring has a fault */
	}
	if (unlikely(vq->ring.fault))
		ktwin_break(vq);
	return i;
}
