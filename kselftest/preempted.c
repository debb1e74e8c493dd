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

#include "kselftest/cpuhog.h"

#define LEN	100
#define TRIES	20

static struct vmm vmm;
static struct wire wire;
static struct cpuhog hog;
static bool went_on;	/* the thread that has kicked */

static void *kicker(void *kick)
{
	cpus_stay_on(0, CPUHOG_CPU);
	ring_signal(*(int *)kick);
	cpuhog_set(&went_on);
	return NULL;
}

/* The kick is on its way, and nobody comes to it. */
static void kick_and_lose(int q, pthread_t *thread)
{
	ring_drain_event(vmm.q[q].kick);
	went_on = false;
	cpuhog_start(&hog, vmm.q[q].kick);
	must(!pthread_create(thread, NULL, kicker, &vmm.q[q].kick));
	cpuhog_wait(&hog);
}

/*
 * Who has the CPU by real-time priority loses it when it has had most of a second, and on a
 * busy machine that is soon: returns whether it did not.
 */
static bool release(pthread_t thread)
{
	bool lost = !cpuhog_is(&went_on);

	cpuhog_end(&hog);
	must(!pthread_join(thread, NULL));
	return lost;
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
static void kick_is_lost(int q, pthread_t *thread)
{
	must(ring_publish(&vmm.q[q]));
	kick_and_lose(q, thread);
}

static bool frame_goes_out(bool *lost)
{
	long long before = vmm_counter(&vmm, TX, "pumps_inline");
	pthread_t thread;
	uint8_t frame[LEN];
	bool good;

	wire_fill(frame, LEN, 10);
	must(vmm_add_frame(&vmm, frame, LEN) >= 0);
	kick_is_lost(TX, &thread);
	good = wire_expect(&wire, frame, LEN) && rescued(TX, before);
	*lost = release(thread);
	return ring_reap_n(&vmm.q[TX], 1, 5000) && good;
}

/* A frame waits for buffers, as it is for them that a driver kicks. */
static bool frame_comes_in(bool *lost)
{
	long long before = vmm_counter(&vmm, RX, "pumps_inline");
	long long starved = vmm_counter(&vmm, RX, "no_buffers");
	pthread_t thread;
	uint8_t frame[LEN];
	bool good;

	wire_fill(frame, LEN, 20);
	must(wire_send(&wire, frame, LEN));
	must(!vmm_has_counters() ||
	     vmm_wait_counter(&vmm, RX, "no_buffers", starved + 1));
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	kick_is_lost(RX, &thread);
	good = ring_wait(&vmm.q[RX], 5000) &&
	       ring_reap(&vmm.q[RX], NULL) >= 0 && rescued(RX, before);
	*lost = release(thread);
	return good;
}

/* Not before the CPU has been lost all the time. */
static bool without_cpu(bool (*passes)(bool *lost))
{
	unsigned int tries;
	bool lost = false, good;

	for (tries = 0; tries < TRIES && !lost; tries++) {
		report.why[0] = '\0';
		good = passes(&lost);
	}
	return lost ? good : because("the CPU was not lost in %u tries", tries);
}

static void all(void)
{
	claim(vmm_works(&vmm, &wire), "frames pass both ways");
	claim(without_cpu(frame_goes_out), "a frame goes out, by the worker");
	claim(without_cpu(frame_comes_in), "a frame comes in, by the worker");
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
	if (sysconf(_SC_NPROCESSORS_ONLN) <= CPUHOG_CPU)
		skip("all", "there is one CPU alone");
	else if (vmm_has_counters() && !vmm_try_policy(&vmm, "inline"))
		skip("all", "there is no such policy here");
	else if (cpus_are_realtime())
		skip("all", "who has the CPU is before the thread of its timers, too");
	else
		all();
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
