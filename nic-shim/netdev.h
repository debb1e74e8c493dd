/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netdev.c, within nic-shim.
 */
#ifndef NIC_SHIM_NETDEV_H
#define NIC_SHIM_NETDEV_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#define NSHIM_STRANGERS		8

/**
 * struct nshim_netdev - what one queue of a macvtap knows of its NIC
 * @generation: of addresses when @strangers were found
 * @strangers: addresses that are of no other macvlan on the NIC, by their hash
 */
struct nshim_netdev {
	unsigned int	generation;
	u64		strangers[NSHIM_STRANGERS];
};

unsigned int nshim_netdev_send(struct nshim_netdev *nic, struct net_device *upper,
			       struct sock *sk, struct sk_buff *list);

#endif /* NIC_SHIM_NETDEV_H */
