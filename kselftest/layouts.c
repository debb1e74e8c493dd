// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory of up to 64 regions of any size, in any order, some of them side by
 * side (BUGCLASSES E7): a buffer may lie in several; what it holds is the same as
 * when the regions are looked up byte by byte.
 */
#include "kselftest/vmm.h"
#include "kselftest/frames.h"

#include <time.h>

#define NUM		64
#define MAX_REGIONS	64
#define FRAMES		8
#define MAX_LEN		3000
#define BASE		0x123456000ull

static struct vmm vmm;
static struct wire wire;
static uint64_t state;

static struct {
	uint32_t			nregions;
	uint32_t			padding;
	struct vhost_memory_region	r[MAX_REGIONS];
} table;

static uint32_t any(uint32_t below)
{
	return frames_random(&state) % below;
}

static void swap_regions(unsigned int a, unsigned int b)
{
	struct vhost_memory_region r = table.r[a];

	table.r[a] = table.r[b];
	table.r[b] = r;
}

/* From a few bytes to more than any frame has. */
static uint64_t any_size(void)
{
	return 1 + (any(4) ? any(600) : any(2 * MAX_LEN));
}

/*
 * One after the other in the guest's memory, with a gap now and then; in the
 * VMM's in another order, and in the table in a third.
 */
static void make_layout(void)
{
	uint64_t gpa = BASE, user = (uintptr_t)vmm.mem;
	unsigned int i, n = 1 + any(MAX_REGIONS);

	table.nregions = n;
	for (i = 0; i < n; i++) {
		table.r[i].guest_phys_addr = gpa;
		table.r[i].memory_size = any_size();
		gpa += table.r[i].memory_size + (any(6) ? 0 : 1 + any(5000));
	}
	for (i = n; i-- > 1;)
		swap_regions(i, any(i + 1));
	for (i = 0; i < n; i++) {
		table.r[i].userspace_addr = user;
		user += table.r[i].memory_size + any(64);
	}
	for (i = n; i-- > 1;)
		swap_regions(i, any(i + 1));
}

/* Where a byte of the guest's is, or NULL. */
static uint8_t *look_up(uint64_t gpa)
{
	unsigned int i;

	for (i = 0; i < table.nregions; i++)
		if (gpa >= table.r[i].guest_phys_addr &&
		    gpa - table.r[i].guest_phys_addr < table.r[i].memory_size)
			return (uint8_t *)(uintptr_t)(table.r[i].userspace_addr +
				gpa - table.r[i].guest_phys_addr);
	return NULL;
}

static size_t known_from(uint64_t gpa, size_t most)
{
	size_t n = 0;

	while (n < most && look_up(gpa + n))
		n++;
	return n;
}

/* A buffer that is wholly in regions.  Returns its length, or 0 if none is found. */
static size_t any_buffer(uint64_t *gpa)
{
	const struct vhost_memory_region *r;
	unsigned int tries;
	size_t len;

	for (tries = 0; tries < 100; tries++) {
		r = &table.r[any(table.nregions)];
		*gpa = r->guest_phys_addr + any(r->memory_size);
		len = known_from(*gpa, VMM_HDR + ETH_HLEN + any(MAX_LEN));
		if (len >= VMM_HDR + ETH_HLEN)
			return len;
	}
	return 0;
}

static unsigned int crossings;

static void count_crossings(uint64_t gpa, size_t len)
{
	unsigned int i;

	for (i = 0; i < table.nregions; i++)
		crossings += table.r[i].guest_phys_addr > gpa &&
			     table.r[i].guest_phys_addr < gpa + len;
}

static bool out(uint64_t gpa, size_t len, uint32_t seed)
{
	struct seg seg = { gpa, len, 0 };
	uint8_t frame[MAX_LEN + 64];
	size_t i;

	wire_fill(frame, len - VMM_HDR, seed);
	for (i = 0; i < len; i++)
		*look_up(gpa + i) = i < VMM_HDR ? 0 : frame[i - VMM_HDR];
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
	ring_kick(&vmm.q[TX]);
	return wire_expect(&wire, frame, len - VMM_HDR) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000);
}

/* And nothing else of the guest's memory has changed. */
static bool in(uint64_t gpa, size_t len, uint32_t seed)
{
	static uint8_t expected[VMM_MEM];
	struct seg seg = { gpa, len, VRING_DESC_F_WRITE };
	uint8_t frame[MAX_LEN + 64];
	size_t i;

	wire_fill(frame, len - VMM_HDR, seed);
	for (i = 0; i < VMM_HDR; i++)
		*look_up(gpa + i) = 0;
	*look_up(gpa + 10) = 1;	/* how many buffers */
	memcpy(expected, vmm.mem, VMM_MEM / 16);
	for (i = VMM_HDR; i < len; i++)
		expected[look_up(gpa + i) - vmm.mem] = frame[i - VMM_HDR];
	must(ring_add(&vmm.q[RX], &seg, 1) >= 0);
	ring_kick(&vmm.q[RX]);
	if (!wire_send(&wire, frame, len - VMM_HDR) ||
	    !ring_reap_n(&vmm.q[RX], 1, 5000))
		return false;
	return !memcmp(expected, vmm.mem, VMM_MEM / 16) ||
	       because("memory is not as expected");
}

/* A buffer that begins in a region and ends in none. */
static bool ends_outside(int q)
{
	const struct vhost_memory_region *r = &table.r[any(table.nregions)];
	uint64_t gpa = r->guest_phys_addr + any(r->memory_size);
	size_t len = known_from(gpa, 1 << 20);
	struct seg seg = { gpa, len + 1 + any(100),
			   q == RX ? VRING_DESC_F_WRITE : 0 };
	uint8_t frame[100];

	wire_fill(frame, sizeof(frame), 1);
	must(ring_add(&vmm.q[q], &seg, 1) >= 0);
	ring_publish(&vmm.q[q]);
	if (q == RX)
		must(wire_send(&wire, frame, sizeof(frame)));
	ring_signal(vmm.q[q].kick);
	if (!ring_poll(vmm.q[q].err, 5000))
		return because("VRING_ERR is not raised");
	must(!vmm_backend(&vmm, q, -1));
	wire_drain(&wire);
	return equal(-vmm_restart_queue(&vmm, q, wire.tap, 0), 0, "restart");
}

static bool layout_good(uint64_t seed)
{
	uint64_t gpa;
	unsigned int i;
	size_t len;

	state = seed;
	make_layout();
	if (!equal(-vmm_ioctl(vmm.dev, VHOST_SET_MEM_TABLE, &table), 0,
		   "SET_MEM_TABLE"))
		return false;
	for (i = 0; i < FRAMES; i++) {
		len = any_buffer(&gpa);
		if (!len)
			break;
		count_crossings(gpa, len);
		if (!out(gpa, len, i) || !in(gpa, len, i + 1))
			return because("%u regions, %zu bytes at 0x%llx",
				       table.nregions, len,
				       (unsigned long long)gpa);
	}
	return ends_outside(seed & 1 ? RX : TX);
}

static bool layouts(uint64_t seed, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!layout_good(seed + i))
			return because("layout of seed %llu",
				       (unsigned long long)seed + i);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	unsigned int n = argc > 3 ? atoi(argv[3]) : 300;

	vmm_begin(argc, argv);
	note("layouts of seeds %llu to %llu", (unsigned long long)seed,
	     (unsigned long long)seed + n - 1);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(layouts(seed, n), "frames pass in memory of any layout");
	note("%u times a buffer goes on in another region", crossings);
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
