// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NIC below a macvtap, which is handed the macvtap's frames with nothing between.
 *
 * What macvtap, macvlan and the network core do with most frames is to find that
 * no neighbour on the same NIC is meant and that nothing waits in the queueing
 * discipline, and to call the driver.  Here that is found once for many frames (lane.c).
 * Where it does not hold (another macvlan is meant, a shaper or a hook is configured, the
 * NIC is full) frames go the long way, so that all which was configured stays in force.
 */
#include <linux/etherdevice.h>
#include <linux/if_macvlan.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>

#include "nic-shim/lane.h"
#include "nic-shim/netdev.h"
#include "nic-shim/nshim.h"
#include "nic-shim/switch.h"

/* Who is on the same NIC */

/* Counts changes of addresses, of what is on top of what, and of how it is set up. */
static atomic_t addresses = ATOMIC_INIT(1);

static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	if (event == NETDEV_CHANGEADDR || event == NETDEV_CHANGEUPPER ||
	    event == NETDEV_CHANGE || event == NETDEV_UP)
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

static bool has_mode(const struct net_device *dev, enum macvlan_mode mode)
{
	const struct macvlan_dev *vlan = netdev_priv(dev);

	return READ_ONCE(vlan->mode) == mode;
}

/* A device that is about to go has been taken off the NIC, and is forgotten, before. */
static void learn_anew(struct nshim_netdev *nic, struct net_device *lower,
		       unsigned int generation)
{
	struct net_device *upper;
	unsigned int n = 0;
	struct list_head *iter;

	memset(nic->known, 0, sizeof(nic->known));
	nic->generation = generation;
	nic->is_copied = false;
	netdev_for_each_upper_dev_rcu(lower, upper, iter) {
		if (!netif_is_macvlan(upper))
			continue;
		n++;
		if (has_mode(upper, MACVLAN_MODE_SOURCE))
			nic->is_copied = true;
	}
	nic->has_siblings = n > 1;
}

/* For comparing: no number that means anything. */
static u64 word_of(const u8 *addr)
{
	u64 word = 0;

	memcpy(&word, addr, ETH_ALEN);
	return word;
}

/*
 * The macvlan device on the same NIC that has this address, or NULL.  They are few, but
 * not so few that they could be looked through for each frame.  Of what changes meanwhile
 * the next frames are told: for all of a batch it is the same, so they keep their order (but
 * for an address that changes its owner while another one of the batch takes its place).
 */
static struct net_device *find_sibling(struct nshim_netdev *nic, struct net_device *lower,
				       const u8 *dest)
{
	struct nshim_known *known = &nic->known[dest[ETH_ALEN - 1] % NSHIM_KNOWN];
	u64 addr = word_of(dest);
	struct net_device *upper;
	struct list_head *iter;

	if (likely(known->addr == addr))
		return known->sibling;
	known->addr = addr;
	known->sibling = NULL;
	netdev_for_each_upper_dev_rcu(lower, upper, iter)
		if (netif_is_macvlan(upper) && ether_addr_equal(upper->dev_addr, dest))
			known->sibling = upper;
	return known->sibling;
}

/*
 * To neighbours on the same NIC, as macvlan would; what is for another twin may be given
 * to it.  Is it taken care of?
 */
static bool send_to_neighbours(struct nshim_netdev *nic, struct nshim_lane *lane,
			       struct sk_buff *skb)
{
	const u8 *dest = eth_hdr(skb)->h_dest;
	struct net_device *sibling = NULL;
	unsigned int len = skb->len;
	int ret = -EOPNOTSUPP;

	if (likely(!is_multicast_ether_addr(dest))) {
		sibling = find_sibling(nic, lane->lower, dest);
		if (likely(!sibling))
			return false;
	}
	/* Frames keep their order. */
	nshim_lane_end(lane);
	if (sibling && lane->is_open && !nic->is_copied)
		ret = nshim_switch(lane->lower, sibling, skb);
	if (ret == -EOPNOTSUPP) {
		nshim_lane_leave(lane, skb, lane->upper, !sibling);
		return true;
	}
	if (ret)
		lane->flushed->full++;
	else
		lane->flushed->switched++;
	nshim_lane_count(lane, 1, len);
	return true;
}

/**
 * nshim_netdev_begin() - before frames of a macvtap are made
 * @nic: what is known of the NIC
 * @lane: to be filled in
 * @upper: the macvtap
 * @sk: its socket, in whose send buffer those frames count that have to wait
 * @direct: may they go past the network core?
 * @flushed: where those are counted that do
 *
 * Context: BHs disabled, within an RCU read-side section that began before @upper was
 * looked up, and does not end before nshim_netdev_send().
 */
void nshim_netdev_begin(struct nshim_netdev *nic, struct nshim_lane *lane,
			struct net_device *upper, struct sock *sk, bool direct,
			struct nshim_flushed *flushed)
{
	unsigned int generation = atomic_read_acquire(&addresses);

	*lane = (struct nshim_lane) {
		.upper		= upper,
		.lower		= macvlan_dev_real_dev(upper),
		.sk		= sk,
		.flushed	= flushed,
		.is_bridged	= has_mode(upper, MACVLAN_MODE_BRIDGE),
		.tail		= &lane->first,
	};
	lane->is_open = direct && nshim_lane_is_open(lane);
	if (unlikely(nic->generation != generation))
		learn_anew(nic, lane->lower, generation);
}

/**
 * nshim_netdev_drives() - is a frame for the NIC's driver?
 * @nic: what is known of the NIC
 * @lane: as nshim_netdev_begin() has left it
 * @dest: where the frame is for
 *
 * Context: as nshim_netdev_begin().
 * Return: whether; the driver may still have no room for it.
 */
bool nshim_netdev_drives(struct nshim_netdev *nic, const struct nshim_lane *lane,
			 const u8 *dest)
{
	return lane->is_open && !is_multicast_ether_addr(dest) &&
	       !(lane->is_bridged && find_sibling(nic, lane->lower, dest));
}

/**
 * nshim_netdev_sibling() - whose address on the same NIC is it?
 * @nic: what is known of the NIC
 * @lane: as nshim_netdev_begin() has left it
 * @dest: where a frame is for, no multicast address
 *
 * Context: as nshim_netdev_begin().
 * Return: a macvlan device, or NULL.
 */
struct net_device *nshim_netdev_sibling(struct nshim_netdev *nic, const struct nshim_lane *lane,
					const u8 *dest)
{
	return find_sibling(nic, lane->lower, dest);
}

/**
 * nshim_netdev_send() - send frames of a macvtap
 * @nic: what is known of its NIC
 * @lane: as nshim_netdev_begin() has left it
 * @list: frames with MAC and network headers set, linked by their next pointers
 *
 * As macvtap_start_xmit() and macvlan_queue_xmit() (drivers/net/macvlan.c) would.
 *
 * Context: as nshim_netdev_begin().
 */
void nshim_netdev_send(struct nshim_netdev *nic, struct nshim_lane *lane,
		       struct sk_buff *list)
{
	struct sk_buff *skb, *next;

	lockdep_assert_in_softirq();
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		if (lane->is_bridged && send_to_neighbours(nic, lane, skb))
			continue;
		if (likely(lane->is_open))
			nshim_lane_add(lane, skb);
		else
			nshim_lane_leave(lane, skb, lane->upper, true);
	}
	nshim_lane_end(lane);
}
