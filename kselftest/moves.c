// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that the kernel or its owner moves, drops, protects, merges, pages
 * out or copies while frames are under way, by another thread: none is lost or
 * changed.
 */
#include "kselftest/vmm.h"
#include "kselftest/paging.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define NUM	64
#define FRAMES	1000
/* What no frame is in: the middle of memory, from one huge page to another. */
#define IDLE	(6u << 20)
#define IDLE_LEN (4u << 20)

static struct vmm vmm;
static struct wire wire;
static atomic_bool done;
static atomic_uint changes;
static uint8_t *moved;	/* where the idle part is, if not in its place */

/* Each is done over and over; returns 0 or an errno, or -1. */

static void touch_idle(uint8_t value)
{
	size_t at;

	for (at = 0; at < IDLE_LEN; at += 4096)
		vmm.mem[IDLE + at] = value;
}

static int drop_idle(unsigned int i)
{
	touch_idle(i);
	return madvise(vmm.mem + IDLE, IDLE_LEN, MADV_DONTNEED) ? errno : 0;
}

static int protect_idle(unsigned int i)
{
	static const int prots[] = {
		PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE,
	};

	return mprotect(vmm.mem + IDLE, IDLE_LEN, prots[i % 3]) ? errno : 0;
}

/* Two regions beside the idle part, which itself is a third. */
static int set_three(uint8_t *idle)
{
	uint64_t mem = (uintptr_t)vmm.mem;
	struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r[3];
	} table = { 3, 0, {
		{ VMM_GPA, IDLE, mem, 0 },
		{ VMM_GPA + IDLE, IDLE_LEN, (uintptr_t)idle, 0 },
		{ VMM_GPA + IDLE + IDLE_LEN, VMM_MEM - IDLE - IDLE_LEN,
		  mem + IDLE + IDLE_LEN, 0 },
	} };

	return -vmm_ioctl(vmm.dev, VHOST_SET_MEM_TABLE, &table);
}

/* To a place of its own and back, each time with a new table. */
static int move_idle(unsigned int i)
{
	uint8_t *home = vmm.mem + IDLE, *from = i & 1 ? moved : home;
	uint8_t *to = i & 1 ? home : moved;

	*from = i;
	/* What is left behind stays mapped, so that nothing else comes there. */
	if (mremap(from, IDLE_LEN, IDLE_LEN, MREMAP_MAYMOVE | MREMAP_FIXED |
		   MREMAP_DONTUNMAP, to) != to)
		return errno;
	if (*to != (uint8_t)i)
		return -1;
	return set_three(to);
}

static int page_out(unsigned int i)
{
	(void)i;
	return madvise(vmm.mem, VMM_MEM, MADV_PAGEOUT) ? errno : 0;
}

static int compact(unsigned int i)
{
	(void)i;
	wire_write("/proc/sys/vm/compact_memory", "1");
	return 0;
}

static int fork_child(unsigned int i)
{
	pid_t pid = fork();

	(void)i;
	if (!pid)
		_exit(0);
	if (pid < 0)
		return errno;
	return waitpid(pid, NULL, 0) == pid ? 0 : errno;
}

/* Small pages become a huge one, which is cut up where one of them differs. */
static int collapse(unsigned int i)
{
	size_t at, cut = (i % (VMM_HUGE / 4096)) * 4096;

	touch_idle(i);
	/* It may fail for a part that is in use at the moment, and stop there. */
	madvise(vmm.mem, VMM_MEM, MADV_COLLAPSE);
	madvise(vmm.mem + IDLE, IDLE_LEN, MADV_COLLAPSE);
	for (at = IDLE; at < IDLE + IDLE_LEN; at += VMM_HUGE)
		if (madvise(vmm.mem + at + cut, 4096, MADV_DONTNEED))
			return errno;
	return 0;
}

static int merge(unsigned int i)
{
	(void)i;
	poll(NULL, 0, 1);
	return madvise(vmm.mem, VMM_MEM,
		       i & 1 ? MADV_UNMERGEABLE : MADV_MERGEABLE) ? errno : 0;
}

static const struct change {
	const char	*name;
	int		(*change)(unsigned int i);
	unsigned int	period;	/* all is in its place after so many */
	const char	*(*needs)(void);
	void		(*end)(void);
	const char	*shows;	/* in /proc/vmstat */
} list[] = {
	{ "idle memory is dropped", drop_idle, 1, NULL, NULL, NULL },
	{ "idle memory is protected", protect_idle, 3, NULL, NULL, NULL },
	{ "idle memory is moved", move_idle, 2, NULL, NULL, NULL },
	{ "memory is paged out", page_out, 1, needs_swap, end_swap, "pswpout" },
	{ "memory is compacted", compact, 1, needs_compaction, NULL, NULL },
	{ "the process forks", fork_child, 1, NULL, NULL, NULL },
	{ "huge pages come and go", collapse, 1, needs_collapse, NULL,
	  "thp_split_pmd" },
	{ "pages are merged", merge, 2, needs_merging, end_merging, NULL },
};

static void *keep_changing(void *arg)
{
	const struct change *change = arg;
	unsigned int i;
	long err = 0;

	/* At least a whole period, and nothing but whole ones. */
	for (i = 0; !err && (i % change->period || !i ||
			     !atomic_load(&done)); i++) {
		err = change->change(i);
		atomic_store(&changes, i + 1);
	}
	return (void *)err;
}

/* Bursts both ways: the device is in the middle of it as things change. */
static bool burst_out(unsigned int seed)
{
	uint8_t frame[1000];
	unsigned int i;

	for (i = 0; i < NUM; i++) {
		wire_fill(frame, sizeof(frame), seed + i);
		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	}
	ring_kick(&vmm.q[TX]);
	for (i = 0; i < NUM; i++) {
		wire_fill(frame, sizeof(frame), seed + i);
		if (!wire_expect(&wire, frame, sizeof(frame)))
			return because("frame %u out", i);
	}
	return ring_reap_n(&vmm.q[TX], NUM, 5000);
}

static bool burst_in(unsigned int seed)
{
	uint8_t frame[1000];
	unsigned int i;
	int head;

	for (i = 0; i < NUM; i++)
		must(vmm_add_buffer(&vmm, 1500) >= 0);
	ring_kick(&vmm.q[RX]);
	for (i = 0; i < NUM; i++) {
		wire_fill(frame, sizeof(frame), seed + i);
		must(wire_send(&wire, frame, sizeof(frame)));
	}
	for (i = 0; i < NUM; i++) {
		wire_fill(frame, sizeof(frame), seed + i);
		if (!ring_wait(&vmm.q[RX], 5000))
			return because("frame %u in", i);
		head = ring_reap(&vmm.q[RX], NULL);
		if (head < 0 || memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame,
				       sizeof(frame)))
			return because("frame %u in is another", i);
	}
	return true;
}

static bool frames_pass(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i += NUM) {
		if (!burst_out(i) || !burst_in(i))
			return because("after %u frames", i);
		if (!vmm_try_tx(&vmm, &wire, 100, i) ||
		    !vmm_try_rx(&vmm, &wire, 100, i))
			return because("single, after %u frames", i);
	}
	return true;
}

static bool passes_while(const struct change *change)
{
	long long before = change->shows ? vmstat(change->shows) : 0;
	pthread_t thread;
	void *err;
	bool good;

	atomic_store(&done, false);
	must(!pthread_create(&thread, NULL, keep_changing, (void *)change));
	good = frames_pass();
	atomic_store(&done, true);
	must(!pthread_join(thread, &err));
	good = equal((long)err, 0, "errno of the change") && good;
	if (good && change->shows && vmstat(change->shows) == before)
		good = because("%s has not grown", change->shows);
	return good;
}

static void with(uint64_t features, const char *name)
{
	unsigned int i;
	const char *missing;
	char text[96];
	bool good;

	vmm_open_on(&vmm, VMM_BASIC | features, NUM, vmm_new_huge_memory());
	vmm_go(&vmm, &wire);
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		snprintf(text, sizeof(text), "frames pass while %s, %s",
			 list[i].name, name);
		missing = list[i].needs ? list[i].needs() : NULL;
		if (missing) {
			skip(text, missing);
			continue;
		}
		good = passes_while(&list[i]);
		if (list[i].end)
			list[i].end();
		claim(good && vmm_works(&vmm, &wire), "%s", text);
		note("%u changes", atomic_load(&changes));
	}
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	moved = mmap(NULL, IDLE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		     MAP_ANONYMOUS, -1, 0);
	must(moved != MAP_FAILED);
	with(0, "plain");
	with(VMM_EVENT_IDX, "with event index");
	wire_close(&wire);
	return report_end();
}
