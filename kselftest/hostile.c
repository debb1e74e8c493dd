// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hostile VMM and guest: rings of both formats, spoilt in a few fields or all
 * the time, by the thousand, and frames to match.  Each has a sound chain first,
 * which shows that the last one has left nothing behind.
 *
 * hostile [DEVICE] [-n RINGS] [-s SEED] [--seconds S]
 *
 * A neighbour, another twin of the process with a wire of its own, goes on with
 * sound traffic meanwhile.
 */
#include "kselftest/hostile.h"
#include "kselftest/badchain.h"
#include "kselftest/cpus.h"
#include "kselftest/neighbour.h"
#include "kselftest/scribbler.h"

#include <getopt.h>

#define EPOCH		128	/* rings of one kind */
#define PACE		16	/* rings for each frame of the neighbour, each way */
#define LOG_MOST	100	/* lines */
#define PROGRESS	30	/* seconds between two words of it */
/* Of this thread, and of those that it waits for; others do as they like. */
#define CPU		0

static struct evil evil;
static struct pen pen;
static struct wire wire;
static unsigned long rings_wanted = 20000, round_nr;
static double seconds_wanted = 1e9;
static uint64_t seed = 1;

static struct verdict outside = {
	.name = "nothing is written but used rings and buffers that were posted" };
static struct verdict once = {
	.name = "a malformed ring raises VRING_ERR once, any other never" };
static struct verdict stopped = {
	.name = "a queue whose ring was malformed does nothing until it is restarted" };
static struct verdict healed = {
	.name = "a restarted queue serves a sound chain, whatever came before" };
static struct verdict sound = {
	.name = "a sound ring is not taken for a malformed one, and is served" };
static struct verdict refused = {
	.name = "a ring that is not mapped in part is refused, or stops its queue" };
static struct verdict sent_or_dropped = {
	.name = "each chain taken from a TX ring is sent or counted as a drop" };
static struct verdict received_or_dropped = {
	.name = "each frame on the wire is received, waiting, or counted as a drop" };
static struct verdict told = {
	.name = "the counters tell of each malformed ring, and of its kind" };

static struct harvest harvest;
/* In this epoch. */
static struct tally before[2];
static long long taken, wired, waited, errors[2];

static const char *where(int q)
{
	static char text[160];
	const struct badring *r = &evil.rings[q];

	snprintf(text, sizeof(text), "seed %llu, ring %lu, %s %s, %u, %s, features 0x%llx",
		 (unsigned long long)seed, round_nr, r->packed ? "packed" : "split",
		 queue_name(q), r->num, evil.policy,
		 (unsigned long long)evil.vmm.features);
	return text;
}

/* Each eighth kind of ring is scribbled over. */
static bool scribbles(void)
{
	return round_nr / EPOCH % 8 == 7;
}

/* Chains of packed rings can't be told from places that were scribbled over. */
static bool can_count(void)
{
	return evil.exact && !(evil.rings[TX].packed && scribbles());
}

static void begin_used(const struct badring *r, int q)
{
	bad_allow_used(r, &evil.arena);
	if (q == RX)
		bad_allow(r, &evil.arena);
}

/* How many places of the ring the device went on; a lap at most. */
static unsigned int progress(const struct badring *r, unsigned int from,
			     unsigned int to)
{
	return r->packed ? bad_distance(r, from, to) : (uint16_t)(to - from);
}

static void take(const struct badring *r, int q, unsigned int from,
		 unsigned int to)
{
	if (q == TX)
		taken += progress(r, from, to);
}

static void put_on_wire(const uint8_t *frame, size_t len)
{
	if (wire_send(&wire, frame, len))
		wired++;
	report.why[0] = '\0';
}

/* Has that frame come out?  Others may come before it. */
static bool came_out(const uint8_t *frame, size_t len)
{
	static uint8_t got[WIRE_MAX];
	ssize_t n;

	do {
		n = recv(wire.sock, got, sizeof(got), MSG_DONTWAIT | MSG_TRUNC);
	} while (n >= 0 && (n != (ssize_t)len || memcmp(got, frame, len)));
	return n >= 0;
}

/*
 * A chain that was never wrong, there when the queue starts at @base.  Returns where
 * the used ring is then.
 */
static unsigned int try_sound(int q, uint16_t base, unsigned int used)
{
	struct badring *r = &evil.rings[q];
	uint32_t len = 60 + pen_below(&pen, 200), spare = 0;
	uint8_t frame[VMM_HDR + 260] = { };
	uint64_t addr;
	struct rest rest;
	uint16_t id;
	bool good;

	wire_fill(frame + VMM_HDR, len, round_nr);
	if (q == RX)
		spare = pen_below(&pen, 50);
	addr = chain_place(&pen, VMM_HDR + len + spare);
	if (q == TX)
		pen_put_guest(&pen, addr, frame, VMM_HDR + len);
	id = chain_lay(r, &pen, addr, VMM_HDR + len + spare, r->num);
	begin_used(r, q);
	bad_show(r, &pen);
	must(!evil_start(&evil, q, base));
	if (q == RX)
		put_on_wire(frame + VMM_HDR, len);
	evil_kick(&evil, q);
	rest = evil_wait(&evil, q);
	good = !rest.broken && bad_used_id(r, used) == id &&
	       bad_used_len(r, used) == (q == RX ? VMM_HDR + len : 0);
	if (q == TX)
		good = came_out(frame + VMM_HDR, len) && good;
	else
		good = arena_equals(&evil.arena, addr + VMM_HDR, frame + VMM_HDR,
				    len) && good;
	verdict(&healed, good, "%s", where(q));
	take(r, q, used, rest.used);
	return rest.used;
}

static void send_some(int q)
{
	unsigned int n = 1 + pen_below(&pen, 6), len;
	uint8_t frame[1514];

	while (q == RX && n--) {
		len = pen_once_in(&pen, 2) ? 14 + pen_below(&pen, 200) :
					     14 + pen_below(&pen, 1501);
		wire_fill(frame, len, n);
		put_on_wire(frame, len);
	}
}

/* The device is told, and does what it can. */
static struct rest go(struct badring *r, int q, bool scribbling)
{
	bool first = pen_once_in(&pen, 2);
	unsigned int i;

	bad_show(r, &pen);
	if (scribbling)
		scribbler_start(r);
	if (first)
		send_some(q);
	evil_kick(&evil, q);
	if (!first)
		send_some(q);
	for (i = 0; scribbling && i < 3; i++) {
		evil_wait(&evil, q);
		evil_kick(&evil, q);
	}
	if (scribbling)
		scribbler_stop();
	return evil_wait(&evil, q);
}

static void check_memory(int q)
{
	long bad = arena_check(&evil.arena);

	verdict(&outside, bad < 0, "byte %ld of page %ld; %s", bad % ARENA_PAGE,
		bad / ARENA_PAGE, where(q));
	if (bad < 0)
		return;
	/* Go on with what there is. */
	arena_allow(&evil.arena, evil.arena.mem, ARENA_SIZE);
	arena_check(&evil.arena);
}

/* A queue that is broken does nothing more. */
static void check_stopped(int q, const struct rest *rest)
{
	struct rest again;

	send_some(q);
	evil_kick(&evil, q);
	again = evil_wait(&evil, q);
	verdict(&stopped, again.broken && again.used == rest->used &&
		!evil_errors(&evil, q), "%s", where(q));
}

static void try_bad(int q, unsigned int used)
{
	struct badring *r = &evil.rings[q];
	unsigned int i, laid, spoils = pen_below(&pen, 32) ? 1 + pen_below(&pen, 4) : 0;
	bool scribbling = scribbles();
	unsigned int raised;
	struct rest rest;

	laid = chain_lay_some(r, &pen);
	for (i = 0; i < spoils; i++)
		bad_spoil(r, &pen);
	begin_used(r, q);
	if (scribbling)
		scribbler_allow(r, &evil.arena);
	rest = go(r, q, scribbling);
	raised = evil_errors(&evil, q);
	verdict(&once, raised == rest.broken, "%u times, %s; %s", raised,
		rest.broken ? "broken" : "sound", where(q));
	errors[q] += raised;
	take(r, q, used, rest.used);
	if (!spoils && !scribbling)
		verdict(&sound, !rest.broken &&
			(q == RX || progress(r, used, rest.used) == laid),
			"%u of %u; %s", progress(r, used, rest.used), laid, where(q));
	if (rest.broken && pen_once_in(&pen, 4))
		check_stopped(q, &rest);
	harvest.given[r->packed][q]++;
	harvest.scribbled += scribbling;
}

/* Rings of which a part is not there */

static void try_hole(int q, uint16_t base)
{
	uint8_t *hole = arena_page(&evil.arena, ARENA_HOLE);
	struct badring *r = &evil.rings[q];
	uint8_t *desc = r->desc, *avail = r->avail, *used = r->used;
	unsigned int raised = 1;
	int err;

	switch (pen_below(&pen, 3)) {
	case 0:
		desc = hole;
		break;
	case 1:
		avail = hole;
		break;
	default:
		used = hole - (r->packed ? 0 : 8);
		arena_allow(&evil.arena, hole - 8, 8);
		break;
	}
	must(!evil_set_addr(&evil, q, desc, avail, used));
	chain_lay(r, &pen, chain_place(&pen, 1600), 1600, r->num);
	begin_used(r, q);
	bad_show(r, &pen);
	err = evil_start(&evil, q, base);
	if (!err) {
		send_some(q);
		evil_kick(&evil, q);
		evil_wait(&evil, q);
		raised = evil_errors(&evil, q);
		errors[q] += raised;
		harvest.given[r->packed][q]++;
	}
	verdict(&refused, (!err || err == -EFAULT) && raised == 1,
		"start: %d, raised %u times; %s", -err, raised, where(q));
	evil_stop(&evil, q);
	must(!evil_set_addr_sane(&evil, q));
}

/* What the tap has for us goes; while the queue is stopped. */
static void drain_tap(void)
{
	static uint8_t frame[WIRE_MAX];

	while (read(evil.tap, frame, sizeof(frame)) >= 0)
		waited++;
	must(errno == EAGAIN);
}

static uint16_t random_base(const struct badring *r)
{
	if (r->packed)
		return pen_below(&pen, r->num) | (pen_once_in(&pen, 2) ? BAD_WRAP : 0);
	return pen_once_in(&pen, 2) ? 65536 - pen_below(&pen, 8) : pen_random(&pen);
}

static void one_ring(void)
{
	int q = pen_once_in(&pen, 2) ? RX : TX;
	struct badring *r = &evil.rings[q];
	uint16_t base = random_base(r);
	unsigned int used = r->packed ? base : pen_below(&pen, 65536);

	arena_allow_nothing(&evil.arena);
	bad_begin(r, &pen, base, used);
	if (!evil.exact && pen_once_in(&pen, 32)) {
		try_hole(q, base);
	} else {
		used = try_sound(q, base, used);
		try_bad(q, used);
		evil_stop(&evil, q);
	}
	check_memory(q);
	if (q == RX)
		drain_tap();
}

static long long since(int q, const struct tally *now, bool with_drops)
{
	return now->packets - before[q].packets +
	       (with_drops ? now->drops - before[q].drops : 0);
}

static void check_counters(int q)
{
	struct tally now = evil_tally(&evil, q);
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < FAULTS; i++) {
		sum += now.faults[i] - before[q].faults[i];
		harvest.malformed[evil.rings[q].packed][q][i] +=
			now.faults[i] - before[q].faults[i];
	}
	verdict(&told, sum == errors[q] && now.upcalls - before[q].upcalls == sum &&
		now.kicks == now.served,
		"%lld faults, %lld upcalls, VRING_ERR %lld times, %lld of %lld kicks; %s",
		sum, now.upcalls - before[q].upcalls, errors[q], now.served,
		now.kicks, where(q));
	if (q == RX)
		verdict(&received_or_dropped, since(q, &now, true) + waited == wired,
			"%lld received or dropped, %lld waited, %lld on the wire; %s",
			since(q, &now, true), waited, wired, where(q));
	else if (can_count())
		verdict(&sent_or_dropped, since(q, &now, true) == taken,
			"%lld sent or dropped, %lld taken; %s",
			since(q, &now, true), taken, where(q));
}

static void one_epoch(void)
{
	unsigned int i;
	int q;

	pen.state = seed * 0x9e3779b97f4a7c15ull + round_nr;
	evil_set_up(&evil, &pen);
	cpus_workers_stay_on(CPU);
	taken = 0;
	wired = 0;
	waited = 0;
	for (q = RX; q <= TX; q++) {
		before[q] = evil_tally(&evil, q);
		errors[q] = 0;
	}
	for (i = 0; i < EPOCH; i++) {
		one_ring();
		round_nr += i + 1 < EPOCH;
	}
	check_counters(RX);
	check_counters(TX);
	round_nr++;
	alarm(REPORT_LIMIT);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 't' }, { }
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:s:", options, NULL)) >= 0) {
		if (c == 'n')
			rings_wanted = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			seconds_wanted = strtod(optarg, NULL);
		else
			exit(2);
	}
	if (optind < argc)
		vmm_device = argv[optind];
}

static bool go_on(double start)
{
	return round_nr < rings_wanted && clock_now() - start < seconds_wanted;
}

/* For who watches a run of hours. */
static void tell_progress(double start)
{
	static double told_at;

	if (clock_now() - (told_at ? told_at : start) < PROGRESS)
		return;
	told_at = clock_now();
	note("%lu rings after %.0f s", round_nr, told_at - start);
}

static void run(void)
{
	double start = clock_now();
	unsigned long due = 0, bad = 0, all = 0;
	unsigned int i;

	for (; go_on(start); due += EPOCH / PACE) {
		for (i = 0; i < EPOCH / PACE; i++)
			sem_post(&neighbour.due);
		one_epoch();
		tell_progress(start);
	}
	for (i = 0; i < 4; i++) {
		bad += harvest_tell(&harvest, i / 2, i % 2);
		all += harvest.given[i / 2][i % 2];
	}
	note("seed %llu: %lu rings in %.0f s, %lu of them malformed",
	     (unsigned long long)seed, all, clock_now() - start, bad);
	note("%lu of them were scribbled over, %lu times", harvest.scribbled,
	     scribbler.strokes);
	neighbour_close(due);
}

static void claims(int log)
{
	static struct verdict *const verdicts[] = {
		&outside, &once, &stopped, &healed, &sound, &refused,
		&sent_or_dropped, &received_or_dropped, &told,
	};
	unsigned int i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		verdict_claim(verdicts[i]);
	if (rings_wanted >= 10000 && round_nr >= rings_wanted)
		claim(harvest_has_all(&harvest), "each kind of fault was among them");
	claim(equal(vmm_twins(), 1, "twins"), "twins come and go in debugfs");
	evil_close_device(&evil);
	claim(equal(vmm_twins(), 0, "twins"), "no twin is left in debugfs");
	i = log_lines(log);
	claim(i <= LOG_MOST || because("%u lines", i),
	      "the kernel logs at most %u lines (%u)", LOG_MOST, i);
}

int main(int argc, char **argv)
{
	int log;

	parse(argc, argv);
	vmm_begin(1, argv);
	if (!vmm_has_counters()) {
		skip("hostile rings", "what they do shows in our debugfs only");
		return report_end();
	}
	log = log_open();
	wire_open(&wire, "wire0", VMM_HDR);
	evil_open(&evil, wire.tap);
	pen = (struct pen) { &evil.arena, seed, true };
	scribbler_open(&evil.arena, ~seed);
	neighbour_open();
	cpus_stay_on(0, CPU);
	run();
	scribbler_close();
	claims(log);
	wire_close(&wire);
	return report_end();
}
