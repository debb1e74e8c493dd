// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP in a frame, if nothing about it is out of the ordinary.
 */
#include "nic-shim/segment.h"

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
	unsigned int ip_len = nshim_ip_plain_len(frame, front, len, IPPROTO_TCP);
	unsigned int before = sizeof(struct ethhdr) + ip_len;

	if (!ip_len || front < before + sizeof(struct tcphdr))
		return false;
	s->ip = frame + sizeof(struct ethhdr);
	s->tcp = frame + before;
	s->len = len - before;
	return parse_tcp(s, front - before);
}
