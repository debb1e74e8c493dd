// SPDX-License-Identifier: GPL-2.0-only
/* The engine of this repository. */
#include "kselftest/ring/bench/table.h"
#include "virtio-fastpath/vfp.h"

static struct vfp_ring ring;
static struct vfp_cache cache;
static struct vhost_iotlb table;
static struct iovec iov[BENCH_MAX_SEGS];

/* The other format; all else is one and the same code. */
static struct vfp_ring packed_ring;
static struct vfp_cache packed_cache;
static struct vhost_iotlb packed_table;

/* From the first descriptor of a lap whose counter is 1 (virtio 1.3, 2.8.1). */
#define PACKED_BASE	0x80008000

static int start(struct vfp_ring *ring, const struct bench_ring *from,
		 struct vfp_cache *cache, struct vhost_iotlb *table,
		 bool packed)
{
	int err = bench_table(table, from);

	if (err)
		return err;
	*ring = (struct vfp_ring) {
		.cache = cache,
		.num = from->num,
		.packed = packed,
		.desc = (void __user *)from->desc,
		.avail = (void __user *)from->avail,
		.used = (void __user *)from->used,
		.event_idx = true,
		.indirect = true,
	};
	vfp_ring_set_mem(ring, table);
	vfp_ring_set_base(ring, packed ? PACKED_BASE : 0);
	return vfp_ring_start(ring);
}

static int twin_start(const struct bench_ring *from)
{
	return start(&ring, from, &cache, &table, false);
}

static int packed_start(const struct bench_ring *from)
{
	return start(&packed_ring, from, &packed_cache, &packed_table, true);
}

static __always_inline int take(struct vfp_ring *ring, struct vfp_used *used,
				bench_see see)
{
	struct vfp_chain chain = { .iov = iov, .max = BENCH_MAX_SEGS };

	if (unlikely(vfp_ring_pop(ring, &chain) != 1))
		return -EIO;
	if (unlikely(see))
		see(chain.id, iov, chain.nr_out, iov + chain.nr_out,
		    chain.nr_in);
	*used = (struct vfp_used) {
		.id = chain.id,
		.slots = chain.slots,
		.len = bench_used_len(chain.id),
	};
	return 0;
}

static __always_inline int drain(struct vfp_ring *ring, unsigned int chains,
				 unsigned int batch, bench_see see)
{
	struct vfp_used used[BENCH_MAX_BATCH];
	unsigned int i;

	for (; chains; chains -= batch) {
		for (i = 0; i < batch; i++)
			if (unlikely(take(ring, &used[i], see)))
				return -EIO;
		if (unlikely(vfp_ring_push(ring, used, batch) ||
			     vfp_ring_publish(ring) != 1))
			return -EIO;
		if (vfp_ring_need_call(ring))
			bench_calls++;
	}
	return 0;
}

static int twin_drain(unsigned int chains, unsigned int batch, bench_see see)
{
	return drain(&ring, chains, batch, see);
}

static int packed_drain(unsigned int chains, unsigned int batch, bench_see see)
{
	return drain(&packed_ring, chains, batch, see);
}

const struct bench_contender bench_twin = {
	.name	= "kvm-twin",
	.start	= twin_start,
	.drain	= twin_drain,
};

const struct bench_contender bench_packed = {
	.name	= "packed",
	.packed	= true,
	.start	= packed_start,
	.drain	= packed_drain,
};
