// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic with known content, for guest, host and peer alike; one static
 * program, so that it runs wherever there is a kernel.
 *
 * Every sending command generates its content from a seed (for datagrams: the
 * size) and every receiving one generates the same and compares, byte by byte:
 * no hash to collide, nothing to store.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kselftest/lab/words.h"

#define MAX_DATAGRAM	65507
#define RCVBUF		(256 << 20)
/* A reply that takes this long will not come: lost. */
#define PATIENCE_MS	3000
#define TCP_CHUNK	(256 << 10)

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Word @index of the stream that @seed stands for (splitmix64). */
static uint64_t word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed * 0xd1342543de82ef95 + (index + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Content from word @index on; @buf has room for whole words. */
static void fill(void *buf, size_t len, uint64_t seed, uint64_t index)
{
	uint64_t *words = buf;
	size_t i;

	for (i = 0; i < (len + 7) / 8; i++)
		words[i] = word(seed, index + i);
}

static int make_socket(int type, const struct sockaddr_in *local,
		       const struct sockaddr_in *remote)
{
	int fd = socket(AF_INET, type, 0), one = 1, size = RCVBUF;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* TCP tunes its own buffers, and better. */
	if (type == SOCK_DGRAM &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (local && bind(fd, (const void *)local, sizeof(*local)))
		die("bind");
	if (remote && connect(fd, (const void *)remote, sizeof(*remote)))
		die("connect");
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* Send one datagram, waiting while the socket or the queue below is full. */
static void send_datagram(int fd, const void *buf, size_t len)
{
	double begin = now();

	while (send(fd, buf, len, 0) < 0) {
		/* A refused reply is reported on the next send: not about it. */
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR &&
		    errno != ECONNREFUSED)
			die("send of %zu bytes", len);
		if (now() - begin > PATIENCE_MS / 1e3)
			die("send of %zu bytes, for seconds", len);
		usleep(100);
	}
}

static __attribute__((noreturn)) int udp_echo(char **arg)
{
	static char buf[MAX_DATAGRAM];
	struct sockaddr_in local = address(NULL, arg[0]), from;
	int fd = make_socket(SOCK_DGRAM, &local, NULL);

	printf("ready\n");
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &size);

		if (len < 0)
			die("recvfrom");
		while (sendto(fd, buf, len, 0, (void *)&from, size) < 0 &&
		       (errno == ENOBUFS || errno == EAGAIN))
			usleep(100);
	}
}

/* What became of the datagram of each size. */
struct sweep {
	long first, last, step;
	long sent, received, changed, duplicate;
	unsigned char seen[MAX_DATAGRAM + 1];
};

static void sweep_init(struct sweep *s, char **arg)
{
	s->first = number(arg[0]);
	s->last = number(arg[1]);
	s->step = number(arg[2]);
	if (s->first < 1 || s->last < s->first || s->last > MAX_DATAGRAM || !s->step)
		die("sizes are 1 to %d", MAX_DATAGRAM);
}

static long sweep_total(const struct sweep *s)
{
	return (s->last - s->first) / s->step + 1;
}

static int sweep_report(const struct sweep *s)
{
	long total = sweep_total(s), size, named = 0;

	printf("sizes %ld received %ld lost %ld changed %ld duplicate %ld\n",
	       total, s->received, total - s->received, s->changed, s->duplicate);
	for (size = s->first; size <= s->last && named < 20; size += s->step) {
		if (s->seen[size])
			continue;
		printf("lost: %ld bytes\n", size);
		named++;
	}
	return s->received != total || s->changed || s->duplicate;
}

/* Account a datagram; one of a size that was never sent counts as changed. */
static void sweep_take(struct sweep *s, const void *buf, long len)
{
	static uint64_t expected[MAX_DATAGRAM / 8 + 1];

	if (len < s->first || len > s->last || (len - s->first) % s->step) {
		s->changed++;
		printf("changed: a datagram of %ld bytes was never sent\n", len);
		return;
	}
	fill(expected, len, len, 0);
	if (memcmp(buf, expected, len)) {
		s->changed++;
		printf("changed: %ld bytes\n", len);
	}
	if (s->seen[len])
		s->duplicate++;
	else
		s->received++;
	s->seen[len] = 1;
}

/*
 * Send each size once, with at most WINDOW datagrams unanswered.  The answer
 * is the datagram itself (@echoed), or its size in 4 bytes from a receiver
 * that does the checking.
 */
static int sweep_out(char **arg, bool echoed)
{
	static uint64_t out[MAX_DATAGRAM / 8 + 1], in[MAX_DATAGRAM / 8 + 1];
	static struct sweep s;
	struct sockaddr_in remote = address(arg[0], arg[1]);
	int fd = make_socket(SOCK_DGRAM, NULL, &remote);
	long window = number(arg[5]), next, answered = 0, given_up = 0;
	double begin = now();

	sweep_init(&s, arg + 2);
	next = s.first;
	while (answered + given_up < sweep_total(&s)) {
		ssize_t len;

		if (next <= s.last && s.sent - answered - given_up < window) {
			fill(out, next, next, 0);
			send_datagram(fd, out, next);
			s.sent++;
			next += s.step;
			if (!readable(fd, 0))
				continue;
		} else if (!readable(fd, PATIENCE_MS)) {
			given_up = s.sent - answered;
			continue;
		}
		len = recv(fd, in, sizeof(in), 0);
		if (len < 0)
			continue;
		answered++;
		if (echoed)
			sweep_take(&s, in, len);
	}
	printf("sent %ld answered %ld seconds %.2f\n", s.sent, answered, now() - begin);
	if (echoed)
		return sweep_report(&s);
	/* A lost answer is no lost datagram: the receiver's count decides. */
	return 0;
}

static int udp_sweep(char **arg)
{
	return sweep_out(arg, true);
}

static int udp_sweep_send(char **arg)
{
	return sweep_out(arg, false);
}

static int udp_sweep_recv(char **arg)
{
	static uint64_t in[MAX_DATAGRAM / 8 + 1];
	static struct sweep s;
	struct sockaddr_in local = address(NULL, arg[0]), from;
	int fd = make_socket(SOCK_DGRAM, &local, NULL);
	int patience = number(arg[4]) * 1000;

	sweep_init(&s, arg + 1);
	printf("ready\n");
	while (s.received < sweep_total(&s) && readable(fd, patience)) {
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(fd, in, sizeof(in), 0, (void *)&from, &size);
		uint32_t answer = htonl(len);

		if (len < 0)
			continue;
		sweep_take(&s, in, len);
		sendto(fd, &answer, sizeof(answer), 0, (void *)&from, size);
	}
	return sweep_report(&s);
}

static int udp_burst(char **arg)
{
	static uint64_t buf[MAX_DATAGRAM / 8 + 1];
	struct sockaddr_in remote = address(arg[0], arg[1]);
	int fd = make_socket(SOCK_DGRAM, NULL, &remote);
	long bursts = number(arg[2]), frames = number(arg[3]), size = number(arg[4]);
	long gap = number(arg[5]) * 1000, i, j;
	struct timespec at;

	if (size > MAX_DATAGRAM)
		die("datagrams are at most %d bytes", MAX_DATAGRAM);
	fill(buf, size, size, 0);
	clock_gettime(CLOCK_MONOTONIC, &at);
	for (i = 0; i < bursts; i++) {
		for (j = 0; j < frames; j++)
			send_datagram(fd, buf, size);
		at.tv_nsec += gap;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	printf("sent %ld\n", bursts * frames);
	return 0;
}

static int udp_sink(char **arg)
{
	static uint64_t in[MAX_DATAGRAM / 8 + 1], expected[MAX_DATAGRAM / 8 + 1];
	struct sockaddr_in local = address(NULL, arg[0]);
	int fd = make_socket(SOCK_DGRAM, &local, NULL);
	long count = number(arg[1]), received = 0, changed = 0;
	int patience = number(arg[2]) * 1000;
	ssize_t len, filled = -1;

	printf("ready\n");
	while (received < count && readable(fd, patience)) {
		len = recv(fd, in, sizeof(in), 0);
		if (len < 0)
			continue;
		if (len != filled)
			fill(expected, len, len, 0);
		filled = len;
		received++;
		changed += !!memcmp(in, expected, len);
	}
	printf("received %ld of %ld changed %ld\n", received, count, changed);
	return received < count || changed;
}

static void tcp_report(const char *what, long bytes, double begin)
{
	double seconds = now() - begin;

	printf("%s %ld bytes in %.2f s, %.1f MB/s\n", what, bytes, seconds,
	       bytes / seconds / 1e6);
}

static int tcp_send(char **arg)
{
	static uint64_t buf[TCP_CHUNK / 8];
	struct sockaddr_in remote = address(arg[0], arg[1]);
	int fd = make_socket(SOCK_STREAM, NULL, &remote);
	long bytes = number(arg[2]), seed = number(arg[3]), sent = 0;
	double begin = now();
	char last;

	while (sent < bytes) {
		long len = bytes - sent < TCP_CHUNK ? bytes - sent : TCP_CHUNK;
		long done = 0;

		fill(buf, len, seed, sent / 8);
		while (done < len) {
			ssize_t n = send(fd, (char *)buf + done, len - done, MSG_NOSIGNAL);

			if (n < 0)
				die("send after %ld bytes", sent + done);
			done += n;
		}
		sent += len;
	}
	/* Done when the receiver says that it had it all, by closing. */
	shutdown(fd, SHUT_WR);
	if (recv(fd, &last, 1, 0) != 0)
		die("the receiver did not close");
	tcp_report("sent", bytes, begin);
	return 0;
}

static int tcp_recv(char **arg)
{
	static uint64_t in[TCP_CHUNK / 8], expected[TCP_CHUNK / 8];
	struct sockaddr_in local = address(NULL, arg[0]);
	int server = make_socket(SOCK_STREAM, &local, NULL), fd;
	long bytes = number(arg[1]), seed = number(arg[2]), received = 0;
	double begin;
	char extra;

	if (listen(server, 1))
		die("listen");
	printf("ready\n");
	fd = accept(server, NULL, NULL);
	if (fd < 0)
		die("accept");
	begin = now();
	while (received < bytes) {
		long len = bytes - received < TCP_CHUNK ? bytes - received : TCP_CHUNK;

		if (recv(fd, in, len, MSG_WAITALL) != len)
			die("the stream ended within the %ld bytes from %ld", len, received);
		fill(expected, len, seed, received / 8);
		if (memcmp(in, expected, len)) {
			printf("changed: within the %ld bytes from %ld\n", len, received);
			return 1;
		}
		received += len;
	}
	if (recv(fd, &extra, 1, 0) != 0) {
		printf("changed: more than %ld bytes\n", bytes);
		return 1;
	}
	close(fd);
	tcp_report("received", bytes, begin);
	return 0;
}

static const struct {
	const char *name, *args;
	int (*run)(char **arg);
} commands[] = {
	{ "udp-echo", "PORT", udp_echo },
	{ "udp-sweep", "ADDR PORT FIRST LAST STEP WINDOW", udp_sweep },
	{ "udp-sweep-send", "ADDR PORT FIRST LAST STEP WINDOW", udp_sweep_send },
	{ "udp-sweep-recv", "PORT FIRST LAST STEP TIMEOUT", udp_sweep_recv },
	{ "udp-burst", "ADDR PORT BURSTS FRAMES SIZE GAP_US", udp_burst },
	{ "udp-sink", "PORT COUNT TIMEOUT", udp_sink },
	{ "tcp-send", "ADDR PORT BYTES SEED", tcp_send },
	{ "tcp-recv", "PORT BYTES SEED", tcp_recv },
};

static int count_words(const char *text)
{
	int words = 1;

	while (*text)
		words += *text++ == ' ';
	return words;
}

int main(int argc, char **argv)
{
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc > 1 && !strcmp(argv[1], commands[i].name) &&
		    argc - 2 == count_words(commands[i].args))
			return commands[i].run(argv + 2);
	}
	fprintf(stderr, "usage:\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "  probe %s %s\n", commands[i].name, commands[i].args);
	return 2;
}
