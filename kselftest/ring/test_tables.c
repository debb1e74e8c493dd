// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect tables that are read ahead with the chains that refer to them.
 */
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

enum {
	NUM	= 64,
	MOST	= 20,		/* descriptors of a table: more than are read ahead */
	ROOM	= 16 * MOST,
};

static struct rig rig;

/* One chain has been taken, so that the region is known. */
static void init(bool packed)
{
	struct drv_buf buf = { RIG_GPA, 1, false };

	if (packed) {
		rig_init_packed(&rig, NUM, RIG_INDIRECT, NUM - 4, true);
		pdrv_send(&rig.pdrv, &buf, 1, NUM);
	} else {
		rig_init(&rig, NUM, RIG_INDIRECT, 65530);
		drv_send(&rig.drv, &buf, 1);
	}
	expect_eq(rig_pop(&rig), 1);
}

static void done(bool packed)
{
	if (packed)
		rig_exit_packed(&rig);
	else
		rig_exit(&rig);
}

/* A table of @n, behind @plain descriptors of the ring (none if it is packed). */
static void send(bool packed, unsigned int i, unsigned int plain, unsigned int n)
{
	u64 at = RIG_TABLE + ROOM * i;
	struct drv_buf bufs[NUM];
	int head;

	rig_bufs(i, plain + n, bufs);
	if (packed) {
		expect(pdrv_put_table(&rig.pdrv, bufs, n, i, RIG_GPA + at,
				      rig.ram + at));
		pdrv_show(&rig.pdrv);
		return;
	}
	head = drv_chain_indirect(&rig.drv, bufs + plain, n, RIG_GPA + at,
				  rig.ram + at);
	while (plain--) {
		int next = head;

		head = rig.drv.free[--rig.drv.nr_free];
		rig_desc(&rig, head, bufs[plain].addr, bufs[plain].len,
			 DRV_F_NEXT, next);
	}
	drv_offer(&rig.drv, head);
	drv_publish(&rig.drv);
}

static void test_many(void)
{
	unsigned int packed, n, i, many = 50;

	for (packed = 0; packed < 2; packed++) {
		for (n = 1; n <= MOST; n++) {
			init(packed);
			tap_case("packed %u, tables of %u", packed, n);
			for (i = 0; i < many; i++)
				send(packed, i, 0, 1 + (i + n) % MOST);
			for (i = 0; i < many; i++)
				rig_expect_chain(&rig, i, 1 + (i + n) % MOST);
			expect_eq(rig_pop(&rig), 0);
			done(packed);
		}
	}
}

static void test_behind(void)
{
	unsigned int plain;

	for (plain = 0; plain <= VFP_AHEAD + 9; plain++) {
		init(false);
		tap_case("a table behind %u descriptors", plain);
		send(false, 0, 0, 2);
		send(false, 1, plain, 3);
		send(false, 2, 0, 4);
		rig_expect_chain(&rig, 0, 2);
		rig_expect_chain(&rig, 1, plain + 3);
		rig_expect_chain(&rig, 2, 4);
		done(false);
	}
}

/* Then taking the chains takes no look at memory. */
static void test_reads(void)
{
	unsigned int packed, i;

	for (packed = 0; packed < 2; packed++) {
		init(packed);
		tap_case("packed %u", packed);
		/* Of a packed ring, up to its end. */
		for (i = 0; i < 3; i++)
			send(packed, i, 0, 3);
		rig_expect_chain(&rig, 0, 3);
		shim_forget();
		for (i = 1; i < 3; i++)
			rig_expect_chain(&rig, i, 3);
		expect_eq(shim.reads, 0);
		done(packed);
	}
}

/* A table of @n at @at, not shown yet; the region was hit by the chain before. */
static void offer_table(u64 at, unsigned int n)
{
	struct drv_buf bufs[MOST];

	drv_send(&rig.drv, &(struct drv_buf) { RIG_GPA, 1, false }, 1);
	expect_eq(rig_pop(&rig), 1);
	rig_bufs(0, n, bufs);
	drv_offer(&rig.drv, drv_chain_indirect(&rig.drv, bufs, n, RIG_GPA + at,
					       rig.ram + at));
}

/*
 * A table over the border of two regions; behind the first of them in the process
 * there is another table.
 */
static void test_border(void)
{
	const u64 at = 4096, cut = 16 * 2 + 8, other = 0x20000;
	unsigned int i;

	init(false);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + at + cut - 1, 0);
	rig_region(&rig, RIG_GPA + at + cut, RIG_GPA + 0xffff, other);
	offer_table(at, 4);
	memcpy(rig.ram + other, rig.ram + at + cut, 64 - cut);
	for (i = 0; i < 64 - cut; i++)
		rig.ram[at + cut + i] ^= 0x55;
	drv_publish(&rig.drv);
	rig_expect_chain(&rig, 0, 4);
	done(false);
}

/* What was read of them ahead was read where they lay then. */
static void test_set_mem(void)
{
	const u64 moved = 0x20000;
	struct drv_buf bufs[3];
	unsigned int packed, i;
	u8 *table;

	for (packed = 0; packed < 2; packed++) {
		init(packed);
		tap_case("packed %u", packed);
		for (i = 0; i < 3; i++)
			send(packed, i, 0, 3);
		rig_expect_chain(&rig, 0, 3);
		/* Elsewhere, and with another table for the last. */
		memcpy(rig.ram + moved, rig.ram, moved);
		rig_bufs(1, 3, bufs);
		table = rig.ram + moved + RIG_TABLE + ROOM * 2;
		for (i = 0; i < 3; i++)
			if (packed)
				pdrv_put_desc(table, i, bufs[i].addr,
					      bufs[i].len, 0, 0);
			else
				drv_put_desc(table, i, bufs[i].addr, bufs[i].len,
					     i < 2 ? DRV_F_NEXT : 0, i + 1);
		rig_no_regions(&rig);
		rig_region(&rig, RIG_GPA, RIG_GPA + moved - 1, moved);
		for (i = 1; i < 3; i++) {
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig.chain.nr_out, 3);
			expect_eq(rig.iov[0].iov_base, rig.ram + moved + 64);
		}
		done(packed);
	}
}

/* A table that ends with its region is read ahead to its end. */
static void test_last(void)
{
	const u64 at = 4096;

	init(false);
	rig_no_regions(&rig);
	rig_region(&rig, RIG_GPA, RIG_GPA + at + 47, 0);
	offer_table(at, 3);
	drv_publish(&rig.drv);
	rig_expect_chain(&rig, 0, 3);
	expect_eq(rig.cache.heads[0].tabled, 3);
	done(false);
}

const struct test table_tests[] = {
	{ "tables are whole, however much of them is read ahead", test_many, NULL },
	{ "a table may stand behind other descriptors", test_behind, NULL },
	{ "with tables read ahead, chains are taken without a read", test_reads, NULL },
	{ "of a table, what lies beyond its region is another's", test_border, NULL },
	{ "with other regions, tables are read anew", test_set_mem, NULL },
	{ "a table that ends with its region is read ahead", test_last, NULL },
	{ },
};
