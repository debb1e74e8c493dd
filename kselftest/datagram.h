/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A UDP datagram in a frame, whose checksum is still to be made.
 */
#ifndef KSELFTEST_DATAGRAM_H
#define KSELFTEST_DATAGRAM_H

#include "kselftest/frames.h"
#include "kselftest/wire.h"

#define DATAGRAM_LEN	500	/* bytes of payload, mostly */
#define DATAGRAM_CSUM	6	/* where UDP has its checksum */

struct datagram {
	uint8_t		bytes[2 * DATAGRAM_LEN + 100];
	bool		ipv6;
	bool		verified;	/* nobody has to make its checksum, nor says it is good */
	uint32_t	shift;		/* how far behind UDP the sum begins that is to be made */
	uint32_t	ip_len;		/* of the IP header */
	uint32_t	len;
};

static inline uint8_t *datagram_ip(struct datagram *d) { return d->bytes + ETH_HLEN; }
static inline uint8_t *datagram_udp(struct datagram *d) { return datagram_ip(d) + d->ip_len; }

static inline uint16_t datagram_get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

/* What a checksum that is still to be made begins with. */
static inline void datagram_pseudo(uint8_t *ip, bool ipv6, uint32_t udp_len)
{
	uint32_t from = ipv6 ? 8 : 12, len = ipv6 ? 32 : 8;

	frames_put16(ip + (ipv6 ? 40 : 20) + DATAGRAM_CSUM,
		     frames_sum(ip + from, len, IPPROTO_UDP + udp_len));
}

static inline void datagram_mend(struct datagram *d)
{
	if (!d->ipv6)
		frames_ipv4_checksum(datagram_ip(d));
	datagram_pseudo(datagram_ip(d), d->ipv6, d->len - ETH_HLEN - d->ip_len);
}

static inline void datagram_set_lengths(uint8_t *ip, bool ipv6, uint32_t payload)
{
	frames_put16(ip + (ipv6 ? 4 : 2), payload + 8 + (ipv6 ? 0 : 20));
	frames_put16(ip + (ipv6 ? 40 : 20) + 4, payload + 8);
}

static inline void datagram_build(struct datagram *d, bool ipv6, unsigned int nth, uint32_t payload)
{
	const struct frames_info info = { .ipv6 = ipv6 };
	uint32_t i;

	memset(d, 0, sizeof(*d));
	d->ipv6 = ipv6;
	wire_fill(d->bytes, ETH_HLEN, 1);
	frames_put16(d->bytes + 12, ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	d->ip_len = frames_ip(datagram_ip(d), &info, payload + 8);
	frames_transport(datagram_udp(d), false, payload);
	d->len = ETH_HLEN + d->ip_len + 8 + payload;
	for (i = 0; i < payload; i++)
		datagram_udp(d)[8 + i] = nth * 31 + i;
	if (!ipv6)
		frames_put16(datagram_ip(d) + 4, 65534 + nth);	/* it wraps */
	datagram_mend(d);
}

#endif /* KSELFTEST_DATAGRAM_H */
