// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that is given many segments as one frame acknowledges them once.  If asked for,
 * the sender gets the acknowledgments that it would have had for segments: each as that
 * one, to the bit, but for what it acknowledges; and never any that were not due.
 */
#include "kselftest/vmm.h"
#include "kselftest/flow.h"
#include "kselftest/frames.h"
#include "kselftest/watch.h"

#define MSS		100
#define SEGMENTS	12
#define TINY		80	/* bytes of a segment, too few */
#define MOST		256	/* acknowledgments at a time */
#define STREAMS		40
#define PARAMETER	"/sys/module/kvm_twin/parameters/expand_acks"

static struct vmm vmm;
static struct wire wire;
static int watch, sender;
static unsigned int mss = MSS;
static struct flow flow;

static uint8_t gso_type_of(const struct stream *stream)
{
	return stream->ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
}

/* Frames of the stream as they come: @len bytes of payload, segments of mss or all of it. */
static void send_to_guest(const struct flow *f, uint32_t at, uint32_t len, bool segments)
{
	struct virtio_net_hdr hdr = { };
	struct iovec iov[] = { { &hdr, sizeof(hdr) }, { } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	static struct stream_frame frame;

	stream_build(&f->stream, &frame, f->frames, at, len);
	frame.tcp->dest = htons(f->port);
	stream_mend(&frame);
	iov[1] = (struct iovec) { frame.bytes, frame.len };
	if (segments) {
		stream_take_checksum_off(&frame, frame.bytes);
		stream_ask_for_checksum(&frame, &hdr);
		hdr.gso_type = gso_type_of(&f->stream);
		hdr.gso_size = mss;
		hdr.hdr_len = frame.payload;
	}
	must(sendmsg(sender, &msg, 0) == (ssize_t)(sizeof(hdr) + frame.len));
}

static bool take(uint32_t len, bool segments)
{
	const struct virtio_net_hdr *hdr;
	uint32_t used;
	int head;

	if (!ring_wait(&vmm.q[RX], 5000))
		return false;
	head = ring_reap(&vmm.q[RX], &used);
	if (head < 0)
		return false;
	hdr = (const void *)vmm_buffer(&vmm, head);
	return (used > len + VMM_HDR || because("%u bytes were used", used)) &&
	       equal(hdr->gso_type != 0, segments, "whether the guest was given segments");
}

static bool give_at(struct flow *f, uint32_t at, uint32_t len, bool segments)
{
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	send_to_guest(f, at, len, segments);
	f->frames++;
	return take(len, segments);
}

/* As many segments, as one frame. */
static bool give(struct flow *f, unsigned int n)
{
	f->at += n * MSS;
	return give_at(f, f->at - n * MSS, n * MSS, true);
}

static bool give_one(struct flow *f)
{
	f->at += MSS;
	return give_at(f, f->at - MSS, MSS, false);
}

/* Its checksum is to be made, and segments of that type and size, if any. */
static void post_with(const struct stream_frame *frame, uint8_t type, uint16_t size)
{
	struct virtio_net_hdr *hdr = (void *)vmm_slot(&vmm, vmm.q[TX].free);
	static uint8_t bytes[STREAM_MAX];

	memcpy(bytes, frame->bytes, frame->len);
	stream_take_checksum_off(frame, bytes);
	must(vmm_add_frame(&vmm, bytes, frame->len) >= 0);
	stream_ask_for_checksum(frame, hdr);
	hdr->gso_type = type;
	hdr->gso_size = size;
	ring_kick(&vmm.q[TX]);
}

static void post(const struct flow *f, const struct stream_frame *ack)
{
	if (f->stream.partial) {
		post_with(ack, VIRTIO_NET_HDR_GSO_NONE, 0);
		return;
	}
	must(vmm_add_frame(&vmm, ack->bytes, ack->len) >= 0);
	ring_kick(&vmm.q[TX]);
}

/* That frame comes, with another number if @ack is not its own. */
static bool comes(struct stream_frame *frame, uint32_t ack)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	static struct seen seen;
	uint32_t own = frame->tcp->ack_seq;
	bool good;

	if (poll(&pfd, 1, 5000) != 1 || !watch_next(watch, &seen))
		return because("no acknowledgment of %u came", ack);
	frame->tcp->ack_seq = htonl(ack);
	stream_mend(frame);
	good = stream_is_part(&seen, 1, frame) ||
	       because("expected an acknowledgment of %u, got one of %u, or it differs", ack,
		       ntohl(((struct tcphdr *)(seen.frame +
						stream_tcp_at(seen.frame)))->ack_seq));
	frame->tcp->ack_seq = own;
	stream_mend(frame);
	return good;
}

/*
 * The guest sends a frame; before it come acknowledgments of every second segment, from
 * @from on up to it.  None if that is where it is itself.
 */
static bool sends(const struct flow *f, struct stream_frame *ack, uint32_t from)
{
	uint32_t own = ntohl(ack->tcp->ack_seq), at = flow_number(from);
	static struct seen seen;

	post(f, ack);
	for (at += 2 * MSS; (int32_t)(own - at) > 0; at += 2 * MSS)
		if (!comes(ack, at))
			return false;
	return comes(ack, own) && ring_reap_n(&vmm.q[TX], 1, 5000) &&
	       (!watch_next(watch, &seen) || because("more came than was due"));
}

static bool acks(const struct flow *f, uint32_t at, uint32_t from)
{
	static struct stream_frame ack;

	flow_build_ack(f, &ack, at);
	return sends(f, &ack, from);
}

/* With nothing before it. */
static bool acks_alone(const struct flow *f, uint32_t at)
{
	return acks(f, at, at);
}

static void begin(const struct stream *stream)
{
	static uint16_t ports = 2000;

	flow = (struct flow) { .stream = *stream, .port = ports++ };
}

static bool of_two_each(const struct stream *stream)
{
	begin(stream);
	/* An odd number, twice: who acknowledges every second one goes on counting. */
	return give(&flow, SEGMENTS) && acks(&flow, flow.at, 0) &&
	       give(&flow, 7) && acks(&flow, flow.at, SEGMENTS * MSS) &&
	       give(&flow, 5) && give(&flow, 4) && acks(&flow, flow.at, (SEGMENTS + 7) * MSS);
}

static bool of_a_part(const struct stream *stream)
{
	begin(stream);
	return give(&flow, SEGMENTS) && acks(&flow, 5 * MSS, 0) &&
	       acks(&flow, flow.at, 5 * MSS);
}

static bool of_a_short_end(const struct stream *stream)
{
	begin(stream);
	flow.at = 5 * MSS + 1;
	return give_at(&flow, 0, flow.at, true) && acks(&flow, flow.at, 0);
}

static bool with_one_between(const struct stream *stream)
{
	begin(stream);
	return give(&flow, 4) && give_one(&flow) && give(&flow, 4) && acks(&flow, flow.at, 0);
}

static bool not_when_off(const struct stream *stream)
{
	bool good;

	begin(stream);
	wire_write(PARAMETER, "0");
	good = give(&flow, SEGMENTS) && acks_alone(&flow, flow.at);
	wire_write(PARAMETER, "1");
	return good;
}

static bool not_twice(const struct stream *stream)
{
	begin(stream);
	return give(&flow, SEGMENTS) && acks(&flow, flow.at, 0) && acks_alone(&flow, flow.at) &&
	       acks_alone(&flow, 3 * MSS) && give(&flow, 2) && acks_alone(&flow, flow.at);
}

static bool not_of_frames(const struct stream *stream)
{
	begin(stream);
	return give_one(&flow) && give_one(&flow) && give_one(&flow) && give_one(&flow) &&
	       acks_alone(&flow, flow.at);
}

static bool not_of_what_is_missing(const struct stream *stream)
{
	begin(stream);
	if (!give(&flow, 4) || !acks(&flow, flow.at, 0))
		return false;
	/* Of what came behind the gap, what was acknowledged with it is not told. */
	flow.at += MSS;
	return give(&flow, 6) && acks_alone(&flow, 4 * MSS) &&
	       acks(&flow, flow.at, 5 * MSS);
}

static bool not_of_what_never_came(const struct stream *stream)
{
	begin(stream);
	return give(&flow, 4) && acks_alone(&flow, flow.at + 1) &&
	       acks_alone(&flow, flow.at + 1000000);
}

static bool not_of_others(const struct stream *stream)
{
	struct flow other;

	begin(stream);
	other = flow;
	other.port += 1000;
	return give(&flow, SEGMENTS) && acks_alone(&other, flow.at) && acks(&flow, flow.at, 0);
}

/* What an acknowledgment may be besides, with none before it then. */

static void push(struct stream_frame *ack) { ack->tcp->psh = 1; }
static void finish(struct stream_frame *ack) { ack->tcp->fin = 1; }
static void reset(struct stream_frame *ack) { ack->tcp->rst = 1; }
static void echo(struct stream_frame *ack) { ack->tcp->ece = 1; }
static void reserve(struct stream_frame *ack) { ack->tcp->res1 = 1; }
static void close_window(struct stream_frame *ack) { ack->tcp->window = htons(999); }
static void be_selective(struct stream_frame *ack) { ack->bytes[ack->payload - 10] = 5; }

static void overrun(struct stream_frame *ack)
{
	ack->tcp->doff = 15;
}

static const struct {
	const char	*name;
	void		(*apply)(struct stream_frame *ack);
} kinds[] = {
	{ "PSH", push }, { "FIN", finish }, { "RST", reset }, { "ECE", echo },
	{ "a reserved bit", reserve }, { "a smaller window", close_window },
	{ "another option", be_selective }, { "a data offset beyond the end", overrun },
};

static bool not_of_kinds(const struct stream *stream)
{
	static struct stream_frame ack;
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		begin(stream);
		if (!give(&flow, 2) || !acks_alone(&flow, flow.at) || !give(&flow, SEGMENTS))
			return false;
		flow_build_ack(&flow, &ack, flow.at);
		kinds[i].apply(&ack);
		stream_mend(&ack);
		if (!sends(&flow, &ack, flow.at))
			return because("with %s", kinds[i].name);
	}
	return true;
}

static bool not_with_data(const struct stream *stream)
{
	static struct stream_frame data;

	begin(stream);
	if (!give(&flow, SEGMENTS))
		return false;
	flow_build_data(&flow, &data, 50);
	return sends(&flow, &data, flow.at) && acks_alone(&flow, flow.at);
}

/* The same in segments. */
static bool not_after_data(const struct stream *stream)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	static struct stream_frame data;
	uint32_t left = 500;
	static struct seen seen;

	begin(stream);
	if (!give(&flow, SEGMENTS))
		return false;
	flow_build_data(&flow, &data, left);
	post_with(&data, gso_type_of(stream), MSS);
	for (; left; left -= seen.len - data.payload)
		if (poll(&pfd, 1, 5000) != 1 || !watch_next(watch, &seen))
			return because("%u bytes did not come", left);
	return ring_reap_n(&vmm.q[TX], 1, 5000) && acks_alone(&flow, flow.at);
}

static bool not_of_tiny_ones(const struct stream *stream)
{
	bool good;

	begin(stream);
	mss = TINY;
	good = give(&flow, SEGMENTS) && acks_alone(&flow, flow.at);
	mss = MSS;
	return good;
}

/* However many are due. */
static bool so_many_at_most(const struct stream *stream)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	static struct stream_frame ack;
	static struct seen seen;
	unsigned int n = 0;

	begin(stream);
	while (flow.at < 3 * MOST * MSS)
		if (!give(&flow, SEGMENTS))
			return false;
	flow_build_ack(&flow, &ack, flow.at);
	post(&flow, &ack);
	if (!ring_reap_n(&vmm.q[TX], 1, 5000))
		return false;
	while (n <= MOST && poll(&pfd, 1, 5000) == 1 && watch_next(watch, &seen))
		n++;
	return equal(n, MOST + 1, "frames") &&
	       (stream_is_part(&seen, 1, &ack) || because("the last is not the guest's"));
}

/* More streams than are remembered: what is known of one is never told to another. */
static bool many(const struct stream *stream)
{
	struct flow flows[STREAMS];
	unsigned int i;

	for (i = 0; i < STREAMS; i++) {
		begin(stream);
		flows[i] = flow;
		if (!give(&flows[i], 4) || !acks(&flows[i], flows[i].at, 0))
			return because("stream %u", i);
	}
	for (i = 0; i < STREAMS; i++)
		if (!acks_alone(&flows[i], flows[i].at))
			return because("stream %u, once more", i);
	return true;
}

static bool not_if_seen(const struct stream *stream)
{
	int listener = watch_open(if_nametoindex("wire0-tap"));
	bool good;

	begin(stream);
	good = give(&flow, SEGMENTS) && acks_alone(&flow, flow.at);
	close(listener);
	return good;
}

static bool counted(const struct stream *stream)
{
	long long before = vmm_counter(&vmm, TX, "acks_expanded"), packets;

	packets = vmm_counter(&vmm, TX, "packets");
	begin(stream);
	return give(&flow, SEGMENTS) && acks(&flow, flow.at, 0) &&
	       equal(vmm_counter(&vmm, TX, "acks_expanded") - before, SEGMENTS / 2 - 1,
		     "acks_expanded") &&
	       equal(vmm_counter(&vmm, TX, "packets") - packets, 1, "packets");
}

/* One that is to be segmented, with nothing to segment.  It may not come out at all. */
static bool not_if_odd(const struct stream *stream)
{
	long long before = vmm_counter(&vmm, TX, "acks_expanded");
	static struct stream_frame ack;

	begin(stream);
	if (!give(&flow, SEGMENTS))
		return false;
	flow_build_ack(&flow, &ack, flow.at);
	post_with(&ack, gso_type_of(stream), 8);
	return ring_reap_n(&vmm.q[TX], 1, 5000) &&
	       equal(vmm_counter(&vmm, TX, "acks_expanded"), before, "acks_expanded");
}

static void all(const struct stream *s)
{
	const char *kind = s->ipv6 ? "IPv6" : "IPv4";

	claim(of_two_each(s), "%s: every second segment of a frame is acknowledged", kind);
	claim(of_a_part(s), "%s: of a part of it, too", kind);
	claim(of_a_short_end(s), "%s: a short end counts as a segment", kind);
	claim(with_one_between(s), "%s: a segment that comes alone is one of them", kind);
	claim(not_when_off(s), "%s: not unless it is asked for", kind);
	claim(not_twice(s), "%s: each once", kind);
	claim(not_of_frames(s), "%s: not of segments that the guest has seen", kind);
	claim(not_of_what_is_missing(s), "%s: not across a gap", kind);
	claim(not_of_what_never_came(s), "%s: not of what never came", kind);
	claim(not_of_others(s), "%s: not of other streams", kind);
	claim(not_of_kinds(s), "%s: not before what is not an acknowledgment alone", kind);
	claim(not_with_data(s), "%s: not before data, nor after it", kind);
	claim(not_after_data(s), "%s: nor after data in segments", kind);
	claim(not_of_tiny_ones(s), "%s: not of segments that are too small", kind);
	claim(so_many_at_most(s), "%s: %u at most at a time", kind, MOST);
	claim(many(s), "%s: nothing is made up of many streams", kind);
	claim(not_if_seen(s), "%s: not while somebody listens", kind);
}

int main(int argc, char **argv)
{
	static const struct stream ipv4, ipv6 = { true, true };
	int one = 1;

	vmm_begin(argc, argv);
	if (!lower_wanted() || !vmm_has_counters()) {
		skip("acknowledgments are expanded", "not of this device, or not on a tap");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	shell("ethtool -K wire0 gro off tso on");
	watch = watch_open(wire.index);
	sender = watch_open(wire.index);
	must(!setsockopt(watch, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)));
	wire_write(PARAMETER, "1");
	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	watch_drain(watch);
	all(&ipv4);
	all(&ipv6);
	claim(counted(&ipv4), "they are counted");
	claim(not_if_odd(&ipv4), "not of one that asks for segments");
	wire_write(PARAMETER, "0");
	vmm_close(&vmm);
	close(watch);
	close(sender);
	wire_close(&wire);
	return report_end();
}
