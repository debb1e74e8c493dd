/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IP headers of frames that may be put together, or are to be taken apart just as they say:
 * right behind Ethernet's, no tags, no options or extension headers, no fragments, all of
 * the packet there and nothing behind it.
 */
#ifndef NIC_SHIM_PLAIN_IP_H
#define NIC_SHIM_PLAIN_IP_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>

/* Of a header that was found to be plain. */
static inline bool nshim_ip_is_v4(const void *ip)
{
	return ((const struct iphdr *)ip)->version == 4;
}

/* @len: from the header on */
static inline bool nshim_ip_is_plain_v4(const struct iphdr *ip, unsigned int len, u8 protocol)
{
	return ip->version == 4 && ip->ihl == 5 && ip->protocol == protocol &&
	       !(ip->frag_off & htons(IP_MF | IP_OFFSET)) && ntohs(ip->tot_len) == len &&
	       !ip_fast_csum(ip, 5) && ip->check != CSUM_MANGLED_0;
}

static inline bool nshim_ip_is_plain_v6(const struct ipv6hdr *ip6, unsigned int len,
					u8 protocol)
{
	return ip6->version == 6 && ip6->nexthdr == protocol &&
	       ntohs(ip6->payload_len) == len - sizeof(*ip6);
}

/**
 * nshim_ip_plain_len() - find a plain IP header
 * @frame: from its Ethernet header on
 * @front: how many of its bytes are there, in one piece
 * @len: how many bytes it has
 * @protocol: what is to be in it
 *
 * Context: any.
 * Return: the header's length, or 0 if there is none, or not with that in it.
 */
static inline unsigned int nshim_ip_plain_len(const void *frame, unsigned int front,
					      unsigned int len, u8 protocol)
{
	const struct ethhdr *eth = frame;
	const void *ip = eth + 1;

	if (front < sizeof(*eth) + sizeof(struct iphdr))
		return 0;
	len -= sizeof(*eth);
	if (eth->h_proto == htons(ETH_P_IP))
		return nshim_ip_is_plain_v4(ip, len, protocol) ? sizeof(struct iphdr) : 0;
	if (eth->h_proto != htons(ETH_P_IPV6) || front < sizeof(*eth) + sizeof(struct ipv6hdr))
		return 0;
	return nshim_ip_is_plain_v6(ip, len, protocol) ? sizeof(struct ipv6hdr) : 0;
}

static inline bool nshim_ip_follows_v4(const struct iphdr *first, const struct iphdr *ip,
				       unsigned int nth, bool may_keep_id)
{
	u16 id = ntohs(ip->id), id_of_first = ntohs(first->id);

	return ip->tos == first->tos && ip->ttl == first->ttl &&
	       ip->frag_off == first->frag_off && ip->saddr == first->saddr &&
	       ip->daddr == first->daddr &&
	       (id == (u16)(id_of_first + nth) ||
		(may_keep_id && ip->frag_off & htons(IP_DF) && id == id_of_first));
}

static inline bool nshim_ip_follows_v6(const struct ipv6hdr *first, const struct ipv6hdr *ip6)
{
	/* Version, traffic class and flow label are in the first word. */
	return *(const __be32 *)ip6 == *(const __be32 *)first &&
	       ip6->hop_limit == first->hop_limit &&
	       !memcmp(&ip6->saddr, &first->saddr, 2 * sizeof(ip6->saddr));
}

/**
 * nshim_ip_follows() - is it what segmentation would make, but for its length?
 * @first: the header of the first part, a plain one
 * @ip: a plain one of the same kind
 * @nth: which part behind @first it would be
 * @may_keep_id: of packets that must not be fragmented the identification may be the same
 *
 * Context: any.
 * Return: whether it is.
 */
static inline bool nshim_ip_follows(const void *first, const void *ip, unsigned int nth,
				    bool may_keep_id)
{
	return nshim_ip_is_v4(first) ? nshim_ip_follows_v4(first, ip, nth, may_keep_id) :
				       nshim_ip_follows_v6(first, ip);
}

#endif /* NIC_SHIM_PLAIN_IP_H */
