/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tap, and the other end of its wire: a packet socket bound to it, in a
 * network namespace that nobody else uses.
 */
#ifndef KSELFTEST_WIRE_H
#define KSELFTEST_WIRE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kselftest/lower.h"
#include "kselftest/report.h"

/* An ethertype for experiments: nothing else on the wire has it. */
#define WIRE_TYPE	0x88b5
#define WIRE_MAX	65535
#define WIRE_MTU	65521	/* the most that a tap allows */

struct wire {
	int	tap;
	int	sock;
	int	index;
	char	name[IFNAMSIZ];
};

static inline void wire_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	must(write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* No neighbour discovery of the host's own. */
static inline void wire_no_ipv6(void)
{
	wire_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

/* Once, before the first wire. */
static inline void wire_namespace(void)
{
	must(!unshare(CLONE_NEWNET));
	wire_no_ipv6();
}

/* A tap as QEMU opens it; a header of 0 bytes is none.  Returns its fd. */
static inline int wire_open_tap(const char *name, int hdr_len)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | (hdr_len ? IFF_VNET_HDR : 0),
	};
	int sndbuf = INT_MAX, fd;

	if (lower_wanted()) {
		fd = lower_open(name, hdr_len);
	} else {
		fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		must(fd >= 0);
		strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
		must(!ioctl(fd, TUNSETIFF, &ifr));
	}
	must(!hdr_len || !ioctl(fd, TUNSETVNETHDRSZ, &hdr_len));
	must(!ioctl(fd, TUNSETSNDBUF, &sndbuf));
	return fd;
}

static inline void wire_up(struct wire *wire)
{
	struct ifreq ifr = { };

	strcpy(ifr.ifr_name, wire->name);
	ifr.ifr_mtu = WIRE_MTU;
	must(lower_wanted() || !ioctl(wire->sock, SIOCSIFMTU, &ifr));
	must(!ioctl(wire->sock, SIOCGIFFLAGS, &ifr));
	ifr.ifr_flags |= IFF_UP | IFF_PROMISC;
	must(!ioctl(wire->sock, SIOCSIFFLAGS, &ifr));
}

/* As much as may be had: only the host's root may have any amount. */
static inline void wire_make_room(int sock)
{
	int room = 64 << 20;

	must(!setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	     !setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	must(!setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	     !setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
}

static inline void wire_open(struct wire *wire, const char *name, int hdr_len)
{
	struct sockaddr_ll addr = {
		.sll_family	= AF_PACKET,
		.sll_protocol	= htons(WIRE_TYPE),
	};

	strcpy(wire->name, name);
	wire->tap = wire_open_tap(name, hdr_len);
	wire->sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	must(wire->sock >= 0);
	wire_make_room(wire->sock);
	wire_up(wire);
	wire->index = if_nametoindex(name);
	addr.sll_ifindex = wire->index;
	must(!bind(wire->sock, (struct sockaddr *)&addr, sizeof(addr)));
}

static inline void wire_close(struct wire *wire)
{
	close(wire->sock);
	close(wire->tap);
	if (lower_wanted())
		lower_close(wire->name);
}

/* A frame whose every byte depends on @seed. */
static inline void wire_fill(uint8_t *frame, size_t len, uint32_t seed)
{
	static const uint8_t head[ETH_HLEN] = {
		0x02, 0x00, 0x00, 0x00, 0x00, 0x02,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x01,
		WIRE_TYPE >> 8, WIRE_TYPE & 0xff,
	};
	uint32_t state = seed * 2654435761u + 1;
	size_t i;

	memcpy(frame, head, sizeof(head));
	for (i = sizeof(head); i < len; i++) {
		state = state * 1664525 + 1013904223;
		frame[i] = state >> 24;
	}
}

static inline bool wire_send(struct wire *wire, const void *frame, size_t len)
{
	ssize_t sent = send(wire->sock, frame, len, 0);

	return sent == (ssize_t)len ||
	       because("%zu bytes to %s: %s", len, wire->name, strerror(errno));
}

/* Returns the length of the next frame, or -1 if none comes. */
static inline ssize_t wire_receive(struct wire *wire, void *frame, size_t size,
				   int timeout_ms)
{
	struct pollfd pfd = { .fd = wire->sock, .events = POLLIN };

	if (poll(&pfd, 1, timeout_ms) != 1)
		return -1;
	return recv(wire->sock, frame, size, MSG_DONTWAIT | MSG_TRUNC);
}

/* Forget the frames at both ends; while nobody else reads the tap. */
static inline void wire_drain(struct wire *wire)
{
	static uint8_t frame[WIRE_MAX];

	while (wire_receive(wire, frame, sizeof(frame), 0) >= 0)
		;
	while (read(wire->tap, frame, sizeof(frame)) >= 0)
		;
	must(errno == EAGAIN);
}

/* Is the next frame on the wire the one given? */
static inline bool wire_expect(struct wire *wire, const uint8_t *frame,
			       size_t len)
{
	static uint8_t got[WIRE_MAX];
	ssize_t n = wire_receive(wire, got, sizeof(got), 5000);
	size_t i;

	if (n < 0)
		return because("no frame of %zu bytes came", len);
	if ((size_t)n != len)
		return because("expected %zu bytes, got %zd", len, n);
	for (i = 0; i < len; i++)
		if (got[i] != frame[i])
			return because("byte %zu of %zu: expected %02x, got %02x",
				       i, len, frame[i], got[i]);
	return true;
}

/* Is the wire silent for that long? */
static inline bool wire_silent(struct wire *wire, int ms)
{
	static uint8_t got[WIRE_MAX];
	ssize_t n = wire_receive(wire, got, sizeof(got), ms);

	return n < 0 || because("a frame of %zd bytes came", n);
}

#endif /* KSELFTEST_WIRE_H */
