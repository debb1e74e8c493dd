/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A macvtap as the tap of a wire, if the environment has WIRE=macvtap: on one end of a
 * veth pair, whose other end is where the packet socket is bound.  The end that stands
 * for a NIC has a queue of its own, as NICs have.
 */
#ifndef KSELFTEST_LOWER_H
#define KSELFTEST_LOWER_H

#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest/report.h"
#include "kselftest/shell.h"

/* As much as a veth allows. */
#define LOWER_MTU	65535

static inline bool lower_wanted(void)
{
	const char *wire = getenv("WIRE");

	return wire && !strcmp(wire, "macvtap");
}

/* A macvtap, up, with a queue.  @words: its address and mode.  Returns its fd. */
static inline int lower_open_macvtap(const char *nic, const char *name, int hdr_len,
				     const char *words)
{
	int flags = IFF_TAP | IFF_NO_PI | (hdr_len ? IFF_VNET_HDR : 0), fd;
	struct ifreq ifr = { .ifr_flags = flags };
	static unsigned int opened;
	/* The one in /dev, where all namespaces meet. */
	unsigned int index = (unsigned int)getpid() << 8 | opened++ % 256;
	char path[32];

	shell("ip link add link %s name %s index %u mtu %d %s", nic, name, index, LOWER_MTU,
	      words);
	shell("ip link set %s up", name);
	snprintf(path, sizeof(path), "/dev/tap%u", index);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	must(fd >= 0);
	must(!ioctl(fd, TUNSETIFF, &ifr));
	return fd;
}

/* A wire: @name is the end where frames arrive, the other one stands for a NIC. */
static inline void lower_open_wire(const char *name)
{
	shell("ip link add %s mtu %d type veth peer name %s-nic mtu %d", name, LOWER_MTU, name,
	      LOWER_MTU);
	/* Frames keep their order so: there is one queue, not one for each CPU. */
	shell("ethtool -K %s tso off gro on && ethtool -K %s-nic tso off gro on", name, name);
	shell("tc qdisc add dev %s-nic root pfifo", name);
	shell("ip link set %s up && ip link set %s-nic up", name, name);
}

/* Returns the macvtap's fd. */
static inline int lower_open(const char *name, int hdr_len)
{
	char nic[IF_NAMESIZE], tap[IF_NAMESIZE];

	lower_open_wire(name);
	snprintf(nic, sizeof(nic), "%s-nic", name);
	snprintf(tap, sizeof(tap), "%s-tap", name);
	return lower_open_macvtap(nic, tap, hdr_len, "type macvtap mode passthru");
}

static inline void lower_close(const char *name)
{
	/* It has gone with its namespace if another one was entered. */
	if (if_nametoindex(name))
		shell("ip link del %s", name);
}

#endif /* KSELFTEST_LOWER_H */
