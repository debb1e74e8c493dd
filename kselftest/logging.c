// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log (BUGCLASSES A1, C6, E5): each page that a frame was written to has its
 * bit set when the VMM is told, and no other has; and whatever a VMM does to its log, the
 * queue goes on or stops as it should.
 *
 *	logging [-n FRAMES] [DEVICE]
 */
#include "kselftest/vmm.h"
#include "kselftest/frames.h"

#include <getopt.h>

#define NUM		64
#define LOG_BYTES	(256u << 10)
#define PAGE		4096ull
#define MAX_LEN		1500

/* Where the used rings are said to be; the first lies in two pages. */
static const uint64_t used_at[2] = { 0x100ff8, 0x200000 };

static struct vmm vmm;
static struct wire wire;
static uint8_t *dirty;		/* the log */
static int told;		/* its eventfd */
static uint64_t state = 1;
static unsigned long pages;

static bool is_set(uint64_t gpa)
{
	uint64_t page = gpa / PAGE;

	return __atomic_load_n(&dirty[page / 8], __ATOMIC_RELAXED) >> page % 8 & 1;
}

/* The bits of the guest's memory alone; those of rings may come at any time. */
static unsigned int bits(void)
{
	unsigned int i, n = 0;

	for (i = VMM_GPA / PAGE / 8; i < (VMM_GPA + VMM_MEM) / PAGE / 8; i++)
		n += __builtin_popcount(dirty[i]);
	return n;
}

static void clear(void)
{
	unsigned int i;

	for (i = 0; i < LOG_BYTES; i++)
		if (dirty[i])
			__atomic_store_n(&dirty[i], 0, __ATOMIC_RELAXED);
	ring_drain_event(told);
}

static int set_base(const void *base)
{
	uint64_t at = (uintptr_t)base;

	return vmm_ioctl(vmm.dev, VHOST_SET_LOG_BASE, &at);
}

static int set_all(bool on)
{
	uint64_t features = vmm.features | (on ? BIT64(VHOST_F_LOG_ALL) : 0);

	return vmm_ioctl(vmm.dev, VHOST_SET_FEATURES, &features);
}

static int set_ring(int q, bool on)
{
	struct vhost_vring_addr addr = vmm_addr(&vmm, q);

	addr.flags = on ? 1 << VHOST_VRING_F_LOG : 0;
	addr.log_guest_addr = used_at[q];
	return vmm_ioctl(vmm.dev, VHOST_SET_VRING_ADDR, &addr);
}

/* As QEMU does when a migration begins, or ends. */
static int set_log(bool on)
{
	return set_base(dirty) ?: set_all(on) ?: set_ring(RX, on) ?: set_ring(TX, on);
}

/* Was every page of a buffer logged, as far as it was written to, and nothing else? */
static bool logged(int head, size_t len)
{
	uint64_t gpa = vmm_gpa(&vmm, vmm_buffer(&vmm, head));
	uint64_t first = gpa / PAGE, last = (gpa + len - 1) / PAGE, page;

	for (page = first; page <= last; page++)
		if (!is_set(page * PAGE))
			return because("%zu bytes at 0x%llx: page 0x%llx is not logged", len,
				       (long long)gpa, (long long)page);
	pages += last - first + 1;
	return equal(bits(), last - first + 1, "bits");
}

/* One frame in, into the buffers that were posted; returns the first one's head, or -1. */
static int receive(size_t len)
{
	static uint8_t frame[VMM_SLOT];
	uint32_t used = 0;
	int head;

	wire_fill(frame, len, frames_random(&state));
	ring_kick(&vmm.q[RX]);
	if (!wire_send(&wire, frame, len) || !ring_wait(&vmm.q[RX], 5000))
		return -1;
	head = ring_reap(&vmm.q[RX], &used);
	return equal(used, VMM_HDR + len, "used length") ? head : -1;
}

static bool one_frame(void)
{
	size_t len = ETH_HLEN + frames_random(&state) % (MAX_LEN - ETH_HLEN);
	int head;

	clear();
	must(vmm_add_buffer(&vmm, VMM_HDR + MAX_LEN) >= 0);
	head = receive(len);
	if (head < 0 || !ring_poll(told, 5000))
		return because("no frame, or nobody was told of the log");
	return logged(head, VMM_HDR + len) &&
	       ((is_set(used_at[RX]) && is_set(used_at[RX] + PAGE)) ||
		because("the used ring is not logged"));
}

static void frames(unsigned long n)
{
	unsigned long i;
	bool good = true;

	for (i = 0; i < n && good; i++) {
		good = one_frame();
		alarm(REPORT_LIMIT);
	}
	claim(good, "the pages that frames are written to are logged, and no others");
	note("%lu frames, %lu pages", i, pages);
	claim(vmm_try_tx(&vmm, &wire, 100, 3) && is_set(used_at[TX]),
	      "so is the other queue's used ring");
}

/* Chains with many buffers of no bytes, which vhost's log array once was too short for. */
static void no_bytes(void)
{
	struct seg segs[NUM];
	unsigned int i;
	int head;

	for (i = 0; i < NUM; i++)
		segs[i] = (struct seg) { VMM_GPA, 0, VRING_DESC_F_WRITE };
	segs[NUM - 1].addr = vmm_gpa(&vmm, vmm.mem + VMM_MEM - 2 * PAGE);
	segs[NUM - 1].len = 2 * PAGE;
	clear();
	head = ring_add(&vmm.q[RX], segs, NUM);
	must(head >= 0);
	head = receive(100);
	claim(head >= 0 && ring_poll(told, 5000) && equal(bits(), 1, "bits") &&
	      is_set(segs[NUM - 1].addr), "buffers of no bytes log nothing");
}

static bool all_zero(void)
{
	unsigned int i;

	for (i = 0; i < LOG_BYTES; i++)
		if (dirty[i])
			return because("byte 0x%x of the log is 0x%x", i, dirty[i]);
	return true;
}

static void off(void)
{
	claim(!set_log(false), "logging is turned off while queues run");
	clear();
	claim(vmm_works(&vmm, &wire) && all_zero(), "nothing is logged then");
}

/* A log without memory behind it. */
static void not_mapped(void)
{
	void *nowhere = mmap(NULL, LOG_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	static uint8_t frame[200];

	must(nowhere != MAP_FAILED);
	if (!vmm_has_counters()) {
		skip("a log that is not mapped stops its queue", "vhost-net goes on");
		return;
	}
	must(!set_log(true) && !set_ring(TX, false) && !set_base(nowhere));
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	claim(wire_send(&wire, frame, sizeof(frame)) && ring_poll(vmm.q[RX].err, 5000) &&
	      vmm_counted(&vmm, RX, "ring_error_log", 1),
	      "a log that is not mapped stops its queue, and is counted");
	claim(vmm_try_tx(&vmm, &wire, 100, 5), "the other queue goes on");
	must(!set_base(dirty));
	claim(!vmm_restart_queue(&vmm, RX, wire.tap, 0) &&
	      vmm_try_rx(&vmm, &wire, 100, 6), "with a log, it works again");
	munmap(nowhere, LOG_BYTES);
}

/* Another log, another eventfd, none; each time a frame must come in. */
static void changes(void)
{
	bool good = true;
	unsigned int i;
	uint8_t *old;

	for (i = 0; i < 300 && good; i++) {
		old = dirty;
		dirty = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(dirty != MAP_FAILED);
		must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
		ring_kick(&vmm.q[RX]);
		/* A frame is under way, or about to be, while the log changes. */
		good = wire_send(&wire, dirty, 60) && !set_log(i % 3) &&
		       !vmm_ioctl(vmm.dev, VHOST_SET_LOG_FD, i % 2 ? &told : &(int){ -1 }) &&
		       ring_reap_n(&vmm.q[RX], 1, 5000);
		munmap(old, LOG_BYTES);
	}
	claim(good, "logs and eventfds change under traffic, and what was a log is unmapped");
	claim(vmm_works(&vmm, &wire), "frames pass both ways after that");
}

int main(int argc, char **argv)
{
	unsigned long n = 3000;
	int c;

	while ((c = getopt(argc, argv, "n:")) >= 0) {
		if (c != 'n')
			exit(2);
		n = strtoul(optarg, NULL, 0);
	}
	if (optind < argc)
		vmm_device = argv[optind];
	vmm_begin(1, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	dirty = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	must(dirty != MAP_FAILED);
	told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(vmm_works(&vmm, &wire), "frames pass both ways");
	claim(!vmm_ioctl(vmm.dev, VHOST_SET_LOG_FD, &told) && !set_log(true),
	      "logging is turned on while queues run");
	frames(n);
	no_bytes();
	off();
	not_mapped();
	changes();
	vmm_close(&vmm);
	claim(vmm_no_twin_left(), "no twin is left");
	wire_close(&wire);
	return report_end();
}
