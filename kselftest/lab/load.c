// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work to be measured (scripts/bench): one static program for guest, host and
 * peer, whatever the contender.
 *
 * The end that is looked at marks the windows: it does PER-LAP units to warm
 * up, then LAPS times PER-LAP units with a mark (mark.h) after
 * each.  LAPS of 0 at the other end: go on until told to stop, or killed.
 *
 * Datagrams are never lost for want of room: a sender is at most WINDOW ahead,
 * and the receiver tells it of every CREDIT datagrams that came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest/lab/mark.h"
#include "kselftest/lab/words.h"

#define WINDOW		128
#define CREDIT		32
#define STOP		UINT64_MAX
#define MAX_DATAGRAM	65507
#define SEGMENT		1472
#define MAX_FLOWS	64
/* What has not come by then is lost, and the measurement with it. */
#define PATIENCE_MS	20000

static char buf[1 << 17];

static int connected(int type, const char *host, const char *port)
{
	struct sockaddr_in sa = address(host, port);
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || connect(fd, (void *)&sa, sizeof(sa)))
		die("connect");
	return fd;
}

static int bound(int type, const char *port)
{
	struct sockaddr_in sa = address(NULL, port);
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (void *)&sa, sizeof(sa)))
		die("bind");
	return fd;
}

static void ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static void wait_readable(int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	errno = 0;
	if (poll(&p, 1, PATIENCE_MS) <= 0)
		die(what);
}

/* Laps of units: unit_done() after each, true when all are done. */
struct laps {
	long per_lap, laps;
	long units, done;
};

static struct laps laps_of(char **arg)
{
	return (struct laps){ .per_lap = number(arg[0]), .laps = number(arg[1]) };
}

static bool unit_done(struct laps *laps, long units)
{
	laps->units += units;
	if (laps->units < laps->per_lap || !laps->laps)
		return false;
	laps->units -= laps->per_lap;
	mark(MARK_LAP);
	/* The one before the first mark was to warm up. */
	return laps->done++ == laps->laps;
}

/*
 * Datagrams one way.
 */

/* The receiver has done all its laps, and has ended. */
static bool is_over(const struct laps *laps)
{
	return errno == ECONNREFUSED && !laps->laps;
}

static bool take_credit(int fd, uint64_t *credit, const struct laps *laps)
{
	if (recv(fd, credit, sizeof(*credit), MSG_DONTWAIT) < 0) {
		wait_readable(fd, "no credit came");
		if (recv(fd, credit, sizeof(*credit), 0) < 0) {
			if (is_over(laps))
				return false;
			die("credit");
		}
	}
	return *credit != STOP;
}

static int flow_send(char **arg)
{
	int fd = connected(SOCK_DGRAM, arg[0], arg[1]), segment = SEGMENT;
	long size = number(arg[2]);
	uint64_t sent = 0, credit = 0;
	struct laps laps = laps_of(arg + 3);
	int window = WINDOW;

	if (size > MAX_DATAGRAM)
		die("size");
	if (size > SEGMENT) {
		/* One send of many datagrams, cut up as late as may be. */
		if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)))
			die("UDP_SEGMENT");
		window = 4;
	}
	for (;;) {
		while (sent - credit >= (uint64_t)window)
			if (!take_credit(fd, &credit, &laps))
				return 0;
		if (send(fd, buf, size, 0) != size) {
			if (is_over(&laps))
				return 0;
			die("send");
		}
		sent++;
		if (unit_done(&laps, 1))
			return 0;
	}
}

/* As fast as the socket takes them, whatever becomes of them: nobody listens there. */
static int blast(char **arg)
{
	int fd = connected(SOCK_DGRAM, arg[0], arg[1]);
	long size = number(arg[2]);
	struct laps laps = laps_of(arg + 3);

	if (size > MAX_DATAGRAM)
		die("size");
	do {
		if (send(fd, buf, size, 0) != size && errno != ECONNREFUSED)
			die("send");
	} while (!unit_done(&laps, 1));
	return 0;
}

static struct flow {
	struct sockaddr_in from;
	uint64_t bytes, told;
} flows[MAX_FLOWS];

static struct flow *flow_of(const struct sockaddr_in *from)
{
	struct flow *flow;

	for (flow = flows; flow < flows + MAX_FLOWS; flow++) {
		if (!flow->bytes)
			flow->from = *from;
		if (flow->from.sin_addr.s_addr == from->sin_addr.s_addr &&
		    flow->from.sin_port == from->sin_port)
			return flow;
	}
	die("too many flows");
	return NULL;
}

static void give_credit(int fd, const struct flow *flow, uint64_t credit)
{
	if (sendto(fd, &credit, sizeof(credit), 0, (void *)&flow->from,
		   sizeof(flow->from)) < 0)
		die("credit");
}

static void stop_all(int fd)
{
	const struct flow *flow;

	for (flow = flows; flow < flows + MAX_FLOWS && flow->bytes; flow++)
		give_credit(fd, flow, STOP);
}

static int flow_recv(char **arg)
{
	int fd = bound(SOCK_DGRAM, arg[0]), one = 1, room = 4 << 20;
	long size = number(arg[1]);
	struct laps laps = laps_of(arg + 2);
	uint64_t each = size > SEGMENT ? 1 : CREDIT;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (size > SEGMENT)
		setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one));
	ready();
	for (;;) {
		struct sockaddr_in from;
		socklen_t from_size = sizeof(from);
		ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from,
				       &from_size);
		struct flow *flow;
		uint64_t before, now;

		if (len < 0)
			die("recvfrom");
		flow = flow_of(&from);
		before = flow->bytes / size;
		flow->bytes += len;
		now = flow->bytes / size;
		if (now - flow->told >= each) {
			flow->told = now;
			give_credit(fd, flow, now);
		}
		if (now != before && unit_done(&laps, now - before)) {
			stop_all(fd);
			return 0;
		}
	}
}

/*
 * A stream; a unit is a KiB.  What waits in the sockets is bounded: at a mark it
 * has cost one end or the other, but is not yet counted, or no longer.
 */

static void bound_buffer(int fd)
{
	int room = 256 << 10;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		die("setsockopt");
}

static int stream_send(char **arg)
{
	int fd = connected(SOCK_STREAM, arg[0], arg[1]);
	struct laps laps = laps_of(arg + 2);

	bound_buffer(fd);
	for (;;) {
		if (send(fd, buf, 64 << 10, MSG_NOSIGNAL) != 64 << 10)
			return laps.laps ? 1 : 0;
		if (unit_done(&laps, 64))
			return 0;
	}
}

static int stream_recv(char **arg)
{
	int listener = bound(SOCK_STREAM, arg[0]), fd;
	struct laps laps = laps_of(arg + 1);
	long bytes = 0;
	ssize_t len;

	bound_buffer(listener);
	if (listen(listener, 1))
		die("listen");
	ready();
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0) {
		bytes += len;
		if (unit_done(&laps, bytes >> 10))
			return 0;
		bytes &= 1023;
	}
	return laps.laps ? 1 : 0;
}

/*
 * Requests and responses of one byte, some in flight.
 */

static int rr_client(char **arg)
{
	int fd = connected(SOCK_DGRAM, arg[0], arg[1]);
	long flight = number(arg[2]);
	struct laps laps = laps_of(arg + 3);

	while (flight--)
		if (send(fd, buf, 1, 0) != 1)
			die("send");
	for (;;) {
		if (recv(fd, buf, sizeof(buf), 0) < 0)
			die("recv");
		if (unit_done(&laps, 1))
			return 0;
		if (send(fd, buf, 1, 0) != 1)
			die("send");
	}
}

static __attribute__((noreturn)) int rr_server(char **arg)
{
	int fd = bound(SOCK_DGRAM, arg[0]);

	ready();
	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &size);

		if (len < 0 || sendto(fd, buf, len, 0, (void *)&from, size) < 0)
			die("echo");
	}
}

/*
 * The kernel's packet generator, which must have been set up for PER-LAP frames.
 * Nobody takes them, so nobody tells when they have come: a request that goes
 * the same way, and is answered, does.  Else a window would hold frames that
 * were sent before it, and lack some of its own.
 */

static void settle(int fd)
{
	if (send(fd, buf, 1, 0) != 1)
		die("send");
	wait_readable(fd, "no answer came");
	if (recv(fd, buf, sizeof(buf), 0) < 0)
		die("recv");
}

static int pktgen(char **arg)
{
	int echo = connected(SOCK_DGRAM, arg[0], arg[1]);
	int fd = open("/proc/net/pktgen/pgctrl", O_WRONLY);
	struct laps laps = laps_of(arg + 2);

	if (fd < 0)
		die("pktgen");
	do {
		/* This returns when all have been sent. */
		if (write(fd, "start", 5) != 5)
			die("start");
		settle(echo);
	} while (!unit_done(&laps, laps.per_lap));
	return 0;
}

/*
 * Nothing but to be busy: what else is executed meanwhile are timer ticks.  A
 * unit is a million turns; looking at the clock would take system calls where
 * the processor's is not to be trusted.
 */

static int spin(char **arg)
{
	struct laps laps = laps_of(arg);
	long turns;

	do {
		for (turns = 0; turns < 1000000; turns++)
			asm volatile("");
	} while (!unit_done(&laps, 1));
	return 0;
}

static const struct command {
	const char *name;
	int args;
	int (*run)(char **arg);
	const char *usage;
} commands[] = {
	{ "flow-send", 5, flow_send, "ADDR PORT SIZE PER-LAP LAPS" },
	{ "blast", 5, blast, "ADDR PORT SIZE PER-LAP LAPS" },
	{ "flow-recv", 4, flow_recv, "PORT SIZE PER-LAP LAPS" },
	{ "stream-send", 4, stream_send, "ADDR PORT KIB-PER-LAP LAPS" },
	{ "stream-recv", 3, stream_recv, "PORT KIB-PER-LAP LAPS" },
	{ "rr-client", 5, rr_client, "ADDR PORT IN-FLIGHT PER-LAP LAPS" },
	{ "rr-server", 1, rr_server, "PORT" },
	{ "pktgen", 4, pktgen, "ADDR PORT PER-LAP LAPS" },
	{ "spin", 2, spin, "MILLIONS-PER-LAP LAPS" },
};

int main(int argc, char **argv)
{
	const struct command *command;
	const struct command *end = commands + sizeof(commands) / sizeof(*commands);

	for (command = commands; command < end; command++)
		if (argc > 1 && !strcmp(argv[1], command->name) &&
		    argc == 2 + command->args)
			return command->run(argv + 2);
	for (command = commands; command < end; command++)
		fprintf(stderr, "load %s %s\n", command->name, command->usage);
	return 2;
}
