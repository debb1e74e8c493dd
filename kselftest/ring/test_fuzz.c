// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random rings, most of them nearly sound, against the reference.
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/oracle.h"
#include "kselftest/ring/tests.h"

#define NR_RIGS		6	/* sizes 1 to 32 */
#define TABLES		4

static u64 seed;
/* Each byte of the guest's memory lies in a region of its own. */
static bool bytes;
static struct oracle oracle;
static unsigned long taken, faults[VFP_NR_FAULTS];

static const char *const names[] = {
	[VFP_FAULT_RING_ACCESS] = "RING_ACCESS",
	[VFP_FAULT_AVAIL_JUMP]	= "AVAIL_JUMP",
	[VFP_FAULT_HEAD]	= "HEAD",
	[VFP_FAULT_NEXT]	= "NEXT",
	[VFP_FAULT_LOOP]	= "LOOP",
	[VFP_FAULT_INDIRECT]	= "INDIRECT",
	[VFP_FAULT_ORDER]	= "ORDER",
	[VFP_FAULT_TOO_LONG]	= "TOO_LONG",
	[VFP_FAULT_ADDRESS]	= "ADDRESS",
	[VFP_FAULT_DIRECTION]	= "DIRECTION",
	[VFP_FAULT_LOG]		= "LOG",
};

static u32 below(u32 n)
{
	return rig_random(&seed) % n;
}

static bool once_in(u32 n)
{
	return !below(n);
}

static u64 any_addr(void)
{
	static const u64 ends[] = {
		RIG_GPA, RIG_GPA + 1000, RIG_GPA + 0x20000, RIG_GPA + RIG_RAM,
		1ULL << 16, 1ULL << 32, 1ULL << 63, 0,
	};

	if (once_in(8))
		return ends[below(8)] + below(33) - 16;
	if (once_in(64))
		return rig_random(&seed);
	return RIG_GPA + below(RIG_RAM - 4096);
}

static u32 any_len(void)
{
	static const u32 lens[] = {
		0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
	};

	return once_in(12) ? lens[below(7)] : 1 + below(bytes ? 40 : 2000);
}

static u16 any_next(unsigned int num, unsigned int i)
{
	if (once_in(64))
		return rig_random(&seed);
	if (once_in(12))
		return below(num + 1);
	return (i + 1) % num;
}

static u16 any_flags(bool table, unsigned int *writes)
{
	u16 flags = 0;

	if (!once_in(3))
		flags |= DRV_F_NEXT;
	*writes |= once_in(4);
	if (*writes && !once_in(24))
		flags |= DRV_F_WRITE;
	if (once_in(table ? 64 : 8))
		flags = DRV_F_INDIRECT | (once_in(16) ? flags : 0);
	if (once_in(64))
		flags ^= 1 << below(16);
	return flags;
}

static u64 table_addr(void)
{
	return RIG_GPA + RIG_TABLE + 4096 * below(TABLES);
}

static void any_desc(void *at, unsigned int i, unsigned int num, bool table,
		     unsigned int *writes)
{
	u16 flags = any_flags(table, writes);
	u64 addr = any_addr();
	u32 len = any_len();

	if (flags & DRV_F_INDIRECT && !once_in(16)) {
		addr = table_addr();
		len = once_in(16) ? below(200) : 16 * (1 + below(8));
		if (once_in(64))
			len |= 0xfffffff0;
	}
	drv_put_desc(at, i, addr, len, flags, any_next(num, i));
}

static void any_table(void *at, unsigned int num, bool table)
{
	unsigned int i, writes = 0;

	for (i = 0; i < num; i++) {
		if (once_in(4))
			writes = 0;
		any_desc(at, i, num, table, &writes);
	}
}

/* One region, or a few with cuts and holes in between. */
static void any_regions(struct rig *rig)
{
	u64 at = 0, end;

	rig_no_regions(rig);
	if (once_in(4))
		rig_region(rig, -4096ULL, ~0ULL, 4096);
	if (once_in(2)) {
		rig_region(rig, RIG_GPA, RIG_GPA + RIG_RAM - 1, 0);
		return;
	}
	while (at < RIG_RAM && rig->mem.nmaps < 12) {
		end = at + 1 + below(once_in(8) ? 64 : RIG_RAM / 3);
		if (end > RIG_RAM)
			end = RIG_RAM;
		rig_region(rig, RIG_GPA + at, RIG_GPA + end - 1, at);
		at = end + (once_in(3) ? 1 + below(16) : 0);
	}
}

static void any_ring(struct rig *rig)
{
	unsigned int i, num = rig->drv.num;
	u16 base = once_in(2) ? rig_random(&seed) : 65536 - below(8);

	any_regions(rig);
	any_table(rig->drv.desc, num, false);
	for (i = 0; i < TABLES; i++)
		any_table(rig->ram + RIG_TABLE + 4096 * i, 8, true);
	for (i = 0; i < num; i++)
		drv_put_avail(&rig->drv, i, once_in(64) ? rig_random(&seed) :
							  below(num));
	drv_put_idx(&rig->drv, base + (once_in(32) ? below(65536) :
						     below(num + 2)));
	drv_put_used_idx(&rig->drv, rig_random(&seed));
	rig->ring.indirect = !once_in(16);
	rig->chain.max = once_in(32) ? below(4) : VFP_MAX_SEGS;
	vfp_ring_set_base(&rig->ring, base);
	expect_eq(vfp_ring_start(&rig->ring), 0);
}

void fuzz_split_ring(struct rig *rig, u64 *state)
{
	seed = *state;
	any_ring(rig);
	*state = seed;
}

/* Beyond what pop has seen of it, the index is what memory has. */
static enum vfp_fault expected(const struct rig *rig, bool *empty)
{
	u16 head, ahead = rig->ring.avail_idx - rig->ring.last_avail;

	*empty = false;
	if (!ahead)
		ahead = drv_idx(&rig->drv) - rig->ring.last_avail;
	if (ahead > rig->drv.num)
		return VFP_FAULT_AVAIL_JUMP;
	*empty = !ahead;
	if (!ahead)
		return VFP_FAULT_NONE;
	if (!oracle_head(rig, &head))
		return VFP_FAULT_HEAD;
	oracle_walk(rig, head, &oracle);
	return oracle.fault;
}

static bool pop(struct rig *rig)
{
	bool empty;
	enum vfp_fault want = expected(rig, &empty);
	int ret = rig_pop(rig);

	expect_eq(ret, want ? -EIO : empty ? 0 : 1);
	expect_eq(rig->ring.fault, want);
	expect(shim.reads <= 2 + rig->drv.num + 32 * VFP_MAX_SEGS +
			     3 * VFP_AHEAD + 2 * VFP_TABLES);
	expect_eq(shim.writes, 0);
	faults[rig->ring.fault]++;
	if (ret != 1)
		return false;
	taken++;
	oracle_compare(rig, &oracle);
	return !tap_failed();
}

/* Regions are cut from ram, so each segment must be memory in whole. */
static void touch(struct rig *rig)
{
	unsigned int i;

	for (i = 0; i < rig->chain.nr_out + rig->chain.nr_in; i++)
		expect(shim_reachable(rig->iov[i].iov_base,
				      rig->iov[i].iov_len));
}

static void call(struct rig *rig)
{
	u16 old = rig->ring.called_idx, event = rig_random(&seed);
	bool first = !rig->ring.called_valid;

	if (vfp_ring_publish(&rig->ring) != 1)
		return;
	if (!once_in(4))
		event = rig->ring.used_idx - below(8);
	drv_put_used_event(&rig->drv, event);
	drv_put_avail_flags(&rig->drv, event);
	expect_eq(drv_used_idx(&rig->drv), rig->ring.next_used);
	expect_eq(vfp_ring_need_call(&rig->ring),
		  !rig->ring.event_idx ? !(event & DRV_F_NO_INTERRUPT) :
		  first || oracle_event(event, rig->ring.used_idx, old));
}

/* What a device does with the ring, and a guest meanwhile. */
static void try_ring(struct rig *rig)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		if (!pop(rig))
			break;
		touch(rig);
		if (once_in(8)) {
			rig_unpop(&rig->ring, 1);
			continue;
		}
		expect_eq(rig_push(&rig->ring, rig->chain.id, i), 0);
		if (once_in(3))
			call(rig);
		if (once_in(8) && vfp_ring_notify_on(&rig->ring) < 0)
			break;
		if (once_in(8)) {
			any_table(rig->drv.desc, rig->drv.num, false);
			rig_read_anew(rig);
		}
	}
	call(rig);
}

/* One fault ends a ring, so there are as many malformed ones as faults. */
void fuzz_note(const char *format, unsigned long rings, unsigned long chains,
	       const unsigned long counts[VFP_NR_FAULTS])
{
	unsigned long malformed = 0;
	unsigned int i;

	for (i = 1; i < VFP_NR_FAULTS; i++)
		malformed += counts[i];
	tap_note("%s: %lu rings of seed %#llx, %lu malformed, %lu chains", format,
		 rings, fuzz_seed, malformed, chains);
	for (i = 1; i < VFP_NR_FAULTS; i++)
		tap_note("%s: %lu", names[i], counts[i]);
}

static void fuzz(const char *name, unsigned long rings)
{
	static struct rig rigs[NR_RIGS];
	unsigned long n;
	unsigned int i;

	seed = fuzz_seed;
	for (i = 0; i < NR_RIGS; i++) {
		rig_init(&rigs[i], 1 << i, i & 1 ? RIG_EVENT_IDX : 0, 0);
		rigs[i].mem.bytes = bytes;
	}
	for (n = 0; n < rings && !tap_failed(); n++) {
		tap_case("ring %lu of seed %#llx", n, fuzz_seed);
		any_ring(&rigs[n % NR_RIGS]);
		try_ring(&rigs[n % NR_RIGS]);
	}
	fuzz_note(name, n, taken, faults);
	for (i = VFP_FAULT_AVAIL_JUMP; i < VFP_FAULT_DIRECTION; i++)
		expect(faults[i]);
	expect(!faults[VFP_FAULT_DIRECTION]);
	for (i = 0; i < NR_RIGS; i++)
		rig_exit(&rigs[i]);
}

static void test_fuzz(void)
{
	fuzz("split", fuzz_rings);
}

static void test_bytes(void)
{
	bytes = true;
	fuzz("split-by-bytes", fuzz_rings / 8);
}

const struct test fuzz_tests[] = {
	{ "random rings do as the reference says", test_fuzz, NULL },
	{ "so do random rings where each byte is a region", test_bytes, NULL },
	{ },
};
