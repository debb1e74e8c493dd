// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vhost-net runs on, drivers/vhost/vhost.c, which our engine replaces.
 * Its eventfd_signal() is ours and counts.
 */
#include <drivers/vhost/vhost.h>

#include "kselftest/ring/bench/table.h"

static struct vhost_dev dev;
static struct vhost_virtqueue vq;
static struct vhost_iotlb table;
static struct iovec table_iov[UIO_MAXIOV];

static int vhost_start(const struct bench_ring *from)
{
	int err = bench_table(&table, from);

	if (err)
		return err;
	dev.umem = &table;
	vq = (struct vhost_virtqueue) {
		.dev = &dev,
		.umem = &table,
		.num = BENCH_NUM,
		.desc = (void __user *)from->desc,
		.avail = (void __user *)from->avail,
		.used = (void __user *)from->used,
		.indirect = table_iov,
		.call_ctx.ctx = (void *)&dev,
		.private_data = &dev,
	};
	vq.acked_features = BIT_ULL(VIRTIO_F_VERSION_1) |
			    BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
			    BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	err = vhost_vq_init_access(&vq);
	vhost_disable_notify(&dev, &vq);
	return err;
}

static int take(struct vring_used_elem *elem, bench_see see)
{
	unsigned int nr_out, nr_in;
	int head = vhost_get_vq_desc(&vq, vq.iov, ARRAY_SIZE(vq.iov), &nr_out,
				     &nr_in, NULL, NULL);

	if (unlikely(head < 0 || head >= BENCH_NUM))
		return -EIO;
	if (unlikely(see))
		see(head, vq.iov, nr_out, vq.iov + nr_out, nr_in);
	elem->id = cpu_to_vhost32(&vq, head);
	elem->len = cpu_to_vhost32(&vq, bench_used_len(head));
	return 0;
}

/* Since 6.18 there is one parameter more, for IN_ORDER. */
typedef void give_old(struct vhost_dev *, struct vhost_virtqueue *,
		      struct vring_used_elem *, unsigned int);
typedef void give_new(struct vhost_dev *, struct vhost_virtqueue *,
		      struct vring_used_elem *, u16 *, unsigned int);

static void give(struct vring_used_elem *elems, unsigned int n)
{
	void *function = vhost_add_used_and_signal_n;

	if (__builtin_types_compatible_p(typeof(vhost_add_used_and_signal_n),
					 give_old))
		((give_old *)function)(&dev, &vq, elems, n);
	else
		((give_new *)function)(&dev, &vq, elems, NULL, n);
}

static int vhost_drain(unsigned int chains, unsigned int batch, bench_see see)
{
	struct vring_used_elem elems[BENCH_MAX_BATCH];
	unsigned int i;

	for (; chains; chains -= batch) {
		for (i = 0; i < batch; i++)
			if (unlikely(take(&elems[i], see)))
				return -EIO;
		give(elems, batch);
	}
	return 0;
}

const struct bench_contender bench_vhost = {
	.name	= "vhost",
	.start	= vhost_start,
	.drain	= vhost_drain,
};
