/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for a stream, the pages of whose slots and of its ring can be exchanged for
 * others: what is taken out is no longer there for the process, and so not for the
 * device.  It has canaries.
 */
#ifndef KSELFTEST_EXCHANGE_H
#define KSELFTEST_EXCHANGE_H

#include "kselftest/stream.h"

#define PAGE		STREAM_PAGE
#define RING_LEN	(3 * RING_PART)
/* Those of slots, then those of the ring. */
#define SLOT_PAGES	(STREAM_LEN / PAGE)
#define PAGES		(SLOT_PAGES + RING_LEN / PAGE)
/* A file has two for each. */
#define HALF		(VMM_MEM + RING_LEN)
#define CANARY		0x3c

struct range {
	uint8_t	*at;
	size_t	len;
};

/**
 * struct exchange - such memory
 * @vmm: whose it is, and whose RX ring
 * @shared: it is a memfd; or private and anonymous
 * @file: the memfd
 * @whole: all of that, mapped elsewhere
 * @aside: where private pages go
 * @swapped: the file's other page is in its place
 * @taken_out: there is one that has canaries
 */
struct exchange {
	struct vmm	*vmm;
	bool		shared;
	int		file;
	uint8_t		*whole;
	uint8_t		*aside;
	bool		swapped[PAGES];
	bool		taken_out[PAGES];
};

static inline uint8_t *exchange_at(const struct exchange *ex, unsigned int page)
{
	if (page < SLOT_PAGES)
		return ex->vmm->mem + STREAM_AT + page * PAGE;
	return ex->vmm->q[RX].area + (page - SLOT_PAGES) * PAGE;
}

static inline unsigned int exchange_page(const struct exchange *ex, const uint8_t *at)
{
	const uint8_t *slots = ex->vmm->mem + STREAM_AT;

	if (at >= slots && at < slots + STREAM_LEN)
		return (at - slots) / PAGE;
	return SLOT_PAGES + (at - ex->vmm->q[RX].area) / PAGE;
}

static inline off_t exchange_offset(unsigned int page, bool other)
{
	off_t at = page < SLOT_PAGES ? STREAM_AT + page * PAGE :
				       VMM_MEM + (page - SLOT_PAGES) * PAGE;

	return at + (other ? HALF : 0);
}

/* The page that is not in its place. */
static inline uint8_t *exchange_out(const struct exchange *ex, unsigned int page)
{
	return ex->shared ? ex->whole + exchange_offset(page, !ex->swapped[page]) :
			    ex->aside + page * PAGE;
}

static inline bool exchange_intact(const struct exchange *ex, unsigned int page)
{
	const uint8_t *at = exchange_out(ex, page);
	unsigned int i;

	for (i = 0; ex->taken_out[page] && i < PAGE; i++)
		if (at[i] != CANARY)
			return false;
	return true;
}

static inline bool exchange_all_intact(const struct exchange *ex)
{
	unsigned int page;

	for (page = 0; page < PAGES; page++)
		if (!exchange_intact(ex, page))
			return because("page %u was written to where it is no more", page);
	return true;
}

/* Of a file: what is there is put there once more. */
static inline bool exchange_map(const struct exchange *ex, unsigned int page)
{
	uint8_t *at = exchange_at(ex, page);

	return mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ex->file,
		    exchange_offset(page, ex->swapped[page])) == at;
}

/* Another page comes to its place.  Returns 0, an errno, or -1: one was written to. */
static inline int exchange_one(struct exchange *ex, unsigned int page, bool copy)
{
	uint8_t *at = exchange_at(ex, page);

	if (!exchange_intact(ex, page))
		return -1;
	if (ex->shared) {
		if (copy)
			memcpy(exchange_out(ex, page), at, PAGE);
		ex->swapped[page] = !ex->swapped[page];
		if (!exchange_map(ex, page))
			return errno;
	} else {
		if (mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED |
			   MREMAP_DONTUNMAP, exchange_out(ex, page)) == MAP_FAILED)
			return errno;
		if (copy)
			memcpy(at, exchange_out(ex, page), PAGE);
	}
	memset(exchange_out(ex, page), CANARY, PAGE);
	ex->taken_out[page] = true;
	return 0;
}

/* The page that the first, second or third part of the ring is in. */
static inline unsigned int exchange_ring_page(unsigned int part)
{
	return SLOT_PAGES + part * (RING_PART / PAGE);
}

/* The ring's pages or slots, whether posted or not: content must stay. */
static inline struct range exchange_anywhere(const struct exchange *ex, uint64_t *random)
{
	unsigned int page = frames_random(random) % SLOT_PAGES, n = 1;

	switch (frames_random(random) % 8) {
	case 0:
		return (struct range) { exchange_at(ex, 0), STREAM_LEN };
	case 1:
		return (struct range) { exchange_at(ex, SLOT_PAGES), RING_LEN };
	case 2:
		page = exchange_ring_page(frames_random(random) % 3);
		break;
	default:
		if (page + 8 < SLOT_PAGES)
			n += frames_random(random) % 8;
	}
	return (struct range) { exchange_at(ex, page), n * PAGE };
}

/* The device opened with such memory, and a ring in it. */
static inline void exchange_open(struct exchange *ex, struct vmm *vmm, uint64_t features,
				 bool shared)
{
	uint8_t *mem = vmm_new_huge_memory(), *area;

	memset(ex, 0, sizeof(*ex));
	ex->vmm = vmm;
	ex->shared = shared;
	vmm_open_on(vmm, features, STREAM_NUM, mem);
	area = vmm->q[RX].area;
	if (!shared) {
		ex->aside = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(ex->aside != MAP_FAILED);
		return;
	}
	ex->file = memfd_create("ram", MFD_CLOEXEC);
	must(ex->file >= 0 && !ftruncate(ex->file, 2 * HALF));
	ex->whole = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_SHARED, ex->file, 0);
	must(ex->whole != MAP_FAILED);
	must(mmap(mem, VMM_MEM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ex->file,
		  0) == mem);
	must(mmap(area, RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  ex->file, VMM_MEM) == area);
	ring_reset(&vmm->q[RX], 0);
}

static inline void exchange_close(struct exchange *ex)
{
	vmm_close(ex->vmm);
	if (ex->shared) {
		munmap(ex->whole, 2 * HALF);
		close(ex->file);
	} else {
		munmap(ex->aside, PAGES * PAGE);
	}
}

#endif /* KSELFTEST_EXCHANGE_H */
