// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the guest to the wire: whatever the chain looks like, the frame that
 * leaves is the frame that was put in, and the chain comes back.
 */
#include "kselftest/vmm.h"

#define SCRATCH	(4u << 20)	/* behind the slots */

static struct vmm vmm;
static struct wire wire;
static uint8_t frame[WIRE_MAX];

/*
 * The header and the frame, one after the other at @offset of the guest's
 * memory, as a chain whose first @n - 1 parts have the lengths given.
 */
static unsigned int cut(struct seg *segs, size_t offset, size_t len,
			const uint32_t *parts, unsigned int n)
{
	uint32_t total = VMM_HDR + len, at = 0;
	unsigned int i;

	memset(vmm.mem + offset, 0, VMM_HDR);
	memcpy(vmm.mem + offset + VMM_HDR, frame, len);
	for (i = 0; i < n; i++) {
		segs[i].addr = VMM_GPA + offset + at;
		segs[i].len = i + 1 < n ? parts[i] : total - at;
		segs[i].flags = 0;
		at += segs[i].len;
	}
	return n;
}

static bool sent(const struct seg *segs, unsigned int n, size_t len)
{
	if (ring_add(&vmm.q[TX], segs, n) < 0)
		return because("%u descriptors do not fit", n);
	ring_kick(&vmm.q[TX]);
	return wire_expect(&wire, frame, len) && ring_reap_n(&vmm.q[TX], 1, 5000);
}

/* The same as an indirect table. */
static bool sent_indirect(const struct seg *segs, unsigned int n, size_t len)
{
	struct vring_desc *table = (void *)(vmm.mem + SCRATCH + (1 << 20));
	struct seg one = {
		.addr	= vmm_gpa(&vmm, table),
		.len	= n * sizeof(*table),
		.flags	= VRING_DESC_F_INDIRECT,
	};
	unsigned int i;

	/* From the last to the first, so that the order is that of next. */
	for (i = 0; i < n; i++)
		table[i ? n - i : 0] = (struct vring_desc) {
			.addr	= segs[i].addr,
			.len	= segs[i].len,
			.flags	= segs[i].flags |
				  (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next	= n - i - 1,
		};
	return sent(&one, 1, len);
}

static bool all_sizes(void)
{
	struct seg segs[2];
	size_t len;

	for (len = ETH_HLEN; len <= 1514; len++) {
		wire_fill(frame, len, len);
		if (!sent(segs, cut(segs, SCRATCH, len, NULL, 1), len))
			return false;
	}
	return true;
}

static bool big_sizes(void)
{
	static const size_t sizes[] = {
		1515, 3000, 3700, 3800, 4000, 4082, 4084, 4085, 4096, 9000,
		32768, 65000, 65535,
	};
	struct seg segs[1];
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		wire_fill(frame, sizes[i], i);
		if (!sent(segs, cut(segs, SCRATCH, sizes[i], NULL, 1), sizes[i]))
			return false;
	}
	return true;
}

static bool header_split_anywhere(void)
{
	struct seg segs[VMM_HDR + 1];
	uint32_t parts[VMM_HDR], k;

	for (k = 1; k <= VMM_HDR; k++) {
		wire_fill(frame, 90 + k, k);
		parts[0] = k;
		if (!sent(segs, cut(segs, SCRATCH, 90 + k, parts, 2), 90 + k))
			return because("header split at byte %u", k);
	}
	for (k = 0; k < VMM_HDR; k++)
		parts[k] = 1;
	wire_fill(frame, 77, 1);
	return sent(segs, cut(segs, SCRATCH, 77, parts, VMM_HDR + 1), 77);
}

static bool spread(bool indirect)
{
	uint32_t parts[256], total = VMM_HDR + 200;
	struct seg segs[256];
	unsigned int n, i;
	bool good;

	for (n = 1; n <= total; n += n < 20 ? 1 : 17) {
		for (i = 0; i < n; i++)
			parts[i] = total / n;
		wire_fill(frame, 200, n);
		cut(segs, SCRATCH, 200, parts, n);
		good = indirect ? sent_indirect(segs, n, 200) :
				  sent(segs, n, 200);
		if (!good)
			return because("%u descriptors", n);
	}
	return true;
}

/* The regions adjoin in the guest's memory: a buffer may lie in both. */
static bool across_regions(void)
{
	struct seg segs[1];
	unsigned int before;

	for (before = 1; before < VMM_HDR + 100; before++) {
		wire_fill(frame, 100, before);
		if (!sent(segs, cut(segs, VMM_SPLIT - before, 100, NULL, 1), 100))
			return because("%u bytes before the end of a region", before);
	}
	return true;
}

/* An indirect table may follow direct descriptors of its chain. */
static bool indirect_at_the_end(void)
{
	struct vring_desc *table = (void *)(vmm.mem + SCRATCH + (1 << 20));
	struct seg segs[2];
	uint32_t part = VMM_HDR;

	wire_fill(frame, 300, 5);
	cut(segs, SCRATCH, 300, &part, 2);
	table[0] = (struct vring_desc) { .addr = segs[1].addr, .len = segs[1].len };
	segs[1] = (struct seg) { vmm_gpa(&vmm, table), sizeof(*table),
				 VRING_DESC_F_INDIRECT };
	return sent(segs, 2, 300);
}

/* The whole ring at once, with one kick. */
static bool whole_ring(void)
{
	unsigned int i;

	for (i = 0; i < vmm.q[TX].num; i++) {
		wire_fill(frame, 60 + i, i);
		if (vmm_add_frame(&vmm, frame, 60 + i) < 0)
			return because("the ring holds only %u chains", i);
	}
	ring_kick(&vmm.q[TX]);
	for (i = 0; i < vmm.q[TX].num; i++) {
		wire_fill(frame, 60 + i, i);
		if (!wire_expect(&wire, frame, 60 + i))
			return because("frame %u", i);
	}
	return ring_reap_n(&vmm.q[TX], vmm.q[TX].num, 5000);
}

/* What is no frame is dropped; its chain comes back, the next one passes. */
static bool short_frame_dropped(unsigned int len)
{
	struct seg seg = { VMM_GPA + SCRATCH, len, 0 };
	long long before = vmm_counter(&vmm, TX, "drop_malformed");

	ring_add(&vmm.q[TX], &seg, 1);
	ring_kick(&vmm.q[TX]);
	return ring_reap_n(&vmm.q[TX], 1, 5000) &&
	       vmm_counted(&vmm, TX, "drop_malformed", before + 1) &&
	       vmm_try_tx(&vmm, &wire, 64, len);
}

static bool short_frames_dropped(void)
{
	unsigned int len;

	for (len = 0; len < VMM_HDR + ETH_HLEN; len++)
		if (!short_frame_dropped(len))
			return because("%u bytes with the header", len);
	return true;
}

/* A header that asks for the impossible. */
static bool bad_header_dropped(const struct virtio_net_hdr_v1 *hdr)
{
	struct seg segs[1];

	wire_fill(frame, 100, 3);
	cut(segs, SCRATCH, 100, NULL, 1);
	memcpy(vmm.mem + SCRATCH, hdr, sizeof(*hdr));
	ring_add(&vmm.q[TX], segs, 1);
	ring_kick(&vmm.q[TX]);
	return ring_reap_n(&vmm.q[TX], 1, 5000) && wire_silent(&wire, 0) &&
	       vmm_try_tx(&vmm, &wire, 64, 4);
}

static bool bad_headers_dropped(void)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xffff },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 99,
		  .csum_offset = 16 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_offset = 0xffff },
		{ .gso_type = 0x7f, .gso_size = 100 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!bad_header_dropped(&bad[i]))
			return because("header %u", i);
	return true;
}

/* Every frame is accounted for: 1 packet and its bytes. */
static bool counted(void)
{
	long long packets = vmm_counter(&vmm, TX, "packets");
	long long bytes = vmm_counter(&vmm, TX, "bytes");
	unsigned int i;

	for (i = 0; i < 50; i++)
		if (!vmm_try_tx(&vmm, &wire, 100 + i, i))
			return false;
	return vmm_counted(&vmm, TX, "packets", packets + 50) &&
	       vmm_counted(&vmm, TX, "bytes", bytes + 50 * 100 + 49 * 25);
}

static void with(uint64_t features, const char *name)
{
	vmm_run(&vmm, &wire, VMM_BASIC | features, 256);
	claim(all_sizes(), "frames of 14..1514 bytes leave unchanged, %s", name);
	claim(big_sizes(), "frames of 1515..65535 bytes leave unchanged, %s", name);
	claim(header_split_anywhere(),
	      "the header may be split at any byte, %s", name);
	claim(spread(false), "a frame may be spread over descriptors, %s", name);
	if (features & VMM_INDIRECT) {
		claim(spread(true),
		      "a frame may be spread over an indirect table, %s", name);
		claim(indirect_at_the_end(),
		      "an indirect table may end a chain, %s", name);
	}
	claim(across_regions(), "a buffer may lie in two regions, %s", name);
	claim(whole_ring(), "a full ring leaves in order, %s", name);
	claim(short_frames_dropped(),
	      "frames without an Ethernet header are dropped, %s", name);
	claim(bad_headers_dropped(),
	      "frames with impossible offloads are dropped, %s", name);
	claim(counted(), "packets and bytes are counted, %s", name);
	claim(!vmm_stop(&vmm), "the queues stop, %s", name);
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	with(0, "plain");
	with(VMM_EVENT_IDX | VMM_INDIRECT, "with event index and indirect");
	wire_close(&wire);
	return report_end();
}
