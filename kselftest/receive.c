// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the wire to the guest: a frame fills as many buffers as it needs, the
 * used lengths say how far, and no byte beyond them is touched.
 */
#include "kselftest/vmm.h"

/* Between any two buffers there is at least this much that nobody may touch. */
#define CANARY		16
#define CANARY_BYTE	0x5a
#define SCRATCH		(4u << 20)

static struct vmm vmm;
static struct wire wire;
static uint8_t frame[WIRE_MAX];
static uint8_t got[WIRE_MAX + VMM_HDR];

/* Where the buffer of each head is, and how far the device filled it. */
static uint32_t at[RING_MAX], filled[RING_MAX];

/* Post @n buffers of @size bytes, a canary around each. */
static bool post(unsigned int n, uint32_t size)
{
	uint32_t offset = SCRATCH + CANARY;
	unsigned int i;
	struct seg seg;
	int head;

	memset(at, 0, sizeof(at));
	memset(vmm.mem + SCRATCH, CANARY_BYTE,
	       (size_t)n * (size + CANARY) + CANARY);
	for (i = 0; i < n; i++) {
		seg = (struct seg) { VMM_GPA + offset, size, VRING_DESC_F_WRITE };
		head = ring_add(&vmm.q[RX], &seg, 1);
		if (head < 0)
			return because("%u buffers do not fit", n);
		at[head] = offset;
		filled[head] = 0;
		offset += size + CANARY;
	}
	ring_kick(&vmm.q[RX]);
	return true;
}

/* Gather a frame from the buffers that come back.  Returns its length. */
static ssize_t gather(unsigned int *heads)
{
	const struct virtio_net_hdr_v1 *hdr = (void *)got;
	unsigned int due = 1;
	size_t len = 0;
	uint32_t used = 0;
	int head;

	for (*heads = 0; *heads < due; ++*heads) {
		if (!ring_wait(&vmm.q[RX], 5000))
			return -1;
		head = ring_reap(&vmm.q[RX], &used);
		if (head < 0 || len + used > sizeof(got)) {
			because("buffer %u has %u bytes", *heads, used);
			return -1;
		}
		memcpy(got + len, vmm.mem + at[head], used);
		filled[head] = used;
		len += used;
		if (len >= VMM_HDR)
			due = hdr->num_buffers;
		else
			due = *heads + 2;
	}
	return len;
}

/* Is all as it was, but for what the used lengths cover? */
static bool untouched(unsigned int n, uint32_t size)
{
	uint8_t *bytes = vmm.mem + SCRATCH;
	size_t len = (size_t)n * (size + CANARY) + CANARY, i;

	for (i = 0; i < vmm.q[RX].num; i++)
		if (at[i])
			memset(vmm.mem + at[i], CANARY_BYTE, filled[i]);
	for (i = 0; i < len; i++)
		if (bytes[i] != CANARY_BYTE)
			return because("byte %zu beyond the used lengths is touched", i);
	return true;
}

static bool received(size_t len, unsigned int n, uint32_t size)
{
	unsigned int heads, due = (VMM_HDR + len + size - 1) / size;
	ssize_t total;

	wire_fill(frame, len, len + size);
	if (!post(n, size) || !wire_send(&wire, frame, len))
		return false;
	total = gather(&heads);
	if (total < 0 || !equal(total, VMM_HDR + len, "bytes used") ||
	    !equal(heads, due, "num_buffers"))
		return false;
	if (memcmp(got + VMM_HDR, frame, len))
		return because("the frame has changed");
	return untouched(n, size);
}

/* A queue with nothing posted, whatever was left over. */
static bool empty_ring(void)
{
	return !vmm_restart_queue(&vmm, RX, wire.tap, vmm_get_base(&vmm, RX)) ||
	       because("the RX queue does not start anew");
}

/* Frames of from..to bytes, each with just the buffers that it needs. */
static bool sweep(uint32_t size, size_t from, size_t to, size_t step)
{
	unsigned int n;
	size_t len;

	for (len = from; len <= to; len += step) {
		n = (VMM_HDR + len + size - 1) / size;
		if (!received(len, n, size))
			return because("a frame of %zu bytes, buffers of %u", len, size);
	}
	return true;
}

/* With more buffers than needed: those left over stay clean. */
static bool spare_buffers(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		if (!empty_ring() || !received(60 + 7 * i, 20, 64))
			return false;
	return true;
}

static void mergeable(uint64_t features, const char *name)
{
	vmm_run(&vmm, &wire, VMM_BASIC | features, RING_MAX);
	claim(sweep(1, 14, 100, 1) && sweep(1, 101, 1012, 91),
	      "buffers of 1 byte are filled exactly, %s", name);
	claim(sweep(64, 14, 300, 1) && sweep(64, 301, 1514, 13),
	      "buffers of 64 bytes are filled exactly, %s", name);
	claim(sweep(1526, 14, 100, 1) && sweep(1526, 101, 1514, 17) &&
	      sweep(1526, 1505, 1535, 1),
	      "buffers of 1526 bytes are filled exactly, %s", name);
	claim(sweep(4096, 14, 1514, 61) && sweep(4096, 4076, 4100, 1) &&
	      sweep(4096, 60000, 65535, 2767),
	      "buffers of 4096 bytes are filled exactly, %s", name);
	claim(spare_buffers(), "buffers that are not needed stay clean, %s", name);
	vmm_close(&vmm);
}

/* Virtio 1.3, section 5.1.6.4.1: without mergeable buffers, num_buffers is 1. */
static bool too_small_dropped(void)
{
	if (!post(1, 64))
		return false;
	wire_fill(frame, 60, 1);
	if (!wire_send(&wire, frame, 60))
		return false;
	wire_fill(frame, 40, 2);
	if (!wire_send(&wire, frame, 40))
		return false;
	return true;
}

static bool next_one_arrives(void)
{
	unsigned int heads;
	ssize_t total = gather(&heads);

	return total >= 0 && equal(total, VMM_HDR + 40, "bytes used") &&
	       equal(heads, 1, "num_buffers") &&
	       (!memcmp(got + VMM_HDR, frame, 40) ||
		because("the frame has changed")) &&
	       untouched(1, 64);
}

static void one_buffer_each(void)
{
	vmm_run(&vmm, &wire, BIT64(VIRTIO_F_VERSION_1), 256);
	claim(sweep(1526, 14, 1514, 100),
	      "without mergeable buffers num_buffers is 1");
	claim(too_small_dropped() && next_one_arrives(),
	      "a frame that no buffer holds does not block the next");
	claim(vmm_counted(&vmm, RX, "drop_too_big", 1),
	      "a frame that no buffer holds is counted");
	vmm_close(&vmm);
}

/* Chains of several descriptors are one buffer. */
static bool chained_buffer(void)
{
	struct seg segs[3] = {
		{ VMM_GPA + SCRATCH, 7, VRING_DESC_F_WRITE },
		{ VMM_GPA + SCRATCH + 100, 20, VRING_DESC_F_WRITE },
		{ VMM_GPA + SCRATCH + 200, 500, VRING_DESC_F_WRITE },
	};
	uint32_t used;

	memset(vmm.mem + SCRATCH, CANARY_BYTE, 1000);
	wire_fill(frame, 300, 9);
	if (ring_add(&vmm.q[RX], segs, 3) < 0)
		return because("no room");
	ring_kick(&vmm.q[RX]);
	if (!wire_send(&wire, frame, 300) || !ring_wait(&vmm.q[RX], 5000) ||
	    ring_reap(&vmm.q[RX], &used) < 0 ||
	    !equal(used, VMM_HDR + 300, "used length"))
		return false;
	memcpy(got, vmm.mem + SCRATCH, 7);
	memcpy(got + 7, vmm.mem + SCRATCH + 100, 20);
	memcpy(got + 27, vmm.mem + SCRATCH + 200, 285);
	return (!memcmp(got + VMM_HDR, frame, 300) &&
		vmm.mem[SCRATCH + 7] == CANARY_BYTE &&
		vmm.mem[SCRATCH + 120] == CANARY_BYTE &&
		vmm.mem[SCRATCH + 200 + 285] == CANARY_BYTE) ||
	       because("the frame has changed, or bytes around it");
}

/* BUGCLASSES B2: one small buffer, a frame that needs many. */
static bool does_not_spin(void)
{
	long long pumps, later;

	wire_fill(frame, 60000, 3);
	if (!post(1, 64) || !wire_send(&wire, frame, 60000))
		return false;
	if (vmm_has_counters() && !vmm_wait_counter(&vmm, RX, "no_buffers", 1))
		return false;
	/* The call for the frame before may have come after it was seen. */
	ring_drain_event(vmm.q[RX].call);
	pumps = vmm_counter(&vmm, RX, "pumps_worker") +
		vmm_counter(&vmm, RX, "no_buffers");
	if (ring_poll(vmm.q[RX].call, 300))
		return because("a call came for a frame that does not fit");
	later = vmm_counter(&vmm, RX, "pumps_worker") +
		vmm_counter(&vmm, RX, "no_buffers");
	return later - pumps <= 2 ||
	       because("%lld pumps within 300 ms", later - pumps);
}

/* Buffer after buffer is posted, and kicked when asked for. */
static bool wakes_when_posted(void)
{
	struct ring *ring = &vmm.q[RX];
	unsigned int i, heads;
	struct seg seg;
	ssize_t total;
	int head;

	for (i = 0; i < 15; i++) {
		seg = (struct seg) { VMM_GPA + SCRATCH + 4096 * (i + 1), 4096,
				     VRING_DESC_F_WRITE };
		head = ring_add(ring, &seg, 1);
		if (head < 0)
			return because("no room");
		at[head] = SCRATCH + 4096 * (i + 1);
		ring_kick(ring);
	}
	total = gather(&heads);
	return total >= 0 && equal(total, VMM_HDR + 60000, "bytes used") &&
	       equal(heads, 16, "num_buffers") &&
	       (!memcmp(got + VMM_HDR, frame, 60000) ||
		because("the frame has changed"));
}

/* No buffers at all: frames wait in the tap, none is lost. */
static bool frames_wait_for_buffers(void)
{
	unsigned int i, heads;
	ssize_t total;

	for (i = 0; i < 100; i++) {
		wire_fill(frame, 60 + i, i);
		if (!wire_send(&wire, frame, 60 + i))
			return false;
	}
	if (!post(100, 512))
		return false;
	for (i = 0; i < 100; i++) {
		wire_fill(frame, 60 + i, i);
		total = gather(&heads);
		if (total < 0 || !equal(total, VMM_HDR + 60 + i, "bytes used") ||
		    memcmp(got + VMM_HDR, frame, 60 + i))
			return because("frame %u has changed", i);
	}
	return true;
}

static bool counted(void)
{
	long long packets = vmm_counter(&vmm, RX, "packets");
	long long bytes = vmm_counter(&vmm, RX, "bytes");
	unsigned int i;

	for (i = 0; i < 50; i++)
		if (!vmm_try_rx(&vmm, &wire, 100 + i, i))
			return false;
	return vmm_counted(&vmm, RX, "packets", packets + 50) &&
	       vmm_counted(&vmm, RX, "bytes", bytes + 50 * 100 + 49 * 25);
}

static void scarce(uint64_t features, const char *name)
{
	vmm_run(&vmm, &wire, VMM_BASIC | features, 256);
	claim(chained_buffer(), "a buffer may be a chain, %s", name);
	claim(does_not_spin(),
	      "one small buffer and a large frame do not spin, %s", name);
	claim(wakes_when_posted(),
	      "buffers that are posted then are filled, %s", name);
	claim(empty_ring() && frames_wait_for_buffers(),
	      "frames wait for buffers, and none is lost, %s", name);
	claim(counted(), "packets and bytes are counted, %s", name);
	claim(vmm_counted(&vmm, RX, "drop_too_big", 0) &&
	      vmm_counted(&vmm, RX, "drop_malformed", 0),
	      "nothing is dropped, %s", name);
	vmm_close(&vmm);
}

/* All that the guest can post does not hold the frame; vhost-net would wait. */
static bool ring_too_small(void)
{
	unsigned int i;

	wire_fill(frame, 1500, 1);
	for (i = 0; i < 4; i++)
		must(vmm_add_buffer(&vmm, 200) >= 0);
	ring_kick(&vmm.q[RX]);
	must(wire_send(&wire, frame, 1500));
	wire_fill(frame, 700, 2);
	must(wire_send(&wire, frame, 700));
	return ring_reap_n(&vmm.q[RX], 4, 5000) &&
	       vmm_counted(&vmm, RX, "drop_too_big", 1) &&
	       vmm_counted(&vmm, RX, "packets", 1);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	mergeable(0, "plain");
	mergeable(VMM_EVENT_IDX, "with event index");
	one_buffer_each();
	scarce(0, "plain");
	scarce(VMM_EVENT_IDX, "with event index");
	if (vmm_has_counters()) {
		vmm_run(&vmm, &wire, VMM_BASIC, 4);
		claim(ring_too_small(),
		      "a frame that no full ring holds does not block the next");
		vmm_close(&vmm);
	}
	wire_close(&wire);
	return report_end();
}
