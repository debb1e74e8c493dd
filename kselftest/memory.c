// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever guest memory is made of: the rings and the frames lie in it, and pass
 * unchanged both ways.  What is written to it is where its owner finds it, and
 * nowhere else.
 */
#include "kselftest/vmm.h"
#include "kselftest/proc.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NUM	64
#define FRAMES	150
/* The rings are at the end of the guest's memory. */
#define RINGS	(VMM_MEM - 2 * 4 * RING_PART)

static struct vmm vmm;
static struct wire wire;
static int file = -1;
static const char *missing;

/* Kinds of memory: each maps VMM_MEM bytes, or says what is missing. */

static uint8_t *map(int flags, int fd, const char *without)
{
	uint8_t *mem = mmap(NULL, VMM_MEM, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem != MAP_FAILED)
		return mem;
	missing = without;
	return NULL;
}

static uint8_t *map_file(int fd, int flags)
{
	must(fd >= 0);
	must(!ftruncate(fd, VMM_MEM));
	file = fd;
	return map(flags, fd, NULL);
}

static uint8_t *private_memory(void)
{
	return map(MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
}

static uint8_t *shared_memory(void)
{
	return map(MAP_SHARED | MAP_ANONYMOUS, -1, NULL);
}

static uint8_t *locked_memory(void)
{
	uint8_t *mem = private_memory();

	must(!mlock(mem, VMM_MEM));
	return mem;
}

static uint8_t *memfd(void)
{
	return map_file(memfd_create("ram", MFD_CLOEXEC), MAP_SHARED);
}

static uint8_t *private_memfd(void)
{
	return map_file(memfd_create("ram", MFD_CLOEXEC), MAP_PRIVATE);
}

static uint8_t *tmpfs_file(void)
{
	return map_file(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
			MAP_SHARED);
}

static bool reserve_huge_pages(void)
{
	FILE *have;
	long n = 0;

	wire_write("/proc/sys/vm/nr_hugepages", "16");
	have = fopen("/proc/sys/vm/nr_hugepages", "r");
	if (have) {
		if (fscanf(have, "%ld", &n) != 1)
			n = 0;
		fclose(have);
	}
	missing = "no huge pages could be reserved";
	return n * VMM_HUGE >= VMM_MEM;
}

static uint8_t *huge_pages(void)
{
	return reserve_huge_pages() ?
		map(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, missing) : NULL;
}

static uint8_t *shared_huge_pages(void)
{
	return reserve_huge_pages() ?
		map_file(memfd_create("ram", MFD_CLOEXEC | MFD_HUGETLB),
			 MAP_SHARED) : NULL;
}

static uint8_t *transparent_huge_pages(void)
{
	uint8_t *mem = vmm_new_huge_memory();

	madvise(mem, VMM_MEM, MADV_HUGEPAGE);
	memset(mem, 1, VMM_MEM);
	missing = "no huge pages come by themselves";
	return proc_sum("/proc/self/smaps_rollup", "AnonHugePages", 0) > 0 ? mem : NULL;
}

static const struct kind {
	const char	*name;
	uint8_t		*(*map)(void);
} kinds[] = {
	{ "private memory", private_memory },
	{ "shared memory", shared_memory },
	{ "locked memory", locked_memory },
	{ "a memfd", memfd },
	{ "a memfd mapped privately", private_memfd },
	{ "a file on tmpfs", tmpfs_file },
	{ "huge pages", huge_pages },
	{ "shared huge pages", shared_huge_pages },
	{ "transparent huge pages", transparent_huge_pages },
};

/* The rings, too, are in the guest's memory. */
static void run_on(uint8_t *mem, uint64_t features)
{
	int q;

	vmm_open_on(&vmm, VMM_BASIC | features, NUM, mem);
	for (q = RX; q <= TX; q++) {
		struct ring *ring = &vmm.q[q];

		munmap(ring->area, 3 * RING_PART);
		ring->area = mem + RINGS + q * 4 * RING_PART;
		ring->desc = (void *)ring->area;
		ring->avail = (void *)(ring->area + RING_PART);
		ring->used = (void *)(ring->area + 2 * RING_PART);
		ring_reset(ring, 0);
	}
	vmm_go(&vmm, &wire);
}

static void end(void)
{
	vmm_close(&vmm);
	if (file >= 0)
		close(file);
	file = -1;
}

/* By the thread that kicks, and by the worker, which borrows the memory. */
static bool traffic(void)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		if (i == FRAMES / 2 && vmm_has_counters())
			must(vmm_set_policy(&vmm, "worker"));
		if (!vmm_try_tx(&vmm, &wire, ETH_HLEN + i * 13, i) ||
		    !vmm_try_rx(&vmm, &wire, ETH_HLEN + i * 13, i + 1))
			return because("frame %u", i);
	}
	return true;
}

static void each_kind(void)
{
	unsigned int i;
	uint8_t *mem;
	char name[96];

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(name, sizeof(name), "frames pass where memory is %s",
			 kinds[i].name);
		mem = kinds[i].map();
		if (!mem) {
			skip(name, missing);
			continue;
		}
		run_on(mem, i & 1 ? VMM_EVENT_IDX : 0);
		claim(traffic(), "%s", name);
		end();
	}
	wire_write("/proc/sys/vm/nr_hugepages", "0");
}

/* Pages that are the same are one, until somebody writes to it: BUGCLASSES E4 */

static long merged_pages(void)
{
	FILE *pages = fopen("/proc/self/ksm_merging_pages", "r");
	long n = 0;

	if (!pages)
		return -1;
	if (fscanf(pages, "%ld", &n) != 1)
		n = -1;
	fclose(pages);
	return n;
}

static bool wait_merged(long least)
{
	unsigned int i;

	for (i = 0; i < 1000 && merged_pages() < least; i++)
		poll(NULL, 0, 10);
	return merged_pages() >= least ||
	       because("expected %ld merged pages, got %ld", least,
		       merged_pages());
}

static bool all_over(const uint8_t *at, uint8_t value, size_t len)
{
	while (len && *at == value)
		at++, len--;
	return !len;
}

/* A frame goes into one of the buffers; the others, of the same page, stay. */
static bool written_alone(unsigned int i, const int *heads)
{
	uint8_t frame[600];
	uint32_t used;
	unsigned int k;
	int head;

	wire_fill(frame, sizeof(frame), i);
	if (!wire_send(&wire, frame, sizeof(frame)) ||
	    !ring_wait(&vmm.q[RX], 5000))
		return false;
	head = ring_reap(&vmm.q[RX], &used);
	if (head != heads[i] ||
	    memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, sizeof(frame)))
		return because("frame %u is not in its buffer", i);
	for (k = i + 1; k < NUM; k++)
		if (!all_over(vmm_buffer(&vmm, heads[k]), 0xa5, VMM_SLOT))
			return because("frame %u is in buffer %u as well", i, k);
	return true;
}

static bool merged(void)
{
	int heads[NUM];
	unsigned int i;

	must(!madvise(vmm.mem, VMM_MEM, MADV_MERGEABLE));
	for (i = 0; i < NUM; i++)
		heads[i] = vmm_add_buffer(&vmm, VMM_SLOT);
	ring_kick(&vmm.q[RX]);
	wire_write("/sys/kernel/mm/ksm/pages_to_scan", "20000");
	wire_write("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	wire_write("/sys/kernel/mm/ksm/run", "1");
	/* Two buffers a page; they are all the same. */
	if (!wait_merged(NUM / 2))
		return false;
	note("%ld pages are merged", merged_pages());
	for (i = 0; i < NUM; i++)
		if (!written_alone(i, heads))
			return false;
	return traffic();
}

static void same_page_merging(void)
{
	const char *name = "pages that are merged are parted by a frame";

	if (merged_pages() < 0 || access("/sys/kernel/mm/ksm/run", W_OK)) {
		skip(name, "this kernel merges no pages, or does not tell");
		return;
	}
	run_on(private_memory(), 0);
	claim(merged(), "%s", name);
	wire_write("/sys/kernel/mm/ksm/run", "2");
	end();
}

/* A child's copy of the buffers is its own: BUGCLASSES E3 */

static void __attribute__((noreturn)) watch_copy(int ask, int head)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(ask, &byte, 1) != 1)
		_exit(2);
	_exit(!all_over(vmm_buffer(&vmm, head), 0xa5, VMM_SLOT));
}

static bool child_keeps_its_own(void)
{
	int ends[2], head, status;
	uint8_t frame[600];
	pid_t pid;

	head = vmm_add_buffer(&vmm, VMM_SLOT);
	must(head >= 0 && !pipe(ends));
	pid = fork();
	must(pid >= 0);
	if (!pid)
		watch_copy(ends[0], head);
	wire_fill(frame, sizeof(frame), 1);
	ring_kick(&vmm.q[RX]);
	must(wire_send(&wire, frame, sizeof(frame)));
	if (!ring_reap_n(&vmm.q[RX], 1, 5000))
		return false;
	must(write(ends[1], "", 1) == 1);
	must(waitpid(pid, &status, 0) == pid);
	close(ends[0]);
	close(ends[1]);
	return equal(status, 0, "status of the child, whose copy has changed") &&
	       (!memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame,
			sizeof(frame)) || because("the owner has no frame"));
}

static void forked(void)
{
	unsigned int i;
	bool good = true;

	run_on(private_memory(), 0);
	for (i = 0; i < 50 && good; i++)
		good = child_keeps_its_own();
	claim(good, "a frame goes to the owner, not to a child's copy");
	end();
}

/* No page is kept: BUGCLASSES E6 */

/* With what the CPUs keep on lists of their own. */
static long free_kb(void)
{
	return proc_sum("/proc/meminfo", "MemFree", 0) +
	       4 * proc_sum("/proc/zoneinfo", "count", 0);
}

static bool gives_back(void)
{
	long before, got;

	if (!traffic())
		return false;
	memset(vmm.mem, 1, VMM_MEM);
	before = free_kb();
	must(!madvise(vmm.mem, VMM_MEM, MADV_DONTNEED));
	got = free_kb() - before;
	return got >= (VMM_MEM >> 10) * 3 / 4 ||
	       because("of %u kB, %ld kB are free", VMM_MEM >> 10, got);
}

static void pins(void)
{
	claim(proc_no_page_pinned(), "no page stays pinned");
	run_on(private_memory(), 0);
	claim(gives_back(), "memory that is given back is free, in use or not");
	end();
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	each_kind();
	same_page_merging();
	forked();
	pins();
	wire_close(&wire);
	return report_end();
}
