/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a tap's wire, for what a frame's bytes do not tell: checksums
 * and segments that are still to be made, tags that were taken off.
 */
#ifndef KSELFTEST_WATCH_H
#define KSELFTEST_WATCH_H

#include <linux/virtio_net.h>
#include <stddef.h>

#include "kselftest/wire.h"

/* What a frame looks like on the wire. */
struct seen {
	uint16_t		protocol;
	uint8_t			type;
	uint32_t		status;
	uint16_t		tci;
	uint16_t		tpid;
	struct virtio_net_hdr	hdr;
	ssize_t			len;
	uint8_t			frame[WIRE_MAX + 100];
};

/* A socket that sees all that comes from a tap. */
static inline int watch_open(int index)
{
	struct sockaddr_ll addr = {
		.sll_family	= AF_PACKET,
		.sll_protocol	= htons(ETH_P_ALL),
		.sll_ifindex	= index,
	};
	int one = 1, watch;

	watch = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	must(watch >= 0);
	must(!setsockopt(watch, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	must(!setsockopt(watch, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)));
	wire_make_room(watch);
	must(!bind(watch, (struct sockaddr *)&addr, sizeof(addr)));
	return watch;
}

static inline void watch_look_at(struct seen *seen, struct msghdr *msg)
{
	struct sockaddr_ll *from = msg->msg_name;
	struct tpacket_auxdata *aux;
	struct cmsghdr *c;

	seen->protocol = from->sll_protocol;
	seen->type = from->sll_pkttype;
	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		aux = (void *)CMSG_DATA(c);
		seen->status = aux->tp_status;
		seen->tci = aux->tp_vlan_tci;
		seen->tpid = aux->tp_vlan_tpid;
	}
}

/* The next frame, or the error with which it can't be told; false: there is none. */
static inline bool watch_next(int watch, struct seen *seen)
{
	struct iovec iov[] = {
		{ &seen->hdr, sizeof(seen->hdr) },
		{ seen->frame, sizeof(seen->frame) },
	};
	struct sockaddr_ll from = { };
	uint8_t control[256];
	struct msghdr msg = {
		.msg_name	= &from,
		.msg_namelen	= sizeof(from),
		.msg_iov	= iov,
		.msg_iovlen	= 2,
		.msg_control	= control,
		.msg_controllen	= sizeof(control),
	};

	memset(seen, 0, offsetof(struct seen, frame));
	seen->len = recvmsg(watch, &msg, MSG_DONTWAIT);
	if (seen->len < 0) {
		seen->len = -errno;
		return errno != EAGAIN;
	}
	watch_look_at(seen, &msg);
	seen->len -= sizeof(seen->hdr);
	return true;
}

static inline void watch_drain(int watch)
{
	static struct seen seen;

	while (watch_next(watch, &seen))
		;
}

#endif /* KSELFTEST_WATCH_H */
