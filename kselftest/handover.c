// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest sends another on the same NIC is put into that one's buffers at once.  It is
 * the same, header and all, as by the long way; and nothing else is.
 *
 * handover [DEVICE] [-n SAMPLES] [-s SEED]
 */
#include "kselftest/ends.h"
#include "kselftest/frames.h"
#include "kselftest/options.h"

#define LONGEST		60000
#define MARK		60	/* bytes of a frame that tells that all before has come */
#define MOST		200	/* frames that one becomes */
#define VLAN		7	/* that the host is in, on that NIC */
#define MTU		1500

/* What has come of a sample. */
struct trace {
	unsigned int	frames;
	uint64_t	sum;
};

static unsigned long samples_wanted = 2000;
static uint64_t seed = 1, state;

static uint32_t below(uint32_t n)
{
	return frames_random(&state) % n;
}

/* Samples: the same by both ways */

static uint16_t edge(uint32_t len)
{
	const uint32_t edges[] = { 0, 1, 13, 14, 15, 33, 34, 54, len - 1, len, len - 2, 0xffff };

	return below(3) ? edges[below(12)] : below(200);
}

static void build_offload(struct virtio_net_hdr *hdr, const struct frames_info *info)
{
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = below(8) ? info->transport : edge(info->len);
	hdr->csum_offset = below(8) ? (info->tcp ? 16 : 6) : edge(info->len);
	hdr->hdr_len = below(4) ? info->payload : edge(info->len);
	if (below(2))
		return;
	hdr->gso_type = info->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	if (!below(8))
		hdr->gso_type = below(6);
	/* Fragments of IPv6 are not twice the same. */
	if (info->ipv6 && hdr->gso_type == VIRTIO_NET_HDR_GSO_UDP)
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	/* Not more segments than the host's core takes in one go: the mark must not overtake. */
	hdr->gso_size = 1000 + below(448);
	if (!below(16))
		hdr->gso_size = info->len;
	if (!below(16))
		hdr->flags = below(4);
}

/* Returns how long it is, with its header. */
static uint32_t build(uint8_t *at)
{
	static const uint8_t tag[] = { 0x81, 0, 0, VLAN };
	struct virtio_net_hdr *hdr = (void *)at;
	uint8_t *frame = at + VMM_HDR;
	struct frames_info info;

	memset(at, 0, VMM_HDR);
	info = frames_build(frame, &state, below(3) ? 1400 : LONGEST);
	if (info.tcp && !below(8))
		frame[info.transport + 13] = frames_random(&state);
	if (!below(16))
		frames_garbage(frame, info.len, &state);
	if (!below(16))
		memcpy(frame + 12, tag, sizeof(tag));
	memcpy(frame, ends[1].mac, 6);
	memcpy(frame + 6, ends[0].mac, 6);
	if (below(3))
		build_offload(hdr, &info);
	return VMM_HDR + info.len;
}

static void note_frame(struct trace *trace, const uint8_t *at, uint32_t used)
{
	struct virtio_net_hdr hdr = *(const struct virtio_net_hdr *)at;
	const uint8_t *bytes = (void *)&hdr;
	unsigned int i;

	/* How much lies in one piece is a hint. */
	hdr.hdr_len = 0;
	for (i = 0; i < sizeof(hdr); i++)
		trace->sum = trace->sum * 1099511628211ull + bytes[i];
	for (i = VMM_HDR - 2; i < used; i++)
		trace->sum = trace->sum * 1099511628211ull + at[i];
	trace->frames++;
}

/* All that comes of a sample, up to the mark. */
static bool follow(uint32_t number, struct trace *trace)
{
	uint32_t used;
	uint8_t *at;
	bool over;

	*trace = (struct trace) { 0 };
	do {
		at = ends_take(&ends[1], &used);
		if (!at)
			return because("neither sample %u nor its mark comes", number);
		over = used == VMM_HDR + MARK && ends_is_number(&ends[1], at, number, MARK);
		if (!over)
			note_frame(trace, at, used);
		ends_put_back(&ends[1], at);
	} while (!over && trace->frames < MOST);
	return over || because("more than %u frames of sample %u", MOST, number);
}

static bool run_samples(const char *path, struct trace *traces)
{
	unsigned int i;
	uint8_t *at;

	state = seed;
	must(ends_set_path(path));
	for (i = 0; i < samples_wanted; i++) {
		at = ends_place(&ends[0]);
		ends_add(&ends[0], at, build(at));
		ends_add_number(&ends[0], &ends[1], i, MARK);
		if (!ends_flush(&ends[0], 2) || !follow(i, &traces[i]))
			return false;
	}
	return true;
}

static bool differs(unsigned int i, const struct trace *direct, const struct trace *by_core)
{
	uint8_t *at = ends_place(&ends[0]);
	const struct virtio_net_hdr *hdr = (void *)at;
	uint32_t len = 0;
	unsigned int j;

	state = seed;
	for (j = 0; j <= i; j++)
		len = build(at);
	because("sample %u, %u bytes, type %02x%02x, flags %u gso_type %u gso_size %u", i, len,
		at[VMM_HDR + 12], at[VMM_HDR + 13], hdr->flags, hdr->gso_type, hdr->gso_size);
	return because("hdr_len %u csum_start %u csum_offset %u: %u frames, by the long way %u",
		       hdr->hdr_len, hdr->csum_start, hdr->csum_offset, direct->frames,
		       by_core->frames);
}

static bool same(void)
{
	struct trace *direct = calloc(samples_wanted, sizeof(*direct));
	struct trace *by_core = calloc(samples_wanted, sizeof(*by_core));
	long long before = ends_taken(), n;
	unsigned int i, came = 0;
	bool good;

	must(direct && by_core);
	good = run_samples("direct", direct);
	n = ends_taken() - before;
	good = good && run_samples("qdisc", by_core) &&
	       (ends_taken() == before + n || because("some were taken by the long way"));
	must(ends_set_path("direct"));
	for (i = 0; good && i < samples_wanted; i++) {
		good = (direct[i].frames == by_core[i].frames &&
			direct[i].sum == by_core[i].sum) ||
		       differs(i, &direct[i], &by_core[i]);
		came += direct[i].frames;
	}
	note("of %lu samples %u frames came, %lld were taken, with the marks", samples_wanted,
	     came, n);
	free(direct);
	free(by_core);
	/* Most marks, at least. */
	return good && (n > (long long)samples_wanted / 2 || because("but %lld were taken", n));
}

static bool set_offload(unsigned int offload)
{
	return !ioctl(ends[1].wire.tap, TUNSETOFFLOAD, offload);
}

static void all(void)
{
	unsigned int offload;

	claim(same(), "%lu samples are the same by both ways", samples_wanted);
	for (offload = 0; offload < 2; offload++) {
		must(set_offload(offload ? TUN_F_CSUM : 0));
		claim(same(), "also to a guest that takes %s",
		      offload ? "checksums alone" : "nothing");
	}
	must(set_offload(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6));
	shell("ip link set sw-nic mtu %d", MTU);
	claim(same(), "also past an MTU of %d", MTU);
}

int main(int argc, char **argv)
{
	options_parse(argc, argv, &samples_wanted, &seed);
	vmm_begin(1, argv);
	if (!lower_wanted() || !vmm_has_counters()) {
		skip("frames are handed over", "not of this device, or not on a tap");
		return report_end();
	}
	ends_open();
	shell("ip link add link sw-nic name sw-vlan type vlan id %d && ip link set sw-vlan up",
	      VLAN);
	all();
	ends_close();
	return report_end();
}
