// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic that offloads are about, there and back: streams whose pieces are longer than a
 * segment, datagrams that are sent many at once (UDP_SEGMENT), and datagrams that are
 * longer than a frame.
 *
 *	echoes serve PORT
 *	echoes exchange ADDR PORT	IPv4 or IPv6; exits 0 if all came back as it was
 *	echoes datagrams ADDR PORT	without the streams
 */
#define _GNU_SOURCE
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest/lab/words.h"

#define STREAM_MAX	300000
#define DATAGRAM_MAX	60000
#define SEGMENT		1000
#define SEGMENTS	12
#define PATIENCE_MS	10000

static uint8_t sent[STREAM_MAX], got[STREAM_MAX];

static struct sockaddr_in6 address6(const char *host, const char *port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(number(port)) };
	char mapped[64];

	if (!host || inet_pton(AF_INET6, host, &sa.sin6_addr) == 1)
		return sa;
	snprintf(mapped, sizeof(mapped), "::ffff:%s", host);
	if (inet_pton(AF_INET6, mapped, &sa.sin6_addr) != 1)
		die("not an address: %s", host);
	return sa;
}

static int make_socket(int type, const struct sockaddr_in6 *local)
{
	int fd = socket(AF_INET6, type, 0), one = 1, zero = 0;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("socket");
	if (local && bind(fd, (const struct sockaddr *)local, sizeof(*local)))
		die("bind");
	return fd;
}

static bool is_ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) == 1;
}

/* The server */

static void echo_stream(int server)
{
	static uint8_t buf[1 << 16];
	int fd = accept(server, NULL, NULL);
	ssize_t len;

	if (fd < 0)
		die("accept");
	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, len, MSG_NOSIGNAL) != len)
			break;
	close(fd);
}

/* As many as have come, so that what goes back is a burst, too. */
static void echo_datagrams(int fd)
{
	static uint8_t bufs[SEGMENTS][1 << 16];
	struct sockaddr_in6 from[SEGMENTS];
	struct iovec iovs[SEGMENTS];
	struct mmsghdr msgs[SEGMENTS];
	int i, n;

	for (i = 0; i < SEGMENTS; i++) {
		iovs[i] = (struct iovec) { bufs[i], sizeof(bufs[i]) };
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]),
			.msg_iov = &iovs[i], .msg_iovlen = 1,
		};
	}
	n = recvmmsg(fd, msgs, SEGMENTS, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++)
		iovs[i].iov_len = msgs[i].msg_len;
	if (n > 0 && sendmmsg(fd, msgs, n, 0) != n)
		die("%d datagrams do not go back", n);
}

static void serve(const char *port)
{
	struct sockaddr_in6 local = address6(NULL, port);
	struct pollfd pfds[] = {
		{ .fd = make_socket(SOCK_STREAM, &local), .events = POLLIN },
		{ .fd = make_socket(SOCK_DGRAM, &local), .events = POLLIN },
	};

	if (listen(pfds[0].fd, 1))
		die("listen");
	printf("ready\n");
	fflush(stdout);
	while (poll(pfds, 2, -1) > 0) {
		if (pfds[0].revents)
			echo_stream(pfds[0].fd);
		if (pfds[1].revents)
			echo_datagrams(pfds[1].fd);
	}
}

/* The client */

static void compare(const char *what, size_t len)
{
	size_t i;

	errno = 0;
	for (i = 0; i < len; i++)
		if (got[i] != sent[i])
			die("%s: changed at %zu of %zu", what, i, len);
}

/* Both ways at once: neither end can hold all of it. */
static void exchange_stream(const struct sockaddr_in6 *server, size_t len)
{
	int fd = make_socket(SOCK_STREAM, NULL);
	size_t out = 0, in = 0;
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)))
		die("connect");
	while (in < len) {
		if (!is_ready(fd, out < len ? POLLIN | POLLOUT : POLLIN))
			die("a stream: %zu of %zu came back", in, len);
		n = out < len ? send(fd, sent + out, len - out, MSG_DONTWAIT) : 0;
		out += n > 0 ? n : 0;
		n = recv(fd, got + in, len - in, MSG_DONTWAIT);
		if (!n)
			die("a stream: it ended after %zu of %zu", in, len);
		in += n > 0 ? n : 0;
	}
	close(fd);
	compare("a stream", len);
}

static void exchange_datagram(int fd, size_t len)
{
	if (send(fd, sent, len, 0) != (ssize_t)len)
		die("a datagram of %zu bytes", len);
	errno = 0;
	if (!is_ready(fd, POLLIN) || recv(fd, got, sizeof(got), 0) != (ssize_t)len)
		die("a datagram of %zu bytes is lost", len);
	compare("a datagram", len);
}

static void exchange_many(int fd, size_t segment)
{
	size_t len = segment * SEGMENTS - segment / 2, in = 0;
	uint16_t size = segment;
	char control[CMSG_SPACE(sizeof(size))] = { 0 };
	struct iovec iov = { sent, len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_UDP;
	cmsg->cmsg_type = UDP_SEGMENT;
	cmsg->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
	/* Up to 6.6 a kernel does not segment where it makes the checksums itself. */
	errno = 0;
	n = sendmsg(fd, &msg, 0);
	if (n < 0 && errno == EIO)
		return;
	if (n != (ssize_t)len)
		die("datagrams of %zu bytes", segment);
	errno = 0;
	while (in < len) {
		n = is_ready(fd, POLLIN) ? recv(fd, got + in, sizeof(got) - in, 0) : -1;
		if (n != (ssize_t)(len - in < segment ? len - in : segment))
			die("datagrams of %zu bytes: %zd after %zu of %zu", segment, n, in,
			    len);
		in += n;
	}
	compare("datagrams", len);
}

static void exchange_streams(const struct sockaddr_in6 *server)
{
	static const size_t sizes[] = { 1, 1449, 20000, STREAM_MAX };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		exchange_stream(server, sizes[i]);
}

static void exchange_datagrams(const struct sockaddr_in6 *server)
{
	static const size_t sizes[] = { 0, 1, 18, 19, 1452, 1473, 9001, DATAGRAM_MAX };
	int fd = make_socket(SOCK_DGRAM, NULL);
	size_t i;

	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)))
		die("connect");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		exchange_datagram(fd, sizes[i]);
	exchange_many(fd, SEGMENT);
	exchange_many(fd, 1);
	close(fd);
}

static void exchange(const char *host, const char *port, bool streams)
{
	struct sockaddr_in6 server = address6(host, port);
	size_t i;

	for (i = 0; i < STREAM_MAX; i++)
		sent[i] = i * 2654435761u >> 13;
	if (streams)
		exchange_streams(&server);
	exchange_datagrams(&server);
	printf("unchanged\n");
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	else if (argc == 4 && !strcmp(argv[1], "exchange"))
		exchange(argv[2], argv[3], true);
	else if (argc == 4 && !strcmp(argv[1], "datagrams"))
		exchange(argv[2], argv[3], false);
	else
		die("usage: echoes serve PORT | exchange ADDR PORT | datagrams ADDR PORT");
	return 0;
}
