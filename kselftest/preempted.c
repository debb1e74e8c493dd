// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that has kicked loses its CPU before it comes to the queue, as one
 * of a guest does that has used up its quota: whatever happens next has the
 * worker serve the queue.
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

/* Has the thread gone to sleep? */
static void wait_asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	while (state != 'S') {
		file = fopen(path, "r");
		must(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
	}
}

static pid_t newest_thread(void)
{
	char path[64];
	pid_t tid;

	/* Ids grow, and nobody else makes threads here. */
	for (tid = getpid() + 4096; tid > getpid(); tid--) {
		snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
		if (!access(path, F_OK))
			break;
	}
	return tid;
}

static void start_hog(pthread_t *thread)
{
	set(&spinning, false);
	set(&done, false);
	ring_drain_event(kick);
	must(!pthread_create(thread, NULL, hog, NULL));
	wait_asleep(newest_thread());
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

static bool second_kick(void)
{
	long long before = vmm_counter(&vmm, TX, "pumps_inline");
	uint8_t frames[2][LEN];
	pthread_t threads[2];
	bool good;
	int i;

	for (i = 0; i < 2; i++)
		wire_fill(frames[i], LEN, 10 + i);
	must(vmm_add_frame(&vmm, frames[0], LEN) >= 0);
	ring_publish(&vmm.q[TX]);
	kick_and_lose(TX, threads);
	must(vmm_add_frame(&vmm, frames[1], LEN) >= 0);
	ring_publish(&vmm.q[TX]);
	ring_signal(kick);
	good = wire_expect(&wire, frames[0], LEN) &&
	       wire_expect(&wire, frames[1], LEN) && rescued(TX, before);
	release(threads);
	return ring_reap_n(&vmm.q[TX], 2, 5000) && good;
}

static bool frame_comes_in(void)
{
	long long before = vmm_counter(&vmm, RX, "pumps_inline");
	pthread_t threads[2];
	uint8_t frame[LEN];
	bool good;

	wire_fill(frame, LEN, 20);
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_publish(&vmm.q[RX]);
	kick_and_lose(RX, threads);
	good = wire_send(&wire, frame, LEN) && ring_wait(&vmm.q[RX], 5000) &&
	       ring_reap(&vmm.q[RX], NULL) >= 0 && rescued(RX, before);
	release(threads);
	return good;
}

static bool kicks_add_up(void)
{
	static const char *const ways[] = {
		"kicks_inline", "kicks_worker", "kicks_merged",
	};
	long long sum = 0;
	int q, i;

	for (q = RX; q <= TX; q++, sum = 0) {
		for (i = 0; i < 3; i++)
			sum += vmm_counter(&vmm, q, ways[i]);
		if (!vmm_counted(&vmm, q, "kicks", sum))
			return false;
	}
	return true;
}

static void all(void)
{
	claim(vmm_works(&vmm, &wire), "frames pass both ways");
	claim(second_kick(),
	      "a kick of another thread has the worker serve the queue");
	claim(frame_comes_in(), "a frame has the worker serve the queue");
	claim(vmm_works(&vmm, &wire), "afterwards frames pass both ways");
	claim(!vmm_has_counters() || kicks_add_up(),
	      "each kick was served in one way");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_EVENT_IDX, 64);
	if (sysconf(_SC_NPROCESSORS_ONLN) <= CPU)
		skip("all", "there is one CPU alone");
	else if (vmm_has_counters() && !vmm_set_policy(&vmm, "inline"))
		skip("all", "there is no such policy here");
	else
		all();
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
