/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sound chains in a hostile guest's memory: buffers anywhere in it, cut at any
 * byte, direct or by way of a table.
 */
#ifndef KSELFTEST_BADCHAIN_H
#define KSELFTEST_BADCHAIN_H

#include "kselftest/badring.h"
#include "kselftest/wire.h"

#define CHAIN_HDR	12	/* struct virtio_net_hdr_v1 */

/* Guest memory that is there, behind the tables; may lie across two regions. */
static inline uint64_t chain_place(struct pen *pen, unsigned int len)
{
	const struct arena_region *r = arena_regions;
	const struct part parts[] = {
		{ r[0].gpa + ARENA_BUFFERS, 3 * ARENA_PAGE - ARENA_BUFFERS },
		{ r[1].gpa, 2 * ARENA_PAGE }, { r[2].gpa, ARENA_PAGE },
		{ r[2].gpa + 3 * ARENA_PAGE, ARENA_PAGE }, { r[3].gpa, ARENA_PAGE },
		{ r[0].gpa + 2 * ARENA_PAGE, 2 * ARENA_PAGE },
	};
	const struct part *part = &parts[pen_below(pen, 6)];
	uint32_t spare = part->len - len;

	return part->addr + (pen_once_in(pen, 4) ? spare :
			     pen_below(pen, spare + 1));
}

/* Cut a buffer into at most @most parts, each of any length, also of none. */
static inline unsigned int chain_cut(struct pen *pen, struct part *parts,
				     uint64_t addr, uint32_t len,
				     unsigned int most)
{
	unsigned int i, n = 1 + pen_below(pen, most);

	for (i = 0; i < n; i++) {
		parts[i].addr = addr;
		parts[i].len = i + 1 < n ? pen_below(pen, len + 1) : len;
		addr += parts[i].len;
		len -= parts[i].len;
	}
	return n;
}

/* One chain of at most @most places in the ring; returns its id. */
static inline uint16_t chain_lay(struct badring *r, struct pen *pen,
				 uint64_t addr, uint32_t len, unsigned int most)
{
	bool table = r->indirect && r->tables < ARENA_TABLES && pen_once_in(pen, 3);
	struct part parts[4];
	unsigned int n;

	if (!table && r->single)
		most = 1;
	n = chain_cut(pen, parts, addr, len, table || most > 4 ? 4 : most);
	return bad_lay_chain(r, pen, parts, n, table);
}

/* A frame to send, of which nothing is certain but its ethertype. */
static inline void chain_random_frame(struct badring *r, struct pen *pen,
				      uint64_t addr, uint32_t len)
{
	uint8_t bytes[CHAIN_HDR + ETH_HLEN] = { };
	unsigned int i;

	if (pen_once_in(pen, 2))
		for (i = 0; i < CHAIN_HDR; i++)
			bytes[i] = pen_once_in(pen, 2) ? 0 : pen_random(pen);
	wire_fill(bytes + CHAIN_HDR, ETH_HLEN, 0);
	pen_put_guest(pen, addr, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
	if (len < CHAIN_HDR ||
	    arena_find(r->arena, addr, CHAIN_HDR, &r->header) < CHAIN_HDR)
		r->header = NULL;
}

/*
 * Some chains.  Returns how many they are; in a packed ring, how many places of
 * it they take.
 */
static inline unsigned int chain_lay_some(struct badring *r, struct pen *pen)
{
	unsigned int n = 1 + pen_below(pen, 6), chains = 0, slots = 0, len;
	uint16_t from;
	uint64_t addr;

	r->nr_laid = 0;
	for (; n && slots < r->num; n--, chains++) {
		len = pen_once_in(pen, 4) ? 1 + pen_below(pen, 30) :
					    26 + pen_below(pen, 1000);
		addr = chain_place(pen, len);
		if (!r->dir)
			chain_random_frame(r, pen, addr, len);
		from = r->next;
		chain_lay(r, pen, addr, len, r->num - slots);
		/* None means all round. */
		slots += r->packed ? bad_distance(r, from, r->next) :
				     ((r->next - from - 1) & (r->num - 1)) + 1;
	}
	return r->packed ? slots : chains;
}

#endif /* KSELFTEST_BADCHAIN_H */
