/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * segment.c, within nic-shim.
 */
#ifndef NIC_SHIM_SEGMENT_H
#define NIC_SHIM_SEGMENT_H

#include <linux/tcp.h>
#include <linux/types.h>

#include "nic-shim/plain_ip.h"

/**
 * struct nshim_segment - a frame with TCP in it
 * @ip: its IP header, IPv4's or IPv6's; right behind the Ethernet header
 * @tcp: its TCP header
 * @len: bytes of that, and of what follows
 * @payload: bytes of what follows
 * @flags: TCPHDR_*
 */
struct nshim_segment {
	void		*ip;
	struct tcphdr	*tcp;
	unsigned int	len;
	unsigned int	payload;
	u8		flags;
};

static inline bool nshim_segment_is_ipv4(const struct nshim_segment *s)
{
	return nshim_ip_is_v4(s->ip);
}

bool nshim_segment_parse(void *frame, unsigned int front, unsigned int len,
			 struct nshim_segment *s);

#endif /* NIC_SHIM_SEGMENT_H */
