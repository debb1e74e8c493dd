// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frame and its virtio-net header, written to a tap by hand and sent by a twin
 * over a tap of the same kind: the same frames come out, and in the same state.
 *
 * headers [DEVICE] [-n SAMPLES] [-s SEED]
 *
 * A twin hands small frames to its tap in batches, as vhost-net does, if the tap
 * has an endless send buffer, and any frame by itself otherwise.  A batch does not
 * look at hdr_len, which is a hint (virtio 1.3, section 5.1.6.2), but to mend it
 * for a checksum; write() refuses one that is impossible.
 */
#include "kselftest/vmm.h"
#include "kselftest/frames.h"
#include "kselftest/options.h"
#include "kselftest/watch.h"

#include <linux/if_ether.h>

#define BATCH	32
#define NUM	64
/* Where the guest has its frames, and how far apart. */
#define SCRATCH	(4u << 20)
#define STRIDE	(128u << 10)
/* What is surely not too long for a batch. */
#define SMALL	3000
#define VMM_OWN_HDR	(VMM_BASIC | BIT64(VHOST_NET_F_VIRTIO_NET_HDR))

/**
 * struct mode - what kind of taps
 * @name:	of it
 * @features:	of the twin
 * @hdr_len:	of the guest's frames
 * @tap_hdr:	likewise, of both taps'
 * @sndbuf:	likewise; an endless one lets frames go in batches
 */
struct mode {
	const char	*name;
	uint64_t	features;
	unsigned int	hdr_len;
	unsigned int	tap_hdr;
	int		sndbuf;
};

/* One frame and its header; as the twin is given it, and as write() is. */
struct sample {
	struct virtio_net_hdr	hdr;
	struct virtio_net_hdr	written;
	uint32_t		len;	/* of both together */
	uint8_t			*frame;
};

struct class {
	const char	*name;
	void		(*make)(struct sample *sample);
};

/* One end of the wire: a tap, and a socket that sees the state of frames. */
struct end {
	struct wire	wire;
	int		watch;
};

static const struct mode *mode;
static struct vmm vmm;
static struct end by_hand, by_twin;
static struct sample samples[BATCH];
static uint64_t random_state, seed = 1;
static unsigned long samples_wanted = 2048;
static unsigned long refused, sent_out;

static uint32_t below(uint32_t n)
{
	return frames_random(&random_state) % n;
}

static bool in_batches(void)
{
	return mode->sndbuf == INT_MAX;
}

/* The ends */

static void end_open(struct end *end, const char *name)
{
	wire_open(&end->wire, name, mode->tap_hdr);
	must(!ioctl(end->wire.tap, TUNSETSNDBUF, &mode->sndbuf));
	end->watch = watch_open(end->wire.index);
}

static void end_close(struct end *end)
{
	close(end->watch);
	wire_close(&end->wire);
}

/* Samples */

static const char *hdr_text(const struct virtio_net_hdr *hdr)
{
	static char text[120];

	snprintf(text, sizeof(text),
		 "flags %u gso_type %u hdr_len %u gso_size %u csum_start %u csum_offset %u",
		 hdr->flags, hdr->gso_type, hdr->hdr_len, hdr->gso_size,
		 hdr->csum_start, hdr->csum_offset);
	return text;
}

/* Which sample it was is in the sender's address, if it is as long as that. */
static void tag(struct sample *sample, unsigned int i)
{
	if (sample->len >= mode->hdr_len + 12)
		sample->frame[11] = i;
}

/* What the tap has no header for is not written to it. */
static bool write_one(const struct sample *sample)
{
	static uint8_t bytes[WIRE_MAX + 100];
	uint32_t skip = mode->hdr_len - mode->tap_hdr;

	if (sample->len < skip)
		return false;
	memset(bytes, 0xee, mode->hdr_len);
	memcpy(bytes, &sample->written, sizeof(sample->written));
	if (sample->len > mode->hdr_len)
		memcpy(bytes + mode->hdr_len, sample->frame,
		       sample->len - mode->hdr_len);
	if (write(by_hand.wire.tap, bytes + skip, sample->len - skip) >= 0)
		return true;
	must(errno == EINVAL);
	return false;
}

static void send_one(const struct sample *sample, unsigned int i)
{
	uint8_t *at = vmm.mem + SCRATCH + i * STRIDE;
	struct seg seg = { vmm_gpa(&vmm, at), sample->len, 0 };

	memset(at, 0xee, mode->hdr_len);
	memcpy(at, &sample->hdr, sizeof(sample->hdr));
	if (sample->len > mode->hdr_len)
		memcpy(at + mode->hdr_len, sample->frame,
		       sample->len - mode->hdr_len);
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
}

static bool differ(const char *what, const struct seen *a, const struct seen *b)
{
	const struct seen *any = a->len >= ETH_HLEN ? a : b;
	unsigned int i = any->len >= 12 ? any->frame[11] % BATCH : 0;

	because("%s; sample %u: %u bytes, %s", what, i, samples[i].len,
		hdr_text(&samples[i].hdr));
	because("by hand %zd bytes, %s, status %x", a->len, hdr_text(&a->hdr),
		a->status);
	return because("by the twin %zd bytes, %s, status %x", b->len,
		       hdr_text(&b->hdr), b->status);
}

/* The same has come out of both. */
static bool same(void)
{
	static struct seen a, b;
	bool is_a, is_b;

	for (;;) {
		is_a = watch_next(by_hand.watch, &a);
		is_b = watch_next(by_twin.watch, &b);
		if (!is_a && !is_b)
			return true;
		if (is_a != is_b)
			return differ(is_a ? "a frame that the twin refuses" :
					     "a frame that write() refuses", &a, &b);
		sent_out++;
		if (memcmp(&a, &b, offsetof(struct seen, frame)))
			return differ("the state", &a, &b);
		if (a.len > 0 && memcmp(a.frame, b.frame, a.len))
			return differ("a byte", &a, &b);
	}
}

static bool batch(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		tag(&samples[i], i);
		refused += !write_one(&samples[i]);
		send_one(&samples[i], i);
	}
	ring_kick(&vmm.q[TX]);
	if (ring_reap_n(&vmm.q[TX], n, 10000) && same())
		return true;
	watch_drain(by_hand.watch);
	watch_drain(by_twin.watch);
	return false;
}

/* Classes */

static uint16_t edge(uint32_t len)
{
	const uint16_t edges[] = {
		0, 1, 11, 12, 13, 14, 15, 33, 34, 35, 54, 255, 0x7fff, 0x8000,
		0xfffe, 0xffff, len, len - 1, len - 2, len + 1, len - 12, len + 12,
	};

	return below(3) ? edges[below(22)] : below(100);
}

/* An offload as a sound driver asks for it. */
static void sound(struct sample *s, const struct frames_info *info)
{
	s->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	s->hdr.csum_start = info->transport;
	s->hdr.csum_offset = info->tcp ? 16 : 6;
	s->hdr.hdr_len = info->payload;
}

static struct frames_info proper(struct sample *s)
{
	struct frames_info info;
	uint32_t most = below(8) ? 1400 : 60000;

	memset(&s->hdr, 0, sizeof(s->hdr));
	info = frames_build(s->frame, &random_state, most);
	s->len = mode->hdr_len + info.len;
	return info;
}

static void no_offload(struct sample *s)
{
	proper(s);
	if (!below(4))
		frames_garbage(s->frame, s->len - mode->hdr_len, &random_state);
	s->hdr.gso_size = edge(s->len);
	s->hdr.csum_start = edge(s->len);
	s->hdr.csum_offset = edge(s->len);
	s->hdr.flags = below(2) ? 0 : VIRTIO_NET_HDR_F_DATA_VALID;
	s->written = s->hdr;
}

static void any_hdr_len(struct sample *s)
{
	struct frames_info info;

	do {
		info = proper(s);
	} while (s->len > SMALL);
	if (below(2))
		sound(s, &info);
	s->hdr.hdr_len = edge(s->len);
	s->written = s->hdr;
	/* What write() refuses for hdr_len alone goes in a batch. */
	if (in_batches())
		s->written.hdr_len = 0;
}

static void checksum(struct sample *s)
{
	struct frames_info info = proper(s);

	sound(s, &info);
	if (below(2))
		s->hdr.csum_start = edge(info.len);
	if (below(2))
		s->hdr.csum_offset = edge(info.len);
	if (s->hdr.csum_start + s->hdr.csum_offset + 2 > s->hdr.hdr_len)
		s->hdr.hdr_len = 0;
	s->written = s->hdr;
}

static void segment(struct sample *s, bool right)
{
	struct frames_info info = proper(s);
	static const uint8_t types[] = {
		VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
		VIRTIO_NET_HDR_GSO_UDP, 5,	/* UDP_L4 */
	};

	sound(s, &info);
	s->hdr.gso_type = types[below(4)];
	if (right && info.tcp)
		s->hdr.gso_type = types[info.ipv6];
	else if (right)
		s->hdr.gso_type = types[2 + below(2)];
	if (!below(4))
		s->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	s->hdr.gso_size = below(4) ? 1 + below(1448) : edge(info.len);
	if (!right && !below(4))
		s->hdr.flags = 0;
	s->written = s->hdr;
}

static void segmentation(struct sample *s)
{
	segment(s, true);
}

static void wrong_segmentation(struct sample *s)
{
	segment(s, false);
}

static void anything(struct sample *s)
{
	proper(s);
	if (!below(2))
		frames_garbage(s->frame, s->len - mode->hdr_len, &random_state);
	if (!below(4))
		s->len = mode->hdr_len + below(71);
	s->hdr = (struct virtio_net_hdr) {
		.flags		= below(2) ? 0 : frames_random(&random_state),
		.gso_type	= below(2) ? 0 : frames_random(&random_state) % 12,
		.gso_size	= edge(s->len),
		.csum_start	= edge(s->len),
		.csum_offset	= edge(s->len),
	};
	s->written = s->hdr;
}

static const struct class classes[] = {
	{ "no offload", no_offload },
	{ "any hdr_len", any_hdr_len },
	{ "checksums, some out of range", checksum },
	{ "segmentation", segmentation },
	{ "segmentation that does not fit the frame", wrong_segmentation },
	{ "any header, any frame", anything },
};

/* Each size from nothing to 70 bytes of frame, with some headers. */
static bool short_ones(void)
{
	uint32_t len;
	unsigned int kind, n = 0;

	for (len = 0; len <= mode->hdr_len + 70; len++) {
		for (kind = 0; kind < 8; kind++) {
			struct sample *s = &samples[n++];

			proper(s);
			s->hdr.flags = kind & 1;
			s->hdr.csum_start = kind & 1 ? edge(len) : 0;
			s->hdr.gso_type = kind & 2 ? below(6) : 0;
			s->hdr.gso_size = kind & 4 ? edge(len) : 1;
			s->len = len;
			s->written = s->hdr;
			if (n == BATCH && !batch(n))
				return false;
			n %= BATCH;
		}
	}
	return batch(n);
}

static bool holds(const struct class *class)
{
	unsigned int i, k;

	for (i = 0; i < samples_wanted; i += BATCH) {
		for (k = 0; k < BATCH; k++)
			class->make(&samples[k]);
		if (!batch(BATCH))
			return because("seed %llu, samples %u and on",
				       (unsigned long long)seed, i);
	}
	return true;
}

static void agree(const char *name, bool good, unsigned long from,
		  unsigned long before)
{
	claim(good, "%s: %s: what write() sends the twin sends, no less and no more",
	      mode->name, name);
	note("%s: %s: %lu came out, %lu were refused", mode->name, name,
	     sent_out - from, refused - before);
}

/* Each was counted; alone, a frame that is refused is a drop. */
static bool counted(unsigned long all)
{
	long long drops = vmm_counter(&vmm, TX, "drop_malformed");

	return !vmm_has_counters() ||
	       (equal(vmm_counter(&vmm, TX, "packets") + drops, all, "counted") &&
		(in_batches() || equal(drops, refused, "drops")));
}

static void with(const struct mode *how)
{
	unsigned long all, from = 0, before = 0;
	unsigned int i;
	bool good;

	mode = how;
	refused = 0;
	sent_out = 0;
	random_state = seed;
	end_open(&by_hand, "hand0");
	end_open(&by_twin, "twin0");
	vmm_run(&vmm, &by_twin.wire, mode->features, NUM);
	good = short_ones();
	agree("frames of 0 to 70 bytes", good, 0, 0);
	all = 8 * (mode->hdr_len + 71);
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		from = sent_out;
		before = refused;
		good = holds(&classes[i]);
		agree(classes[i].name, good, from, before);
		all += samples_wanted / BATCH * BATCH;
	}
	if (!report.failed)
		claim(counted(all), "%s: each frame is counted, as sent or as a drop",
		      mode->name);
	vmm_close(&vmm);
	end_close(&by_twin);
	end_close(&by_hand);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "in batches", VMM_BASIC, 12, 12, INT_MAX },
		{ "one by one", VMM_BASIC, 12, 12, 64 << 20 },
		{ "in batches, header of 10", 0, 10, 10, INT_MAX },
		{ "in batches, taps without a header", VMM_OWN_HDR, 12, 0, INT_MAX },
	};
	unsigned int i;

	options_parse(argc, argv, &samples_wanted, &seed);
	vmm_begin(1, argv);
	note("seed %llu, %lu samples of each class", (unsigned long long)seed,
	     samples_wanted);
	for (i = 0; i < BATCH; i++) {
		samples[i].frame = calloc(1, WIRE_MAX + 100);
		must(samples[i].frame);
	}
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		with(&modes[i]);
	return report_end();
}
