/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TCP stream that a guest receives, and what the guest answers.
 */
#ifndef KSELFTEST_FLOW_H
#define KSELFTEST_FLOW_H

#include "kselftest/tcpstream.h"

/* @at: bytes that were given, by so many @frames, to that @port of the guest's. */
struct flow {
	struct stream	stream;
	uint16_t	port;
	uint32_t	at;
	unsigned int	frames;
};

static inline uint32_t flow_number(uint32_t at)
{
	return 0xffffff00 + at;
}

static inline void flow_swap(uint8_t *a, uint8_t *b, unsigned int n)
{
	uint8_t byte;

	while (n--) {
		byte = a[n];
		a[n] = b[n];
		b[n] = byte;
	}
}

/* What the guest answers. */
static inline void flow_build_ack(const struct flow *f, struct stream_frame *ack, uint32_t at)
{
	uint8_t *ip = ack->bytes + ETH_HLEN;

	stream_build(&f->stream, ack, 3, 0, 0);
	flow_swap(ack->bytes, ack->bytes + 6, 6);
	if (f->stream.ipv6)
		flow_swap(ip + 8, ip + 24, 16);
	else
		flow_swap(ip + 12, ip + 16, 4);
	ack->tcp->dest = ack->tcp->source;
	ack->tcp->source = htons(f->port);
	ack->tcp->seq = htonl(77);
	ack->tcp->ack_seq = htonl(flow_number(at));
	stream_mend(ack);
}

/* What the guest has to say itself acknowledges, too. */
static inline void flow_build_data(const struct flow *f, struct stream_frame *data, uint32_t len)
{
	static struct stream_frame ack;

	flow_build_ack(f, &ack, f->at);
	stream_build(&f->stream, data, 3, 0, len);
	memcpy(data->bytes + ETH_HLEN + (f->stream.ipv6 ? 8 : 12),
	       ack.bytes + ETH_HLEN + (f->stream.ipv6 ? 8 : 12), f->stream.ipv6 ? 32 : 8);
	memcpy(data->bytes, ack.bytes, 12);
	memcpy(data->tcp, ack.tcp, sizeof(*data->tcp));
	stream_mend(data);
}

#endif /* KSELFTEST_FLOW_H */
