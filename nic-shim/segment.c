// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP in a frame, if nothing about it is out of the ordinary: no tags, no IP options or
 * extension headers, no fragments, all of it there and nothing behind it.
 */
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "nic-shim/segment.h"

/* @len: of what follows the Ethernet header. */
static bool parse_ipv4(struct nshim_segment *s, unsigned int len)
{
	const struct iphdr *ip = s->ip;

	if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & htons(IP_MF | IP_OFFSET) || ntohs(ip->tot_len) != len ||
	    ip_fast_csum(ip, 5) || ip->check == CSUM_MANGLED_0)
		return false;
	s->tcp = s->ip + sizeof(*ip);
	s->len = len - sizeof(*ip);
	return true;
}

static bool parse_ipv6(struct nshim_segment *s, unsigned int len)
{
	const struct ipv6hdr *ip6 = s->ip;

	if (ip6->version != 6 || ip6->nexthdr != IPPROTO_TCP ||
	    ntohs(ip6->payload_len) != len - sizeof(*ip6))
		return false;
	s->tcp = s->ip + sizeof(*ip6);
	s->len = len - sizeof(*ip6);
	return true;
}

static bool parse_tcp(struct nshim_segment *s, unsigned int front)
{
	const u8 *bytes = (const u8 *)s->tcp;
	unsigned int hdr_len = s->tcp->doff * 4;

	if (hdr_len < sizeof(*s->tcp) || hdr_len > s->len || hdr_len > front ||
	    bytes[12] & 0x0f)
		return false;
	s->flags = bytes[13];
	s->payload = s->len - hdr_len;
	return true;
}

/**
 * nshim_segment_parse() - find TCP in a frame
 * @frame: from its Ethernet header on
 * @front: how many of its bytes are there, in one piece
 * @len: how many bytes it has
 * @s: what is found
 *
 * Context: any.
 * Return: whether it is TCP, and in no way special.
 */
bool nshim_segment_parse(void *frame, unsigned int front, unsigned int len,
			 struct nshim_segment *s)
{
	const struct ethhdr *eth = frame;
	unsigned int ip_len;

	if (front < sizeof(*eth) + sizeof(struct iphdr) + sizeof(struct tcphdr))
		return false;
	s->ip = frame + sizeof(*eth);
	if (eth->h_proto == htons(ETH_P_IP)) {
		ip_len = sizeof(struct iphdr);
		return parse_ipv4(s, len - sizeof(*eth)) &&
		       parse_tcp(s, front - sizeof(*eth) - ip_len);
	}
	ip_len = sizeof(struct ipv6hdr);
	return eth->h_proto == htons(ETH_P_IPV6) &&
	       front >= sizeof(*eth) + ip_len + sizeof(struct tcphdr) &&
	       parse_ipv6(s, len - sizeof(*eth)) &&
	       parse_tcp(s, front - sizeof(*eth) - ip_len);
}
