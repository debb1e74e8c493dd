/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lane.c, within nic-shim.
 */
#ifndef NIC_SHIM_LANE_H
#define NIC_SHIM_LANE_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct nshim_flushed;

/**
 * struct nshim_lane - frames of one macvtap on their way to the driver of its NIC
 * @upper: the macvtap
 * @lower: the NIC
 * @sk: the macvtap's socket, in whose send buffer those count that have to wait
 * @flushed: where those are counted that the driver has taken
 * @is_open: whether frames may be sent past the macvtap
 * @is_bridged: whether it reaches others on the same NIC
 * @txq: the NIC's queue that the gathered frames are for
 * @first: they, by their next pointers
 * @tail: where the next is to be entered
 * @n: how many they are
 * @bytes: and how long
 */
struct nshim_lane {
	struct net_device	*upper;
	struct net_device	*lower;
	struct sock		*sk;
	struct nshim_flushed	*flushed;
	bool			is_open;
	bool			is_bridged;
	struct netdev_queue	*txq;
	struct sk_buff		*first;
	struct sk_buff		**tail;
	unsigned int		n;
	unsigned int		bytes;
};

/* In an skb's control buffer, until somebody else has it: the owner's frames in it. */
struct nshim_cb {
	unsigned int frames;
	unsigned int bytes;
};

static inline struct nshim_cb *nshim_cb(const struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct nshim_cb) > sizeof(skb->cb));
	return (struct nshim_cb *)skb->cb;
}

bool nshim_lane_is_open(const struct nshim_lane *lane);
void nshim_lane_add(struct nshim_lane *lane, struct sk_buff *skb);
void nshim_lane_end(struct nshim_lane *lane);
void nshim_lane_count(const struct nshim_lane *lane, unsigned int frames, unsigned int bytes);
void nshim_lane_count_dropped(const struct nshim_lane *lane, unsigned int frames);
int nshim_lane_leave(struct nshim_lane *lane, struct sk_buff *skb, struct net_device *dev,
		     bool charge);

#endif /* NIC_SHIM_LANE_H */
