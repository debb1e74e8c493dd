// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read ahead of the chains that are taken, and what stands for many
 * that are given back.
 */
#include <string.h>

#include "kselftest/ring/bytes.h"
#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

#define NUM	64

/* More chains than are read ahead at a time. */
#define MANY	(VFP_AHEAD + 8)

static struct rig rig;

/* A packed ring: from descriptor @index on. */
static void init_at(bool packed, unsigned int index)
{
	tap_case("%s", packed ? "packed" : "split");
	if (packed)
		rig_init_packed(&rig, NUM, 0, index, true);
	else
		rig_init(&rig, NUM, 0, 65530);
}

/* Over the end of the ring. */
static void init(bool packed)
{
	init_at(packed, 60);
}

static void done(bool packed)
{
	if (packed)
		rig_exit_packed(&rig);
	else
		rig_exit(&rig);
}

static void send(bool packed, unsigned int i, unsigned int n)
{
	struct drv_buf bufs[NUM];

	rig_bufs(i, n, bufs);
	if (packed)
		expect(pdrv_send(&rig.pdrv, bufs, n, i));
	else
		expect(drv_send(&rig.drv, bufs, n) >= 0);
}

/* Nothing but the addresses, so that chains stay what they were else. */
static void overwrite(bool packed)
{
	u8 *desc = packed ? rig.pdrv.ring : rig.drv.desc;
	unsigned int i;

	for (i = 0; i < NUM; i++)
		put64(desc + 16 * i, RIG_GPA + 64 * 200);
}

static void test_as_read(void)
{
	unsigned int i, packed;

	for (packed = 0; packed < 2; packed++) {
		init_at(packed, 0);
		for (i = 0; i < MANY; i++)
			send(packed, i, 1);
		rig_expect_chain(&rig, 0, 1);
		overwrite(packed);
		for (i = 1; i < VFP_AHEAD; i++) {
			rig_expect_chain(&rig, i, 1);
			expect_eq(shim.reads, 0);
		}
		expect_eq(rig_pop(&rig), 1);
		expect_eq(rig.iov[0].iov_base, rig.ram + 64 * 200);
		done(packed);
	}
}

static void forget_by_start(void)
{
	expect_eq(vfp_ring_start(&rig.ring), 0);
}

static void forget_by_base(void)
{
	vfp_ring_set_base(&rig.ring, vfp_ring_base(&rig.ring));
}

static void forget_by_looking_again(void)
{
	vfp_ring_look_again(&rig.ring);
}

static void test_forgotten(void)
{
	static void (*const ways[])(void) = {
		forget_by_start, forget_by_base, forget_by_looking_again,
	};
	unsigned int i, way, packed;

	for (packed = 0; packed < 2; packed++) {
		for (way = 0; way < 3; way++) {
			init(packed);
			for (i = 0; i < 3; i++)
				send(packed, i, 1);
			rig_expect_chain(&rig, 0, 1);
			overwrite(packed);
			ways[way]();
			expect_eq(rig_pop(&rig), 1);
			expect_eq(rig.iov[0].iov_base, rig.ram + 64 * 200);
			done(packed);
		}
	}
}

static void expect_broken(enum vfp_fault fault)
{
	expect_eq(rig_pop(&rig), -EIO);
	expect_eq(rig.ring.fault, fault);
}

/* What the index does not cover any more is not taken, though it was read. */
static void test_set_back(void)
{
	unsigned int i;

	init(false);
	for (i = 0; i < 3; i++)
		send(false, i, 1);
	rig_expect_chain(&rig, 0, 1);
	drv_put_idx(&rig.drv, rig.ring.last_avail);
	expect_eq(vfp_ring_notify_on(&rig.ring), 0);
	expect_eq(rig_pop(&rig), 0);
	drv_publish(&rig.drv);
	expect_eq(vfp_ring_notify_on(&rig.ring), 1);
	rig_expect_chain(&rig, 1, 1);
	rig_expect_chain(&rig, 2, 1);
	expect_eq(rig_pop(&rig), 0);
	done(false);
}

/* Chains before the one that is wrong are taken all the same. */
static void test_wrong_later(void)
{
	u8 *ring;

	init(false);
	send(false, 0, 1);
	send(false, 1, 1);
	rig_offer(&rig, NUM);
	rig_expect_chain(&rig, 0, 1);
	rig_expect_chain(&rig, 1, 1);
	expect_broken(VFP_FAULT_HEAD);
	done(false);

	init(false);
	send(false, 0, 1);
	send(false, 1, 1);
	/* The driver's first head is descriptor 0, as is to be seen here. */
	shim_unmap(rig.drv.desc);
	shim_map(rig.drv.desc, 16);
	rig_expect_chain(&rig, 0, 1);
	expect_broken(VFP_FAULT_RING_ACCESS);
	shim_unmap(rig.drv.desc);
	shim_map(rig.drv.desc, drv_desc_size(NUM));
	done(false);

	init(true);
	send(true, 0, 1);
	send(true, 1, 1);
	send(true, 2, 1);
	ring = rig.pdrv.ring;
	shim_unmap(ring);
	shim_map(ring + 16 * 60, 2 * 16);
	rig_expect_chain(&rig, 0, 1);
	rig_expect_chain(&rig, 1, 1);
	expect_broken(VFP_FAULT_RING_ACCESS);
	shim_unmap(ring + 16 * 60);
	shim_map(ring, pdrv_ring_size(NUM));
	done(true);
}

/* A long chain that leaves what is mapped, behind what was read ahead of it. */
static void test_long_unreachable(void)
{
	const unsigned int mapped = VFP_AHEAD + 3;
	unsigned int packed;
	void *ring;

	for (packed = 0; packed < 2; packed++) {
		init_at(packed, 0);
		send(packed, 0, VFP_AHEAD + 8);
		ring = packed ? rig.pdrv.ring : rig.drv.desc;
		shim_unmap(ring);
		shim_map(ring, 16 * mapped);
		expect_broken(VFP_FAULT_RING_ACCESS);
		expect_eq(rig.chain.slots, mapped);
		shim_unmap(ring);
		shim_map(ring, 16 * NUM);
		done(packed);
	}
}

/* A table's region may have holes; what the chain leaves out may be one. */
static void test_table_unreachable(void)
{
	const unsigned int mapped = 12;
	struct drv_buf buf = { RIG_GPA, 1, false };
	unsigned int n, i;

	for (n = 1; n <= 16; n++) {
		init(false);
		tap_case("%u of 16 descriptors", n);
		rig.ring.indirect = true;
		for (i = 0; i < 16; i++)
			rig_table(&rig, i, RIG_GPA, 1,
				  i < n - 1 ? DRV_F_NEXT : 0, i + 1);
		/* So that the region is known. */
		drv_send(&rig.drv, &buf, 1);
		expect_eq(rig_pop(&rig), 1);
		shim_unmap(rig.ram);
		shim_map(rig.ram, RIG_TABLE + 16 * mapped);
		rig_desc(&rig, 1, RIG_GPA + RIG_TABLE, 16 * 16, DRV_F_INDIRECT, 0);
		rig_offer(&rig, 1);
		expect_eq(rig_pop(&rig), n <= mapped ? 1 : -EIO);
		expect_eq(rig.ring.fault,
			  n <= mapped ? VFP_FAULT_NONE : VFP_FAULT_ADDRESS);
		shim_unmap(rig.ram);
		shim_map(rig.ram, RIG_RAM);
		done(false);
	}
}

/* Many used entries of which the last can't be written: none has moved. */
static void test_push_unreachable(void)
{
	struct vfp_used used[2] = { { .slots = 1 }, { .slots = 1 } };
	unsigned int packed, i;
	void *ring;

	for (packed = 0; packed < 2; packed++) {
		init_at(packed, 0);
		for (i = 0; i < 2; i++) {
			send(packed, i, 1);
			rig_expect_chain(&rig, i, 1);
			used[i].id = rig.chain.id;
		}
		ring = packed ? rig.pdrv.ring : rig.drv.used;
		shim_unmap(ring);
		/* Split: entries 65530 and 65531 of 64, behind flags and index. */
		shim_map(ring, packed ? 16 : 4 + 8 * (65531 % NUM));
		expect_eq(vfp_ring_push(&rig.ring, used, 2), -EIO);
		expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
		expect_eq(vfp_ring_publish(&rig.ring), 0);
		shim_unmap(ring);
		shim_map(ring, packed ? pdrv_ring_size(NUM) : drv_used_size(NUM));
		done(packed);
	}
}

/* Addresses that can be no process's. */
static void test_not_user(void)
{
	struct vfp_used used[2] = { { .slots = 1 }, { .slots = 1 } };
	void *nowhere = (void *)(1UL << 62);
	struct vfp_ring sound;
	unsigned int packed;

	for (packed = 0; packed < 2; packed++) {
		init_at(packed, 0);
		send(packed, 0, VFP_AHEAD + 2);
		sound = rig.ring;
		rig.ring.desc = nowhere;
		expect_broken(VFP_FAULT_RING_ACCESS);
		rig.ring = sound;
		if (!packed) {
			rig.ring.avail = nowhere;
			expect_broken(VFP_FAULT_RING_ACCESS);
			rig.ring = sound;
			rig.ring.used = nowhere;
		} else {
			rig.ring.packed_desc = nowhere;
		}
		expect_eq(vfp_ring_push(&rig.ring, used, 2), -EIO);
		expect_eq(rig.ring.fault, VFP_FAULT_RING_ACCESS);
		done(packed);
	}
}

/* A chain of which some is read ahead, none, or all, wherever it begins. */
static void test_cut(void)
{
	unsigned int before, n, i, packed;

	for (packed = 0; packed < 2; packed++) {
		for (before = 0; before <= VFP_AHEAD; before++) {
			for (n = 1; n <= NUM - before; n += 1 + n / 3) {
				init(packed);
				tap_case("%u chains, then one of %u, packed %u",
					 before, n, packed);
				for (i = 0; i < before; i++)
					send(packed, i, 1);
				send(packed, before, n);
				for (i = 0; i < before; i++)
					rig_expect_chain(&rig, i, 1);
				rig_expect_chain(&rig, before, n);
				expect_eq(rig_pop(&rig), 0);
				done(packed);
			}
		}
	}
}

/* Pops so many and gives them all back at once; the last one with a length. */
static void give_back(unsigned int n)
{
	struct vfp_used used[NUM];
	unsigned int i;

	for (i = 0; i < n; i++) {
		expect_eq(rig_pop(&rig), 1);
		used[i] = (struct vfp_used) {
			.id = rig.chain.id,
			.slots = rig.chain.slots,
			.len = i == n - 1 ? 77 : 1,
		};
	}
	shim_forget();
	expect_eq(vfp_ring_push(&rig.ring, used, n), 0);
	expect_eq(shim.writes, 1);
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	expect_eq(shim.writes, 2);
}

/*
 * Virtio 1.3, section 2.7.9: one entry, with the id of the last chain, and the
 * index goes on by as many as there were.
 */
static void test_order_split(void)
{
	unsigned int i, n, sent = 0;
	u8 *entry;
	u32 id;

	init(false);
	rig.ring.in_order = true;
	for (n = 1; n <= 20; n++) {
		u16 at = rig.ring.used_idx;

		tap_case("%u chains", n);
		for (i = 0; i < n; i++)
			send(false, sent++ % 8, 1);
		give_back(n);
		expect_eq(drv_used_idx(&rig.drv), (u16)(at + n));
		entry = rig.drv.used + 4 + 8 * (at % NUM);
		id = get32(entry);
		expect_eq(id, rig.chain.id);
		expect_eq(get32(entry + 4), 77);
		/* All of them are free again. */
		rig.drv.seen = at + n;
		rig.drv.nr_free += n;
	}
	done(false);
}

/* Section 2.8.8: one descriptor, where the first chain began. */
static void test_order_packed(void)
{
	unsigned int i, n, last = 0;
	u16 pos, id, flags;

	init(true);
	rig.ring.in_order = true;
	for (n = 1; n <= 20; n++) {
		tap_case("%u chains", n);
		pos = rig.ring.used_idx;
		for (i = 0; i < n; i++)
			send(true, i, 1 + i % 3);
		last = n - 1;
		give_back(n);
		id = get16(rig.pdrv.ring + 16 * (pos & 0x7fff) + 12);
		flags = pdrv_flags(&rig.pdrv, pos & 0x7fff);
		expect_eq(id, last);
		expect_eq(get32(rig.pdrv.ring + 16 * (pos & 0x7fff) + 8), 77);
		expect_eq(!!(flags & PDRV_F_USED), pos >> 15);
		expect_eq(!!(flags & PDRV_F_AVAIL), pos >> 15);
		expect_eq(rig.ring.used_idx, rig.ring.last_avail);
		rig.pdrv.nr_free = NUM;
	}
	done(true);
}

const struct test ahead_tests[] = {
	{ "what was read ahead counts as it was read", test_as_read, NULL },
	{ "start, a base and look_again forget what was read ahead",
		test_forgotten, NULL },
	{ "chains that an index set back takes away are not taken",
		test_set_back, NULL },
	{ "what is wrong further on shows when its turn comes",
		test_wrong_later, NULL },
	{ "a long chain that can't be read to its end is a fault",
		test_long_unreachable, NULL },
	{ "of a table, what the chain leaves out need not be there",
		test_table_unreachable, NULL },
	{ "many used entries that can't all be written: nothing has moved",
		test_push_unreachable, NULL },
	{ "addresses that are no process's are refused at each access",
		test_not_user, NULL },
	{ "chains are whole, however much of them is read ahead", test_cut, NULL },
	{ "in order: one used entry stands for many chains",
		test_order_split, NULL },
	{ "in order, packed: one used descriptor stands for many chains",
		test_order_packed, NULL },
	{ },
};
