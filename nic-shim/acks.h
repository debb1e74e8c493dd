/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * acks.c, within nic-shim.
 */
#ifndef NIC_SHIM_ACKS_H
#define NIC_SHIM_ACKS_H

#include <linux/in6.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define NSHIM_FLOWS	16

/**
 * struct nshim_flow - a stream that aggregates of were received
 * @peer: address of who sends it
 * @own: and of who receives it, the guest's
 * @peer_port: its port there
 * @own_port: and here
 * @mss: bytes of a segment, 0 if nothing is known here
 * @begin: where the aggregates begin, with nothing missing from there on
 * @end: and end
 * @acked: what the guest has acknowledged last
 * @window: which window it has told with it
 */
struct nshim_flow {
	struct in6_addr	peer;
	struct in6_addr	own;
	__be16		peer_port;
	__be16		own_port;
	u16		mss;
	u16		window;
	u32		begin;
	u32		end;
	u32		acked;
};

/**
 * struct nshim_acks - the streams that a queue pair has received aggregates of
 * @lock: of all of it
 * @flows: each where its addresses and ports lead to; a newer one takes an older one's
 *	place
 */
struct nshim_acks {
	spinlock_t		lock;
	struct nshim_flow	flows[NSHIM_FLOWS];
};

void nshim_acks_received(struct nshim_acks *acks, const struct sk_buff *skb);
struct sk_buff *nshim_acks_expand(struct nshim_acks *acks, struct sk_buff *skb, bool may,
				  unsigned int *expanded);

#endif /* NIC_SHIM_ACKS_H */
