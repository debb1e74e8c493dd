// SPDX-License-Identifier: GPL-2.0-only
/*
 * The software TLB: it knows the pages that it has learnt and that nobody has changed
 * since, and no others.
 */
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"
#include "kselftest/ring/twice.h"

/* Six pages for each set. */
#define TAGS		6
#define STRIDE		(VFP_STLB_SETS * PAGE_SIZE)

static struct vfp_stlb *stlb;
static u8 *memory;
static u64 seed = 1;

static u32 below(u32 n)
{
	return rig_random(&seed) % n;
}

static void begin(void)
{
	memory = twice_map(TAGS * STRIDE);
	stlb = aligned_alloc(64, sizeof(*stlb));
	memset(stlb, 0, sizeof(*stlb));
	vfp_stlb_init(stlb);
}

static void end(void)
{
	expect_eq(shim.pinned, 0);
	twice_unmap();
	free(stlb);
}

static u8 *page(unsigned int set, unsigned int tag)
{
	return memory + tag * STRIDE + set * PAGE_SIZE;
}

/* What an access section finds. */
static void *find(const void *at, size_t len)
{
	void *found;

	spin_lock_bh(&stlb->lock);
	stlb->missed = false;
	found = vfp_stlb_at(stlb, at, len);
	spin_unlock_bh(&stlb->lock);
	return found;
}

static bool knows(const void *at)
{
	const void *found = find(at, 1);

	expect(!found || found == twice_kernel(at));
	expect_eq(stlb->missed, !found);
	return found;
}

/* A change from one byte to another, from its beginning to its end. */
static bool change(const void *first, const void *last)
{
	bool found = vfp_stlb_invalidate(stlb, (unsigned long)first,
					 (unsigned long)last);

	vfp_stlb_settled(stlb);
	return found;
}

static void test_fill(void)
{
	u8 *at;

	begin();
	at = page(7, 1);
	expect(!knows(at));
	expect_eq(vfp_stlb_fill(stlb, at + 1000), 1);
	expect_eq(shim.dirtied, 1);
	expect_eq(vfp_stlb_fill(stlb, at + 4095), 0);
	expect_eq(shim.dirtied, 1);
	expect(knows(at) && knows(at + 4095));
	expect(!knows(at - 1) && !knows(at + 4096) && !knows(page(7, 2)));
	expect_eq(find(at + 10, 4086), twice_kernel(at + 10));
	/* More than the page has; which is not to say that it is not known. */
	expect_eq(find(at + 10, 4087), NULL);
	expect(!stlb->missed);
	end();
}

static void test_unwritable(void)
{
	begin();
	expect_eq(vfp_stlb_fill(stlb, memory - 1), -EFAULT);
	expect_eq(vfp_stlb_fill(stlb, memory + TAGS * STRIDE), -EFAULT);
	expect_eq(shim.dirtied, 0);
	expect(!knows(memory) && !knows(memory - 1));
	end();
}

static unsigned int known_of_set(unsigned int set)
{
	unsigned int tag, n = 0;

	for (tag = 0; tag < TAGS; tag++)
		n += knows(page(set, tag));
	return n;
}

static void test_full(void)
{
	unsigned int i, tag;

	begin();
	expect_eq(vfp_stlb_fill(stlb, page(8, 0)), 1);
	expect_eq(vfp_stlb_fill(stlb, page(6, 5)), 1);
	for (tag = 0; tag < VFP_STLB_WAYS; tag++) {
		expect_eq(vfp_stlb_fill(stlb, page(7, tag)), 1);
		expect_eq(known_of_set(7), tag + 1);
	}
	for (i = 0; i < 100 && !tap_failed(); i++) {
		for (tag = 0; knows(page(7, tag)); tag++)
			;
		tap_case("page %u, the %uth", tag, i);
		expect_eq(vfp_stlb_fill(stlb, page(7, tag)), 1);
		expect(knows(page(7, tag)));
		expect_eq(known_of_set(7), VFP_STLB_WAYS);
	}
	expect(knows(page(8, 0)) && knows(page(6, 5)));
	/* Where one has gone is room, and so none of the others goes. */
	for (i = 0; i < 4 * TAGS; i++) {
		tag = i * (TAGS - 1) % TAGS;
		if (!knows(page(7, tag)))
			continue;
		expect(change(page(7, tag), page(7, tag)));
		expect_eq(known_of_set(7), VFP_STLB_WAYS - 1);
		expect_eq(vfp_stlb_fill(stlb, page(7, tag)), 1);
		expect_eq(known_of_set(7), VFP_STLB_WAYS);
	}
	end();
}

/* All that is known in a few sets, by a plain reference. */
static struct {
	u8	*at;
	bool	known;
} pages[7 * 4];

static void choose_pages(void)
{
	static const unsigned int sets[] = { 0, 1, 2, 511, 1021, 1022, 1023 };
	/* The set that memory begins in. */
	unsigned long begins = (unsigned long)memory / PAGE_SIZE;
	unsigned int i;

	for (i = 0; i < 7 * 4; i++)
		pages[i].at = page((sets[i % 7] - begins) % VFP_STLB_SETS, 1 + i / 7);
}

static void learn_some(void)
{
	unsigned int i;

	for (i = 0; i < 7 * 4; i++)
		if (below(2)) {
			expect_eq(vfp_stlb_fill(stlb, pages[i].at + below(4096)),
				  !pages[i].known);
			pages[i].known = true;
		}
}

static void change_some(u8 *first, u8 *last)
{
	bool found = false;
	unsigned int i;

	tap_case("from %#lx to %#lx", first - memory, last - memory);
	for (i = 0; i < 7 * 4; i++)
		if (pages[i].known && pages[i].at + 4095 >= first && pages[i].at <= last) {
			pages[i].known = false;
			found = true;
		}
	expect_eq(change(first, last), found);
	for (i = 0; i < 7 * 4; i++)
		expect_eq(knows(pages[i].at), pages[i].known);
}

static void test_change(void)
{
	static const unsigned int lengths[] = { 1, 2, 1022, 1023, 1024, 1025, 1026, 3000 };
	unsigned int i, k;
	u8 *first;

	begin();
	choose_pages();
	for (i = 0; i < 28 && !tap_failed(); i++)
		for (k = 0; k < 8 * 8; k++) {
			learn_some();
			/* So many pages, which begin or end at page i. */
			first = pages[i].at - (k & 8 ? (lengths[k % 8] - 1) * 4096 : 0);
			change_some(first + (k & 16 ? below(4096) : 0),
				    first + lengths[k % 8] * 4096 -
				    (k & 32 ? 1 + below(4096) : 1));
		}
	learn_some();
	change_some(NULL, (u8 *)~0UL);
	expect(!change(NULL, (u8 *)~0UL));
	end();
}

static void test_under_way(void)
{
	unsigned long changes;
	u8 *at;

	begin();
	at = page(0, 0);
	/* Two at once, of which one is about something else. */
	vfp_stlb_invalidate(stlb, (unsigned long)at, (unsigned long)at);
	vfp_stlb_invalidate(stlb, 0, 4095);
	expect(!vfp_stlb_note(stlb, &changes));
	expect_eq(vfp_stlb_fill(stlb, at), -EAGAIN);
	vfp_stlb_settled(stlb);
	expect_eq(vfp_stlb_fill(stlb, at), -EAGAIN);
	expect_eq(shim.dirtied, 0);
	vfp_stlb_settled(stlb);
	expect(vfp_stlb_note(stlb, &changes));
	expect_eq(vfp_stlb_fill(stlb, at), 1);
	/* What is known is so until it is what changes. */
	vfp_stlb_invalidate(stlb, 0, 4095);
	expect_eq(vfp_stlb_fill(stlb, at), 0);
	expect(knows(at));
	vfp_stlb_settled(stlb);
	end();
}

/* What happens once a page that is to be learnt has been found. */
static void (*meanwhile)(void);

static bool on_pin(const void *at)
{
	(void)at;
	meanwhile();
	return true;
}

static void begin_change(void)
{
	vfp_stlb_invalidate(stlb, 0, 4095);
}

static void change_all(void)
{
	change(NULL, (void *)~0UL);
}

static void forget(void)
{
	vfp_stlb_forget(stlb);
}

static void test_meanwhile(void)
{
	void (*const all[])(void) = { begin_change, change_all, forget };
	unsigned int i;
	u8 *at;

	begin();
	at = page(3, 3);
	for (i = 0; i < 3; i++) {
		tap_case("%u", i);
		meanwhile = all[i];
		shim.on_pin = on_pin;
		expect_eq(vfp_stlb_fill(stlb, at), -EAGAIN);
		shim.on_pin = NULL;
		expect(!knows(at));
		expect_eq(shim.pinned, 0);
		if (meanwhile == begin_change)
			vfp_stlb_settled(stlb);
	}
	expect_eq(vfp_stlb_fill(stlb, at), 1);
	end();
}

static void test_fill_segments(void)
{
	struct iovec iov[7] = { };
	u8 *hole;

	begin();
	hole = memory + TAGS * STRIDE;
	iov[0] = (struct iovec) { page(0, 0), 0 };
	iov[1] = (struct iovec) { page(1, 0) + 4095, 2 };
	iov[2] = (struct iovec) { hole, 0 };
	iov[3] = (struct iovec) { page(2, 0), 4096 };	/* once more */
	iov[4] = (struct iovec) { page(4, 0), 4097 };
	iov[5] = (struct iovec) { hole - 1, 2 };
	iov[6] = (struct iovec) { page(9, 0), 1 };
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 0, 64), 0);
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 4, 64), 2);
	expect(!knows(page(0, 0)) && knows(page(1, 0)) && knows(page(2, 0)));
	expect(!knows(page(3, 0)));
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 5, 64), 2);
	expect(knows(page(4, 0)) && knows(page(5, 0)) && !knows(page(6, 0)));
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 5, 64), 0);
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 7, 64), -EFAULT);
	expect(knows(hole - 1) && !knows(page(9, 0)));
	/* No more than that, be they known or not, in however many segments. */
	change_all();
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 7, 4), 3);
	expect(knows(page(4, 0)) && !knows(page(5, 0)));
	iov[0].iov_len = 8 * 4096;
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 7, 7), 4);
	expect(knows(page(6, 0)) && !knows(page(7, 0)));
	expect_eq(vfp_stlb_fill_segments(stlb, iov, 7, 0), 0);
	end();
}

/* Segments that lie anywhere in some pages, some of them empty. */
static size_t any_segments(struct iovec *iov, unsigned int n)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		iov[i].iov_base = page(0, 0) + below(12 * 4096);
		iov[i].iov_len = below(4) ? 1 + below(below(4) ? 100 : 9000) : 0;
		len += iov[i].iov_len;
	}
	return len;
}

/* The pages of @len bytes, which are all known but for @unknown; how many parts. */
static unsigned int expect_parts(const struct iovec *iov, size_t len,
				 const struct bio_vec *to, const u8 *unknown)
{
	unsigned int n = 0;
	bool missed = false;
	size_t done, part;
	u8 *at;

	for (; len; iov++)
		for (done = 0; done < iov->iov_len && len; done += part, len -= part) {
			at = iov->iov_base + done;
			part = min_t(size_t, 4096 - (unsigned long)at % 4096,
				     min_t(size_t, iov->iov_len - done, len));
			if ((unsigned long)at / 4096 == (unsigned long)unknown / 4096)
				missed = true;
			if (to && !missed) {
				expect_eq((char *)to[n].bv_page + to[n].bv_offset,
					  twice_kernel(at));
				expect_eq(to[n].bv_len, part);
				expect(to[n].bv_offset < 4096);
			}
			n++;
		}
	return missed ? 0 : n;
}

static void try_segments(const struct iovec *iov, size_t len, const u8 *unknown)
{
	unsigned int n, want = expect_parts(iov, len, NULL, unknown);
	struct bio_vec to[64];

	spin_lock_bh(&stlb->lock);
	stlb->missed = false;
	n = vfp_stlb_segments(stlb, iov, len, to, want ?: 64);
	expect_eq(n, want);
	expect_eq(stlb->missed, !want);
	if (n == want)
		expect_parts(iov, len, to, unknown);
	stlb->missed = false;
	if (want) {
		expect_eq(vfp_stlb_segments(stlb, iov, len, to, want - 1), 0);
		expect(stlb->missed);
	}
	spin_unlock_bh(&stlb->lock);
}

static void test_segments(void)
{
	u8 *unknown = NULL;
	struct iovec iov[8], all;
	unsigned int i;
	size_t len;

	begin();
	all = (struct iovec) { memory, 16 * 4096 };
	for (i = 0; i < 20000 && !tap_failed(); i++) {
		vfp_stlb_fill_segments(stlb, &all, 1, 16);
		if (i % 4 == 0) {
			unknown = page(below(15), 0);
			expect(change(unknown, unknown));
		} else {
			unknown = NULL;
		}
		len = any_segments(iov, 8);
		tap_case("round %u, %zu bytes", i, len);
		if (len)
			try_segments(iov, below(2) ? len : 1 + below(len), unknown);
	}
	end();
}

static size_t copied(u8 *to, const u8 *from, size_t len)
{
	size_t left;

	memset(to, 0xee, 3 * 4096);
	spin_lock_bh(&stlb->lock);
	stlb->missed = false;
	left = vfp_stlb_copy(stlb, to, from, len);
	spin_unlock_bh(&stlb->lock);
	expect_eq(memcmp(to, from, len - left), 0);
	expect_eq(to[len - left], 0xee);
	return left;
}

static void test_copy(void)
{
	static u8 to[3 * 4096];
	unsigned int i;

	begin();
	for (i = 0; i < 3 * 4096; i++)
		memory[i] = rig_random(&seed) % 0xee;
	expect_eq(copied(to, memory, 1), 1);
	expect(stlb->missed);
	vfp_stlb_fill(stlb, memory);
	vfp_stlb_fill(stlb, memory + 2 * 4096);
	expect_eq(copied(to, memory + 1, 4095), 0);
	expect(!stlb->missed);
	expect_eq(copied(to, memory, 0), 0);
	expect_eq(copied(to, memory + 4000, 200), 104);
	expect(stlb->missed);
	expect_eq(copied(to, memory + 4000, 8192), 8192 - 96);
	vfp_stlb_fill(stlb, memory + 4096);
	expect_eq(copied(to, memory + 4000, 8192), 0);
	expect(!stlb->missed);
	end();
}

static void test_forget(void)
{
	unsigned int i;

	begin();
	choose_pages();
	for (i = 0; i < 28; i++)
		expect_eq(vfp_stlb_fill(stlb, pages[i].at), 1);
	vfp_stlb_forget(stlb);
	for (i = 0; i < 28; i++)
		expect(!knows(pages[i].at));
	expect(!stlb->mapped);
	expect_eq(vfp_stlb_fill(stlb, pages[0].at), 1);
	end();
}

const struct test stlb_tests[] = {
	{ "stlb: a page is known once it was learnt, dirty, and not held", test_fill, NULL },
	{ "what can't be written to is not learnt", test_unwritable, NULL },
	{ "one page of a set that is full goes when another comes", test_full, NULL },
	{ "a change drops its pages and no others, be it long or short", test_change, NULL },
	{ "nothing is learnt while a change is under way", test_under_way, NULL },
	{ "nor if one has begun meanwhile", test_meanwhile, NULL },
	{ "all pages of segments are learnt, up to one that can't be", test_fill_segments,
	  NULL },
	{ "segments become parts of known pages, all of them or none", test_segments, NULL },
	{ "what is copied ends before a page that is not known", test_copy, NULL },
	{ "a TLB forgets all", test_forget, NULL },
	{ },
};
