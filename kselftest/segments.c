// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest wants to have segmented, on a NIC that does not: the NIC's driver is given
 * segments, however small the frame is, and whether or not its header asks for checksums.
 */
#include "kselftest/vmm.h"
#include "kselftest/frames.h"
#include "kselftest/watch.h"

#define SCRATCH	(4u << 20)	/* behind the slots */
#define MOST	1400
#define SEGMENT	200
#define ROUNDS	50

static struct vmm vmm;
static struct wire wire;
static int watch;
static uint64_t state = 1;

static const struct kind {
	const char	*name;
	uint8_t		type;
	bool		ipv6;
	bool		tcp;
	bool		csum;
} kinds[] = {
	{ "TCP, IPv4", VIRTIO_NET_HDR_GSO_TCPV4, false, true, true },
	{ "TCP, IPv4, no checksum", VIRTIO_NET_HDR_GSO_TCPV4, false, true, false },
	{ "TCP, IPv6", VIRTIO_NET_HDR_GSO_TCPV6, true, true, true },
	{ "TCP, IPv6, no checksum", VIRTIO_NET_HDR_GSO_TCPV6, true, true, false },
	{ "UDP, IPv4", VIRTIO_NET_HDR_GSO_UDP, false, false, true },
	{ "UDP, IPv4, no checksum", VIRTIO_NET_HDR_GSO_UDP, false, false, false },
};

static struct frames_info build(const struct kind *kind, uint8_t *frame)
{
	struct frames_info info;

	do
		info = frames_build(frame, &state, MOST);
	while (info.tcp != kind->tcp || info.ipv6 != kind->ipv6 ||
	       info.len < info.payload + 2 * SEGMENT);
	return info;
}

static bool send_one(const struct kind *kind, struct frames_info *info)
{
	struct virtio_net_hdr *hdr = (void *)(vmm.mem + SCRATCH);
	struct seg seg = { VMM_GPA + SCRATCH, 0, 0 };

	memset(hdr, 0, VMM_HDR);
	*info = build(kind, vmm.mem + SCRATCH + VMM_HDR);
	hdr->gso_type = kind->type;
	hdr->gso_size = SEGMENT;
	hdr->hdr_len = info->payload;
	if (kind->csum) {
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr->csum_start = info->transport;
		hdr->csum_offset = kind->tcp ? 16 : 6;
	}
	seg.len = VMM_HDR + info->len;
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
	ring_kick(&vmm.q[TX]);
	return ring_reap_n(&vmm.q[TX], 1, 5000);
}

/* All of the payload, in frames that are whole; fragments of UDP have its header once. */
static bool arrives(const struct kind *kind, const struct frames_info *info)
{
	uint32_t front = kind->tcp ? info->payload : info->transport;
	uint32_t left = info->len - front;
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	static struct seen seen;

	while (left) {
		if (poll(&pfd, 1, 5000) != 1 || !watch_next(watch, &seen))
			return because("%u of %u bytes are missing", left, info->len - front);
		/* A tag was taken off. */
		if (seen.status & TP_STATUS_VLAN_VALID)
			seen.len += 4;
		if (seen.hdr.gso_type)
			return because("a frame of %zd bytes is to be segmented", seen.len);
		if (seen.len <= front || seen.len > front + SEGMENT + 8 ||
		    seen.len - front > left)
			return because("a segment of %zd bytes, of which %u in front, %u left",
				       seen.len, front, left);
		left -= seen.len - front;
	}
	return !watch_next(watch, &seen) || because("more came than was sent");
}

static bool in_segments(const struct kind *kind)
{
	struct frames_info info;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		if (!send_one(kind, &info) || !arrives(kind, &info))
			return because("round %u", i);
	return true;
}

int main(int argc, char **argv)
{
	unsigned int i;

	vmm_begin(argc, argv);
	if (!lower_wanted()) {
		skip("frames are sent in segments", "a tap takes them as they are");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	/* Segments are not put together again. */
	shell("ethtool -K wire0 gro off");
	watch = watch_open(wire.index);
	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	watch_drain(watch);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		claim(in_segments(&kinds[i]), "frames are sent in segments: %s",
		      kinds[i].name);
	vmm_close(&vmm);
	close(watch);
	wire_close(&wire);
	return report_end();
}
