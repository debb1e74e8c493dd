// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device knows of its owner's page tables becomes wrong all the time, under a
 * stream of frames that are received in softirq (BUGCLASSES E1, E3, E4, E8): each
 * frame arrives once, where the process sees its buffer, and pages that are no longer
 * there are not written to.
 */
#include "kselftest/exchange.h"
#include "kselftest/options.h"
#include "kselftest/paging.h"
#include "kselftest/protector.h"

#include <linux/falloc.h>
#include <sys/wait.h>

#define BURSTS		32	/* for each kind, at least */
#define MAX_PAUSE	50000	/* us; what is changed all the time is never known */

static struct vmm vmm;
static struct wire wire;
static struct stream stream;
static struct exchange ex;
static unsigned long wanted = 6000;
static uint64_t seed = 1, rnd;
static atomic_bool enough, failed;
static atomic_uint changes;

static uint32_t any(uint32_t n)
{
	return frames_random(&rnd) % n;
}

static struct range anywhere(void)
{
	return exchange_anywhere(&ex, &rnd);
}

/* Of what takes the longer the more it is. */
static struct range a_part(void)
{
	struct range r = anywhere();

	if (r.len > RING_LEN)
		r.len = RING_LEN;
	return r;
}

/* Pages, where anything may be done to what is in them; until give(). */
static struct range take(unsigned int *slot)
{
	uint8_t *at;

	*slot = stream_take(&stream, &rnd, STREAM_TAKEN);
	at = stream_mem(&stream) + *slot * STREAM_SLOT;
	switch (any(3)) {
	case 0:
		return (struct range) { at, PAGE };
	case 1:
		return (struct range) { at + PAGE, PAGE };
	default:
		return (struct range) { at, STREAM_SLOT };
	}
}

/* Each is done over and over; returns 0 or an errno, or -1. */
static int advise(struct range r, int advice)
{
	return madvise(r.at, r.len, advice) ? errno : 0;
}

static int drop_mappings(void)
{
	return advise(anywhere(), MADV_DONTNEED);
}

static int drop_buffers(void)
{
	unsigned int slot;
	int err = advise(take(&slot), MADV_DONTNEED);

	stream_give(&stream, slot);
	return err;
}

static int page_out(void)
{
	return advise(a_part(), MADV_PAGEOUT);
}

static int cool(void)
{
	return advise(anywhere(), MADV_COLD);
}

/* What is written to again is kept; the rest goes at once. */
static int free_buffers(void)
{
	struct range all = { stream_mem(&stream), STREAM_LEN };
	unsigned int slot;
	int err = advise(take(&slot), MADV_FREE);

	stream_give(&stream, slot);
	return err || any(4) ? err : advise(all, MADV_PAGEOUT);
}

static int merge(void)
{
	struct range all = { stream_mem(&stream), STREAM_LEN };
	unsigned int slot, i;

	if (!any(8))
		return advise(anywhere(), MADV_UNMERGEABLE);
	for (i = 0; i < 4; i++) {
		memset(take(&slot).at, CANARY, PAGE);
		stream_give(&stream, slot);
	}
	usleep(2000);
	return advise(all, MADV_MERGEABLE);
}

/* Small pages become a huge one, which is cut up again. */
static int collapse(void)
{
	struct range huge = { stream_mem(&stream) + any(2) * VMM_HUGE, VMM_HUGE };
	int err = advise(huge, MADV_HUGEPAGE);

	if (err)
		return err;
	/* It fails for a part that is in use at the moment. */
	advise(huge, MADV_COLLAPSE);
	return drop_buffers();
}

static int protect(void)
{
	unsigned int slot;
	struct range r = take(&slot);
	int err = mprotect(r.at, r.len, any(2) ? PROT_READ : PROT_NONE) ? errno : 0;

	if (!err && mprotect(r.at, r.len, PROT_READ | PROT_WRITE))
		err = errno;
	stream_give(&stream, slot);
	if (err)
		return err;
	r = anywhere();
	return mprotect(r.at, r.len, PROT_READ | PROT_WRITE |
			(any(2) ? PROT_EXEC : 0)) ? errno : 0;
}

static int map_again(void)
{
	struct range r = a_part();

	for (; r.len; r.at += PAGE, r.len -= PAGE)
		if (!exchange_map(&ex, exchange_page(&ex, r.at)))
			return errno;
	return 0;
}

static int exchange_buffers(void)
{
	unsigned int slot = stream_take(&stream, &rnd, STREAM_TAKEN);
	int err = exchange_one(&ex, slot * (STREAM_SLOT / PAGE) + any(STREAM_SLOT / PAGE), false);

	stream_give(&stream, slot);
	return err;
}

static int exchange_ring(void)
{
	int err;

	stream_pause(&stream);
	err = exchange_one(&ex, exchange_ring_page(any(3)), true);
	stream_go_on(&stream);
	return err;
}

static int punch(void)
{
	unsigned int slot = stream_take(&stream, &rnd, STREAM_TAKEN);
	unsigned int page = slot * (STREAM_SLOT / PAGE) + any(STREAM_SLOT / PAGE);
	off_t at = exchange_offset(page, ex.swapped[page]);
	int err = fallocate(ex.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
			    PAGE) ? errno : 0;

	stream_give(&stream, slot);
	return err;
}

static uint64_t sum(const uint64_t *at, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len / sizeof(*at); i++)
		sum = sum * 31 + at[i];
	return sum;
}

/* What a child has is a copy, which nobody else writes to. */
static int fork_child(void)
{
	const void *part = stream_mem(&stream) + any(8) * (STREAM_LEN / 8);
	pid_t pid = fork();
	uint64_t before;
	int status;

	if (!pid) {
		before = sum(part, STREAM_LEN / 8);
		usleep(3000);
		_exit(sum(part, STREAM_LEN / 8) != before);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return status ? -1 : 0;
}

static const char *needs_protector(void)
{
	if (!protector_open())
		return "this kernel has no userfaultfd that protects";
	protector_watch(stream_mem(&stream), STREAM_LEN);
	protector_watch(vmm.q[RX].area, RING_LEN);
	return NULL;
}

static int watch(void)
{
	struct range r = anywhere();

	return protector_on(r.at, r.len);
}

static int do_any(void);

/* RARE: what is known may be dropped before each frame.  SLOW: a tenth of the others. */
enum { SHARED = 1, PRIVATE = 2, BOTH = 3, DROPS = 4, RARE = 8, SLOW = 16 };

static const struct kind {
	const char	*name;
	int		(*change)(void);
	unsigned int	flags;	/* DROPS: something that is known must be dropped */
	const char	*(*needs)(void);
	void		(*end)(void);
	const char	*shows;	/* in /proc/vmstat */
} kinds[] = {
	{ "mappings are dropped", drop_mappings, SHARED | DROPS, NULL, NULL, NULL },
	{ "free buffers are dropped", drop_buffers, PRIVATE | DROPS, NULL, NULL, NULL },
	{ "pages are paged out", page_out, BOTH | DROPS | SLOW, needs_swap, end_swap, "pswpout" },
	{ "pages are said to be cold", cool, BOTH, NULL, NULL, NULL },
	{ "buffers are said to be free", free_buffers, PRIVATE | DROPS | SLOW, NULL, NULL,
	  "pglazyfreed" },
	{ "pages are merged", merge, PRIVATE | DROPS | SLOW, needs_merging, end_merging, NULL },
	{ "huge pages come and go", collapse, PRIVATE | DROPS | SLOW, needs_collapse, NULL,
	  "thp_split_pmd" },
	{ "pages are protected", protect, BOTH | DROPS, NULL, NULL, NULL },
	{ "pages are mapped again", map_again, SHARED | DROPS, NULL, NULL, NULL },
	{ "buffers get other pages", exchange_buffers, BOTH | DROPS, NULL, NULL, NULL },
	{ "the ring gets other pages", exchange_ring, BOTH | DROPS, NULL, NULL, NULL },
	{ "holes are punched", punch, SHARED | DROPS, NULL, NULL, NULL },
	{ "the process forks", fork_child, PRIVATE | DROPS | SLOW, NULL, NULL, NULL },
	{ "pages are watched", watch, PRIVATE | DROPS | RARE | SLOW, needs_protector,
	  protector_close, NULL },
	{ "any of that happens", do_any, BOTH | DROPS, NULL, NULL, NULL },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static bool suits(const struct kind *kind)
{
	return kind->flags & (ex.shared ? SHARED : PRIVATE);
}

static int do_any(void)
{
	const struct kind *kind;

	do {
		kind = &kinds[any(KINDS - 1)];
	} while (!suits(kind) || kind->needs);
	return kind->change();
}

/* Some at once, and then time for the device to know again what is where. */
static void linger(void)
{
	if (!any(8))
		usleep(any(4000));
	else if (!any(2))
		usleep(any(100));
}

/* Counters as they were when a kind began. */
static long long packets, drops, shown;

static void note_counters(const struct kind *kind)
{
	shown = kind->shows ? vmstat(kind->shows) : 0;
	packets = vmm_counter(&vmm, RX, "packets_softirq");
	drops = vmm_counter(&vmm, RX, "stlb_drops");
}

static bool was_received(const struct kind *kind)
{
	return kind->flags & RARE || vmm_counter(&vmm, RX, "packets_softirq") > packets;
}

static bool was_dropped(const struct kind *kind)
{
	return !(kind->flags & DROPS) || vmm_counter(&vmm, RX, "stlb_drops") > drops;
}

static bool was_shown(const struct kind *kind)
{
	return !kind->shows || vmstat(kind->shows) > shown;
}

/* Are frames received in softirq for all that, and is what is known dropped? */
static bool known_and_dropped(const struct kind *kind)
{
	if (!vmm_has_counters())
		return true;
	note("%u changes, %u bursts, %lld frames in softirq, %lld drops",
	     atomic_load(&changes), atomic_load(&stream.bursts),
	     vmm_counter(&vmm, RX, "packets_softirq") - packets,
	     vmm_counter(&vmm, RX, "stlb_drops") - drops);
	return (was_received(kind) || because("no frame is received in softirq")) &&
	       (was_dropped(kind) || because("nothing is dropped"));
}

/* After @i changes: as many as are wanted, or as many more, with pauses, as it takes. */
static bool will_do(const struct kind *kind, unsigned int i)
{
	unsigned int least = wanted / (kind->flags & SLOW ? 10 : 1) / (2 * KINDS - 17) + 1;

	if (i < least || atomic_load(&stream.bursts) < BURSTS)
		return false;
	if (i >= 20 * least || !vmm_has_counters() ||
	    (was_received(kind) && was_dropped(kind) && was_shown(kind)))
		return true;
	usleep(any(MAX_PAUSE));
	return false;
}

static void *keep_changing(void *arg)
{
	const struct kind *kind = arg;
	unsigned int i;
	long err = 0;

	for (i = 0; !err && !atomic_load(&failed) && !will_do(kind, i); i++) {
		err = kind->change();
		atomic_store(&changes, i + 1);
		alarm(REPORT_LIMIT);
		linger();
	}
	atomic_store(&enough, true);
	return (void *)err;
}

static bool arrive_while(const struct kind *kind)
{
	pthread_t thread;
	bool good = true;
	void *err;

	atomic_store(&enough, false);
	atomic_store(&failed, false);
	atomic_store(&stream.bursts, 0);
	must(!pthread_create(&thread, NULL, keep_changing, (void *)kind));
	while (good && !atomic_load(&enough))
		good = stream_next(&stream);
	atomic_store(&failed, !good);
	must(!pthread_join(thread, &err));
	if ((long)err == -1)
		good = because("a page that is no longer there was written to");
	else
		good = equal((long)err, 0, "errno of the change") && good;
	return good && exchange_all_intact(&ex) &&
	       (!ring_poll(vmm.q[RX].err, 0) || because("VRING_ERR is raised"));
}

static void start_anew(void)
{
	must(!vmm_backend(&vmm, RX, -1));
	wire_drain(&wire);
	memset(ex.taken_out, 0, sizeof(ex.taken_out));
	must(!vmm_restart_queue(&vmm, RX, wire.tap, 0));
	stream_begin(&stream, &vmm, &wire, seed);
}

static void try_kind(const struct kind *kind)
{
	const char *missing = kind->needs ? kind->needs() : NULL;
	char text[96];
	bool good;

	snprintf(text, sizeof(text), "frames arrive while %s, %s memory", kind->name,
		 ex.shared ? "shared" : "private");
	if (missing) {
		skip(text, missing);
		return;
	}
	note_counters(kind);
	good = arrive_while(kind) && known_and_dropped(kind);
	if (good && !was_shown(kind))
		good = because("%s has not grown", kind->shows);
	if (kind->end)
		kind->end();
	/* The next shall not find what this one has left. */
	if (!claim(good, "%s", text))
		start_anew();
}

/* Frames are there, and buffers; but the queue is stopped. */
static bool silent(void)
{
	static uint8_t ring[RING_LEN], frame[200];
	unsigned int i;

	must(!vmm_backend(&vmm, RX, -1));
	memcpy(ring, vmm.q[RX].area, RING_LEN);
	memset(stream_mem(&stream), CANARY, STREAM_LEN);
	for (i = 0; i < 50; i++) {
		wire_fill(frame, sizeof(frame), i);
		must(wire_send(&wire, frame, sizeof(frame)));
		must(!cool() && !protect());
	}
	usleep(100000);
	if (memcmp(ring, vmm.q[RX].area, RING_LEN))
		return because("the ring was written to");
	for (i = 0; i < STREAM_LEN; i++)
		if (stream_mem(&stream)[i] != CANARY)
			return because("byte %u of the buffers was written to", i);
	return exchange_all_intact(&ex);
}

static bool starts_again(void)
{
	unsigned int i;

	start_anew();
	for (i = 0; i < BURSTS; i++)
		if (!stream_next(&stream))
			return false;
	return vmm_counted(&vmm, RX, "drop_fault", 0) &&
	       vmm_counted(&vmm, RX, "drop_malformed", 0);
}

static void with(bool shared, uint64_t features)
{
	const char *name = shared ? "shared" : "private";
	unsigned int i;

	exchange_open(&ex, &vmm, VMM_BASIC | features, shared);
	vmm_go(&vmm, &wire);
	must(!vmm_has_counters() || vmm_set_policy(&vmm, "softirq"));
	stream_begin(&stream, &vmm, &wire, seed);
	for (i = 0; i < KINDS; i++)
		if (suits(&kinds[i]))
			try_kind(&kinds[i]);
	note("%lld changes of the page tables, kept for %lld us at most",
	     vmm_counter(&vmm, RX, "invalidations"),
	     vmm_state(&vmm, "invalidate_ns_max") / 1000);
	claim(silent(), "after a stop nothing is written, %s memory", name);
	claim(starts_again(), "and frames arrive once it is started again, %s memory", name);
	exchange_close(&ex);
}

int main(int argc, char **argv)
{
	options_parse(argc, argv, &wanted, &seed);
	vmm_begin(1, argv);
	note("seed %llu", (unsigned long long)seed);
	rnd = seed;
	wire_open(&wire, "wire0", VMM_HDR);
	with(true, 0);
	with(false, VMM_EVENT_IDX);
	wire_close(&wire);
	return report_end();
}
