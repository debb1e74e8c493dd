// SPDX-License-Identifier: GPL-2.0-only
/*
 * One queue of a twin: start, stop, and the events that it sends.
 */
#include <linux/eventfd.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>

#include "kvm-twin/trace.h"
#include "kvm-twin/twin.h"

/*
 * The backend has room, or a frame for us.  Context: any, the backend's wait
 * queue locked, IRQs off.
 *
 * A queue that waits for the guest's buffers has no use for being told of
 * another frame; its kick will tell.
 */
static void ktwin_backend_event(struct nshim_owner *owner, __poll_t mask)
{
	struct ktwin_vq *vq = container_of(owner, struct ktwin_vq, owner);

	if (READ_ONCE(vq->broken))
		return;
	if (vq->index == KTWIN_VQ_TX) {
		if (!test_and_clear_bit(KTWIN_VQ_WANTS_ROOM, &vq->state))
			return;
	} else if (test_bit(KTWIN_VQ_WANTS_BUFFERS, &vq->state)) {
		return;
	}
	ktwin_inc(vq, EVENTS);
	ktwin_executor_wake(vq);
}

/* nshim_owner.take */
static unsigned int ktwin_backend_take(struct nshim_owner *owner,
				       const struct nshim_port *port,
				       const struct nshim_gift *gifts, unsigned int n)
{
	return ktwin_softirq_take(container_of(owner, struct ktwin_vq, owner), port, gifts, n);
}

/**
 * ktwin_vq_init() - make a queue that is stopped
 * @vq: zeroed memory
 * @twin: whose it is
 * @index: KTWIN_VQ_RX or KTWIN_VQ_TX
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM; ktwin_vq_free() is due either way.
 */
int ktwin_vq_init(struct ktwin_vq *vq, struct ktwin *twin, unsigned int index)
{
	/* Who opens the device is told; the log need not be. */
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;

	vq->twin = twin;
	vq->index = index;
	mutex_init(&vq->lock);
	spin_lock_init(&vq->poll_lock);
	vq->owner.event = ktwin_backend_event;
	vq->owner.take = ktwin_backend_take;
	vq->owner.direct = ktwin_default_direct;
	vq->policy = ktwin_default_policy;
	/* As vhost, for clients that never set a size. */
	vq->ring.num = 1;
	vq->ring.cache = &vq->cache;
	ktwin_executor_init(vq);
	ktwin_moderation_init(vq);

	vq->counters = alloc_percpu_gfp(struct ktwin_counters, gfp);
	/* One chain more than a frame may have when the next is taken. */
	vq->iov = kvmalloc_array(2 * VFP_MAX_SEGS, sizeof(*vq->iov), gfp);
	vq->heads = kvmalloc_array(VFP_MAX_SEGS, sizeof(*vq->heads), gfp);
	if (!vq->counters || !vq->iov || !vq->heads)
		return -ENOMEM;
	return ktwin_softirq_add(vq);
}

/**
 * ktwin_vq_free() - free what ktwin_vq_init() has allocated
 * @vq: a queue that was reset
 *
 * Context: process; may sleep.
 */
void ktwin_vq_free(struct ktwin_vq *vq)
{
	ktwin_softirq_free(vq);
	kvfree(vq->heads);
	kvfree(vq->iov);
	free_percpu(vq->counters);
	mutex_destroy(&vq->lock);
}

static struct nshim_port *attach(struct ktwin_vq *vq, int fd)
{
	struct ktwin *twin = vq->twin;
	size_t hdr_len = twin->own_hdr ? 0 : twin->hdr_len;

	return nshim_tap_attach(fd, vq->index == KTWIN_VQ_TX ? EPOLLOUT : EPOLLIN,
				hdr_len, &vq->owner);
}

static void detach(struct ktwin_vq *vq, struct nshim_port *port)
{
	unsigned int lost = port->ops->detach(port);

	if (unlikely(lost))
		ktwin_add(vq, DROP_STOPPED, lost);
}

static int start(struct ktwin_vq *vq, struct nshim_port *port)
{
	struct vfp_ring ring = vq->ring;

	/* The format may have been chosen after the size. */
	if (!vfp_ring_size_ok(&ring, ring.num))
		return -EINVAL;
	/* Another port may be at work on the ring, and go on if this fails. */
	if (vfp_ring_start(&ring))
		return -EFAULT;
	vq->ring = ring;
	/* Its addresses may be others now. */
	ktwin_softirq_forget(vq);
	WRITE_ONCE(vq->broken, false);
	clear_bit(KTWIN_VQ_WANTS_ROOM, &vq->state);
	clear_bit(KTWIN_VQ_WANTS_BUFFERS, &vq->state);
	WRITE_ONCE(vq->port, port);
	return 0;
}

/*
 * Softirq is kept out, and what it was at is done: an access section, and for TX that what
 * it has gathered is sent; or it is let in again.
 */
static void hold(struct ktwin_vq *vq, bool held)
{
	lockdep_assert_held(&vq->lock);
	spin_lock_bh(&vq->poll_lock);
	vq->held = held;
	spin_unlock_bh(&vq->poll_lock);
}

/**
 * ktwin_vq_lock() - lock a queue, which waits for a pump to end
 * @vq: the queue
 *
 * A pump may wait for guest memory that is missing; a process that is killed
 * does not wait for that.
 *
 * Context: process; twin->lock held.
 */
void ktwin_vq_lock(struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->twin->lock);
	if (mutex_lock_killable(&vq->lock)) {
		ktwin_executor_hurry(vq->twin);
		mutex_lock(&vq->lock);
		ktwin_executor_settle(vq->twin);
	}
	hold(vq, true);
}

/**
 * ktwin_vq_lock_killable() - lock a queue, unless the process is killed before
 * @vq: the queue
 *
 * Context: process; may sleep.
 * Return: 0 or -EINTR.
 */
int ktwin_vq_lock_killable(struct ktwin_vq *vq)
{
	if (mutex_lock_killable(&vq->lock))
		return -EINTR;
	hold(vq, true);
	return 0;
}

/**
 * ktwin_vq_trylock() - lock a queue if nobody else has it
 * @vq: the queue
 *
 * Context: process.
 * Return: whether it is locked now.
 */
bool ktwin_vq_trylock(struct ktwin_vq *vq)
{
	if (!mutex_trylock(&vq->lock))
		return false;
	if (!spin_trylock_bh(&vq->poll_lock)) {
		mutex_unlock(&vq->lock);
		return false;
	}
	vq->held = true;
	spin_unlock_bh(&vq->poll_lock);
	return true;
}

/**
 * ktwin_vq_lock_by_worker() - lock a queue for as long as a pump takes
 * @vq: the queue
 *
 * Context: the worker; may sleep.
 */
void ktwin_vq_lock_by_worker(struct ktwin_vq *vq)
{
	mutex_lock(&vq->lock);
	hold(vq, true);
}

/**
 * ktwin_vq_unlock() - unlock a queue
 * @vq: the queue
 *
 * Context: process.
 */
void ktwin_vq_unlock(struct ktwin_vq *vq)
{
	hold(vq, false);
	mutex_unlock(&vq->lock);
}

/* With the lock: in an access section the ring's addresses are the kernel's. */
static bool ring_ok(struct ktwin_vq *vq)
{
	bool ok;

	ktwin_vq_lock(vq);
	ok = vfp_ring_access_ok(&vq->ring);
	ktwin_vq_unlock(vq);
	return ok;
}

/**
 * ktwin_vq_set_backend() - start a queue on a backend, or stop it
 * @vq: the queue
 * @fd: a queue of a tap, or -1 to stop
 *
 * A kick may be pending already, and frames may wait in the tap: the queue is
 * pumped once in any case.
 *
 * Context: process, the owner's; twin->lock held.
 * Return: 0, -EFAULT if the ring, or the log that it needs, can't be accessed,
 * -EINVAL if its size is not one of its format, -ENOTSOCK if @fd is no backend, or
 * another error; then the queue goes on as it was.
 */
int ktwin_vq_set_backend(struct ktwin_vq *vq, int fd)
{
	struct nshim_port *port, *old;
	int err;

	lockdep_assert_held(&vq->twin->lock);
	/* What vhost-net asks even of a client that wants to stop. */
	if (!vq->twin->mem || !ring_ok(vq) || !ktwin_log_ok(vq))
		return -EFAULT;
	if (fd == -1) {
		ktwin_vq_stop(vq);
		return 0;
	}
	port = attach(vq, fd);
	if (IS_ERR(port))
		return PTR_ERR(port);

	ktwin_vq_lock(vq);
	old = vq->port;
	if (old && old->file == port->file) {
		old = port;	/* it is there already: nothing to do */
		err = 0;
	} else {
		err = start(vq, port);
		if (err)
			old = port;
	}
	ktwin_vq_unlock(vq);
	if (old)
		detach(vq, old);
	if (err)
		return err;
	ktwin_executor_wake(vq);
	return 0;
}

/**
 * ktwin_vq_stop() - stop a queue
 * @vq: the queue
 *
 * At return nothing accesses guest memory for the queue, and nothing is
 * signalled for it, until it is started again.
 *
 * Context: process; twin->lock held.  Waits for a pump to end.
 */
void ktwin_vq_stop(struct ktwin_vq *vq)
{
	struct nshim_port *port;

	lockdep_assert_held(&vq->twin->lock);
	ktwin_vq_lock(vq);
	port = vq->port;
	WRITE_ONCE(vq->port, NULL);
	ktwin_moderation_end(vq);
	ktwin_vq_unlock(vq);
	if (port)
		detach(vq, port);
}

/**
 * ktwin_vq_reset() - stop a queue and forget all that was set
 * @vq: the queue
 *
 * Context: process; twin->lock held.
 */
void ktwin_vq_reset(struct ktwin_vq *vq)
{
	ktwin_vq_stop(vq);
	ktwin_vq_lock(vq);
	ktwin_kick_set(vq, NULL);
	ktwin_executor_quiesce(vq);
	if (vq->call)
		eventfd_ctx_put(vq->call);
	if (vq->err)
		eventfd_ctx_put(vq->err);
	vq->call = NULL;
	vq->err = NULL;
	vq->broken = false;
	vq->busyloop_us = 0;
	memset(&vq->ring, 0, sizeof(vq->ring));
	vq->ring.num = 1;
	vq->ring.cache = &vq->cache;
	vq->ring.stlb = vq->stlb;
	ktwin_vq_unlock(vq);
}

/**
 * ktwin_vq_call() - interrupt the guest
 * @vq: the queue
 *
 * Context: any but hard interrupts, the queue's; never from an eventfd's wait queue,
 * where a nested signal would be lost.
 */
void ktwin_vq_call(struct ktwin_vq *vq)
{
	ktwin_assert_owned(vq);
	ktwin_inc(vq, CALLS);
	trace_ktwin_call(vq, vq->ring.used_idx, true);
	if (vq->call)
		eventfd_signal(vq->call);
}

static void count_fault(struct ktwin_vq *vq)
{
	/* RING_* stand in the order of enum vfp_fault. */
	BUILD_BUG_ON(KTWIN_RING_LOG - KTWIN_RING_ACCESS !=
		     VFP_FAULT_LOG - VFP_FAULT_RING_ACCESS);
	this_cpu_inc(vq->counters->v[KTWIN_RING_ACCESS + vq->ring.fault -
				     VFP_FAULT_RING_ACCESS]);
}

/**
 * ktwin_vq_break() - a fault was found in the ring: up to the slow twin
 * @vq: the queue, with its ring's fault set
 *
 * The queue stays as it is until it is stopped and started anew, which a
 * reset by the guest brings about.  Other queues are not concerned.
 *
 * Context: any but hard interrupts, the queue's.
 */
void ktwin_vq_break(struct ktwin_vq *vq)
{
	ktwin_assert_owned(vq);
	WRITE_ONCE(vq->broken, true);
	count_fault(vq);
	ktwin_inc(vq, UPCALLS);
	trace_ktwin_ring_error(vq);
	pr_debug_ratelimited("kvm_twin: %d-%u queue %u: ring fault %d\n",
			     vq->twin->pid, vq->twin->nr, vq->index,
			     vq->ring.fault);
	if (vq->err)
		eventfd_signal(vq->err);
}
