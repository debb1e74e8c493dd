// SPDX-License-Identifier: GPL-2.0-only
/*
 * A broken ring: the queue stops, the slow twin is told, the fault is counted
 * by its kind; the other queue goes on, and a restart heals.
 */
#include "kselftest/vmm.h"

#define SCRATCH	(4u << 20)
#define GOOD	(VMM_GPA + SCRATCH)
#define NUM	64

/* A field that is left out is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static struct vmm vmm;
static struct wire wire;

/* Queues on which a fault can be made. */
enum { ON_RX = 1 << RX, ON_TX = 1 << TX, ON_BOTH = ON_RX | ON_TX };

struct fault {
	const char	*name;
	const char	*counter;
	unsigned int	queues;
	bool		plain;	/* indirect tables were not negotiated */
	/* @dir: descriptor flag of the direction that is right */
	void		(*make)(struct ring *ring, uint16_t dir);
};

static void put(struct vring_desc *desc, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next)
{
	*desc = (struct vring_desc) { addr, len, flags, next };
}

static struct vring_desc *table(void)
{
	return (void *)(vmm.mem + SCRATCH + 0x10000);
}

/* Descriptor 0 refers to a table of @len bytes. */
static void offer_table(struct ring *ring, uint32_t len, uint16_t flags)
{
	put(&ring->desc[0], vmm_gpa(&vmm, table()), len,
	    VRING_DESC_F_INDIRECT | flags, 1);
	ring_offer(ring, 0);
}

static void offer_one(struct ring *ring, uint64_t addr, uint32_t len,
		      uint16_t flags)
{
	put(&ring->desc[0], addr, len, flags, 0);
	ring_offer(ring, 0);
}

static void jump_ahead(struct ring *ring, uint16_t dir)
{
	(void)dir;
	ring->avail_idx += ring->num + 1;
}

static void jump_back(struct ring *ring, uint16_t dir)
{
	(void)dir;
	ring->avail_idx--;
}

static void head_is_num(struct ring *ring, uint16_t dir)
{
	(void)dir;
	ring_offer(ring, ring->num);
}

static void head_is_max(struct ring *ring, uint16_t dir)
{
	(void)dir;
	ring_offer(ring, 0xffff);
}

static void next_is_num(struct ring *ring, uint16_t dir)
{
	put(&ring->desc[0], GOOD, 100, dir | VRING_DESC_F_NEXT, ring->num);
	ring_offer(ring, 0);
}

static void next_is_max(struct ring *ring, uint16_t dir)
{
	put(&ring->desc[0], GOOD, 100, dir | VRING_DESC_F_NEXT, 1);
	put(&ring->desc[1], GOOD, 100, dir | VRING_DESC_F_NEXT, 0xffff);
	ring_offer(ring, 0);
}

static void loop_of_one(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 1, dir | VRING_DESC_F_NEXT);
}

static void loop_of_two(struct ring *ring, uint16_t dir)
{
	put(&ring->desc[0], GOOD, 1, dir | VRING_DESC_F_NEXT, 1);
	put(&ring->desc[1], GOOD, 1, dir | VRING_DESC_F_NEXT, 0);
	ring_offer(ring, 0);
}

static void loop_of_nothing(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 0, dir | VRING_DESC_F_NEXT);
}

static void table_in_table(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 32, VRING_DESC_F_INDIRECT | dir, 0);
	offer_table(ring, 16, 0);
}

static void table_of_17(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 100, dir, 0);
	offer_table(ring, 17, 0);
}

static void table_of_0(struct ring *ring, uint16_t dir)
{
	(void)dir;
	offer_table(ring, 0, 0);
}

static void table_and_next(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 100, dir, 0);
	put(&ring->desc[1], GOOD, 100, dir, 0);
	offer_table(ring, 16, VRING_DESC_F_NEXT);
}

static void table_of_one(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 2000, dir, 0);
	offer_table(ring, 16, 0);
}

static void table_next_outside(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 100, dir | VRING_DESC_F_NEXT, 2);
	offer_table(ring, 32, 0);
}

static void table_loop(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 1, dir | VRING_DESC_F_NEXT, 1);
	put(table() + 1, GOOD, 1, dir | VRING_DESC_F_NEXT, 0);
	offer_table(ring, 32, 0);
}

static void table_huge(struct ring *ring, uint16_t dir)
{
	put(table(), GOOD, 1, dir | VRING_DESC_F_NEXT, 0);
	offer_table(ring, 0xfffffff0, 0);
}

static void table_outside(struct ring *ring, uint16_t dir)
{
	(void)dir;
	put(&ring->desc[0], VMM_GPA - 16, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(ring, 0);
}

static void table_half_outside(struct ring *ring, uint16_t dir)
{
	(void)dir;
	put(&ring->desc[0], VMM_GPA + VMM_MEM - 8, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(ring, 0);
}

static void too_many_segments(struct ring *ring, uint16_t dir)
{
	unsigned int i;

	/* Each lies in two regions. */
	for (i = 0; i < 600; i++)
		put(table() + i, VMM_GPA + VMM_SPLIT - 1, 2,
		    dir | (i < 599 ? VRING_DESC_F_NEXT : 0), i + 1);
	offer_table(ring, 600 * 16, 0);
}

static void readable_last(struct ring *ring, uint16_t dir)
{
	(void)dir;
	put(&ring->desc[0], GOOD, 100, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	put(&ring->desc[1], GOOD, 100, 0, 0);
	ring_offer(ring, 0);
}

static void address_0(struct ring *ring, uint16_t dir)
{
	offer_one(ring, 0, 2000, dir);
}

static void address_behind(struct ring *ring, uint16_t dir)
{
	offer_one(ring, VMM_GPA + VMM_MEM, 2000, dir);
}

static void address_across_end(struct ring *ring, uint16_t dir)
{
	offer_one(ring, VMM_GPA + VMM_MEM - 1999, 2000, dir);
}

static void address_user(struct ring *ring, uint16_t dir)
{
	offer_one(ring, (uintptr_t)vmm.mem, 2000, dir);
}

static void address_wraps(struct ring *ring, uint16_t dir)
{
	offer_one(ring, -10ull, 2000, dir);
}

static void length_huge(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, ~0u, dir);
}

static void wrong_direction(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 2000, dir ^ VRING_DESC_F_WRITE);
}

static void both_directions(struct ring *ring, uint16_t dir)
{
	(void)dir;
	put(&ring->desc[0], GOOD, 1000, VRING_DESC_F_NEXT, 1);
	put(&ring->desc[1], GOOD, 1000, VRING_DESC_F_WRITE, 0);
	ring_offer(ring, 0);
}

static void empty_buffer(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 0, dir);
}

static void no_desc(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 2000, dir);
	munmap(ring->desc, RING_PART);
}

static void no_used(struct ring *ring, uint16_t dir)
{
	offer_one(ring, GOOD, 2000, dir);
	munmap(ring->used, RING_PART);
}

static const struct fault faults[] = {
	{ "avail->idx jumps ahead", "avail_jump", ON_BOTH, false, jump_ahead },
	{ "avail->idx goes back", "avail_jump", ON_BOTH, false, jump_back },
	{ "a head out of range by one", "head", ON_BOTH, false, head_is_num },
	{ "a head of 65535", "head", ON_BOTH, false, head_is_max },
	{ "a next out of range by one", "next", ON_BOTH, false, next_is_num },
	{ "a next of 65535", "next", ON_BOTH, false, next_is_max },
	{ "a descriptor that follows itself", "loop", ON_BOTH, false, loop_of_one },
	{ "two descriptors in a loop", "loop", ON_BOTH, false, loop_of_two },
	{ "empty descriptors in a loop", "loop", ON_BOTH, false, loop_of_nothing },
	{ "a table in a table", "indirect", ON_BOTH, false, table_in_table },
	{ "a table of 17 bytes", "indirect", ON_BOTH, false, table_of_17 },
	{ "a table of no bytes", "indirect", ON_BOTH, false, table_of_0 },
	{ "a table with a next", "indirect", ON_BOTH, false, table_and_next },
	{ "a table that was not negotiated", "indirect", ON_BOTH, true, table_of_one },
	{ "a table's next out of range", "next", ON_BOTH, false, table_next_outside },
	{ "a table with a loop", "loop", ON_BOTH, false, table_loop },
	{ "a huge table", "loop", ON_BOTH, false, table_huge },
	{ "a table outside of the regions", "address", ON_BOTH, false, table_outside },
	{ "a table half outside of the regions", "address", ON_BOTH, false,
	  table_half_outside },
	{ "too many segments", "too_long", ON_BOTH, false, too_many_segments },
	{ "readable after writable", "order", ON_BOTH, false, readable_last },
	{ "address 0", "address", ON_BOTH, false, address_0 },
	{ "an address behind the regions", "address", ON_BOTH, false, address_behind },
	{ "a buffer across the regions' end", "address", ON_BOTH, false,
	  address_across_end },
	{ "the VMM's own address", "address", ON_BOTH, false, address_user },
	{ "an address that wraps", "address", ON_BOTH, false, address_wraps },
	{ "a length of 2^32 - 1", "address", ON_BOTH, false, length_huge },
	{ "a buffer of the wrong direction", "direction", ON_BOTH, false,
	  wrong_direction },
	{ "a chain of both directions", "direction", ON_BOTH, false,
	  both_directions },
	{ "a buffer of no bytes", "direction", ON_RX, false, empty_buffer },
	{ "a descriptor table that is not mapped", "access", ON_BOTH, false, no_desc },
	{ "a used ring that is not mapped", "access", ON_BOTH, false, no_used },
	{ }
};

static bool raised(int q)
{
	struct ring *ring = &vmm.q[q];

	if (!ring_poll(ring->err, 5000))
		return because("VRING_ERR is not raised");
	ring_drain_event(ring->err);
	return true;
}

/* A broken queue does nothing, and says so only once. */
static bool stays_stopped(int q, const char *counter, long long value)
{
	ring_signal(vmm.q[q].kick);
	if (ring_poll(vmm.q[q].err, 20))
		return because("VRING_ERR is raised again");
	return vmm_counted(&vmm, q, counter, value);
}

static bool other_works(int q)
{
	return q == RX ? vmm_try_tx(&vmm, &wire, 200, 1) :
			 vmm_try_rx(&vmm, &wire, 200, 1);
}

static bool heals(int q)
{
	int err;

	must(ring_map(&vmm.q[q]));
	err = vmm_backend(&vmm, q, -1);
	/* What came before the fault is of no use; RX is stopped, or idle. */
	wire_drain(&wire);
	err = err ?: vmm_restart_queue(&vmm, q, wire.tap, 65530);
	if (!equal(-err, 0, "restart"))
		return false;
	return (q == TX ? vmm_try_tx(&vmm, &wire, 200, 2) :
			  vmm_try_rx(&vmm, &wire, 200, 3)) ||
	       because("not healed");
}

/* The bad chain, or the one that could not be given back, is the next one. */
static bool not_taken(int q)
{
	return equal(vmm_get_base(&vmm, q), vmm.q[q].used_idx, "base");
}

static bool caught(const struct fault *fault, int q)
{
	struct ring *ring = &vmm.q[q];
	long long before, upcalls;
	uint8_t frame[200];
	char counter[64];

	snprintf(counter, sizeof(counter), "ring_error_%s", fault->counter);
	before = vmm_counter(&vmm, q, counter);
	upcalls = vmm_counter(&vmm, q, "upcalls");
	fault->make(ring, q == RX ? VRING_DESC_F_WRITE : 0);
	ring->avail->idx = ring->avail_idx;
	if (q == RX) {
		wire_fill(frame, sizeof(frame), 9);
		must(wire_send(&wire, frame, sizeof(frame)));
	}
	ring_signal(ring->kick);
	return raised(q) && vmm_counted(&vmm, q, counter, before + 1) &&
	       vmm_counted(&vmm, q, "upcalls", upcalls + 1) &&
	       not_taken(q) && other_works(q) &&
	       stays_stopped(q, counter, before + 1);
}

static void with(uint64_t features, bool plain, const char *name)
{
	static const char * const queues[] = { "RX", "TX" };
	const struct fault *fault;
	bool good;
	int q;

	vmm_run(&vmm, &wire, VMM_BASIC | features, NUM);
	for (q = RX; q <= TX; q++) {
		for (fault = faults; fault->name; fault++) {
			if (!(fault->queues & 1 << q) ||
			    fault->plain != plain)
				continue;
			good = caught(fault, q);
			good = heals(q) && good;
			claim(good, "%s, %s: %s stops that queue alone", name,
			      queues[q], fault->name);
		}
	}
	claim(vmm_works(&vmm, &wire), "%s: all works after the faults", name);
	vmm_close(&vmm);
}

/*
 * Memory that belongs to the regions but is not mapped: the frame is lost and
 * counted, the ring is not to blame.
 */
static bool tx_buffer_not_mapped(void)
{
	long long before = vmm_counter(&vmm, TX, "drop_fault");
	struct seg seg = { GOOD, 500, 0 };
	void *page = vmm.mem + SCRATCH;

	must(!munmap(page, 4096));
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
	ring_kick(&vmm.q[TX]);
	if (!ring_reap_n(&vmm.q[TX], 1, 5000))
		return false;
	must(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED |
		  MAP_ANONYMOUS, -1, 0) == page);
	return vmm_counted(&vmm, TX, "drop_fault", before + 1) &&
	       vmm_works(&vmm, &wire);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	with(VMM_INDIRECT, false, "indirect");
	with(VMM_INDIRECT | VMM_EVENT_IDX, false, "event index");
	with(0, true, "plain");
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(tx_buffer_not_mapped(), "a TX buffer that is not mapped is counted");
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
