// SPDX-License-Identifier: GPL-2.0-only
/*
 * A used ring that can be written in part: of a batch that can't be given back as a
 * whole, what can is; the other frames are sent once more when the queue is started
 * again, and none is lost.
 */
#include "kselftest/vmm.h"

enum {
	NUM	= 1024,		/* a used ring of more than two pages */
	FIRST	= 500,
	FRAMES	= 40,		/* less than a batch */
	PAGE	= 4096,
	LENGTH	= 100,
	/* Entries up to the first that reaches into the second page. */
	WHOLE	= (PAGE - 4) / 8 - FIRST,
};

static struct vmm vmm;
static struct wire wire;

static void used_ring_writable(bool whole)
{
	void *second = (uint8_t *)vmm.q[TX].used + PAGE;

	must(!mprotect(second, RING_PART - PAGE,
		       whole ? PROT_READ | PROT_WRITE : PROT_NONE));
}

static void offer_frames(void)
{
	uint8_t frame[LENGTH];
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		wire_fill(frame, sizeof(frame), i);
		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	}
	ring_publish(&vmm.q[TX]);
	ring_signal(vmm.q[TX].kick);
}

/* Are they on the wire, from this one on, once and in their order? */
static bool sent_from(unsigned int first)
{
	uint8_t frame[LENGTH];
	unsigned int i;

	for (i = first; i < FRAMES; i++) {
		wire_fill(frame, sizeof(frame), i);
		if (!wire_expect(&wire, frame, sizeof(frame)))
			return because("frame %u", i);
	}
	return wire_silent(&wire, 50);
}

static bool breaks(void)
{
	struct ring *ring = &vmm.q[TX];
	long long before = vmm_counter(&vmm, TX, "ring_error_access");

	offer_frames();
	if (!ring_poll(ring->err, 5000))
		return because("VRING_ERR is not raised");
	return sent_from(0) &&
	       vmm_counted(&vmm, TX, "ring_error_access", before + 1);
}

static bool gives_what_it_can(void)
{
	struct ring *ring = &vmm.q[TX];

	return equal(ring->used->idx, FIRST + WHOLE, "used->idx") &&
	       ring_reap_n(ring, WHOLE, 0) &&
	       equal(vmm_get_base(&vmm, TX), FIRST + WHOLE, "base");
}

static bool sends_the_rest(void)
{
	struct ring *ring = &vmm.q[TX];

	must(!vmm_backend(&vmm, TX, -1));
	ring_drain_event(ring->err);
	must(!vmm_set_ring(&vmm, TX) && !vmm_backend(&vmm, TX, wire.tap));
	ring_signal(ring->kick);
	return sent_from(WHOLE) && ring_reap_n(ring, FRAMES - WHOLE, 5000) &&
	       vmm_works(&vmm, &wire);
}

static void with(const char *policy)
{
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	must(vmm_set_policy(&vmm, policy));
	must(!vmm_restart_queue(&vmm, TX, wire.tap, FIRST));
	used_ring_writable(false);
	claim(breaks(), "%s: a batch that can't be given back breaks the ring", policy);
	claim(gives_what_it_can(), "%s: what can be given back is", policy);
	used_ring_writable(true);
	claim(sends_the_rest(), "%s: the rest is sent again, and nothing else", policy);
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	with("inline");
	with("worker");
	wire_close(&wire);
	return report_end();
}
