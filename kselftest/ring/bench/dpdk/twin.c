// SPDX-License-Identifier: GPL-2.0-only
/* The engine of this repository, with its frames copied to buffers. */
#include <stdlib.h>
#include <string.h>

#include <linux/uaccess.h>

#include "kselftest/ring/bench/dpdk/side.h"
#include "virtio-fastpath/vfp.h"

enum { HEADROOM = 128 };

static struct vfp_ring ring;
static struct vfp_cache cache;
static struct vhost_iotlb mem;
/*
 * As many as DPDK's pool keeps at hand for a processor, and like those not a multiple
 * of 4096 from where the frames come from: the processor would take them for one.
 */
static _Alignas(4096) uint8_t frames[NUM][HEADROOM + ROOM + HEADROOM];
static unsigned long calls;

void twin_start(const struct sender *sender)
{
	bool packed = sender->work->packed;

	ring = (struct vfp_ring) {
		.cache = &cache,
		.num = NUM,
		.packed = packed,
		.desc = (void *)(sender->ram + DESC_AT),
		.avail = (void *)(sender->ram + AVAIL_AT),
		.used = (void *)(sender->ram + USED_AT),
		.event_idx = true,
		.indirect = true,
	};
	mem.nmaps = 1;
	mem.maps[0] = (struct vhost_iotlb_map) {
		.start = GPA,
		.last = GPA + RAM_SIZE - 1,
		.addr = (unsigned long)sender->ram,
	};
	vfp_ring_set_mem(&ring, &mem);
	vfp_ring_set_base(&ring, packed ? 0x80008000 : 0);
	if (vfp_ring_start(&ring))
		abort();
}

/* All but the header, which is a device's own business. */
static unsigned int copy_frame(const struct vfp_chain *chain, uint8_t *to)
{
	unsigned int i, skip = HEADER, len = 0;
	const struct iovec *iov = chain->iov;

	for (i = 0; i < chain->nr_out; i++, iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		memcpy(to + len, (uint8_t *)iov->iov_base + skip,
		       iov->iov_len - skip);
		len += iov->iov_len - skip;
		skip = 0;
	}
	return len;
}

static uint64_t take_batch(unsigned int from)
{
	struct vfp_used used[BATCH];
	struct iovec iov[16];
	struct vfp_chain chain = { .iov = iov, .max = 16 };
	unsigned int i;
	uint64_t sum = 0;
	uint8_t *to;

	for (i = 0; i < BATCH; i++) {
		if (vfp_ring_pop(&ring, &chain) != 1 || chain.out_len > ROOM)
			abort();
		to = frames[from + i] + HEADROOM;
		sum += copy_frame(&chain, to) + *to;
		used[i] = (struct vfp_used) { .id = chain.id, .slots = chain.slots };
	}
	if (vfp_ring_push(&ring, used, BATCH) || vfp_ring_publish(&ring) != 1)
		abort();
	calls += vfp_ring_need_call(&ring);
	return sum;
}

uint64_t twin_take(void)
{
	unsigned int i;
	uint64_t sum = 0;

	for (i = 0; i < NUM; i += BATCH)
		sum += take_batch(i);
	return sum;
}
