// SPDX-License-Identifier: GPL-2.0-only
/*
 * A NIC's driver, handed a macvtap's frames with nothing between.
 *
 * What macvtap, macvlan and the network core do with most frames is to find that
 * no neighbour on the same NIC is meant and that nothing waits in the queueing
 * discipline, and to call the driver.  Here that is found once for many frames, and the
 * driver is told that more of them follow.  Where it does not hold (another macvlan is
 * meant, a shaper or a hook is configured, the NIC is full) frames go the long way, so
 * that all which was configured stays in force.
 */
#include <linux/etherdevice.h>
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>
#include <net/sock.h>

#include "nic-shim/netdev.h"
#include "nic-shim/nshim.h"
#include "nic-shim/switch.h"

/* Who is on the same NIC */

/* Counts changes of addresses, and of what is on top of what. */
static atomic_t addresses = ATOMIC_INIT(0);

static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	if (event == NETDEV_CHANGEADDR || event == NETDEV_CHANGEUPPER)
		atomic_inc_return_release(&addresses);	/* after the change */
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = { .notifier_call = netdev_event };

/**
 * nshim_init() - get what ports need
 *
 * Context: process; may sleep.
 * Return: 0 or an error.
 */
int nshim_init(void)
{
	return register_netdevice_notifier(&netdev_notifier);
}

/**
 * nshim_exit() - there are no ports any more
 *
 * Context: process; may sleep.
 */
void nshim_exit(void)
{
	unregister_netdevice_notifier(&netdev_notifier);
}

/*
 * The macvlan device on the same NIC that has this address, or NULL.  They are few, but
 * not so few that they could be looked through for each frame.
 */
static struct net_device *find_sibling(struct nshim_netdev *nic, struct net_device *lower,
				       const u8 *dest)
{
	unsigned int generation = atomic_read_acquire(&addresses);
	u64 addr = ether_addr_to_u64(dest);
	struct nshim_known *known = &nic->known[addr % NSHIM_KNOWN];
	struct net_device *upper;
	struct list_head *iter;

	/* A device that is about to go has been taken off the NIC before. */
	if (unlikely(nic->generation != generation)) {
		memset(nic->known, 0, sizeof(nic->known));
		nic->generation = generation;
	}
	if (likely(known->addr == addr))
		return known->sibling;
	known->addr = addr;
	known->sibling = NULL;
	netdev_for_each_upper_dev_rcu(lower, upper, iter)
		if (netif_is_macvlan(upper) && ether_addr_equal(upper->dev_addr, dest))
			known->sibling = upper;
	return known->sibling;
}

static bool is_bridged(const struct net_device *upper)
{
	const struct macvlan_dev *vlan = netdev_priv(upper);

	return READ_ONCE(vlan->mode) == MACVLAN_MODE_BRIDGE;
}

/* The long way */

/* What waits counts in the tap's send buffer, and tells when it is gone. */
static void queue_frame(struct sk_buff *skb, struct net_device *dev, struct sock *sk)
{
	skb->dev = dev;
	skb_probe_transport_header(skb);
	skb_set_owner_w(skb, sk);
	dev_queue_xmit(skb);
}

static unsigned int queue_frames(struct sk_buff *list, struct net_device *dev,
				 struct sock *sk)
{
	struct sk_buff *skb, *next;
	unsigned int n = 0;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		queue_frame(skb, dev, sk);
		n++;
	}
	return n;
}

/* The short way */

/* Is nobody to see, or to change, what a device sends? */
static bool is_bare(const struct net_device *dev)
{
	return dev->flags & IFF_UP && !compat_has_egress_hooks(dev);
}

/* The network core's own conditions for sending without queueing. */
static bool is_idle(struct Qdisc *q)
{
	return q->flags & TCQ_F_CAN_BYPASS && qdisc_is_empty(q) && !qdisc_is_running(q);
}

static bool may_bypass(struct net_device *upper, struct net_device *lower)
{
	struct Qdisc *q = rcu_dereference_bh(netdev_get_tx_queue(upper, 0)->qdisc);

	return (!q->enqueue || is_idle(q)) && is_bare(upper) && is_bare(lower);
}

static bool may_send_now(const struct netdev_queue *txq)
{
	return is_idle(rcu_dereference_bh(txq->qdisc)) && !netif_xmit_frozen_or_stopped(txq);
}

static struct netdev_queue *pick(struct net_device *dev, struct sk_buff *skb)
{
	const struct net_device_ops *ops = dev->netdev_ops;
	u16 index = 0;

	if (READ_ONCE(dev->real_num_tx_queues) > 1) {
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
		if (list->ip_summed == CHECKSUM_PARTIAL || skb_is_nonlinear(list))
			return false;
	return true;
}

/* Returns what the driver has not taken. */
static struct sk_buff *drive(struct net_device *dev, struct netdev_queue *txq,
			     struct sk_buff *skb)
{
	bool tapped = dev_nit_active_rcu(dev);
	struct sk_buff *next;

	HARD_TX_LOCK(dev, txq, smp_processor_id());
	for (; skb && !netif_xmit_frozen_or_stopped(txq); skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		if (unlikely(tapped))
			dev_queue_xmit_nit(skb, dev);
		if (unlikely(!dev_xmit_complete(netdev_start_xmit(skb, dev, txq, next)))) {
			skb->next = next;
			break;
		}
	}
	HARD_TX_UNLOCK(dev, txq);
	return skb;
}

/* Frames for one queue of the NIC.  Returns how many its driver has taken. */
static unsigned int hand_over(struct net_device *dev, struct netdev_queue *txq,
			      struct sk_buff *list, unsigned int n, struct sock *sk)
{
	bool again;

	if (!n)
		return 0;
	if (unlikely(!may_send_now(txq))) {
		queue_frames(list, dev, sk);
		return 0;
	}
	if (!is_plain(list))
		list = validate_xmit_skb_list(list, dev, &again);
	list = drive(dev, txq, list);
	/* In segments they may be more than were given. */
	return list ? n - min(n, queue_frames(list, dev, sk)) : n;
}

static void count_sent(struct net_device *upper, unsigned int frames, unsigned int bytes)
{
	const struct macvlan_dev *vlan = netdev_priv(upper);
	struct vlan_pcpu_stats *stats = this_cpu_ptr(vlan->pcpu_stats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->tx_packets, frames);
	u64_stats_add(&stats->tx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
}

/* To neighbours on the same NIC, as macvlan would.  Is it taken care of? */
static bool send_to_neighbours(struct nshim_netdev *nic, struct net_device *upper,
			       struct net_device *lower, struct sock *sk,
			       struct sk_buff *skb, struct nshim_flushed *flushed)
{
	const u8 *dest = eth_hdr(skb)->h_dest;
	struct net_device *sibling;
	unsigned int len = skb->len;

	if (is_multicast_ether_addr(dest)) {
		queue_frame(skb, upper, sk);
		return true;
	}
	sibling = find_sibling(nic, lower, dest);
	if (likely(!sibling))
		return false;
	if (nshim_switch(lower, sibling, skb)) {
		flushed->switched++;
		count_sent(upper, 1, len);
	} else {
		queue_frame(skb, upper, sk);
	}
	return true;
}

/**
 * nshim_netdev_send() - send frames of a macvtap
 * @nic: what is known of its NIC
 * @upper: the macvtap
 * @sk: its socket, in whose send buffer those frames count that have to wait
 * @list: frames with MAC and network headers set, linked by their next pointers
 * @flushed: where those are counted that went past the network core
 *
 * As macvtap_start_xmit() and macvlan_queue_xmit() (drivers/net/macvlan.c) would, and
 * __dev_queue_xmit() (net/core/dev.c) for the NIC below.
 *
 * Context: BHs disabled, within an RCU read-side section that began before @upper was
 * looked up.
 */
void nshim_netdev_send(struct nshim_netdev *nic, struct net_device *upper, struct sock *sk,
		       struct sk_buff *list, struct nshim_flushed *flushed)
{
	struct net_device *lower = macvlan_dev_real_dev(upper);
	bool bypass = may_bypass(upper, lower), bridged = is_bridged(upper);
	struct sk_buff *skb, *next, *first = NULL, **tail = &first;
	unsigned int n = 0, frames = 0, bytes = 0;
	struct netdev_queue *txq = NULL, *to;

	lockdep_assert_in_softirq();
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		if (unlikely(!bypass)) {
			queue_frame(skb, upper, sk);
			continue;
		}
		if (bridged && send_to_neighbours(nic, upper, lower, sk, skb, flushed))
			continue;
		skb->dev = lower;
		to = pick(lower, skb);
		if (to != txq) {
			flushed->direct += hand_over(lower, txq, first, n, sk);
			tail = &first;
			n = 0;
			txq = to;
		}
		frames++;
		bytes += skb->len;
		n++;
		*tail = skb;
		tail = &skb->next;
	}
	flushed->direct += hand_over(lower, txq, first, n, sk);
	if (frames)
		count_sent(upper, frames, bytes);
}
