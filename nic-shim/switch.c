// SPDX-License-Identifier: GPL-2.0-only
/*
 * From twin to twin on one NIC.
 *
 * A frame for another macvtap on the same NIC goes through the network core once more:
 * it is received by the NIC's device, by macvlan, by the macvtap, and put into its ring.
 * Where nobody on that way would do anything to it, and the other macvtap is a twin's,
 * it is given to that twin: into its inlet, which its receive queue looks into as it
 * does into the ring.
 *
 * An inlet is found by the macvtap's socket, whose sk_user_data is not used otherwise.
 */
#include <linux/if_macvlan.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "nic-shim/switch.h"

/* What a tap takes whatever its owner has said (TAP_FEATURES of drivers/net/tap.c). */
#define TAP_FEATURES	(NETIF_F_GSO | NETIF_F_SG | NETIF_F_FRAGLIST)

/**
 * nshim_inlet_open() - have frames of other twins come to a queue
 * @inlet: the inlet, to be filled in
 * @sk: socket of a queue of a macvtap
 * @owner: whom to tell of the first frame that comes
 *
 * Context: process.
 * Return: whether; not if the socket is used by somebody else, and then frames come by the
 * macvtap's ring.
 */
bool nshim_inlet_open(struct nshim_inlet *inlet, struct sock *sk, struct nshim_owner *owner)
{
	bool taken;

	spin_lock_init(&inlet->lock);
	__skb_queue_head_init(&inlet->frames);
	inlet->owner = owner;
	write_lock_bh(&sk->sk_callback_lock);
	taken = sk->sk_user_data;
	if (!taken)
		rcu_assign_sk_user_data(sk, inlet);
	write_unlock_bh(&sk->sk_callback_lock);
	return !taken;
}

/**
 * nshim_inlet_close() - no more frames, and no more events
 * @inlet: the inlet
 * @sk: the socket that it was opened with
 * @ring: the macvtap's, for the frames that were not taken
 *
 * The inlet is to be freed by way of its RCU head.
 *
 * Context: process; may sleep.
 * Return: how many frames @ring had no room for; they are lost.
 */
unsigned int nshim_inlet_close(struct nshim_inlet *inlet, struct sock *sk,
			       struct ptr_ring *ring)
{
	unsigned int lost = 0, n = 0;
	struct sk_buff *skb;

	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);

	spin_lock_bh(&inlet->lock);
	WRITE_ONCE(inlet->owner, NULL);
	for (; (skb = __skb_dequeue(&inlet->frames)); n++) {
		if (!ptr_ring_produce(ring, skb))
			continue;
		kfree_skb(skb);
		lost++;
	}
	spin_unlock_bh(&inlet->lock);
	synchronize_net();	/* nobody gives anything to the owner any more */
	if (n > lost)
		wake_up_interruptible_poll(sk_sleep(sk), EPOLLIN | EPOLLRDNORM);
	return lost;
}

/**
 * nshim_inlet_take() - take frames out
 * @inlet: the inlet
 * @to: where to, as skbs
 * @max: how many at most
 *
 * Context: process or softirq.
 * Return: how many; if none, the owner is told of the next.
 */
unsigned int nshim_inlet_take(struct nshim_inlet *inlet, void **to, unsigned int max)
{
	unsigned int n = 0;

	spin_lock_bh(&inlet->lock);
	while (n < max && (to[n] = __skb_dequeue(&inlet->frames)))
		n++;
	spin_unlock_bh(&inlet->lock);
	return n;
}

/**
 * nshim_inlet_is_empty() - is there nothing to take?
 * @inlet: the inlet
 *
 * Context: any.
 * Return: whether, at the moment.
 */
bool nshim_inlet_is_empty(const struct nshim_inlet *inlet)
{
	return skb_queue_empty_lockless(&inlet->frames);
}

/* One frame.  It is gone, wherever. */
static bool put(struct nshim_inlet *inlet, struct sk_buff *skb, unsigned int most)
{
	bool first, room;

	spin_lock(&inlet->lock);
	first = skb_queue_empty(&inlet->frames);
	room = inlet->owner && skb_queue_len(&inlet->frames) < most;
	if (likely(room)) {
		__skb_queue_tail(&inlet->frames, skb);
		if (first)
			inlet->owner->event(inlet->owner, EPOLLIN);
	}
	spin_unlock(&inlet->lock);
	if (unlikely(!room))
		kfree_skb(skb);
	return room;
}

/* As tap_get_queue() (drivers/net/tap.c). */
static struct tap_queue *choose(struct tap_dev *tap, struct sk_buff *skb)
{
	unsigned int n = READ_ONCE(tap->numvtaps), index = 0;

	if (!n || (n > 1 && !skb))
		return NULL;
	if (n > 1)
		index = skb_get_hash(skb) % n;
	return rcu_dereference(tap->taps[index]);
}

/* Is nobody to see, or to change, what a device receives? */
static bool is_bare(struct net_device *dev)
{
	return dev->flags & IFF_UP && !compat_has_ingress_hooks(dev) &&
	       !rcu_access_pointer(dev->xdp_prog) && !dev_nit_active_rcu(dev);
}

/* An inlet has room for as much as the macvtap's ring.  Has it for all? */
static bool give(struct nshim_inlet *inlet, struct net_device *to, struct sk_buff *list)
{
	unsigned int most = READ_ONCE(to->tx_queue_len), len;
	struct sk_buff *skb, *next;
	bool all = true, given;

	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		skb->dev = to;
		len = skb->len;
		given = put(inlet, skb, most);
		macvlan_count_rx(netdev_priv(to), len, given, false);
		all = all && given;
	}
	return all;
}

/**
 * nshim_switch_find() - whom frames may be given to that are for another macvlan device
 * @lower: the NIC
 * @to: the other device
 * @skb: a frame; NULL will do for a macvtap with one queue
 * @features: what the macvtap takes without segmentation and checksums
 *
 * Context: BHs disabled, RCU.
 * Return: the inlet of a twin's queue, or NULL if the network core is to see to it.
 */
struct nshim_inlet *nshim_switch_find(struct net_device *lower, struct net_device *to,
				      struct sk_buff *skb, netdev_features_t *features)
{
	const struct macvlan_dev *vlan = netdev_priv(to);
	struct tap_queue *q;
	struct tap_dev *tap;

	if (rcu_access_pointer(to->rx_handler) != tap_handle_frame ||
	    READ_ONCE(vlan->mode) != MACVLAN_MODE_BRIDGE || !is_bare(lower) || !is_bare(to))
		return NULL;
	tap = rcu_dereference(to->rx_handler_data);
	q = tap ? choose(tap, skb) : NULL;
	if (!q)
		return NULL;
	*features = TAP_FEATURES;
	if (q->flags & IFF_VNET_HDR)
		*features |= READ_ONCE(tap->tap_features);
	return rcu_dereference_sk_user_data(&q->sk);
}

/**
 * nshim_switch() - give a frame to another twin
 * @lower: the NIC
 * @to: another macvlan device on it, whose address the frame is for
 * @skb: the frame, with MAC and network headers set
 *
 * As macvlan_handle_frame() (drivers/net/macvlan.c) and tap_handle_frame()
 * (drivers/net/tap.c) would.
 *
 * Context: BHs disabled, RCU.
 * Return: 0, -ENOBUFS if the frame is lost, or part of it, -EOPNOTSUPP if it is as it was.
 */
int nshim_switch(struct net_device *lower, struct net_device *to, struct sk_buff *skb)
{
	netdev_features_t features;
	struct sk_buff *segs = NULL;
	struct nshim_inlet *inlet;

	/* One that begins in the Ethernet header is forgotten on the long way. */
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) < ETH_HLEN)
		return -EOPNOTSUPP;
	/* The NIC may have a VLAN device, and an MTU. */
	if (eth_type_vlan(skb->protocol) || !__is_skb_forwardable(lower, skb, true))
		return -EOPNOTSUPP;
	inlet = nshim_switch_find(lower, to, skb, &features);
	if (!inlet)
		return -EOPNOTSUPP;
	/* What a guest has asked for is looked at, even if no more is to be done. */
	if (netif_needs_gso(skb, features)) {
		segs = __skb_gso_segment(skb, features, false);
		if (IS_ERR(segs))
			return -EOPNOTSUPP;
	} else if (skb->ip_summed == CHECKSUM_PARTIAL && !(features & NETIF_F_CSUM_MASK) &&
		   skb_checksum_help(skb)) {
		return -EOPNOTSUPP;
	}
	if (segs)
		consume_skb(skb);
	return give(inlet, to, segs ?: skb) ? 0 : -ENOBUFS;
}
