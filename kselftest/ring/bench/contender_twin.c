// SPDX-License-Identifier: GPL-2.0-only
/* The engine of this repository. */
#include "kselftest/ring/bench/table.h"
#include "virtio-fastpath/vfp.h"

static struct vfp_ring ring;
static struct vfp_cache cache;
static struct vhost_iotlb table;
static struct iovec iov[BENCH_MAX_SEGS];

static int twin_start(const struct bench_ring *from)
{
	int err = bench_table(&table, from);

	if (err)
		return err;
	ring = (struct vfp_ring) {
		.cache = &cache,
		.num = BENCH_NUM,
		.desc = (void __user *)from->desc,
		.avail = (void __user *)from->avail,
		.used = (void __user *)from->used,
		.event_idx = true,
		.indirect = true,
	};
	vfp_ring_set_mem(&ring, &table);
	vfp_ring_set_base(&ring, 0);
	return vfp_ring_start(&ring);
}

static int take(struct vfp_used *used, bench_see see)
{
	struct vfp_chain chain = { .iov = iov, .max = BENCH_MAX_SEGS };

	if (unlikely(vfp_ring_pop(&ring, &chain) != 1))
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

static int twin_drain(unsigned int chains, unsigned int batch, bench_see see)
{
	struct vfp_used used[BENCH_MAX_BATCH];
	unsigned int i;

	for (; chains; chains -= batch) {
		for (i = 0; i < batch; i++)
			if (unlikely(take(&used[i], see)))
				return -EIO;
		if (unlikely(vfp_ring_push(&ring, used, batch) ||
			     vfp_ring_publish(&ring) != 1))
			return -EIO;
		if (vfp_ring_need_call(&ring))
			bench_calls++;
	}
	return 0;
}

const struct bench_contender bench_twin = {
	.name	= "kvm-twin",
	.start	= twin_start,
	.drain	= twin_drain,
};
