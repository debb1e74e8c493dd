// SPDX-License-Identifier: GPL-2.0-only
/*
 * One of some members of a network, who send frames to each other that say from whom
 * they are and for whom, and who look at all that comes in, whoever it is for.
 *
 * tagged DEVICE ME COUNT MAC...
 *
 * ME is one's place in the list of MACs, from 0 on; COUNT frames go to each other
 * member.  First all greet all, so that whatever is between them knows who is where.
 * Prints 'done' when all have had all; goes on until SIGTERM; then prints the sums.
 *
 * Nothing is lost for want of room: nobody is more than WINDOW ahead of what the other
 * says it has had.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>

#include "kselftest/lab/words.h"
#include "kselftest/wire.h"

#define MEMBERS	16
#define WINDOW	16
#define SILENCE	200	/* ms, after which one says again what was had */
#define MAGIC	0x74616773u
/* Of frames that greet, or tell what was had. */
#define NONE	UINT32_MAX

struct tag {
	uint32_t	magic;
	uint8_t		from;
	uint8_t		to;
	uint16_t	heard;	/* of whom the sender has heard, a bit each */
	uint32_t	number;
	uint32_t	had;	/* how many the sender has had of whom it is for */
} __attribute__((packed));

/* One of the others. */
static struct member {
	uint8_t		mac[ETH_ALEN];
	uint32_t	sent;
	uint32_t	told;	/* the other has had that many */
	uint32_t	had;
	uint16_t	heard;
} members[MEMBERS];

static unsigned int nr_members, me;
static uint32_t wanted;
static int sock;
static uint16_t heard;
static bool greeted;
static unsigned long received, strays, changed, disorder, greetings;
static bool over;

static void on_term(int signal)
{
	(void)signal;
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
}

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static uint16_t everybody(void)
{
	return (1u << nr_members) - 1;
}

static void open_socket(const char *device)
{
	struct sockaddr_ll addr = {
		.sll_family	= AF_PACKET,
		.sll_protocol	= htons(WIRE_TYPE),
		.sll_ifindex	= if_nametoindex(device),
	};
	struct packet_mreq all = {
		.mr_ifindex	= addr.sll_ifindex,
		.mr_type	= PACKET_MR_PROMISC,
	};

	sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(WIRE_TYPE));
	if (sock < 0 || bind(sock, (void *)&addr, sizeof(addr)) ||
	    setsockopt(sock, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)))
		die("%s", device);
	wire_make_room(sock);
}

static uint32_t seed_of(unsigned int from, unsigned int to, uint32_t number)
{
	return number * MEMBERS * MEMBERS + from * MEMBERS + to;
}

static size_t length_of(uint32_t number)
{
	return ETH_ZLEN + (number == NONE ? 0 : number * 37 % (ETH_FRAME_LEN - ETH_ZLEN));
}

/* What it is to be but for the tag's last fields, which are of the moment. */
static void make(uint8_t *frame, unsigned int from, unsigned int to, uint32_t number)
{
	struct tag tag = { MAGIC, from, to, 0, number, 0 };

	wire_fill(frame, length_of(number), seed_of(from, to, number));
	memcpy(frame, members[to].mac, ETH_ALEN);
	memcpy(frame + ETH_ALEN, members[from].mac, ETH_ALEN);
	memcpy(frame + ETH_HLEN, &tag, sizeof(tag));
}

static void put(unsigned int to, uint32_t number)
{
	uint8_t frame[ETH_FRAME_LEN];
	struct tag *tag = (void *)(frame + ETH_HLEN);

	make(frame, me, to, number);
	if (!greeted)
		memset(frame, 0xff, ETH_ALEN);
	tag->heard = heard;
	tag->had = members[to].had;
	if (send(sock, frame, length_of(number), 0) < 0 && errno != ENOBUFS)
		die("send");
}

static void greet(void)
{
	unsigned int to;

	for (to = 0; to < nr_members; to++)
		if (to != me)
			put(to, NONE);
}

static bool all_is_had(void)
{
	const struct member *m;

	for (m = members; m < members + nr_members; m++)
		if (m != members + me && (m->had < wanted || m->told < wanted))
			return false;
	return true;
}

static void take_data(struct member *m, uint8_t *frame, ssize_t len,
		      const struct tag *tag)
{
	uint8_t expected[ETH_FRAME_LEN];
	struct tag *in_frame = (void *)(frame + ETH_HLEN);

	in_frame->heard = 0;
	in_frame->had = 0;
	make(expected, tag->from, me, tag->number);
	if (len != (ssize_t)length_of(tag->number) || memcmp(frame, expected, len))
		changed++;
	else if (tag->number != m->had)
		disorder++;
	m->had = tag->number + 1;
	received++;
	/* Half of a window is enough of a silence. */
	if (m->had == wanted || !(m->had % (WINDOW / 2)))
		put(tag->from, NONE);
}

static void take(uint8_t *frame, ssize_t len)
{
	struct tag tag;
	struct member *m;

	memcpy(&tag, frame + ETH_HLEN, sizeof(tag));
	if (len < (ssize_t)(ETH_HLEN + sizeof(tag)) || tag.magic != MAGIC ||
	    tag.from >= nr_members || tag.from == me)
		return;
	m = &members[tag.from];
	heard |= 1u << tag.from;
	m->heard = tag.heard;
	if (tag.to != me) {
		strays += !(frame[0] & 1);
		return;
	}
	if (tag.had > m->told)
		m->told = tag.had;
	if (tag.number == NONE)
		greetings++;
	else
		take_data(m, frame, len, &tag);
}

/* All that has come.  Returns false if nothing comes for so long. */
static bool take_all(int ms)
{
	uint8_t frame[2 * ETH_FRAME_LEN];
	struct pollfd p = { .fd = sock, .events = POLLIN };
	ssize_t len;

	if (poll(&p, 1, ms) <= 0)
		return false;
	while ((len = recv(sock, frame, sizeof(frame), MSG_DONTWAIT)) >= 0)
		take(frame, len);
	return true;
}

static bool all_have_heard(void)
{
	unsigned int i;

	for (i = 0; i < nr_members; i++)
		if (i != me && members[i].heard != everybody())
			return false;
	return heard == everybody();
}

static bool put_some(void)
{
	unsigned int to;
	bool some = false;

	for (to = 0; to < nr_members; to++) {
		struct member *m = &members[to];

		if (to == me || m->sent == wanted || m->sent - m->told >= WINDOW)
			continue;
		put(to, m->sent++);
		some = true;
	}
	return some;
}

static void parse(int argc, char **argv)
{
	unsigned int i, k, byte[ETH_ALEN];

	nr_members = argc - 4;
	me = number(argv[2]);
	wanted = number(argv[3]);
	if (nr_members > MEMBERS || me >= nr_members)
		die("at most %u members", MEMBERS);
	for (i = 0; i < nr_members; i++) {
		if (sscanf(argv[4 + i], "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2,
			   byte + 3, byte + 4, byte + 5) != ETH_ALEN)
			die("not a MAC: %s", argv[4 + i]);
		for (k = 0; k < ETH_ALEN; k++)
			members[i].mac[k] = byte[k];
	}
	heard = 1u << me;
}

int main(int argc, char **argv)
{
	bool done = false;

	if (argc < 6)
		die("DEVICE ME COUNT MAC MAC...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	signal(SIGTERM, on_term);
	open_socket(argv[1]);
	while (!is_over() && !all_have_heard()) {
		greet();
		take_all(SILENCE);
	}
	greet();
	greeted = true;
	while (!is_over()) {
		bool some = put_some();

		if (!take_all(some ? 0 : SILENCE) && !some)
			greet();
		if (!done && all_is_had()) {
			done = true;
			greet();
			printf("done\n");
		}
	}
	printf("sums: received %lu strays %lu changed %lu disorder %lu greetings %lu\n",
	       received, strays, changed, disorder, greetings);
	return 0;
}
