/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames of a TCP stream, and a NIC's segmentation by hand.
 */
#ifndef KSELFTEST_TCPSTREAM_H
#define KSELFTEST_TCPSTREAM_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/tcp.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kselftest/frames.h"
#include "kselftest/watch.h"

#define STREAM_MAX	1514
#define STREAM_OPTIONS	12	/* a timestamp's */

/* @partial: checksums are left to the NIC */
struct stream {
	bool	ipv6;
	bool	partial;
};

struct stream_frame {
	bool		ip6;
	struct tcphdr	*tcp;
	uint32_t	payload;	/* offset */
	uint32_t	len;
	uint8_t		bytes[STREAM_MAX];
};

static inline uint32_t stream_tcp_at(const uint8_t *bytes)
{
	return ETH_HLEN + (bytes[12] == 0x86 ? 40 : 20);
}

/* Of the pseudo header. */
static inline uint32_t stream_pseudo(const uint8_t *bytes, uint32_t len)
{
	uint32_t tcp = stream_tcp_at(bytes), addrs = tcp == ETH_HLEN + 40 ? 32 : 8;

	return frames_sum(bytes + tcp - addrs, addrs, IPPROTO_TCP + len - tcp);
}

static inline void stream_checksums(uint8_t *bytes, uint32_t len)
{
	uint32_t tcp = stream_tcp_at(bytes);

	if (bytes[12] == 0x08)
		frames_ipv4_checksum(bytes + ETH_HLEN);
	frames_put16(bytes + tcp + 16, 0);
	frames_put16(bytes + tcp + 16,
		     ~frames_sum(bytes + tcp, len - tcp, stream_pseudo(bytes, len)));
}

/* Its checksums are right again. */
static inline void stream_mend(struct stream_frame *f)
{
	stream_checksums(f->bytes, f->len);
}

static inline void stream_ip(const struct stream *stream, uint8_t *ip, unsigned int nth,
			     uint32_t len)
{
	if (stream->ipv6) {
		memcpy(ip, "\x60\0\0\x05\0\0\x06\x40", 8);
		frames_put16(ip + 4, len);
		ip[8] = 0xfd;
		ip[23] = 1;
		ip[24] = 0xfd;
		ip[39] = 2;
		return;
	}
	memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02", 20);
	frames_put16(ip + 2, 20 + len);
	/* They wrap. */
	frames_put16(ip + 4, 0xfffe + nth);
}

/* The @nth frame, with the bytes of the stream from @at on. */
static inline void stream_build(const struct stream *stream, struct stream_frame *f,
				unsigned int nth, uint32_t at, uint32_t len)
{
	uint32_t ip_len = stream->ipv6 ? 40 : 20, tcp = ETH_HLEN + ip_len, i;

	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, "\x02\0\0\0\0\x09\x02\0\0\0\0\x08", 12);
	frames_put16(f->bytes + 12, stream->ipv6 ? 0x86dd : 0x0800);
	f->ip6 = stream->ipv6;
	f->tcp = (void *)(f->bytes + tcp);
	f->payload = tcp + sizeof(struct tcphdr) + STREAM_OPTIONS;
	f->len = f->payload + len;
	stream_ip(stream, f->bytes + ETH_HLEN, nth, f->len - tcp);
	f->tcp->source = htons(1234);
	f->tcp->dest = htons(5678);
	f->tcp->seq = htonl(0xffffff00 + at);
	f->tcp->ack_seq = htonl(77);
	f->tcp->doff = (sizeof(struct tcphdr) + STREAM_OPTIONS) / 4;
	f->tcp->ack = 1;
	f->tcp->window = htons(1000);
	memcpy(f->tcp + 1, "\1\1\x08\x0a\0\0\0\1\0\0\0\2", STREAM_OPTIONS);
	for (i = 0; i < len; i++)
		f->bytes[f->payload + i] = (at + i) * 7 + (at + i) / 256;
	stream_mend(f);
}

static inline void stream_take_checksum_off(const struct stream_frame *f, uint8_t *bytes)
{
	frames_put16(bytes + stream_tcp_at(bytes) + 16, stream_pseudo(bytes, f->len));
}

static inline void stream_ask_for_checksum(const struct stream_frame *f,
					   struct virtio_net_hdr *hdr)
{
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = stream_tcp_at(f->bytes);
	hdr->csum_offset = 16;
}

static inline uint32_t stream_headers(const struct seen *seen)
{
	uint32_t tcp = stream_tcp_at(seen->frame);

	return tcp + (seen->frame[tcp + 12] >> 4) * 4;
}

/* How many frames a NIC would make of it. */
static inline unsigned int stream_parts(const struct seen *seen)
{
	uint32_t front = stream_headers(seen);

	if (!seen->hdr.gso_type)
		return 1;
	return (seen->len - front + seen->hdr.gso_size - 1) / seen->hdr.gso_size;
}

/* One of them, as a NIC makes it.  Returns its length. */
static inline uint32_t stream_cut(const struct seen *seen, unsigned int part, uint8_t *bytes)
{
	uint32_t front = stream_headers(seen), mss = seen->hdr.gso_size, len;
	bool is_last = part + 1 == stream_parts(seen);
	struct tcphdr *tcp;

	memcpy(bytes, seen->frame, front);
	len = is_last ? seen->len - front - part * mss : mss;
	memcpy(bytes + front, seen->frame + front + part * mss, len);
	len += front;
	if (bytes[12] == 0x08) {
		frames_put16(bytes + ETH_HLEN + 2, len - ETH_HLEN);
		frames_put16(bytes + ETH_HLEN + 4,
			     (bytes[ETH_HLEN + 4] << 8 | bytes[ETH_HLEN + 5]) + part);
	} else {
		frames_put16(bytes + ETH_HLEN + 4, len - ETH_HLEN - 40);
	}
	tcp = (void *)(bytes + stream_tcp_at(bytes));
	tcp->seq = htonl(ntohl(tcp->seq) + part * mss);
	tcp->psh = tcp->psh && is_last;
	stream_checksums(bytes, len);
	return len;
}

/* Is what was seen, or the part of it that has @left with it to the end, that frame? */
static inline bool stream_is_part(const struct seen *seen, unsigned int left,
				  const struct stream_frame *f)
{
	static uint8_t bytes[WIRE_MAX];
	uint32_t len = seen->len, start = seen->hdr.csum_start;

	if (seen->hdr.gso_type) {
		len = stream_cut(seen, stream_parts(seen) - left, bytes);
	} else {
		memcpy(bytes, seen->frame, len);
		if (seen->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			frames_put16(bytes + start + seen->hdr.csum_offset,
				     ~frames_sum(bytes + start, len - start, 0));
	}
	return len == f->len && !memcmp(bytes, f->bytes, len);
}

#endif /* KSELFTEST_TCPSTREAM_H */
