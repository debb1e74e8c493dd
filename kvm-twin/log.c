// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log of a twin: where it is, whom to tell, and whether there can be one.
 * The bits are set by the ring engine, virtio-fastpath/dirty.c.
 *
 * All of it is a queue's own state, under its lock, so that a pump logs to one log
 * and tells one eventfd, whatever a VMM changes meanwhile.
 */
#include <linux/eventfd.h>

#include "kvm-twin/twin.h"

/* Is the log, at @base, memory of a process as far as the guest's memory goes? */
static bool regions_ok(struct vhost_iotlb *mem, u64 base)
{
	struct vhost_iotlb_map *map;

	for (map = vhost_iotlb_itree_first(mem, 0, U64_MAX); map;
	     map = vhost_iotlb_itree_next(map, 0, U64_MAX))
		if (!vfp_log_ok(base, map->start, map->size))
			return false;
	return true;
}

static bool log_ok(const struct ktwin_vq *vq, struct vhost_iotlb *mem, u64 base,
		   bool log_data)
{
	return (!log_data || (mem && regions_ok(mem, base))) &&
	       (!vq->ring.log_ring || vfp_ring_log_ok(&vq->ring, base));
}

/**
 * ktwin_log_ok() - can what a queue is to log be logged?
 * @vq: the queue
 *
 * Context: process; twin->lock held.
 * Return: whether its log's addresses can be addresses of a process.
 */
bool ktwin_log_ok(const struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->twin->lock);
	return log_ok(vq, vq->twin->mem, vq->ring.log, vq->ring.log_data);
}

/**
 * ktwin_log_mem_ok() - could all of some memory be logged, if that is to be?
 * @twin: the twin
 * @mem: the regions
 * @log_data: whether what is written to buffers is to be logged
 *
 * A queue that is stopped is looked at when it is started, as with vhost.
 *
 * Context: process; twin->lock held.
 * Return: whether the running queues' logs can be memory of a process.
 */
bool ktwin_log_mem_ok(const struct ktwin *twin, struct vhost_iotlb *mem, bool log_data)
{
	unsigned int i;

	lockdep_assert_held(&twin->lock);
	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (twin->vqs[i].port &&
		    !log_ok(&twin->vqs[i], mem, twin->vqs[i].ring.log, log_data))
			return false;
	return true;
}

/**
 * ktwin_log_set_base() - say where the log is
 * @twin: the twin
 * @base: the log's address in the owner's process
 *
 * Legal while queues run; one whose log cannot be there keeps the one it has, and
 * others have the new one, as with vhost.
 *
 * Context: process, the owner's; twin->lock held.
 * Return: 0 or -EFAULT.
 */
int ktwin_log_set_base(struct ktwin *twin, u64 base)
{
	struct ktwin_vq *vq;
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&twin->lock);
	for (i = 0; i < KTWIN_NR_VQS; i++) {
		vq = &twin->vqs[i];
		ktwin_vq_lock(vq);
		if (vq->port && !log_ok(vq, twin->mem, base, vq->ring.log_data))
			ret = -EFAULT;
		else
			vq->ring.log = base;
		ktwin_vq_unlock(vq);
	}
	return ret;
}

/**
 * ktwin_log_set_eventfd() - say whom to tell when something was logged
 * @twin: the twin
 * @ctx: an eventfd, of which a reference is taken over, or NULL
 *
 * Context: process, twin->lock held.
 */
void ktwin_log_set_eventfd(struct ktwin *twin, struct eventfd_ctx *ctx)
{
	struct eventfd_ctx *old = twin->vqs[0].log_event;
	unsigned int i;

	lockdep_assert_held(&twin->lock);
	for (i = 0; i < KTWIN_NR_VQS; i++) {
		ktwin_vq_lock(&twin->vqs[i]);
		twin->vqs[i].log_event = ctx;
		ktwin_vq_unlock(&twin->vqs[i]);
	}
	if (old)
		eventfd_ctx_put(old);
}

/**
 * ktwin_log_tell() - tell the VMM that something was logged, if something was
 * @vq: the queue
 *
 * Context: process, vq->lock held; never from an eventfd's wait queue.
 */
void ktwin_log_tell(struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (likely(!vq->ring.logged))
		return;
	vq->ring.logged = false;
	if (vq->log_event)
		eventfd_signal(vq->log_event);
}
