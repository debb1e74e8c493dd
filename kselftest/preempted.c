// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that has kicked loses its CPU before it comes to the queue, as one
 * of a guest does that has used up its quota: soon the worker serves the queue,
 * though nothing else happens.
 *
 * What takes the CPU is a thread of real-time priority which the kick itself
 * wakes: it waits on the same eventfd.
 */
#include "kselftest/vmm.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define LEN	100
#define CPU	1

static struct vmm vmm;
static struct wire wire;
static int kick;
static pid_t hog_tid;
static bool spinning, done;

static void stay_on_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(CPU, &set);
	must(!sched_setaffinity(0, sizeof(set), &set));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

/* Takes the CPU as soon as there is a kick, and keeps it for 10 s at most. */
static void *hog(void *unused)
{
	struct sched_param param = { .sched_priority = 50 };
	double end;

	(void)unused;
	stay_on_cpu();
	must(!pthread_setschedparam(pthread_self(), SCHED_FIFO, &param));
	__atomic_store_n(&hog_tid, gettid(), __ATOMIC_RELEASE);
	must(ring_poll(kick, -1));
	set(&spinning, true);
	for (end = now() + 10; !is_set(&done) && now() < end; )
		;
	return NULL;
}

static void *kicker(void *unused)
{
	(void)unused;
	stay_on_cpu();
	ring_signal(kick);
	return NULL;
}

/* Has the hog gone to sleep? */
static void wait_asleep(void)
{
	char path[64], state = 0;
	FILE *file;

	while (!__atomic_load_n(&hog_tid, __ATOMIC_ACQUIRE))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", hog_tid);
	while (state != 'S') {
		file = fopen(path, "r");
		must(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
	}
}

static void start_hog(pthread_t *thread)
{
	set(&spinning, false);
	set(&done, false);
	hog_tid = 0;
	ring_drain_event(kick);
	must(!pthread_create(thread, NULL, hog, NULL));
	wait_asleep();
}

/* The kick is on its way, and nobody comes to it. */
static void kick_and_lose(int q, pthread_t threads[2])
{
	kick = vmm.q[q].kick;
	start_hog(&threads[0]);
	must(!pthread_create(&threads[1], NULL, kicker, NULL));
	while (!is_set(&spinning))
		sched_yield();
}

static void release(pthread_t threads[2])
{
	set(&done, true);
	must(!pthread_join(threads[0], NULL));
	must(!pthread_join(threads[1], NULL));
}

/* What served the queue meanwhile was the worker. */
static bool rescued(int q, long long inline_before)
{
	return !vmm_has_counters() ||
	       (equal(vmm_counter(&vmm, q, "pumps_inline"), inline_before,
		      "pumps_inline") &&
		vmm_wait_counter(&vmm, q, "rescues", 1));
}

/* The kick that the driver owes, by a thread that then does not come. */
static void kick_is_lost(int q, pthread_t threads[2])
{
	must(ring_publish(&vmm.q[q]));
	kick_and_lose(q, threads);
}

static bool frame_goes_out(void)
{
	long long before = vmm_counter(&vmm, TX, "pumps_inline");
	pthread_t threads[2];
	uint8_t frame[LEN];
	bool good;

	wire_fill(frame, LEN, 10);
	must(vmm_add_frame(&vmm, frame, LEN) >= 0);
	kick_is_lost(TX, threads);
	good = wire_expect(&wire, frame, LEN) && rescued(TX, before);
	release(threads);
	return ring_reap_n(&vmm.q[TX], 1, 5000) && good;
}

/* A frame waits for buffers, as it is for them that a driver kicks. */
static bool frame_comes_in(void)
{
	long long before = vmm_counter(&vmm, RX, "pumps_inline");
	long long starved = vmm_counter(&vmm, RX, "no_buffers");
	pthread_t threads[2];
	uint8_t frame[LEN];
	bool good;

	wire_fill(frame, LEN, 20);
	must(wire_send(&wire, frame, LEN));
	must(!vmm_has_counters() ||
	     vmm_wait_counter(&vmm, RX, "no_buffers", starved + 1));
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	kick_is_lost(RX, threads);
	good = ring_wait(&vmm.q[RX], 5000) &&
	       ring_reap(&vmm.q[RX], NULL) >= 0 && rescued(RX, before);
	release(threads);
	return good;
}

static void all(void)
{
	claim(vmm_works(&vmm, &wire), "frames pass both ways");
	claim(frame_goes_out(), "a frame goes out, by the worker");
	claim(frame_comes_in(), "a frame comes in, by the worker");
	claim(vmm_works(&vmm, &wire), "afterwards frames pass both ways");
	claim(!vmm_has_counters() ||
	      (vmm_kicks_add_up(&vmm, RX) && vmm_kicks_add_up(&vmm, TX)),
	      "each kick was served in one way");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_EVENT_IDX, 64);
	if (sysconf(_SC_NPROCESSORS_ONLN) <= CPU)
		skip("all", "there is one CPU alone");
	else if (vmm_has_counters() && !vmm_try_policy(&vmm, "inline"))
		skip("all", "there is no such policy here");
	else
		all();
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
