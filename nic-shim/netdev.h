/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netdev.c, within nic-shim.
 */
#ifndef NIC_SHIM_NETDEV_H
#define NIC_SHIM_NETDEV_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#define NSHIM_KNOWN	8

struct nshim_flushed;
struct nshim_lane;

/**
 * struct nshim_netdev - what one queue of a macvtap knows of its NIC
 * @generation: of the addresses on this host, when @known was found
 * @has_siblings: more than one macvlan device is there
 * @is_copied: a macvlan device there wants frames by who has sent them
 * @known: by the last byte of an address, who has it on the same NIC, or that nobody has
 */
struct nshim_netdev {
	unsigned int	generation;
	bool		has_siblings;
	bool		is_copied;
	struct nshim_known {
		u64			addr;
		struct net_device	*sibling;
	} known[NSHIM_KNOWN];
};

/* May a frame be for another macvlan device?  As nshim_netdev_begin() has found last. */
static inline bool nshim_netdev_has_siblings(const struct nshim_netdev *nic)
{
	return nic->has_siblings;
}

void nshim_netdev_begin(struct nshim_netdev *nic, struct nshim_lane *lane,
			struct net_device *upper, struct sock *sk, bool direct,
			struct nshim_flushed *flushed);
bool nshim_netdev_drives(struct nshim_netdev *nic, const struct nshim_lane *lane,
			 const u8 *dest);
struct net_device *nshim_netdev_sibling(struct nshim_netdev *nic, const struct nshim_lane *lane,
					const u8 *dest);
void nshim_netdev_send(struct nshim_netdev *nic, struct nshim_lane *lane,
		       struct sk_buff *list);

#endif /* NIC_SHIM_NETDEV_H */
