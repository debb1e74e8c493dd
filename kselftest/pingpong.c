// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames go to and fro, each waiting for the one before, until the ring's
 * indices have wrapped: a wake-up that gets lost leaves both sides waiting.
 *
 * pingpong [DEVICE [FRAMES]]
 */
#include "kselftest/vmm.h"

#define LEN	64

static struct vmm vmm;
static struct wire wire;

/* One frame out, and the same one back in. */
static bool one(uint32_t seed)
{
	uint8_t frame[LEN];
	uint32_t used;
	int head;

	wire_fill(frame, LEN, seed);
	if (vmm_add_buffer(&vmm, VMM_HDR + LEN) < 0 ||
	    vmm_add_frame(&vmm, frame, LEN) < 0)
		return because("a ring is full");
	ring_kick(&vmm.q[RX]);
	ring_kick(&vmm.q[TX]);
	if (!wire_expect(&wire, frame, LEN) ||
	    !ring_reap_n(&vmm.q[TX], 1, 5000) ||
	    !wire_send(&wire, frame, LEN) || !ring_wait(&vmm.q[RX], 5000))
		return false;
	head = ring_reap(&vmm.q[RX], &used);
	return head >= 0 && equal(used, VMM_HDR + LEN, "used length") &&
	       (!memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, LEN) ||
		because("the frame has changed"));
}

static bool many(unsigned int frames)
{
	unsigned int i;

	for (i = 0; i < frames; i++) {
		if (!one(i))
			return because("frame %u", i);
		if (!(i % 1000))
			alarm(REPORT_LIMIT);
	}
	return true;
}

/* Bursts of 1 to 32, so that the device finds more while it works. */
static bool bursts(unsigned int frames)
{
	unsigned int sent = 0, n, i;
	uint8_t frame[LEN];

	for (n = 1; sent < frames; n = n % 32 + 1) {
		for (i = 0; i < n; i++) {
			wire_fill(frame, LEN, sent + i);
			must(vmm_add_frame(&vmm, frame, LEN) >= 0);
			ring_kick(&vmm.q[TX]);
		}
		for (i = 0; i < n; i++, sent++) {
			wire_fill(frame, LEN, sent);
			if (!wire_expect(&wire, frame, LEN))
				return because("frame %u", sent);
		}
		if (!ring_reap_n(&vmm.q[TX], n, 5000))
			return because("frame %u", sent);
		alarm(REPORT_LIMIT);
	}
	return true;
}

/* The indices begin just before their wrap, so that few frames do, too. */
static void with(uint64_t features, const char *policy, unsigned int frames)
{
	const char *name = features ? "with event index" : "plain";

	vmm_open(&vmm, VMM_BASIC | features, 64);
	ring_reset(&vmm.q[RX], 65000);
	ring_reset(&vmm.q[TX], 65000);
	vmm_go(&vmm, &wire);
	if (vmm_has_counters() && !vmm_try_policy(&vmm, policy)) {
		skip(policy, "there is no such policy here");
	} else {
		claim(many(frames), "%u frames to and fro, %s, %s: no wake-up is lost",
		      frames, policy, name);
		claim(bursts(frames), "%u frames in bursts, %s, %s: no wake-up is lost",
		      frames, policy, name);
	}
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	unsigned int frames = argc > 2 ? atoi(argv[2]) : 70000;

	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	with(VMM_EVENT_IDX, "inline", frames);
	with(VMM_EVENT_IDX, "worker", frames / 20);
	with(VMM_EVENT_IDX, "adaptive", frames / 20);
	with(0, "inline", frames / 20);
	with(0, "worker", frames / 20);
	wire_close(&wire);
	return report_end();
}
