// SPDX-License-Identifier: GPL-2.0-only
/*
 * The twin as a whole: from open to release, its owner, memory and features.
 *
 * A close of the device stops the twin at once (ktwin_close); but a thread
 * that has kicked may still have a task work to run, which will find nothing
 * to do.  So the twin's memory belongs to a file of its own, the body: each
 * task work holds it, and it goes after the last one (ktwin_free).
 *
 * Who may hold on to a twin, and what ends that:
 *
 *   a kick callback      ktwin_close: remove_wait_queue()
 *   a backend's event    ktwin_close: nshim's detach
 *   a reader of debugfs  ktwin_close: debugfs_remove() waits for it
 *   a change of memory   drop_owner: mmu_notifier_unregister()
 *   the moderation timer ktwin_close: a stop ends moderation, and cancels it
 *   the timer for a late thread  ktwin_close: ktwin_executor_quiesce()
 *   a task work          its own fput() of the body
 *   an interrupt for it  ktwin_free: irq_work_sync()
 *   a poll in softirq    ktwin_free: napi_disable()
 *   the worker           ktwin_free: kthread_destroy_worker()
 */
#include <linux/anon_inodes.h>
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <uapi/linux/virtio_config.h>

#include "kvm-twin/twin.h"

static void ktwin_free(struct ktwin *twin)
{
	unsigned int i;

	if (twin->mem)
		vhost_iotlb_free(twin->mem);
	/* Softirq hands over to the worker. */
	for (i = 0; i < KTWIN_NR_VQS; i++)
		ktwin_softirq_remove(&twin->vqs[i]);
	if (twin->worker)
		kthread_destroy_worker(twin->worker);
	for (i = 0; i < KTWIN_NR_VQS; i++)
		ktwin_vq_free(&twin->vqs[i]);
	mutex_destroy(&twin->lock);
	kfree_rcu(twin, rcu);
}

static int ktwin_body_release(struct inode *inode, struct file *body)
{
	ktwin_free(body->private_data);
	return 0;
}

static const struct file_operations ktwin_body_fops = {
	.owner		= THIS_MODULE,
	.release	= ktwin_body_release,
};

/**
 * ktwin_create() - make a twin for an open of the device
 *
 * Context: process; may sleep.
 * Return: the twin, without an owner, or an ERR_PTR.
 */
struct ktwin *ktwin_create(void)
{
	struct ktwin *twin;
	unsigned int i;
	int err = 0;

	twin = kzalloc(sizeof(*twin), GFP_KERNEL_ACCOUNT);
	if (!twin)
		return ERR_PTR(-ENOMEM);
	mutex_init(&twin->lock);
	INIT_LIST_HEAD(&twin->link);
	for (i = 0; i < KTWIN_NR_VQS && !err; i++)
		err = ktwin_vq_init(&twin->vqs[i], twin, i);
	if (err)
		goto err_free;
	twin->body = anon_inode_getfile("[kvm-twin]", &ktwin_body_fops, twin, 0);
	if (IS_ERR(twin->body)) {
		err = PTR_ERR(twin->body);
		goto err_free;
	}
	return twin;

err_free:
	ktwin_free(twin);
	return ERR_PTR(err);
}

/* Forget the owner and all that it has set. */
static void drop_owner(struct ktwin *twin)
{
	unsigned int i;

	if (!twin->mm)
		return;
	ktwin_debugfs_remove(twin);
	for (i = 0; i < KTWIN_NR_VQS; i++)
		ktwin_vq_reset(&twin->vqs[i]);
	ktwin_log_set_eventfd(twin, NULL);
	ktwin_set_mem(twin, NULL);
	ktwin_invalidate_end(twin);
	mmdrop(twin->mm);
	twin->mm = NULL;
}

/**
 * ktwin_close() - end a twin whose device is closed for good
 * @twin: the twin; it may be gone at return
 *
 * At return nothing accesses guest memory for it, and nothing is signalled.
 *
 * Context: process; may sleep, for as long as a pump takes.  Not
 * necessarily the owner's process.
 */
void ktwin_close(struct ktwin *twin)
{
	mutex_lock(&twin->lock);
	ktwin_executor_hurry(twin);
	drop_owner(twin);
	ktwin_executor_settle(twin);
	mutex_unlock(&twin->lock);
	fput(twin->body);
}

/*
 * The worker's time is the VMM's: it joins the cgroups of the process that
 * becomes the owner, as vhost's workers do.
 */
static int start_worker(struct ktwin *twin)
{
	struct kthread_worker *worker = twin->worker;
	int err;

	if (!worker) {
		worker = kthread_run_worker(0, "ktwin-%d", current->tgid);
		if (IS_ERR(worker))
			return PTR_ERR(worker);
	}
	err = cgroup_attach_task_all(current, worker->task);
	if (twin->worker)
		return err;
	if (err) {
		kthread_destroy_worker(worker);
		return err;
	}
	twin->worker = worker;
	ktwin_executor_begin(twin);
	return 0;
}

/**
 * ktwin_set_owner() - the calling process becomes the owner
 * @twin: the twin
 *
 * Context: process, twin->lock held.
 * Return: 0, -EBUSY if there is an owner, or another error.
 */
int ktwin_set_owner(struct ktwin *twin)
{
	int err;

	lockdep_assert_held(&twin->lock);
	if (twin->mm)
		return -EBUSY;
	err = start_worker(twin);
	if (err)
		return err;
	twin->mm = current->mm;
	err = ktwin_invalidate_begin(twin);
	if (err) {
		twin->mm = NULL;
		return err;
	}
	mmgrab(twin->mm);
	twin->pid = task_tgid_nr(current);
	ktwin_debugfs_add(twin);
	return 0;
}

/**
 * ktwin_check_owner() - may the caller do this?
 * @twin: the twin
 *
 * Context: process, twin->lock held.
 * Return: 0 for a thread of the owner, else -EPERM.
 */
int ktwin_check_owner(const struct ktwin *twin)
{
	lockdep_assert_held(&twin->lock);
	return twin->mm && twin->mm == current->mm ? 0 : -EPERM;
}

/**
 * ktwin_reset_owner() - stop, forget all, wait for another owner
 * @twin: the twin
 *
 * What is left, as with vhost, is a memory of no regions.
 *
 * Context: process, twin->lock held.
 * Return: 0, -EPERM if the caller is not the owner, or -ENOMEM.
 */
int ktwin_reset_owner(struct ktwin *twin)
{
	struct vhost_iotlb *none;
	int err;

	err = ktwin_check_owner(twin);
	if (err)
		return err;
	none = vhost_iotlb_alloc(1, 0);
	if (!none)
		return -ENOMEM;
	drop_owner(twin);
	ktwin_set_mem(twin, none);
	twin->features = 0;
	twin->hdr_len = 0;
	twin->own_hdr = false;
	return 0;
}

/**
 * ktwin_features() - what we offer
 *
 * The offload features are between the VMM, the tap and the guest: they pass
 * through in the virtio-net header and need no bit from us.  Chains are given
 * back in the order in which they came, whether that was negotiated or not.  To
 * reset a ring the VMM stops it, which needs nothing more from us.
 *
 * Context: any.
 * Return: feature bits of virtio and of vhost.
 */
u64 ktwin_features(void)
{
	return BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
	       BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
	       BIT_ULL(VIRTIO_F_ANY_LAYOUT) |
	       BIT_ULL(VIRTIO_F_VERSION_1) |
	       BIT_ULL(VIRTIO_F_RING_PACKED) |
	       BIT_ULL(VIRTIO_F_IN_ORDER) |
	       BIT_ULL(VIRTIO_F_RING_RESET) |
	       BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) |
	       BIT_ULL(VHOST_F_LOG_ALL) |
	       BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR);
}

static bool is_running(const struct ktwin *twin)
{
	unsigned int i;

	/* Ports come and go under twin->lock, too. */
	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (twin->vqs[i].port)
			return true;
	return false;
}

/* Logging is turned on and off while queues run. */
static void log_all(struct ktwin *twin, u64 features)
{
	unsigned int i;

	for (i = 0; i < KTWIN_NR_VQS; i++) {
		ktwin_vq_lock(&twin->vqs[i]);
		twin->vqs[i].ring.log_data = features & BIT_ULL(VHOST_F_LOG_ALL);
		ktwin_vq_unlock(&twin->vqs[i]);
	}
	WRITE_ONCE(twin->features, features);
}

/**
 * ktwin_set_features() - take what was negotiated
 * @twin: the twin
 * @features: a subset of ktwin_features()
 *
 * Virtio 1.3, section 5.1.6: the header has num_buffers in it with either of
 * two features.
 *
 * Context: process, twin->lock held.
 * Return: 0, -EBUSY for a change of anything but VHOST_F_LOG_ALL while a queue runs,
 * or -EFAULT if a running queue has no log where it could be.
 */
int ktwin_set_features(struct ktwin *twin, u64 features)
{
	bool log_data = features & BIT_ULL(VHOST_F_LOG_ALL);
	struct ktwin_vq *vq;
	unsigned int i;

	lockdep_assert_held(&twin->lock);
	if (log_data && !ktwin_log_mem_ok(twin, twin->mem, true))
		return -EFAULT;
	if (is_running(twin)) {
		if ((features ^ twin->features) & ~BIT_ULL(VHOST_F_LOG_ALL))
			return -EBUSY;
		log_all(twin, features);
		return 0;
	}
	log_all(twin, features);
	twin->own_hdr = features & BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR);
	if (features & (BIT_ULL(VIRTIO_F_VERSION_1) |
			BIT_ULL(VIRTIO_NET_F_MRG_RXBUF)))
		twin->hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	else
		twin->hdr_len = sizeof(struct virtio_net_hdr);
	for (i = 0; i < KTWIN_NR_VQS; i++) {
		vq = &twin->vqs[i];
		ktwin_vq_lock(vq);
		vq->ring.packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
		vq->ring.event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
		vq->ring.indirect = features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
		/* There are drivers that want a length for each RX buffer. */
		vq->ring.in_order = i == KTWIN_VQ_TX &&
				    features & BIT_ULL(VIRTIO_F_IN_ORDER);
		ktwin_vq_unlock(vq);
	}
	return 0;
}

/**
 * ktwin_set_mem() - replace the guest's memory, also while queues run
 * @twin: the twin
 * @mem: the new regions, which become the twin's, or NULL
 *
 * At return no queue uses the old regions.
 *
 * Context: process, twin->lock held.
 */
void ktwin_set_mem(struct ktwin *twin, struct vhost_iotlb *mem)
{
	struct vhost_iotlb *old = twin->mem;
	unsigned int i;

	lockdep_assert_held(&twin->lock);
	for (i = 0; i < KTWIN_NR_VQS; i++) {
		ktwin_vq_lock(&twin->vqs[i]);
		vfp_ring_set_mem(&twin->vqs[i].ring, mem);
		ktwin_softirq_forget(&twin->vqs[i]);
		ktwin_vq_unlock(&twin->vqs[i]);
	}
	twin->mem = mem;
	if (old)
		vhost_iotlb_free(old);
}
