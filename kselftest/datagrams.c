// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams of one flow that wait for a guest come to it as one frame, if it takes such,
 * and those that must not do not.  Taken apart as segmentation would, they are what was
 * on the wire, to the bit.
 */
#include "kselftest/vmm.h"
#include "kselftest/datagram.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif
#define GSO_UDP_L4	5
#define FRAMES		6
#define MANY		40
#define ROUNDS		200
#define PARAMETER	"/sys/module/kvm_twin/parameters/join"
/* As by QEMU, for a guest that takes all. */
#define ALL		(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static struct vmm vmm;
static struct wire wire;
static int out;
static struct datagram sent[MANY];

/* What is done to the third, and how they come then. */

static void leave(struct datagram *d) { (void)d; }
static void from_elsewhere(struct datagram *d) { d->bytes[11] ^= 1; }
static void come_from(struct datagram *d) { datagram_ip(d)[d->ipv6 ? 23 : 15] ^= 1; }
static void be_for(struct datagram *d) { datagram_ip(d)[d->ipv6 ? 39 : 19] ^= 1; }
static void hurry(struct datagram *d) { datagram_ip(d)[1] ^= 0x10; }
static void age(struct datagram *d) { datagram_ip(d)[d->ipv6 ? 7 : 8]--; }
static void be_tcp(struct datagram *d) { datagram_ip(d)[d->ipv6 ? 6 : 9] = IPPROTO_TCP; }
static void leave_port(struct datagram *d) { datagram_udp(d)[1] ^= 1; }
static void go_to_port(struct datagram *d) { datagram_udp(d)[3] ^= 1; }
static void miss_one(struct datagram *d) { datagram_ip(d)[5]++; }
static void be_the_last_part(struct datagram *d) { datagram_ip(d)[7] = 1; }
static void have_more_parts(struct datagram *d) { datagram_ip(d)[6] = 0x20; }
static void not_be_cut(struct datagram *d) { datagram_ip(d)[6] = 0x40; }
static void be_of_version_5(struct datagram *d) { datagram_ip(d)[0] ^= 0x20; }
static void be_longer(struct datagram *d) { datagram_ip(d)[d->ipv6 ? 5 : 3]++; }
static void be_longer_inside(struct datagram *d) { datagram_udp(d)[5]++; }
static void have_padding(struct datagram *d) { d->len++; }
static void be_verified(struct datagram *d) { d->verified = true; }
static void sum_something_else(struct datagram *d) { d->shift = 2; }
static void spoil(struct datagram *d) { datagram_ip(d)[11] ^= 1; }

static const struct change {
	const char	*name;
	void		(*apply)(struct datagram *d);
	bool		ipv4;
	uint32_t	third, last;
	const char	*groups;
} changes[] = {
	{ "nothing", leave, false, DATAGRAM_LEN, DATAGRAM_LEN, "6" },
	{ "a short one", leave, false, DATAGRAM_LEN - 1, DATAGRAM_LEN, "3 3" },
	{ "a long one", leave, false, DATAGRAM_LEN + 1, DATAGRAM_LEN, "2 2 2" },
	{ "a short one at the end", leave, false, DATAGRAM_LEN, 1, "6" },
	{ "an empty one", leave, false, 0, DATAGRAM_LEN, "2 1 3" },
	{ "another sender", from_elsewhere, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "from another address", come_from, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "to another address", be_for, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "another class", hurry, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "another TTL", age, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "TCP", be_tcp, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "from another port", leave_port, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "to another port", go_to_port, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "another identification", miss_one, true, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a last part", be_the_last_part, true, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a first part", have_more_parts, true, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "one that must not be cut", not_be_cut, true, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "another version", be_of_version_5, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a longer packet", be_longer, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a longer datagram", be_longer_inside, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "padding", have_padding, false, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a wrong checksum of IP", spoil, true, DATAGRAM_LEN, DATAGRAM_LEN, "2 1 3" },
	{ "a checksum of something else", sum_something_else, false, DATAGRAM_LEN, DATAGRAM_LEN,
	  "2 1 3" },
	{ "a checksum that nobody has seen", be_verified, false, DATAGRAM_LEN, DATAGRAM_LEN,
	  "2 1 3" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void build_all(bool ipv6, const struct change *change)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++)
		datagram_build(&sent[i], ipv6, i, i == 2 ? change->third :
		      i == FRAMES - 1 ? change->last : DATAGRAM_LEN);
	change->apply(&sent[2]);
	if (change->apply != spoil)
		datagram_mend(&sent[2]);
}

/* Sending and receiving */

static int open_out(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = wire.index };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	must(fd >= 0 && !setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)));
	must(!bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

static void put_on_wire(struct datagram *d)
{
	struct virtio_net_hdr hdr = {
		.flags = d->verified ? 0 : VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = ETH_HLEN + d->ip_len + d->shift,
		.csum_offset = DATAGRAM_CSUM,
	};
	struct iovec parts[] = { { &hdr, sizeof(hdr) }, { d->bytes, d->len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };

	must(sendmsg(out, &msg, 0) == (ssize_t)(sizeof(hdr) + d->len));
}

/* The queue will find all of them, and as many buffers, of that length. */
static void prepare(unsigned int n, unsigned int buffers, uint32_t len)
{
	unsigned int i;

	must(!vmm_backend(&vmm, RX, -1));
	for (i = 0; i < n; i++)
		put_on_wire(&sent[i]);
	ring_reset(&vmm.q[RX], 0);
	must(!vmm_set_ring(&vmm, RX));
	for (i = 0; i < buffers; i++)
		must(vmm_add_buffer(&vmm, len) >= 0);
	ring_publish(&vmm.q[RX]);
}

static void begin(unsigned int n, unsigned int buffers, uint32_t len)
{
	prepare(n, buffers, len);
	must(!vmm_backend(&vmm, RX, wire.tap));
	ring_signal(vmm.q[RX].kick);
}

/* What was received, of one buffer or many. */
static struct {
	struct virtio_net_hdr_mrg_rxbuf	hdr;
	uint8_t				bytes[WIRE_MAX];
	uint32_t			len;
} got;

static bool receive(void)
{
	uint32_t used = 0, at = 0;
	unsigned int left = 1;
	uint8_t *to = (uint8_t *)&got;
	int head;

	for (; left; left--, at += used) {
		if (!ring_wait(&vmm.q[RX], 5000))
			return false;
		head = ring_reap(&vmm.q[RX], &used);
		if (head < 0 || at + used > VMM_HDR + WIRE_MAX)
			return because("buffer %d, %u bytes", head, used);
		memcpy(to + at, vmm_buffer(&vmm, head), used);
		if (!at)
			left = got.hdr.num_buffers;
	}
	got.len = at - VMM_HDR;
	return true;
}

static unsigned int parts(void)
{
	if (got.hdr.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	return (got.len - got.hdr.hdr.hdr_len + got.hdr.hdr.gso_size - 1) / got.hdr.hdr.gso_size;
}

static bool is_whole(const struct datagram *d)
{
	return got.len == d->len && !memcmp(got.bytes, d->bytes, d->len);
}

/* Is the @part-th of what came, as segmentation makes it, that datagram? */
static bool is_part(unsigned int part, struct datagram *d)
{
	const struct virtio_net_hdr *hdr = &got.hdr.hdr;
	uint32_t at = hdr->hdr_len + part * hdr->gso_size;
	uint32_t payload = got.len - at < hdr->gso_size ? got.len - at : hdr->gso_size;
	static uint8_t bytes[sizeof(d->bytes)];
	uint8_t *ip = bytes + ETH_HLEN;

	if (hdr->hdr_len + payload != d->len)
		return false;
	memcpy(bytes, got.bytes, hdr->hdr_len);
	memcpy(bytes + hdr->hdr_len, got.bytes + at, payload);
	datagram_set_lengths(ip, d->ipv6, payload);
	if (!d->ipv6) {
		/* Of one that must not be cut it means nothing. */
		if (ip[6] & 0x40)
			memcpy(ip + 4, datagram_ip(d) + 4, 2);
		else
			frames_put16(ip + 4, datagram_get16(ip + 4) + part);
		frames_ipv4_checksum(ip);
	}
	datagram_pseudo(ip, d->ipv6, payload + 8);
	return !memcmp(bytes, d->bytes, d->len);
}

static bool header_is_right(const struct datagram *d)
{
	const struct virtio_net_hdr *hdr = &got.hdr.hdr;

	return hdr->gso_type == GSO_UDP_L4 && hdr->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	       hdr->hdr_len == ETH_HLEN + d->ip_len + 8 &&
	       hdr->csum_start == ETH_HLEN + d->ip_len && hdr->csum_offset == DATAGRAM_CSUM;
}

/* Do all come?  Writes how they were grouped. */
static bool all_come(unsigned int n, char *groups)
{
	unsigned int i = 0, k, of;

	*groups = '\0';
	while (i < n) {
		if (!receive())
			return because("%u of %u came", i, n);
		of = parts();
		if (i + of > n || (of > 1 && !header_is_right(&sent[i])))
			return because("%u parts at %u, or their header", of, i);
		for (k = 0; k < of; k++)
			if (!(of > 1 ? is_part(k, &sent[i + k]) : is_whole(&sent[i])))
				return because("datagram %u is not as it was sent", i + k);
		groups += sprintf(groups, "%s%u", i ? " " : "", of);
		i += of;
	}
	return true;
}

static bool grouped(unsigned int n, const char *expected)
{
	char groups[256];

	begin(n, 64, VMM_SLOT);
	return all_come(n, groups) &&
	       (!strcmp(groups, expected) || because("expected %s, got %s", expected, groups));
}

/* Tests */

static bool all_changes(bool ipv6)
{
	unsigned int i;

	for (i = 0; i < COUNT(changes); i++) {
		if (changes[i].ipv4 && ipv6)
			continue;
		build_all(ipv6, &changes[i]);
		if (!grouped(FRAMES, changes[i].groups))
			return because("%s", changes[i].name);
	}
	return true;
}

/* Which all have the same identification. */
static bool not_to_be_cut(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		datagram_build(&sent[i], false, 0, DATAGRAM_LEN);
		not_be_cut(&sent[i]);
		datagram_mend(&sent[i]);
	}
	return grouped(FRAMES, "6");
}

/* The first parts of datagrams, which look like datagrams. */
static bool never_parts(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		datagram_build(&sent[i], false, i, DATAGRAM_LEN);
		have_more_parts(&sent[i]);
		datagram_mend(&sent[i]);
	}
	return grouped(FRAMES, "1 1 1 1 1 1");
}

/* Guests have taken a frame of those for one datagram. */
static bool to_tunnel(uint16_t port)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		datagram_build(&sent[i], false, i, DATAGRAM_LEN);
		frames_put16(datagram_udp(&sent[i]) + 2, port);
	}
	return grouped(FRAMES, "1 1 1 1 1 1") || because("port %u", port);
}

static bool to_all(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		datagram_build(&sent[i], false, i, DATAGRAM_LEN);
		memset(sent[i].bytes, 0xff, ETH_ALEN);
	}
	return grouped(FRAMES, "1 1 1 1 1 1");
}

static bool at_random(void)
{
	static uint64_t state = 1;
	unsigned int round;
	char groups[64];

	for (round = 0; round < ROUNDS; round++) {
		struct change change = changes[frames_random(&state) % COUNT(changes)];
		bool ipv6 = frames_random(&state) & 1;

		if (change.ipv4 && ipv6)
			continue;
		change.third = DATAGRAM_LEN / 2 + frames_random(&state) % DATAGRAM_LEN;
		change.last = 1 + frames_random(&state) % DATAGRAM_LEN;
		build_all(ipv6, &change);
		begin(FRAMES, 64, VMM_SLOT);
		if (!all_come(FRAMES, groups))
			return because("round %u, %s", round, change.name);
	}
	return true;
}

/* 16 KiB at most. */
static bool many(void)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		datagram_build(&sent[i], false, i, DATAGRAM_LEN);
	return grouped(MANY, "32 8");
}

static bool up_to(const char *most, const char *expected)
{
	bool good;

	build_all(false, &changes[0]);
	wire_write(PARAMETER, most);
	good = grouped(FRAMES, expected);
	wire_write(PARAMETER, "64");
	return good || because("at most %s", most);
}

static bool limited(void)
{
	return up_to("0", "1 1 1 1 1 1") && up_to("1", "1 1 1 1 1 1") && up_to("2", "2 2 2") &&
	       up_to("4", "4 2");
}

/* In buffers that one alone fits in. */
static bool in_many_buffers(void)
{
	char groups[64];

	build_all(false, &changes[0]);
	begin(FRAMES, 64, VMM_HDR + 42 + DATAGRAM_LEN);
	return all_come(FRAMES, groups) && (!strcmp(groups, "6") || because("got %s", groups)) &&
	       equal(got.hdr.num_buffers, 6, "num_buffers");
}

/* All of them do not find room at once, so they come one by one, and nothing waits. */
static bool without_room(void)
{
	char groups[64];

	build_all(false, &changes[0]);
	begin(FRAMES, 4, VMM_HDR + 42 + DATAGRAM_LEN);
	if (!all_come(4, groups) || strcmp(groups, "1 1 1 1"))
		return because("with 4 buffers: %s", groups);
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0 && vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	memmove(sent, sent + 4, 2 * sizeof(sent[0]));
	return all_come(2, groups);
}

static bool counted(void)
{
	long long packets = vmm_counter(&vmm, RX, "packets");
	long long together = vmm_counter(&vmm, RX, "packets_aggregated");

	build_all(false, &changes[COUNT(changes) - 1]);
	return grouped(FRAMES, "2 1 3") &&
	       equal(vmm_counter(&vmm, RX, "packets") - packets, 6, "packets") &&
	       equal(vmm_counter(&vmm, RX, "packets_aggregated") - together, 5,
		     "packets_aggregated");
}

/* The page of the first buffers is not there: all that were to go there are told of. */
static bool without_page(void)
{
	long long before = vmm_counter(&vmm, RX, "drop_fault");
	uint8_t *page = vmm_slot(&vmm, RING_MAX);
	bool good;

	build_all(false, &changes[0]);
	prepare(FRAMES, 8, VMM_SLOT);
	must(!mprotect(page, 4096, PROT_NONE));
	must(!vmm_backend(&vmm, RX, wire.tap));
	ring_signal(vmm.q[RX].kick);
	good = vmm_wait_counter(&vmm, RX, "drop_fault", before + FRAMES);
	must(!mprotect(page, 4096, PROT_READ | PROT_WRITE));
	return good && grouped(FRAMES, "6");
}

/* Each buffer is a frame's, and holds one alone. */
static bool without_mergeable(void)
{
	long long before;
	bool good;

	vmm_close(&vmm);
	vmm_run(&vmm, &wire, BIT64(VIRTIO_F_VERSION_1), 64);
	before = vmm_has_counters() ? vmm_counter(&vmm, RX, "drop_too_big") : 0;
	build_all(false, &changes[0]);
	begin(FRAMES, FRAMES, VMM_HDR + 42 + DATAGRAM_LEN);
	good = all_come(FRAMES, (char [64]) { }) &&
	       (!vmm_has_counters() || vmm_counter(&vmm, RX, "drop_too_big") == before);
	vmm_close(&vmm);
	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	return good;
}

static bool not_for_who_takes_none(void)
{
	bool good;

	must(!ioctl(wire.tap, TUNSETOFFLOAD, ALL));
	build_all(false, &changes[0]);
	good = grouped(FRAMES, "1 1 1 1 1 1");
	must(!ioctl(wire.tap, TUNSETOFFLOAD, ALL | TUN_F_USO4 | TUN_F_USO6));
	return good;
}

static void all(void)
{
	claim(all_changes(false), "datagrams come as one frame, if they may: IPv4");
	claim(all_changes(true), "datagrams come as one frame, if they may: IPv6");
	claim(not_to_be_cut(), "so do those that have no identification");
	claim(never_parts(), "parts of datagrams do not");
	claim(to_tunnel(4789) && to_tunnel(8472) && to_tunnel(6081) && to_tunnel(2152),
	      "those of tunnels do not");
	claim(to_all(), "those to all do not");
	claim(at_random(), "whatever they are, they are the ones that were sent");
	claim(many(), "as many as 16 KiB hold");
	claim(limited(), "as many as the parameter says");
	claim(in_many_buffers(), "they fill many buffers");
	claim(without_room(), "they come one by one if there is no room for all");
	claim(without_mergeable(), "or in the one buffer that a frame may have");
	claim(not_for_who_takes_none(), "none for a guest that does not take them");
	if (!vmm_has_counters())
		return;
	claim(counted(), "they are counted");
	claim(without_page(), "and so are those that are lost together");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!lower_wanted()) {
		skip("datagrams come as one frame", "a tap gives them one by one");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	shell("ethtool -K wire0 gro off && ethtool -K wire0-nic gro off");
	if (ioctl(wire.tap, TUNSETOFFLOAD, ALL | TUN_F_USO4 | TUN_F_USO6)) {
		skip("datagrams come as one frame", "this kernel's macvtap has no such offload");
		wire_close(&wire);
		return report_end();
	}
	out = open_out();
	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	all();
	vmm_close(&vmm);
	close(out);
	wire_close(&wire);
	return report_end();
}
