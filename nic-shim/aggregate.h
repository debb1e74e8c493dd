/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * aggregate.c, within nic-shim.
 */
#ifndef NIC_SHIM_AGGREGATE_H
#define NIC_SHIM_AGGREGATE_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/xdp.h>

unsigned int nshim_aggregate_limit(const struct net_device *lower);
unsigned int nshim_aggregate_run(const struct net_device *lower,
				 const struct xdp_buff *frames, unsigned int n);
void nshim_aggregate_make(struct sk_buff *skb, const struct xdp_buff *frames, unsigned int n);

#endif /* NIC_SHIM_AGGREGATE_H */
