/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random frames with headers as they should be: IPv4 or IPv6, TCP or UDP, with or
 * without VLAN tags; and some that are nothing.
 */
#ifndef KSELFTEST_FRAMES_H
#define KSELFTEST_FRAMES_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * struct frames_info - where what is in a frame
 * @ipv6:	or IPv4
 * @tcp:	or UDP
 * @transport:	offset of that one's header
 * @payload:	offset of what comes behind it
 * @len:	of the frame
 */
struct frames_info {
	bool		ipv6;
	bool		tcp;
	uint32_t	transport;
	uint32_t	payload;
	uint32_t	len;
};

static inline uint32_t frames_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static inline void frames_put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Addresses that nobody here has, then tags, then the type of what follows. */
static inline uint32_t frames_ethernet(uint8_t *frame, uint64_t *state,
				       uint16_t type)
{
	static const uint8_t addresses[12] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8 };
	unsigned int tags = frames_random(state) % 8;
	uint32_t at = sizeof(addresses);

	memcpy(frame, addresses, sizeof(addresses));
	for (tags = tags > 2 ? 0 : tags; tags; tags--, at += 4) {
		frames_put16(frame + at, tags == 2 ? 0x88a8 : 0x8100);
		frames_put16(frame + at + 2, frames_random(state));
	}
	frames_put16(frame + at, type);
	return at + 2;
}

/* Of what checksums are about, added to @sum. */
static inline uint32_t frames_sum(const uint8_t *at, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += at[i] << 8 | at[i + 1];
	if (len & 1)
		sum += at[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void frames_ipv4_checksum(uint8_t *ip)
{
	frames_put16(ip + 10, 0);
	frames_put16(ip + 10, ~frames_sum(ip, 20, 0));
}

static inline uint32_t frames_ip(uint8_t *ip, const struct frames_info *info,
				 uint32_t len)
{
	uint8_t protocol = info->tcp ? 6 : 17;

	memset(ip, 0, 40);
	if (info->ipv6) {
		ip[0] = 0x60;
		frames_put16(ip + 4, len);
		ip[6] = protocol;
		ip[7] = 64;
		ip[8] = 0xfd;
		ip[24] = 0xfd;
		ip[23] = 1;
		ip[39] = 2;
		return 40;
	}
	ip[0] = 0x45;
	frames_put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
	frames_ipv4_checksum(ip);
	return 20;
}

static inline uint32_t frames_transport(uint8_t *at, bool tcp, uint32_t payload)
{
	memset(at, 0, 20);
	frames_put16(at, 1234);
	frames_put16(at + 2, 5678);
	if (!tcp) {
		frames_put16(at + 4, 8 + payload);
		return 8;
	}
	at[12] = 0x50;
	at[13] = 0x10;
	frames_put16(at + 14, 1000);
	return 20;
}

/* A frame of up to @most bytes of payload. */
static inline struct frames_info frames_build(uint8_t *frame, uint64_t *state,
					      uint32_t most)
{
	uint32_t payload = frames_random(state) % (most + 1), at, i;
	struct frames_info info = {
		.ipv6	= frames_random(state) & 1,
		.tcp	= frames_random(state) & 1,
	};

	at = frames_ethernet(frame, state, info.ipv6 ? 0x86dd : 0x0800);
	at += frames_ip(frame + at, &info, (info.tcp ? 20 : 8) + payload);
	info.transport = at;
	at += frames_transport(frame + at, info.tcp, payload);
	info.payload = at;
	info.len = at + payload;
	for (i = at; i < info.len; i++)
		frame[i] = i * 7 + payload;
	return info;
}

/* No known ethertype, or nothing as it should be behind it. */
static inline void frames_garbage(uint8_t *frame, uint32_t len, uint64_t *state)
{
	uint32_t i = frames_random(state) & 1 ? 12 : 14;

	for (; i < len; i++)
		frame[i] = frames_random(state);
}

#endif /* KSELFTEST_FRAMES_H */
