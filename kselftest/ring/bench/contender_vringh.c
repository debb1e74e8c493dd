// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's host side ring helpers, drivers/vhost/vringh.c. */
#include <linux/uio.h>
#include <linux/vringh.h>
#include <uapi/linux/virtio_config.h>

#include "kselftest/ring/bench/table.h"

static struct vringh ring;
static struct vhost_iotlb table;
static struct iovec out_iov[BENCH_MAX_SEGS], in_iov[BENCH_MAX_SEGS];
static struct vringh_iov out, in;

static int vringh_start(const struct bench_ring *from)
{
	int err = bench_table(&table, from);

	if (err)
		return err;
	vringh_iov_init(&out, out_iov, BENCH_MAX_SEGS);
	vringh_iov_init(&in, in_iov, BENCH_MAX_SEGS);
	return vringh_init_user(&ring,
				BIT_ULL(VIRTIO_F_VERSION_1) |
				BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
				BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
				BENCH_NUM, true, (void __user *)from->desc,
				(void __user *)from->avail,
				(void __user *)from->used);
}

static bool get_range(struct vringh *vrh, u64 addr, struct vringh_range *range)
{
	struct vhost_iotlb_map *map = vhost_iotlb_itree_first(&table, addr,
							      addr);

	if (unlikely(!map))
		return false;
	range->start = map->start;
	range->end_incl = map->last;
	range->offset = map->addr - map->start;
	return true;
}

static int take(struct vring_used_elem *elem, bench_see see)
{
	u16 head;

	if (unlikely(vringh_getdesc_user(&ring, &out, &in, get_range,
					 &head) != 1))
		return -EIO;
	if (unlikely(see))
		see(head, out.iov, out.used, in.iov, in.used);
	elem->id = (__force __virtio32)cpu_to_le32(head);
	elem->len = (__force __virtio32)cpu_to_le32(bench_used_len(head));
	return 0;
}

static int vringh_drain(unsigned int chains, unsigned int batch, bench_see see)
{
	struct vring_used_elem elems[BENCH_MAX_BATCH];
	unsigned int i;

	for (; chains; chains -= batch) {
		for (i = 0; i < batch; i++)
			if (unlikely(take(&elems[i], see)))
				return -EIO;
		if (unlikely(vringh_complete_multi_user(&ring, elems, batch)))
			return -EIO;
		if (vringh_need_notify_user(&ring) > 0)
			bench_calls++;
	}
	return 0;
}

const struct bench_contender bench_vringh = {
	.name	= "vringh",
	.start	= vringh_start,
	.drain	= vringh_drain,
};
