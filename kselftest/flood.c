// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wire is flooded while the guest posts no buffers: what waits is bounded, what
 * does not fit is counted, nobody is kept busy with it; and posting heals.
 */
#include "kselftest/vmm.h"
#include "kselftest/proc.h"

#define NUM	256
#define FLOOD	100000
#define LEN	1000
/* What may wait: a tap's queue and its device's, of 1000 frames each, and to spare. */
#define MOST_KIB	(16 << 10)
#define MOST_WAITING	2100
/* Looks at the ring for buffers that do not come. */
#define MOST_PUMPS	16

static struct vmm vmm;
static struct wire wire;
static uint8_t frame[LEN];
static unsigned long unsent;

static long long slab_kib(void)
{
	return proc_sum("/proc/meminfo", "Slab", 0);
}

/* A frame may be refused at once, or be dropped later and be counted. */
static void flood(void)
{
	unsigned int i;

	for (i = 0; i < FLOOD; i++) {
		wire_fill(frame, LEN, i);
		if (send(wire.sock, frame, LEN, MSG_DONTWAIT) == LEN)
			continue;
		must(errno == ENOBUFS || errno == EAGAIN);
		unsent++;
	}
}

static long long pumps(void)
{
	return vmm_counter(&vmm, RX, "pumps_inline") +
	       vmm_counter(&vmm, RX, "pumps_worker");
}

/* They come in their order; those that were lost came after these. */
static bool comes(unsigned int nr)
{
	uint32_t used;
	int head;

	while (vmm_add_buffer(&vmm, VMM_SLOT) >= 0)
		;
	ring_kick(&vmm.q[RX]);
	if (!ring_wait(&vmm.q[RX], 5000))
		return because("frame %u", nr);
	head = ring_reap(&vmm.q[RX], &used);
	wire_fill(frame, LEN, nr);
	return head >= 0 && equal(used, VMM_HDR + LEN, "used length") &&
	       (!memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, LEN) ||
		because("frame %u has changed, or another came", nr));
}

/* The first come as they are; which those behind are, only their number tells. */
static bool all_come(unsigned int waiting)
{
	unsigned int i;

	for (i = 0; i < waiting; i++)
		if (!comes(i))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	long long before, after, dropped, waiting, looks;

	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	looks = pumps();
	before = slab_kib();
	flood();
	after = slab_kib();
	dropped = proc_dropped(wire.name);
	waiting = FLOOD - unsent - dropped;
	note("%u frames: %lu refused, %lld dropped, %lld wait; slab %lld KiB more",
	     FLOOD, unsent, dropped, waiting, after - before);
	claim(after - before < MOST_KIB ||
	      because("%lld KiB", after - before),
	      "a flood of %u frames takes less than %d KiB", FLOOD, MOST_KIB);
	claim((waiting > 0 && waiting <= MOST_WAITING) ||
	      because("%lld wait", waiting),
	      "what does not fit is dropped and counted");
	if (vmm_has_counters())
		claim(pumps() - looks <= MOST_PUMPS ||
		      because("%lld times", pumps() - looks),
		      "no frame of the flood but the first makes the queue look for buffers");
	claim(all_come(waiting), "posting buffers heals: all that wait come, in order");
	/* What came beyond that would be seen instead. */
	must(!vmm_restart_queue(&vmm, RX, wire.tap, vmm_get_base(&vmm, RX)));
	claim(vmm_works(&vmm, &wire) &&
	      vmm_counted(&vmm, RX, "packets", waiting + 1) &&
	      vmm_counted(&vmm, RX, "drop_stopped", 0),
	      "nothing else has come, and all works");
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
