// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a frame costs and how long it takes, against how many are offered: frames are
 * posted at a steady pace by a thread that never sleeps, as a guest that is busy, and are
 * stamped where they come out of the wire.
 *
 * offered [DEVICE [POLICY]]: a line of JSON for each pace.  A measurement, not a test.
 */
#include "kselftest/vmm.h"
#include "kselftest/cpus.h"

#include <pthread.h>
#include <time.h>

#define LEN	64
#define FRAMES	2000
#define RING	256

/* Microseconds from one frame to the next. */
static const unsigned int paces[] = { 20000, 10000, 5000, 2000, 1000, 500, 300, 200, 100, 0 };

static struct vmm vmm;
static struct wire wire;
static int64_t delays[FRAMES];
static unsigned int arrived, lost;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* When it came out, by the kernel; when it was posted, by itself. */
static void take(struct msghdr *msg, const uint8_t *frame)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct timespec t;
	int64_t posted;

	must(c && c->cmsg_type == SO_TIMESTAMPNS);
	memcpy(&t, CMSG_DATA(c), sizeof(t));
	memcpy(&posted, frame + ETH_HLEN, sizeof(posted));
	delays[arrived++] = t.tv_sec * 1000000000ll + t.tv_nsec - posted;
}

static void *receive(void *frames)
{
	uint8_t frame[LEN], control[64];
	struct pollfd pfd = { .fd = wire.sock, .events = POLLIN };
	struct iovec iov = { frame, sizeof(frame) };

	cpus_stay_on(0, 1);
	while (arrived < *(unsigned int *)frames && poll(&pfd, 1, 5000) == 1) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};

		must(recvmsg(wire.sock, &msg, 0) == LEN);
		take(&msg, frame);
	}
	return NULL;
}

static void reap(void)
{
	while (ring_has_used(&vmm.q[TX]))
		must(ring_reap(&vmm.q[TX], NULL) >= 0);
}

/* Returns how many kicks were wanted. */
static unsigned int offer(unsigned int frames, unsigned int pace)
{
	int64_t next = now(), stamp;
	unsigned int i, kicks = 0;
	uint8_t frame[LEN];

	wire_fill(frame, LEN, 1);
	for (i = 0; i < frames; i++, next += pace * 1000ll) {
		do {
			reap();
			stamp = now();
		} while (stamp < next);
		memcpy(frame + ETH_HLEN, &stamp, sizeof(stamp));
		while (!vmm.q[TX].nr_free)
			reap();
		must(vmm_add_frame(&vmm, frame, LEN) >= 0);
		kicks += ring_kick(&vmm.q[TX]);
	}
	return kicks;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile(double share)
{
	return delays[(unsigned int)(share * (arrived - 1))] / 1e3;
}

static void measure(const char *name, unsigned int pace)
{
	/* Two seconds at most, but for the last ones. */
	unsigned int frames = pace > 1000 ? 2000000 / pace : FRAMES, kicks;
	pthread_t thread;
	int64_t began;
	double took;

	arrived = 0;
	must(!pthread_create(&thread, NULL, receive, &frames));
	began = now();
	kicks = offer(frames, pace);
	took = (now() - began) / 1e9;
	must(!pthread_join(thread, NULL));
	lost += frames - arrived;
	must(arrived);
	qsort(delays, arrived, sizeof(*delays), by_size);
	printf("# {\"contender\": \"%s\", \"rate\": %.0f, ", name, frames / took);
	printf("\"frames\": %u, \"kicks\": %u, ", arrived, kicks);
	printf("\"us\": [%.0f, %.0f, %.0f, %.0f]}\n", quantile(0.1), quantile(0.5),
	       quantile(0.9), quantile(0.99));
}

int main(int argc, char **argv)
{
	const char *policy = argc > 2 ? argv[2] : "adaptive";
	int on = 1;
	size_t i;

	vmm_begin(argc, argv);
	cpus_stay_on(0, 0);
	wire_open(&wire, "wire0", VMM_HDR);
	must(!setsockopt(wire.sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_EVENT_IDX, RING);
	must(!vmm_has_counters() || vmm_set_policy(&vmm, policy));
	for (i = 0; i < sizeof(paces) / sizeof(*paces); i++) {
		alarm(REPORT_LIMIT);
		measure(vmm_has_counters() ? policy : "vhost-net", paces[i]);
	}
	claim(equal(lost, 0, "frames lost"), "all frames come out");
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
