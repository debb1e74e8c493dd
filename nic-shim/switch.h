/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * switch.c, within nic-shim.
 */
#ifndef NIC_SHIM_SWITCH_H
#define NIC_SHIM_SWITCH_H

#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/sock.h>

#include "nic-shim/nshim.h"

/**
 * struct nshim_inlet - frames of other twins, for one receive queue
 * @lock: of all but @rcu
 * @owner: who is told, NULL if nothing is taken any more
 * @frames: what waits
 * @rcu: for whoever frees it: others may look at it when it is closed
 */
struct nshim_inlet {
	spinlock_t		lock;
	struct nshim_owner	*owner;
	struct sk_buff_head	frames;
	struct rcu_head		rcu;
};

bool nshim_inlet_open(struct nshim_inlet *inlet, struct sock *sk, struct nshim_owner *owner);
unsigned int nshim_inlet_close(struct nshim_inlet *inlet, struct sock *sk,
			       struct ptr_ring *ring);
bool nshim_inlet_is_empty(const struct nshim_inlet *inlet);
unsigned int nshim_inlet_take(struct nshim_inlet *inlet, void **to, unsigned int max);

struct nshim_inlet *nshim_switch_find(struct net_device *lower, struct net_device *to,
				      struct sk_buff *skb, netdev_features_t *features);
int nshim_switch(struct net_device *lower, struct net_device *to, struct sk_buff *skb);

#endif /* NIC_SHIM_SWITCH_H */
