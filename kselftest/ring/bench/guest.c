// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "kselftest/ring/bench/guest.h"
#include "kselftest/ring/bytes.h"

#define RAM_SIZE	(64UL << 20)
#define RAM_GPA		0x100000000ULL
#define PART		(RAM_SIZE / GUEST_MAX_REGIONS)

/* Where the parts of a ring lie, in pages as a Linux driver has them. */
enum {
	AVAIL_AT	= 16 * BENCH_NUM,
	USED_AT		= 8192,
	RING_SIZE	= 12288,
};

/* In each part of the memory: tables first, buffers behind. */
enum {
	TABLE_ROOM	= 64,
	BUFFERS_AT	= 0x10000,
	BUFFER_ROOM	= 2048,
};

static const uint32_t lengths[] = { 12, 54, 1448 };

static uint8_t *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

/* All guests have the same memory: they only read it. */
static uint8_t *ram(void)
{
	static uint8_t *base;

	if (!base)
		base = map(RAM_SIZE);
	return base;
}

/* Parts that follow one another do not do so in the process. */
static void set_regions(struct guest *guest, unsigned int n)
{
	uint64_t size = RAM_SIZE / n;
	unsigned int i;

	for (i = 0; i < n; i++)
		guest->regions[i] = (struct bench_region) {
			.start = RAM_GPA + i * size,
			.last = RAM_GPA + (i + 1) * size - 1,
			.addr = (unsigned long)ram() + i * 37 % n * size,
		};
	guest->ring.regions = guest->regions;
	guest->ring.nr_regions = n;
}

static uint8_t *to_process(const struct guest *guest, uint64_t gpa)
{
	uint64_t size = RAM_SIZE / guest->ring.nr_regions;
	const struct bench_region *r = &guest->regions[(gpa - RAM_GPA) / size];

	return (uint8_t *)r->addr + (gpa - r->start);
}

/* The n-th buffer or table lies in another part than the one before. */
static uint64_t place(unsigned int n, uint64_t from, uint64_t room)
{
	return RAM_GPA + n * 29 % GUEST_MAX_REGIONS * PART + from +
	       n / GUEST_MAX_REGIONS * room;
}

static uint64_t hash(uint64_t h, uint64_t value)
{
	return (h ^ value) * 0x100000001b3;
}

static void hash_chain(struct guest *guest, unsigned int id,
		       const struct drv_buf *bufs, unsigned int n)
{
	guest->hash = hash(guest->hash, id);
	for (; n; n--, bufs++) {
		guest->hash = hash(guest->hash, (uint64_t)
				   to_process(guest, bufs->addr));
		guest->hash = hash(guest->hash, bufs->len);
	}
}

/* In a packed ring, as it is in either of two laps. */
static void put_packed(struct guest *guest, const struct setting *setting,
		       unsigned int n, const struct drv_buf *bufs,
		       uint64_t table)
{
	unsigned int i, wrap;
	uint16_t flags;

	for (i = 0; setting->indirect && i < setting->segs; i++)
		pdrv_put_desc(to_process(guest, table), i, bufs[i].addr,
			      bufs[i].len, 0, 0);
	for (wrap = 0; wrap < 2; wrap++) {
		flags = pdrv_avail_flags((struct pdrv_pos) { 0, wrap });
		if (setting->indirect)
			pdrv_put_desc(guest->laps[wrap], n, table,
				      setting->segs * PDRV_DESC_SIZE, n,
				      flags | DRV_F_INDIRECT);
		for (i = 0; !setting->indirect && i < setting->segs; i++)
			pdrv_put_desc(guest->laps[wrap], n * setting->segs + i,
				      bufs[i].addr, bufs[i].len, n, flags |
				      (i < setting->segs - 1 ? DRV_F_NEXT : 0));
	}
}

static void add_chain(struct guest *guest, const struct setting *setting,
		      unsigned int n)
{
	struct drv_buf bufs[BENCH_MAX_SEGS];
	uint64_t table = place(n, 0, TABLE_ROOM);
	unsigned int i, head = n;

	for (i = 0; i < setting->segs; i++)
		bufs[i] = (struct drv_buf) {
			.addr = place(n * setting->segs + i, BUFFERS_AT,
				      BUFFER_ROOM),
			.len = setting->segs == 1 ? 1514 : lengths[i],
		};
	if (guest->packed)
		put_packed(guest, setting, n, bufs, table);
	else if (setting->indirect)
		head = drv_chain_indirect(&guest->drv, bufs, setting->segs,
					  table, to_process(guest, table));
	else
		head = drv_chain(&guest->drv, bufs, setting->segs);
	guest->heads[n] = head;
	hash_chain(guest, head, bufs, setting->segs);
}

static void init_split(struct guest *guest, uint8_t *base)
{
	unsigned int i;

	guest->drv = (struct drv) {
		.num = BENCH_NUM,
		.event_idx = true,
		.desc = base,
		.avail = base + AVAIL_AT,
		.used = base + USED_AT,
		.free = calloc(BENCH_NUM, sizeof(uint16_t)),
		.nr_free = BENCH_NUM,
	};
	for (i = 0; i < BENCH_NUM; i++)
		guest->drv.free[i] = BENCH_NUM - 1 - i;
}

/* A lap is all of the chains, so that every round finds the ring the same. */
static void init_packed(struct guest *guest, uint8_t *base)
{
	guest->ring.num = guest->chains * guest->slots;
	guest->pdrv = (struct pdrv) {
		.num = guest->ring.num,
		.event_idx = true,
		.ring = base,
		.driver_event = base + AVAIL_AT,
		.device_event = base + USED_AT,
	};
}

/* The ring parts lie alike for all contenders, unlike those of drv_init(). */
void guest_init(struct guest *guest, const struct setting *setting, bool packed)
{
	uint8_t *base = map(RING_SIZE);
	unsigned int i;

	*guest = (struct guest) {
		.ring.num = BENCH_NUM,
		.ring.desc = base,
		.ring.avail = base + AVAIL_AT,
		.ring.used = base + USED_AT,
		.packed = packed,
		.slots = setting->indirect ? 1 : setting->segs,
		.chains = BENCH_NUM,
	};
	set_regions(guest, setting->regions);
	/* A part of the avail ring, so that every round finds it the same. */
	while (guest->chains * guest->slots > BENCH_NUM)
		guest->chains /= 2;
	if (packed)
		init_packed(guest, base);
	else
		init_split(guest, base);
	for (i = 0; i < guest->chains; i++)
		add_chain(guest, setting, i);
	for (i = 0; i < BENCH_NUM && !packed; i++)
		drv_put_avail(&guest->drv, i, guest->heads[i % guest->chains]);
}

void guest_offer(struct guest *guest)
{
	if (guest->packed) {
		guest->wrap = !guest->wrap;
		memcpy(guest->pdrv.ring, guest->laps[guest->wrap],
		       pdrv_ring_size(guest->ring.num));
		return;
	}
	guest->drv.offered += guest->chains;
	drv_put_idx(&guest->drv, guest->drv.offered);
}

/* A driver that wants no calls leaves its index far behind. */
void guest_want_no_calls(struct guest *guest)
{
	if (guest->packed)
		pdrv_put_driver_event(&guest->pdrv, guest->ring.num - 1,
				      PDRV_EVENT_DESC);
	else
		drv_put_used_event(&guest->drv, 0xffff);
}

void guest_exit(struct guest *guest)
{
	munmap(guest->ring.desc, RING_SIZE);
	free(guest->drv.free);
}

/* What the contender that is being checked has shown since it was asked. */
static uint64_t seen_hash;

static void see_segs(const struct iovec *iov, unsigned int n)
{
	for (; n; n--, iov++) {
		seen_hash = hash(seen_hash, (uint64_t)iov->iov_base);
		seen_hash = hash(seen_hash, iov->iov_len);
	}
}

/* A segment that is not read is not where one was hashed; see add_chain(). */
static void see(unsigned int head, const struct iovec *out, unsigned int nr_out,
		const struct iovec *in, unsigned int nr_in)
{
	seen_hash = hash(seen_hash, head);
	see_segs(out, nr_out);
	if (nr_in)
		seen_hash = hash(seen_hash, nr_in);
	see_segs(in, nr_in);
}

/* Virtio 1.3, section 2.8.6: each where the chain began. */
static bool used_right_packed(const struct guest *guest)
{
	uint16_t want = guest->wrap ? PDRV_F_AVAIL | PDRV_F_USED : 0;
	const uint8_t *desc = guest->pdrv.ring;
	unsigned int i;

	for (i = 0; i < guest->chains; i++, desc += 16 * guest->slots)
		if (get32(desc + 8) != bench_used_len(i) ||
		    get16(desc + 12) != i ||
		    (get16(desc + 14) & (PDRV_F_AVAIL | PDRV_F_USED)) != want)
			return false;
	return true;
}

/* Has the driver got all of its chains back, in their order? */
static bool used_right(struct guest *guest)
{
	uint32_t id, len;
	unsigned int i;

	if (guest->packed)
		return used_right_packed(guest);
	for (i = 0; i < guest->chains; i++) {
		/* What is taken is offered again: nothing need be freed. */
		guest->drv.nr_free = 0;
		if (!drv_take(&guest->drv, &id, &len) ||
		    id != guest->heads[i] || len != bench_used_len(id))
			return false;
	}
	return drv_used_idx(&guest->drv) == guest->drv.seen;
}

/* Virtio 1.3, section 2.7.7.2: a call is due when the entry @event is used. */
static unsigned long calls_due(uint16_t from, unsigned int chains,
			       unsigned int batch, uint16_t event)
{
	return (uint16_t)(event - from) / batch < chains / batch;
}

static const char *check_round(const struct bench_contender *contender,
			       const struct setting *setting,
			       struct guest *guest, uint16_t event)
{
	unsigned long due = calls_due(guest->drv.offered, guest->chains,
				      setting->batch, event);
	unsigned long before = bench_calls;

	if (guest->packed)
		guest_want_no_calls(guest);
	else
		drv_put_used_event(&guest->drv, event);
	guest_offer(guest);
	seen_hash = 0;
	if (contender->drain(guest->chains, setting->batch, see))
		return "failed";
	if (seen_hash != guest->hash)
		return "took other chains";
	if (!used_right(guest))
		return "gave other chains back";
	/* Of a packed ring the engine's own tests have all events. */
	if (!guest->packed && bench_calls - before != due)
		return "called when it need not, or not when it must";
	return NULL;
}

/* Round the indices once, with wishes for calls near and far. */
bool guest_check(const struct bench_contender *contender,
		 const struct setting *setting)
{
	const char *wrong = NULL;
	uint16_t event = 0;
	unsigned int i, random = 1;
	struct guest guest;

	guest_init(&guest, setting, contender->packed);
	if (contender->start(&guest.ring))
		wrong = "did not start";
	for (i = 0; i < 0x12000 / guest.chains && !wrong; i++) {
		wrong = check_round(contender, setting, &guest, event);
		random = random * 1103515245 + 12345;
		event = guest.drv.offered + (random >> 16) % (2 * BENCH_NUM);
	}
	if (wrong)
		fprintf(stderr, "%s, %s: %s in round %u\n", contender->name,
			setting->name, wrong, i);
	guest_exit(&guest);
	return !wrong;
}
