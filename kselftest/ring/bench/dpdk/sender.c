// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest/ring/bench/dpdk/side.h"
#include "kselftest/ring/bytes.h"

static uint64_t frame_at(unsigned int n)
{
	return GPA + FRAMES_AT + (uint64_t)n * ROOM;
}

/* Descriptors of frame @n, or of its table; in a packed ring, in both laps. */
static void put_frame(struct sender *sender, unsigned int n)
{
	const struct work *work = sender->work;
	struct drv_buf bufs[2] = {
		{ .addr = frame_at(n), .len = HEADER },
		{ .addr = frame_at(n) + HEADER, .len = work->bytes },
	};
	uint64_t table = GPA + TABLES_AT + 32 * n;
	uint8_t *to = sender->ram + TABLES_AT + 32 * n;
	uint64_t addr = work->table ? table : frame_at(n);
	uint32_t len = work->table ? 32 : HEADER + work->bytes;
	unsigned int lap;

	memset(sender->ram + FRAMES_AT + n * ROOM + HEADER, n, work->bytes);
	if (!work->packed) {
		if (work->table)
			drv_chain_indirect(&sender->drv, bufs, 2, table, to);
		else
			drv_put_desc(sender->drv.desc, n, addr, len, 0, 0);
		drv_put_avail(&sender->drv, n, n);
		return;
	}
	pdrv_put_desc(to, 0, bufs[0].addr, bufs[0].len, 0, 0);
	pdrv_put_desc(to, 1, bufs[1].addr, bufs[1].len, 0, 0);
	for (lap = 0; lap < 2; lap++)
		pdrv_put_desc(sender->laps[lap], n, addr, len, n,
			      pdrv_avail_flags((struct pdrv_pos) { 0, lap }) |
			      (work->table ? DRV_F_INDIRECT : 0));
}

void sender_init(struct sender *sender, const struct work *work)
{
	unsigned int n;

	memset(sender, 0, sizeof(*sender));
	sender->work = work;
	sender->fd = memfd_create("guest", 0);
	if (sender->fd < 0 || ftruncate(sender->fd, RAM_SIZE))
		err(1, "memfd");
	sender->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   sender->fd, 0);
	if (sender->ram == MAP_FAILED)
		err(1, "mmap");
	sender->drv = (struct drv) {
		.num = NUM,
		.event_idx = true,
		.desc = sender->ram + DESC_AT,
		.avail = sender->ram + AVAIL_AT,
		.used = sender->ram + USED_AT,
		.free = calloc(NUM, sizeof(uint16_t)),
		.nr_free = NUM,
	};
	for (n = 0; n < NUM; n++)
		sender->drv.free[n] = NUM - 1 - n;
	sender->pdrv = (struct pdrv) {
		.num = NUM,
		.event_idx = true,
		.ring = sender->ram + DESC_AT,
		.driver_event = sender->ram + AVAIL_AT,
		.device_event = sender->ram + USED_AT,
	};
	for (n = 0; n < NUM; n++)
		put_frame(sender, n);
	/* It wants no calls. */
	if (work->packed)
		pdrv_put_driver_event(&sender->pdrv, 0, PDRV_EVENT_DISABLE);
	else
		drv_put_used_event(&sender->drv, 0xffff);
}

void sender_exit(struct sender *sender)
{
	munmap(sender->ram, RAM_SIZE);
	close(sender->fd);
	free(sender->drv.free);
}

/* All frames, again. */
void sender_offer(struct sender *sender)
{
	if (sender->work->packed) {
		sender->wrap = !sender->wrap;
		memcpy(sender->pdrv.ring, sender->laps[sender->wrap], 16 * NUM);
		return;
	}
	sender->drv.offered += NUM;
	drv_publish(&sender->drv);
	/* Never reached: the call would be due then. */
	drv_put_used_event(&sender->drv, sender->drv.offered - 2 * NUM);
}

bool sender_all_back(struct sender *sender)
{
	uint16_t both = PDRV_F_AVAIL | PDRV_F_USED;

	if (!sender->work->packed)
		return drv_used_idx(&sender->drv) == sender->drv.offered;
	return (pdrv_flags(&sender->pdrv, 0) & both) == (sender->wrap ? both : 0);
}
