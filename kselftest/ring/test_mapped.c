// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring that is mapped into the kernel: when it is, when it is not any more, and where
 * its addresses are meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"
#include "kselftest/ring/twice.h"

/* The parts of a ring, which have pages of their own, with others in between. */
#define NR_PAGES	64
#define NUM		512

struct part {
	u8		*at;
	unsigned long	size;
};

static struct vfp_stlb *stlb;
static struct vfp_ring ring;
static struct vfp_cache cache;
static struct part parts[3];
static u8 *memory;

static void begin(bool packed)
{
	memory = twice_map(NR_PAGES * PAGE_SIZE);
	stlb = aligned_alloc(64, sizeof(*stlb));
	memset(stlb, 0, sizeof(*stlb));
	vfp_stlb_init(stlb);
	ring = (struct vfp_ring) {
		.num = NUM, .packed = packed, .cache = &cache, .stlb = stlb,
	};
	parts[0].size = drv_desc_size(NUM);
	parts[1].size = packed ? PDRV_EVENT_SIZE : drv_avail_size(NUM);
	parts[2].size = packed ? PDRV_EVENT_SIZE : drv_used_size(NUM);
	/* The descriptors end where a page does. */
	parts[0].at = memory + PAGE_SIZE;
	parts[1].at = memory + 22 * PAGE_SIZE - 16;
	parts[2].at = memory + 42 * PAGE_SIZE - 16;
	ring.desc = (void *)parts[0].at;
	ring.avail = (void *)parts[1].at;
	ring.used = (void *)parts[2].at;
	expect_eq(vfp_ring_start(&ring), 0);
	shim.dirtied = 0;
}

static void end(void)
{
	expect_eq(shim.pinned, 0);
	vfp_stlb_free(stlb);
	expect_eq(shim.mapped, 0);
	vfp_stlb_free(stlb);
	free(stlb);
	twice_unmap();
}

static unsigned long pages_of(const struct part *part)
{
	unsigned long first = (unsigned long)part->at / PAGE_SIZE;

	return ((unsigned long)part->at + part->size - 1) / PAGE_SIZE - first + 1;
}

static void expect_addresses(bool kernel)
{
	long distance = kernel ? shim.distance : 0;

	expect_eq(ring.desc, (long)parts[0].at + distance);
	expect_eq(ring.avail, (long)parts[1].at + distance);
	expect_eq(ring.used, (long)parts[2].at + distance);
}

/* What an access section finds; its addresses are the owner's again afterwards. */
static bool is_mapped(void)
{
	bool mapped;

	spin_lock_bh(&stlb->lock);
	mapped = vfp_soft_begin(&ring);
	expect_addresses(mapped);
	if (mapped)
		vfp_soft_end(&ring);
	expect_addresses(false);
	spin_unlock_bh(&stlb->lock);
	return mapped;
}

static void change(const void *first, const void *last, bool found)
{
	expect_eq(vfp_stlb_invalidate(stlb, (unsigned long)first, (unsigned long)last),
		  found);
	vfp_stlb_settled(stlb);
}

static void map_and_use(bool packed)
{
	unsigned long pages = 0;
	unsigned int i;

	begin(packed);
	for (i = 0; i < 3; i++)
		pages += pages_of(&parts[i]);
	expect(!is_mapped());
	expect_eq(vfp_stlb_map(&ring), 0);
	expect(is_mapped());
	expect_eq(shim.mapped, 3);
	expect_eq(shim.dirtied, pages);
	expect_eq(shim.pinned, 0);
	/* It is mapped already. */
	expect_eq(vfp_stlb_map(&ring), 0);
	expect_eq(shim.dirtied, pages);
	/* And once more, where it was mapped before. */
	change(parts[1].at, parts[1].at, true);
	expect(!is_mapped());
	expect_eq(vfp_stlb_map(&ring), 0);
	expect(is_mapped());
	expect_eq(shim.mapped, 3);
	end();
}

static void test_map(void)
{
	map_and_use(false);
	map_and_use(true);
}

static void test_logged(void)
{
	begin(false);
	expect_eq(vfp_stlb_map(&ring), 0);
	ring.log_data = true;
	expect(!is_mapped());
	ring.log_data = false;
	ring.log_ring = true;
	expect(!is_mapped());
	ring.log_ring = false;
	expect(is_mapped());
	end();
}

static bool is_ours(const u8 *page)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (page + 4095 >= parts[i].at && page < parts[i].at + parts[i].size)
			return true;
	return false;
}

static void drop_each_page(bool packed)
{
	static const unsigned int offsets[] = { 0, 1, 4079, 4095 };
	unsigned int i, k;
	u8 *page;

	begin(packed);
	for (i = 0; i < NR_PAGES && !tap_failed(); i++)
		for (k = 0; k < 4; k++) {
			page = memory + i * PAGE_SIZE;
			tap_case("page %u, byte %u, packed %u", i, offsets[k], packed);
			expect_eq(vfp_stlb_map(&ring), 0);
			change(page + offsets[k], page + offsets[k], is_ours(page));
			expect_eq(is_mapped(), !is_ours(page));
		}
	expect_eq(vfp_stlb_map(&ring), 0);
	/* All between the pages of two parts. */
	page = parts[0].at + parts[0].size;
	change(page, parts[1].at - (4096 - 16) - 1, false);
	expect(is_mapped());
	change(page - 1, page - 1, true);
	expect(!is_mapped());
	/* What is not mapped is not dropped. */
	change(page - 1, page - 1, false);
	expect_eq(vfp_stlb_map(&ring), 0);
	change(NULL, (void *)~0UL, true);
	expect(!is_mapped());
	end();
}

static void test_drop(void)
{
	drop_each_page(false);
	drop_each_page(true);
}

static unsigned int pins_left;
static void (*meanwhile)(void);

static bool on_pin(const void *at)
{
	(void)at;
	if (pins_left--)
		return true;
	if (meanwhile)
		meanwhile();
	return meanwhile;
}

static void test_partly_pinned(void)
{
	unsigned int i, all;

	begin(false);
	all = pages_of(&parts[0]) + pages_of(&parts[1]) + pages_of(&parts[2]);
	for (i = 0; i < all; i++) {
		tap_case("all but %u pages", all - i);
		pins_left = i;
		shim.dirtied = 0;
		shim.on_pin = on_pin;
		expect_eq(vfp_stlb_map(&ring), -EFAULT);
		shim.on_pin = NULL;
		expect_eq(shim.pinned, 0);
		expect_eq(shim.dirtied, i);
		expect_eq(shim.mapped, 0);
		expect(!is_mapped());
	}
	expect_eq(vfp_stlb_map(&ring), 0);
	end();
}

static void test_no_memory(void)
{
	begin(false);
	shim.no_memory = true;
	expect_eq(vfp_stlb_map(&ring), -ENOMEM);
	shim.no_memory = false;
	shim.no_space = true;
	expect_eq(vfp_stlb_map(&ring), -ENOMEM);
	shim.no_space = false;
	expect(!is_mapped());
	expect_eq(shim.pinned, 0);
	expect_eq(vfp_stlb_map(&ring), 0);
	end();
}

static void change_elsewhere(void)
{
	change(NULL, (void *)4095, false);
}

static void forget(void)
{
	vfp_stlb_forget(stlb);
}

static void begin_change(void)
{
	vfp_stlb_invalidate(stlb, 0, 4095);
}

static void test_change(void)
{
	void (*const all[])(void) = { change_elsewhere, forget, begin_change };
	unsigned int i, k;

	begin(false);
	for (i = 0; i < 3; i++)
		for (k = 0; k < 6; k++) {
			tap_case("%u after %u pages", i, k);
			pins_left = k;
			meanwhile = all[i];
			shim.on_pin = on_pin;
			expect_eq(vfp_stlb_map(&ring), -EAGAIN);
			shim.on_pin = NULL;
			expect(!is_mapped());
			expect_eq(shim.mapped, 0);
			expect_eq(shim.pinned, 0);
			if (meanwhile == begin_change) {
				shim.dirtied = 0;
				expect_eq(vfp_stlb_map(&ring), -EAGAIN);
				expect_eq(shim.dirtied, 0);
				vfp_stlb_settled(stlb);
			}
		}
	meanwhile = NULL;
	expect_eq(vfp_stlb_map(&ring), 0);
	expect(is_mapped());
	end();
}

/* What was mapped before goes when there is something else, and not earlier. */
static void test_again(void)
{
	begin(false);
	expect_eq(vfp_stlb_map(&ring), 0);
	vfp_stlb_forget(stlb);
	expect(!is_mapped());
	expect_eq(shim.mapped, 3);
	parts[0].at += 2 * PAGE_SIZE;
	ring.desc = (void *)parts[0].at;
	expect_eq(vfp_stlb_map(&ring), 0);
	expect(is_mapped());
	expect_eq(shim.mapped, 3);
	/* Where the descriptors were is nothing to it now. */
	change(parts[0].at - 2 * PAGE_SIZE, parts[0].at - 2 * PAGE_SIZE, false);
	expect(is_mapped());
	end();
}

const struct test mapped_tests[] = {
	{ "a ring is mapped where its pages are, dirty, and not held", test_map, NULL },
	{ "a ring that is logged is not used in an access section", test_logged, NULL },
	{ "a change of any of its pages unmaps a ring, and no other", test_drop, NULL },
	{ "a ring that is not there in whole is not mapped", test_partly_pinned, NULL },
	{ "nor is one that there is no memory for", test_no_memory, NULL },
	{ "nor is one that has changed meanwhile", test_change, NULL },
	{ "a ring is mapped again where it is now", test_again, NULL },
	{ },
};
