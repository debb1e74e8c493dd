// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames on their way to a NIC's driver, past the queueing disciplines.
 *
 * As long as they are for one queue of the NIC they are gathered; then the driver is
 * called for one after the other, with its queue locked once, and told that more of them
 * follow.  That is done where the network core itself would send without queueing, and
 * as much at a time as it would (sch_direct_xmit() and dev_hard_start_xmit(),
 * net/sched/sch_generic.c and net/core/dev.c).  What can't be sent so leaves the lane.
 */
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>
#include <net/sock.h>

#include "nic-shim/lane.h"
#include "nic-shim/nshim.h"

/* Conditions */

/* Is nobody to see, or to change, what a device sends? */
static bool is_bare(const struct net_device *dev)
{
	return dev->flags & IFF_UP && !compat_has_egress_hooks(dev);
}

/*
 * A queueing discipline without a lock may be given a frame back while it is run, before
 * it no longer is; one with a lock may have its last frame taken before it is run.
 */
static bool is_idle(struct Qdisc *q)
{
	return q->flags & TCQ_F_CAN_BYPASS && qdisc_is_empty(q) && !qdisc_is_running(q) &&
	       qdisc_is_empty(q) && !compat_qdisc_is_deferred(q);
}

static bool queues_nothing(struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < READ_ONCE(dev->real_num_tx_queues); i++) {
		struct Qdisc *q = rcu_dereference_bh(netdev_get_tx_queue(dev, i)->qdisc);

		if (q->enqueue && !is_idle(q))
			return false;
	}
	return true;
}

/**
 * nshim_lane_is_open() - may frames be sent past the macvtap?
 * @lane: with the macvtap and its NIC
 *
 * Not if anything is configured that would see or change them on their way, or delay
 * them: hooks, queueing disciplines, listeners on the macvtap, queues of its own in the
 * NIC.
 *
 * Context: BHs disabled, RCU.
 * Return: whether.
 */
bool nshim_lane_is_open(const struct nshim_lane *lane)
{
	return is_bare(lane->upper) && is_bare(lane->lower) && queues_nothing(lane->upper) &&
	       list_empty(&lane->upper->ptype_all) && !netdev_get_sb_channel(lane->upper);
}

/* A device on top of others, as bonds and VLANs are: the queues are below it. */
static bool has_no_queue(const struct netdev_queue *txq)
{
	return !rcu_dereference_bh(txq->qdisc)->enqueue;
}

static bool may_send_now(const struct netdev_queue *txq)
{
	return (has_no_queue(txq) || is_idle(rcu_dereference_bh(txq->qdisc))) &&
	       !netif_xmit_frozen_or_stopped(txq);
}

/* The long way */

/**
 * nshim_lane_count() - count frames for the macvtap
 * @lane: whose
 * @frames: how many were sent
 * @bytes: and how long they were
 *
 * Context: BHs disabled.
 */
void nshim_lane_count(const struct nshim_lane *lane, unsigned int frames, unsigned int bytes)
{
	const struct macvlan_dev *vlan = netdev_priv(lane->upper);
	struct vlan_pcpu_stats *stats = this_cpu_ptr(vlan->pcpu_stats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->tx_packets, frames);
	u64_stats_add(&stats->tx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
}

/**
 * nshim_lane_count_dropped() - count frames of the macvtap that are lost
 * @lane: whose
 * @frames: how many
 *
 * Context: BHs disabled.
 */
void nshim_lane_count_dropped(const struct nshim_lane *lane, unsigned int frames)
{
	const struct macvlan_dev *vlan = netdev_priv(lane->upper);

	this_cpu_add(vlan->pcpu_stats->tx_dropped, frames);
}

/**
 * nshim_lane_leave() - have the network core send a frame
 * @lane: the lane
 * @skb: the frame
 * @dev: the macvtap, or the NIC
 * @charge: count it in the socket's send buffer as long as it waits, which tells when it
 *	is gone; not if that hangs on whether another guest takes it
 *
 * Context: BHs disabled, RCU.
 * Return: as dev_queue_xmit().
 */
int nshim_lane_leave(struct nshim_lane *lane, struct sk_buff *skb, struct net_device *dev,
		     bool charge)
{
	skb->dev = dev;
	/* To the core, a mapping is the queue that a frame was received from. */
	skb_set_queue_mapping(skb, 0);
	skb_probe_transport_header(skb);
	if (charge)
		skb_set_owner_w(skb, lane->sk);
	return dev_queue_xmit(skb);
}

/* Segments that were made of them are one each.  Of others nobody has had the cb yet. */
static unsigned int frames_in(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? nshim_cb(skb)->frames : 1;
}

/* To the NIC's queueing discipline. */
static void leave_all(struct nshim_lane *lane, struct sk_buff *list)
{
	unsigned int n = 0, sent = 0, bytes = 0, frames, len;
	struct sk_buff *skb, *next;
	int ret;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		len = skb->len;
		frames = frames_in(skb);
		n += frames;
		ret = nshim_lane_leave(lane, skb, lane->lower, true);
		if (net_xmit_eval(ret))
			continue;
		sent += frames;
		bytes += len;
	}
	nshim_lane_count(lane, sent, bytes);
	if (sent < n)
		nshim_lane_count_dropped(lane, n - sent);
}

/* They are not the driver's after all.  Segments may be more than frames were given. */
static unsigned int take_back(struct nshim_lane *lane, unsigned int frames, unsigned int bytes)
{
	frames = min(lane->n, frames);
	lane->n -= frames;
	lane->bytes -= min(lane->bytes, bytes);
	return frames;
}

/* The driver has not taken these. */
static void leave_rest(struct nshim_lane *lane, struct sk_buff *list)
{
	const struct sk_buff *skb;

	for (skb = list; skb; skb = skb->next)
		take_back(lane, frames_in(skb), skb->len);
	leave_all(lane, list);
}

/* The short way */

/* As netdev_core_pick_tx() (net/core/dev.c). */
static struct netdev_queue *pick(struct net_device *dev, struct sk_buff *skb)
{
	const struct net_device_ops *ops = dev->netdev_ops;
	u16 index = 0;

	if (READ_ONCE(dev->real_num_tx_queues) > 1) {
#ifdef CONFIG_XPS
		skb->sender_cpu = raw_smp_processor_id() + 1;
#endif
		index = ops->ndo_select_queue ? ops->ndo_select_queue(dev, skb, NULL) :
						netdev_pick_tx(dev, skb, NULL);
		index = netdev_cap_txqueue(dev, index);
	}
	skb_set_queue_mapping(skb, index);
	return netdev_get_tx_queue(dev, index);
}

/* Nothing that a NIC may not be able to do is asked of it. */
static bool is_plain(const struct sk_buff *list)
{
	for (; list; list = list->next)
		if (list->ip_summed == CHECKSUM_PARTIAL || skb_is_nonlinear(list) ||
		    skb_is_gso(list))
			return false;
	return true;
}

/*
 * To a device on top of others: where a frame may have to wait, out of sight, it is charged
 * for; what is dropped there is told at once.
 */
static int start_on_top(struct nshim_lane *lane, struct sk_buff *skb, struct net_device *dev,
			struct netdev_queue *txq, bool more)
{
	unsigned int frames = frames_in(skb), bytes = skb->len;
	int ret;

	skb_set_owner_w(skb, lane->sk);
	ret = netdev_start_xmit(skb, dev, txq, more);
	if (unlikely(dev_xmit_complete(ret) && net_xmit_eval(ret)))
		nshim_lane_count_dropped(lane, take_back(lane, frames, bytes));
	/* An aggregate, and what it becomes, is shorter, or longer, than what it was. */
	if (unlikely(!lane->n))
		lane->bytes = 0;
	return ret;
}

/* Returns what the driver has not taken. */
static struct sk_buff *drive(struct nshim_lane *lane, struct sk_buff *skb)
{
	struct net_device *dev = lane->lower;
	struct netdev_queue *txq = lane->txq;
	bool tapped = dev_nit_active_rcu(dev), more = false;
	bool on_top = has_no_queue(txq);
	struct sk_buff *next;
	int room = 0, ret;

	HARD_TX_LOCK(dev, txq, smp_processor_id());
	for (; skb; skb = next) {
		/* What was said to follow does, unless the driver has no room for it. */
		if (more ? netif_xmit_frozen_or_drv_stopped(txq) :
			   netif_xmit_frozen_or_stopped(txq))
			break;
		if (!more)
			room = qdisc_avail_bulklimit(txq);
		room -= skb->len;
		next = skb->next;
		more = next && room > 0;
		skb_mark_not_on_list(skb);
		if (unlikely(tapped))
			dev_queue_xmit_nit(skb, dev);
		ret = unlikely(on_top) ? start_on_top(lane, skb, dev, txq, more) :
					 netdev_start_xmit(skb, dev, txq, more);
		if (unlikely(!dev_xmit_complete(ret))) {
			skb->next = next;
			break;
		}
	}
	HARD_TX_UNLOCK(dev, txq);
	return skb;
}

/* Checksums, segments and pages, for a NIC that can't.  What can't be sent is gone. */
static struct sk_buff *validate(struct nshim_lane *lane, struct sk_buff *list)
{
	bool is_gso = skb_is_gso(list), again;
	unsigned int n = 0, bytes = 0;
	struct sk_buff *skb;

	list = validate_xmit_skb_list(list, lane->lower, &again);
	/* Segments are still what they were made of, or nothing. */
	if (is_gso) {
		n = list ? lane->n : 0;
		bytes = lane->bytes;
	} else {
		for (skb = list; skb; skb = skb->next) {
			n++;
			bytes += skb->len;
		}
	}
	if (unlikely(n < lane->n))
		nshim_lane_count_dropped(lane, lane->n - n);
	lane->n = n;
	lane->bytes = bytes;
	return list;
}

/**
 * nshim_lane_end() - send the frames that were gathered
 * @lane: the lane
 *
 * Context: BHs disabled, RCU.
 */
void nshim_lane_end(struct nshim_lane *lane)
{
	struct sk_buff *list = lane->first;

	if (!list)
		return;
	lane->first = NULL;
	lane->tail = &lane->first;
	if (unlikely(!may_send_now(lane->txq))) {
		leave_all(lane, list);
	} else {
		if (!is_plain(list))
			list = validate(lane, list);
		list = drive(lane, list);
		if (unlikely(list))
			leave_rest(lane, list);
		lane->flushed->direct += lane->n;
		nshim_lane_count(lane, lane->n, lane->bytes);
	}
	lane->n = 0;
	lane->bytes = 0;
}

/**
 * nshim_lane_add() - a frame for the NIC's driver
 * @lane: the lane, which is open
 * @skb: the frame, with MAC and network headers set
 *
 * What may have to be segmented goes alone, as from the network core: it may become a
 * thousand.  Of a NIC that takes segmentation which nobody has looked at, it is not asked.
 *
 * Context: BHs disabled, RCU.
 */
void nshim_lane_add(struct nshim_lane *lane, struct sk_buff *skb)
{
	struct nshim_cb cb = *nshim_cb(skb);
	bool is_gso = skb_is_gso(skb);
	struct netdev_queue *txq;

	if (unlikely(is_gso && skb_shinfo(skb)->gso_type & SKB_GSO_DODGY &&
		     lane->lower->features & NETIF_F_GSO_ROBUST)) {
		nshim_lane_end(lane);
		nshim_lane_leave(lane, skb, lane->upper, true);
		return;
	}
	skb->dev = lane->lower;
	/* A bond looks for its own choice there, and may make it in pick(). */
	qdisc_skb_cb(skb)->slave_dev_queue_mapping = 0;
	txq = pick(lane->lower, skb);
	if (txq != lane->txq || is_gso)
		nshim_lane_end(lane);
	lane->txq = txq;
	*lane->tail = skb;
	lane->tail = &skb->next;
	lane->n += cb.frames;
	lane->bytes += cb.bytes;
	if (is_gso)
		nshim_lane_end(lane);
}
