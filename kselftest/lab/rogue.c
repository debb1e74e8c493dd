// SPDX-License-Identifier: GPL-2.0-only
/*
 * A rogue guest: drives its own virtio-net device, whose driver is unbound, with rings
 * that are spoilt in a few fields, or all the time.  They are made as hostile.c's.
 *
 * rogue ADDRESS [-n RINGS] [-s SEED] [-k KICKS] [--strays | --sound]
 *
 * Each ring has a sound chain first, which shows that the queue has recovered from the
 * one before; a queue that was reset alone does, and so does one whose device was.
 * Frames of at most FRAME bytes must keep coming in meanwhile.
 *
 * Rings lie where there is memory; with --strays some do not.  QEMU may die of that.
 * With --sound none is spoilt, to compare with.
 */
#define _GNU_SOURCE
#define ARENA_IN_GUEST

#include <getopt.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <signal.h>
#include <time.h>

#include "kselftest/badchain.h"
#include "kselftest/lab/dma.h"
#include "kselftest/lab/vdev.h"
#include "kselftest/scribbler.h"
#include "kselftest/verdicts.h"

#define EPOCH		64	/* rings between two resets of the device, at most */
#define GOES		8	/* how often a ring is shown, spoilt once more each time */
#define FRAME		200	/* bytes that a frame may have that comes in */
#define PATIENCE	60	/* seconds that a sound chain may take */
/* The arena is in the middle of the page: no frame reaches anything else. */
#define OFFSET		(DMA_SIZE / 2)

#define PACKED		BIT64(VIRTIO_F_RING_PACKED)
#define EVENT_IDX	BIT64(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT	BIT64(VIRTIO_RING_F_INDIRECT_DESC)
#define NEEDED		(BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_RING_RESET))

enum { RX, TX };

static struct vdev dev;
static struct arena arena;
static struct badring rings[2];
static bool enabled[2];
static struct pen pen;
static unsigned long rings_wanted = 1000, kicks = 1, round_nr;
static uint64_t seed = 1, offered, features;
static bool strays, sound;
static bool over;

/* What there was, by format and queue. */
static unsigned long given[2][2], resets, kicked, scribbled;

static struct verdict outside = {
	.name = "nothing is written but used rings and buffers that were posted" };
static struct verdict healed = {
	.name = "a queue that was reset serves a sound chain, whatever came before" };

static const char *where(int q)
{
	static char text[160];

	snprintf(text, sizeof(text), "seed %llu, ring %lu, %s %s, %u, features 0x%llx",
		 (unsigned long long)seed, round_nr,
		 rings[q].packed ? "packed" : "split", q == RX ? "RX" : "TX",
		 rings[q].num, (unsigned long long)features);
	return text;
}

static double clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t gpa_of(const uint8_t *at)
{
	return arena_regions[ARENA_KNOWN - 1].gpa + (at - arena.mem);
}

static void kick(int q, unsigned long times)
{
	for (; times; times--, kicked++)
		vdev_kick(&dev, q);
}

static uint16_t base_of(const struct badring *r)
{
	return r->packed ? BAD_WRAP : 0;
}

/* Both queues are at rest, or their rings are empty. */
static void allow(int q)
{
	bad_allow_used(&rings[RX], &arena);
	bad_allow_used(&rings[TX], &arena);
	if (q == RX)
		bad_allow(&rings[RX], &arena);
}

static void check_memory(int q)
{
	long bad = arena_check(&arena);

	verdict(&outside, bad < 0, "byte %ld of page %ld; %s", bad % ARENA_PAGE,
		bad / ARENA_PAGE, where(q));
	if (bad < 0)
		return;
	/* Go on with what there is. */
	arena_allow(&arena, arena.mem, ARENA_SIZE);
	arena_check(&arena);
}

/* Setting up */

static void open_memory(void)
{
	uint64_t gpa;
	unsigned int i;

	arena.mem = (uint8_t *)dma_open(&gpa) + OFFSET;
	arena.shadow = malloc(ARENA_SIZE);
	arena.may = calloc(1, ARENA_SIZE);
	must(arena.shadow && arena.may);
	memset(arena.mem, ARENA_CANARY, ARENA_SIZE);
	memset(arena.shadow, ARENA_CANARY, ARENA_SIZE);
	for (i = 0; i < ARENA_KNOWN; i++)
		arena_regions[i].gpa = gpa + OFFSET +
				       arena_regions[i].page * ARENA_PAGE;
}

static void lay_out(int q)
{
	static const unsigned int split[] = { 1, 2, 4, 8, 16, 64, 256 };
	static const unsigned int packed[] = { 1, 2, 3, 5, 8, 17, 64 };
	struct badring *r = &rings[q];

	r->arena = &arena;
	r->desc = arena_page(&arena, ARENA_RING(q) + ARENA_DESC);
	r->avail = arena_page(&arena, ARENA_RING(q) + ARENA_AVAIL);
	r->used = arena_page(&arena, ARENA_RING(q) + ARENA_USED);
	r->dir = q == RX ? VRING_DESC_F_WRITE : 0;
	r->packed = features & PACKED;
	r->event_idx = features & EVENT_IDX;
	r->indirect = features & INDIRECT;
	r->num = r->packed ? packed[pen_below(&pen, 7)] : split[pen_below(&pen, 7)];
	pen_fill(&pen, r->desc, ARENA_CANARY, ARENA_RING_PAGES * ARENA_PAGE);
	bad_begin(r, &pen, base_of(r), 0);
}

static uint64_t choose_features(void)
{
	uint64_t some = NEEDED;

	if (pen_once_in(&pen, 2))
		some |= PACKED;
	if (pen_once_in(&pen, 2))
		some |= EVENT_IDX;
	if (pen_once_in(&pen, 3))
		some |= BIT64(VIRTIO_F_IN_ORDER);
	if (!pen_once_in(&pen, 8))
		some |= INDIRECT;
	if (!pen_once_in(&pen, 4))
		some |= BIT64(VIRTIO_NET_F_MRG_RXBUF);
	return some & offered;
}

/* No memory is there, or a device is. */
static uint64_t stray(uint64_t sane)
{
	const uint64_t places[] = {
		0xa0000, 0xfe000000, 0xfee00000, 1ull << 32, 1ull << 63, -4096ull,
		pen_random(&pen), pen_random(&pen) & 0xfffffff0,
	};

	return strays && pen_once_in(&pen, 3) ? places[pen_below(&pen, 8)] : sane;
}

static void set_up(void)
{
	struct badring *r;
	int q;

	features = choose_features();
	vdev_begin(&dev, features);
	resets++;
	for (q = RX; q <= TX; q++) {
		lay_out(q);
		r = &rings[q];
		vdev_set_queue(&dev, q, r->num, stray(gpa_of(r->desc)),
			       stray(gpa_of(r->avail)), stray(gpa_of(r->used)));
		enabled[q] = true;
	}
	vdev_go(&dev);
}

static void stop(int q)
{
	if (enabled[q])
		vdev_stop_queue(&dev, q);
	enabled[q] = false;
}

static void start(int q)
{
	vdev_start_queue(&dev, q);
	enabled[q] = true;
}

/* Rings */

static bool has_used(const struct badring *r)
{
	if (r->packed)
		return (bad_get16(r->desc + D_FLAGS_AT(r)) & (BAD_AVAIL | BAD_USED)) ==
		       (BAD_AVAIL | BAD_USED);
	return bad_get16(r->used + 2);
}

static bool wait_used(const struct badring *r)
{
	double end = clock_now() + PATIENCE;

	while (!has_used(r)) {
		if (clock_now() > end)
			return false;
		sched_yield();
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return true;
}

/* A chain that was never wrong, there when the queue starts. */
static void try_sound(int q)
{
	uint32_t len = CHAIN_HDR + FRAME + pen_below(&pen, 60), got;
	uint8_t frame[CHAIN_HDR + FRAME + 60] = { };
	struct badring *r = &rings[q];
	uint64_t addr = chain_place(&pen, len);
	uint16_t id;
	bool good;

	wire_fill(frame + CHAIN_HDR, len - CHAIN_HDR, round_nr);
	if (q == TX)
		pen_put_guest(&pen, addr, frame, len);
	id = chain_lay(r, &pen, addr, len, r->num);
	allow(q);
	bad_show(r, &pen);
	start(q);
	kick(q, 1);
	good = wait_used(r);
	verdict(&healed, good, "it serves nothing in %u s; %s", PATIENCE, where(q));
	must(good || because("%s", healed.why));
	got = bad_used_len(r, base_of(r));
	verdict(&healed, bad_used_id(r, base_of(r)) == id &&
		(q == TX ? !got : got >= CHAIN_HDR + ETH_HLEN && got <= len),
		"%u bytes of %u, id %u for %u; %s", got, len,
		bad_used_id(r, base_of(r)), id, where(q));
}

/* Some chains that are wrong, or not.  A queue that has broken does not see them. */
static void lay_bad(int q)
{
	unsigned int i, spoils = sound ? 0 : 1 + pen_below(&pen, 4);
	struct badring *r = &rings[q];

	chain_lay_some(r, &pen);
	for (i = 0; i < spoils; i++)
		bad_spoil(r, &pen);
	allow(q);
	bad_show(r, &pen);
}

static void try_scribbled(int q)
{
	struct badring *r = &rings[q];
	unsigned int i;

	lay_bad(q);
	scribbler_allow(r, &arena);
	scribbler_start(r);
	for (i = 0; i < 4; i++) {
		kick(q, kicks);
		sched_yield();
	}
	scribbler_stop();
	scribbled++;
}

static void try_bad(int q)
{
	unsigned int goes = pen_once_in(&pen, 4) ? 1 : GOES;
	struct badring *r = &rings[q];

	/* What is laid out anew may be looked at before it is as it is to be. */
	if (q == RX && goes > 1)
		scribbler_allow(r, &arena);
	while (goes--) {
		lay_bad(q);
		kick(q, kicks);
	}
}

static void one_ring(bool scribbling)
{
	int q = pen_once_in(&pen, 2) ? RX : TX;

	stop(q);
	arena_allow_nothing(&arena);
	bad_begin(&rings[q], &pen, base_of(&rings[q]), 0);
	try_sound(q);
	check_memory(q);
	if (scribbling)
		try_scribbled(q);
	else
		try_bad(q);
	given[rings[q].packed][q]++;
	stop(q);
	check_memory(q);
	alarm(REPORT_LIMIT);
}

/* Nothing is known of a ring that is not there: kicks, and no more. */
static void one_stray(void)
{
	int q;

	for (q = RX; q <= TX; q++) {
		chain_lay_some(&rings[q], &pen);
		bad_show(&rings[q], &pen);
		kick(q, 1 + kicks);
		given[rings[q].packed][q]++;
	}
}

/* Whatever happens, the device must forget about memory that is given back. */
static void leave_device(void)
{
	vdev_reset(&dev);
}

static void on_term(int signal)
{
	(void)signal;
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
}

static bool go_on(void)
{
	return round_nr < rings_wanted &&
	       !__atomic_load_n(&over, __ATOMIC_RELAXED);
}

static void one_epoch(unsigned long nr)
{
	unsigned int i, n;

	pen.state = seed * 0x9e3779b97f4a7c15ull + nr;
	n = 1 + pen_below(&pen, EPOCH);
	set_up();
	if (strays) {
		one_stray();
		round_nr += 2;
		return;
	}
	for (i = 0; i < n && go_on(); i++, round_nr++)
		one_ring(nr % 16 == 15 && !sound);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "strays", no_argument, NULL, 'o' },
		{ "sound", no_argument, NULL, 'w' }, { }
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:s:k:", options, NULL)) >= 0) {
		if (c == 'n')
			rings_wanted = number(optarg);
		else if (c == 's')
			seed = number(optarg);
		else if (c == 'k')
			kicks = number(optarg);
		else if (c == 'o')
			strays = true;
		else if (c == 'w')
			sound = true;
		else
			exit(2);
	}
	if (optind + 1 != argc)
		die("which device?");
}

static void tell(double began)
{
	int i;

	for (i = 0; i < 4; i++)
		note("%s %s: %lu rings", i / 2 ? "packed" : "split",
		     i % 2 == RX ? "RX" : "TX", given[i / 2][i % 2]);
	note("seed %llu: %lu rings in %.0f s, %lu scribbled over, %lu times; %lu kicks",
	     (unsigned long long)seed, round_nr, clock_now() - began, scribbled,
	     scribbler.strokes, kicked);
	note("%lu resets of the device", resets);
}

int main(int argc, char **argv)
{
	unsigned long nr;
	double began;

	parse(argc, argv);
	report_begin();
	open_memory();
	vdev_open(&dev, argv[optind]);
	leave_device();
	atexit(leave_device);
	offered = vdev_offered(&dev);
	must((offered & NEEDED) == NEEDED);
	note("offered: 0x%llx", (unsigned long long)offered);
	pen = (struct pen) { &arena, seed, true };
	scribbler_open(&arena, ~seed);
	signal(SIGTERM, on_term);
	began = clock_now();
	for (nr = 0; go_on(); nr++)
		one_epoch(nr);
	leave_device();
	scribbler_close();
	tell(began);
	if (!strays) {
		verdict_claim(&healed);
		verdict_claim(&outside);
	}
	return report_end();
}
