// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of a TCP stream that a guest sends in one go reach a NIC that segments as one
 * frame, and those that must not do not.  Taken apart as a NIC would, they are what was
 * sent, to the bit.
 */
#include "kselftest/vmm.h"
#include "kselftest/frames.h"
#include "kselftest/tcpstream.h"
#include "kselftest/watch.h"

#define FRAMES		6	/* of a stream, mostly */
#define MANY		40
#define ROUNDS		300	/* at random */
#define PARAMETER	"/sys/module/kvm_twin/parameters/aggregate"

static struct vmm vmm;
static struct wire wire;
static int watch;
static struct stream_frame sent[MANY];

/* What is done to the third frame, when lengths are as they are to be. */

static void miss_one(struct stream_frame *f) { f->tcp->seq = htonl(ntohl(f->tcp->seq) + 1); }
static void acknowledge(struct stream_frame *f) { f->tcp->ack_seq ^= htonl(1); }
static void close_window(struct stream_frame *f) { f->tcp->window ^= htons(1); }
static void point(struct stream_frame *f) { f->tcp->urg_ptr = htons(7); }
static void push(struct stream_frame *f) { f->tcp->psh = 1; }
static void finish(struct stream_frame *f) { f->tcp->fin = 1; }
static void begin(struct stream_frame *f) { f->tcp->syn = 1; }
static void reset(struct stream_frame *f) { f->tcp->rst = 1; }
static void urge(struct stream_frame *f) { f->tcp->urg = 1; }
static void echo(struct stream_frame *f) { f->tcp->ece = 1; }
static void reduce(struct stream_frame *f) { f->tcp->cwr = 1; }
static void reserve(struct stream_frame *f) { f->tcp->res1 = 1; }
static void leave_from(struct stream_frame *f) { f->tcp->source ^= htons(1); }
static void go_to(struct stream_frame *f) { f->tcp->dest ^= htons(1); }
static void tell_time(struct stream_frame *f) { f->bytes[f->payload - 1] ^= 1; }
static void go_elsewhere(struct stream_frame *f) { f->bytes[5] ^= 1; }
static void overrun(struct stream_frame *f) { f->tcp->doff = 15; }
static void underrun(struct stream_frame *f) { f->tcp->doff = 4; }

static void say_nothing(struct stream_frame *f)
{
	f->tcp->ack = 0;
}

static void hurry(struct stream_frame *f)
{
	if (f->ip6)
		f->bytes[ETH_HLEN + 1] ^= 0x10;
	else
		f->bytes[ETH_HLEN + 1] = 0x10;
}

static void age(struct stream_frame *f)
{
	f->bytes[ETH_HLEN + (f->ip6 ? 7 : 8)]--;
}

static void come_from(struct stream_frame *f)
{
	f->bytes[ETH_HLEN + (f->ip6 ? 23 : 15)] ^= 1;
}

static void be_for(struct stream_frame *f)
{
	f->bytes[ETH_HLEN + (f->ip6 ? 39 : 19)] ^= 1;
}

static void be_udp(struct stream_frame *f)
{
	f->bytes[ETH_HLEN + (f->ip6 ? 6 : 9)] = IPPROTO_UDP;
}

static void be_longer(struct stream_frame *f)
{
	frames_put16(f->bytes + ETH_HLEN + (f->ip6 ? 4 : 2),
		     f->len - ETH_HLEN - (f->ip6 ? 40 : 0) + 1);
}

static void be_shorter(struct stream_frame *f)
{
	frames_put16(f->bytes + ETH_HLEN + (f->ip6 ? 4 : 2),
		     f->len - ETH_HLEN - (f->ip6 ? 40 : 0) - 1);
}

/* What comes behind it does not follow it. */
static void lose_a_byte(struct stream_frame *f)
{
	be_shorter(f);
	f->len--;
}

static void be_of_version_5(struct stream_frame *f) { f->bytes[ETH_HLEN] ^= 1 << 4 | 2 << 4; }

/* IPv4 alone. */
static void renumber(struct stream_frame *f) { frames_put16(f->bytes + ETH_HLEN + 4, 7); }
static void have_options(struct stream_frame *f) { f->bytes[ETH_HLEN] = 0x46; }
static void be_a_part(struct stream_frame *f) { f->bytes[ETH_HLEN + 6] |= 0x20; }
static void be_the_rest(struct stream_frame *f) { f->bytes[ETH_HLEN + 7] = 3; }
static void may_be_cut(struct stream_frame *f) { f->bytes[ETH_HLEN + 6] ^= 0x40; }

/* Not mended afterwards. */
static void spoil_ip(struct stream_frame *f) { f->bytes[ETH_HLEN + 10] ^= 1; }
static void spoil_tcp(struct stream_frame *f) { f->tcp->check ^= htons(1); }
static void spoil_data(struct stream_frame *f) { f->bytes[f->payload + 3] ^= 1; }

/* Right, but not as a NIC may write it: 0 in its other form. */
static void spoil_zero(struct stream_frame *f)
{
	frames_put16(f->bytes + f->payload, 0);
	stream_mend(f);
	frames_put16(f->bytes + f->payload, ntohs(f->tcp->check));
	stream_mend(f);
	f->tcp->check = htons(0xffff);
}

#define LENGTH	500

/* @third, @last: length of that frame, if it is not as that of the others. */
static const struct change {
	const char	*name;
	void		(*apply)(struct stream_frame *f);
	const char	*groups;
	unsigned int	third;
	unsigned int	last;
	bool		ipv4;
	bool		is_spoilt;
} changes[] = {
	{ "frames in order", NULL, "6", 0, 0, false, false },
	{ "a last one that is shorter", NULL, "6", 0, 1, false, false },
	{ "a shorter one", NULL, "3 3", 499, 0, false, false },
	{ "a longer one", NULL, "2 2 2", 501, 0, false, false },
	{ "a small one", NULL, "3 3", 200, 0, false, false },
	{ "a shorter one before a gap", lose_a_byte, "3 3", 0, 0, false, false },
	{ "a gap", miss_one, "2 1 3", 0, 0, false, false },
	{ "another sequence number that is expected", acknowledge, "2 1 3", 0, 0, false, false },
	{ "another window", close_window, "2 1 3", 0, 0, false, false },
	{ "an urgent pointer", point, "2 1 3", 0, 0, false, false },
	{ "PSH", push, "3 3", 0, 0, false, false },
	{ "FIN", finish, "2 1 3", 0, 0, false, false },
	{ "SYN", begin, "2 1 3", 0, 0, false, false },
	{ "RST", reset, "2 1 3", 0, 0, false, false },
	{ "URG", urge, "2 1 3", 0, 0, false, false },
	{ "no ACK", say_nothing, "2 1 3", 0, 0, false, false },
	{ "ECE", echo, "2 1 3", 0, 0, false, false },
	{ "CWR", reduce, "2 1 3", 0, 0, false, false },
	{ "a reserved bit", reserve, "2 1 3", 0, 0, false, false },
	{ "another source port", leave_from, "2 1 3", 0, 0, false, false },
	{ "another port", go_to, "2 1 3", 0, 0, false, false },
	{ "another option", tell_time, "2 1 3", 0, 0, false, false },
	{ "another MAC", go_elsewhere, "2 1 3", 0, 0, false, false },
	{ "a data offset beyond what is there", overrun, "2 1 3", 20, 0, false, false },
	{ "a data offset in the header", underrun, "2 1 3", 0, 0, false, false },
	{ "another traffic class", hurry, "2 1 3", 0, 0, false, false },
	{ "another hop limit", age, "2 1 3", 0, 0, false, false },
	{ "another source", come_from, "2 1 3", 0, 0, false, false },
	{ "another destination", be_for, "2 1 3", 0, 0, false, false },
	{ "UDP", be_udp, "2 1 3", 0, 0, false, false },
	{ "more to come than is there", be_longer, "2 1 3", 0, 0, false, false },
	{ "bytes behind the end", be_shorter, "2 1 3", 0, 0, false, false },
	{ "a version that is none", be_of_version_5, "2 1 3", 0, 0, false, false },
	{ "another identification", renumber, "2 1 3", 0, 0, true, false },
	{ "an option's length", have_options, "2 1 3", 0, 0, true, false },
	{ "a first fragment", be_a_part, "2 1 3", 0, 0, true, false },
	{ "another fragment", be_the_rest, "2 1 3", 0, 0, true, false },
	{ "another DF", may_be_cut, "2 1 3", 0, 0, true, false },
	{ "a wrong IP checksum", spoil_ip, "2 1 3", 0, 0, true, true },
	{ "a wrong TCP checksum", spoil_tcp, "2 1 3", 0, 0, false, true },
	{ "a TCP checksum of 0xffff", spoil_zero, "2 1 3", 0, 0, false, true },
	{ "data that was changed", spoil_data, "2 1 3", 0, 0, false, true },
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static void build(const struct stream *stream, const struct change *change)
{
	uint32_t at = 0, len;
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		len = LENGTH;
		if (i == 2 && change->third)
			len = change->third;
		if (i == FRAMES - 1 && change->last)
			len = change->last;
		stream_build(stream, &sent[i], i, at, len);
		at += len;
	}
	if (change->apply)
		change->apply(&sent[2]);
	if (!change->is_spoilt)
		stream_mend(&sent[2]);
}

/* All in one go.  A checksum that is to be made has its start alone. */
static void send_all(const struct stream *stream, unsigned int n)
{
	static uint8_t bytes[STREAM_MAX];
	unsigned int i;
	uint8_t *slot;

	for (i = 0; i < n; i++) {
		memcpy(bytes, sent[i].bytes, sent[i].len);
		slot = vmm_slot(&vmm, vmm.q[TX].free);
		if (stream->partial)
			stream_take_checksum_off(&sent[i], bytes);
		must(vmm_add_frame(&vmm, bytes, sent[i].len) >= 0);
		if (stream->partial)
			stream_ask_for_checksum(&sent[i], (void *)slot);
	}
	ring_kick(&vmm.q[TX]);
}

/* Are the frames on the wire the ones that were sent?  Writes how they were grouped. */
static bool arrive(unsigned int n, char *groups)
{
	struct pollfd pfd = { .fd = watch, .events = POLLIN };
	static struct seen seen;
	unsigned int i = 0, parts;

	*groups = '\0';
	while (i < n) {
		if (poll(&pfd, 1, 5000) != 1 || !watch_next(watch, &seen))
			return because("%u of %u frames came", i, n);
		parts = stream_parts(&seen);
		if (i + parts > n)
			return because("%u frames more than were sent", i + parts - n);
		for (; parts; parts--, i++)
			if (!stream_is_part(&seen, parts, &sent[i]))
				return because("frame %u is not as it was sent", i);
		groups += sprintf(groups, "%s%u", groups[0] || i > stream_parts(&seen) ?
				  " " : "", stream_parts(&seen));
	}
	return (ring_reap_n(&vmm.q[TX], n, 5000)) &&
	       (!watch_next(watch, &seen) || because("more came than was sent"));
}

static bool grouped(const struct stream *stream, const struct change *change,
		    const char *expected)
{
	char groups[64];

	build(stream, change);
	send_all(stream, FRAMES);
	return arrive(FRAMES, groups) &&
	       (!strcmp(groups, expected) ||
		because("%s: expected %s, got %s", change->name, expected, groups));
}

/* To what is to be made, nothing is wrong yet; and where it starts is not to be told. */
static bool applies(const struct stream *stream, const struct change *change)
{
	return !(change->ipv4 && stream->ipv6) && !(change->is_spoilt && stream->partial) &&
	       !(stream->partial && (change->apply == be_udp || change->apply == overrun ||
				     change->apply == underrun ||
				     change->apply == be_of_version_5 ||
				     change->apply == be_longer ||
				     change->apply == be_shorter ||
				     change->apply == lose_a_byte));
}

static bool all_changes(const struct stream *stream)
{
	unsigned int i;

	for (i = 0; i < COUNT(changes); i++)
		if (applies(stream, &changes[i]) &&
		    !grouped(stream, &changes[i], changes[i].groups))
			return false;
	return true;
}

/* Changes, lengths and kinds at random: how they are grouped is not looked at. */
static bool at_random(void)
{
	static uint64_t state = 1;
	unsigned int round;
	char groups[64];

	for (round = 0; round < ROUNDS; round++) {
		struct stream stream = { frames_random(&state) & 1, frames_random(&state) & 1 };
		struct change change = changes[frames_random(&state) % COUNT(changes)];

		if (!applies(&stream, &change))
			continue;
		change.third = 100 + frames_random(&state) % 1000;
		change.last = 1 + frames_random(&state) % 1000;
		build(&stream, &change);
		send_all(&stream, FRAMES);
		if (!arrive(FRAMES, groups))
			return because("round %u, %s", round, change.name);
	}
	return true;
}

/* The first parts of frames, which look like a stream's. */
static bool never_parts(void)
{
	static const struct stream stream;
	char groups[64];
	unsigned int i;

	build(&stream, &changes[0]);
	for (i = 0; i < FRAMES; i++) {
		be_a_part(&sent[i]);
		stream_mend(&sent[i]);
	}
	send_all(&stream, FRAMES);
	return arrive(FRAMES, groups) &&
	       (!strcmp(groups, "1 1 1 1 1 1") || because("fragments: got %s", groups));
}

/* As many as an skb has pages for, and one. */
static bool many(const struct stream *stream)
{
	char groups[256];
	unsigned int i;

	for (i = 0; i < MANY; i++)
		stream_build(stream, &sent[i], i, i * LENGTH, LENGTH);
	send_all(stream, MANY);
	return arrive(MANY, groups) &&
	       (!strcmp(groups, "18 18 4") || because("many: got %s", groups));
}

/* What the NIC would not send alone does not leave as a part either. */
static bool none_too_long(void)
{
	static const struct stream stream;
	static struct seen seen;
	bool good;

	shell("ip link set wire0 mtu %d && ip link set wire0-nic mtu %d", LENGTH, LENGTH);
	build(&stream, &changes[0]);
	send_all(&stream, FRAMES);
	good = ring_reap_n(&vmm.q[TX], FRAMES, 5000) && vmm_try_tx(&vmm, &wire, 100, 1) &&
	       watch_next(watch, &seen) && equal(seen.len, 100, "length of the first that came");
	watch_drain(watch);
	shell("ip link set wire0 mtu %d && ip link set wire0-nic mtu %d", LOWER_MTU, LOWER_MTU);
	return good;
}

/* Who listens on the macvtap is to see the guest's frames. */
static bool not_if_seen(const struct stream *stream)
{
	int listener = watch_open(if_nametoindex("wire0-tap"));
	bool good = grouped(stream, &changes[0], "1 1 1 1 1 1");

	close(listener);
	return good && grouped(stream, &changes[0], "6");
}

static bool up_to(const struct stream *stream, const char *most, const char *expected)
{
	bool good;

	wire_write(PARAMETER, most);
	good = grouped(stream, &changes[0], expected);
	wire_write(PARAMETER, "64");
	return good || because("at most %s", most);
}

static bool limited(const struct stream *stream)
{
	return up_to(stream, "0", "1 1 1 1 1 1") && up_to(stream, "1", "1 1 1 1 1 1") &&
	       up_to(stream, "2", "2 2 2") && up_to(stream, "4", "4 2");
}

static bool not_without(const struct stream *stream, const char *feature)
{
	bool good;

	shell("ethtool -K wire0-nic %s off >/dev/null", feature);
	good = grouped(stream, &changes[0], "1 1 1 1 1 1");
	shell("ethtool -K wire0-nic %s on tso on >/dev/null", feature);
	return good || because("without %s", feature);
}

static bool counted(const struct stream *stream)
{
	long long before = vmm_counter(&vmm, TX, "packets_aggregated"), direct;

	direct = vmm_counter(&vmm, TX, "packets_direct");
	return grouped(stream, &changes[COUNT(changes) - 1], "2 1 3") &&
	       equal(vmm_counter(&vmm, TX, "packets_aggregated") - before, 5,
		     "packets_aggregated") &&
	       equal(vmm_counter(&vmm, TX, "packets_direct") - direct, 6, "packets_direct");
}

static void all(void)
{
	static const struct stream streams[] = {
		{ false, false }, { false, true }, { true, false }, { true, true },
	};
	unsigned int i;

	for (i = 0; i < COUNT(streams); i++)
		claim(all_changes(&streams[i]),
		      "a stream's frames are put together: %s, %s checksums",
		      streams[i].ipv6 ? "IPv6" : "IPv4",
		      streams[i].partial ? "the NIC's" : "the guest's");
	claim(at_random(), "whatever they are, the frames are the ones that were sent");
	claim(never_parts(), "fragments are not put together");
	claim(many(&streams[0]) && many(&streams[3]), "as many as an skb has pages for");
	claim(not_if_seen(&streams[0]), "not while somebody listens");
	claim(none_too_long(), "frames beyond the MTU do not leave");
	claim(limited(&streams[0]), "as many as the parameter says");
	claim(not_without(&streams[0], "tso") && not_without(&streams[0], "sg"),
	      "none for a NIC that does not segment");
	if (vmm_has_counters())
		claim(counted(&streams[0]), "they are counted");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!lower_wanted()) {
		skip("frames are put together", "a tap takes them as they are");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	shell("ethtool -K wire0 gro off");
	shell("ethtool -K wire0-nic tso on");
	watch = watch_open(wire.index);
	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	watch_drain(watch);
	all();
	vmm_close(&vmm);
	close(watch);
	wire_close(&wire);
	return report_end();
}
