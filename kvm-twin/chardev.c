// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-twin: the vhost-net ioctls, decoded and validated.
 *
 * The numbers, structures and errors are those of <linux/vhost.h> and of
 * vhost-net; Documentation/uapi.rst tells where we differ, and why.  A client
 * may call in any order: what depends on several calls is checked when a
 * backend is set.
 */
#include <linux/compat.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "kvm-twin/twin.h"

/* Memory */

static int add_region(struct vhost_iotlb *mem,
		      const struct vhost_memory_region *r)
{
	if (!r->memory_size ||
	    (u64)(unsigned long)r->userspace_addr != r->userspace_addr ||
	    (u64)(unsigned long)r->memory_size != r->memory_size ||
	    !access_ok((void __user *)(unsigned long)r->userspace_addr,
		       r->memory_size))
		return -EFAULT;
	return vhost_iotlb_add_range(mem, r->guest_phys_addr,
				     r->guest_phys_addr + r->memory_size - 1,
				     r->userspace_addr, VHOST_MAP_RW);
}

static long set_mem_table(struct ktwin *twin,
			  struct vhost_memory __user *argp)
{
	struct vhost_memory_region *regions;
	struct vhost_memory head;
	struct vhost_iotlb *mem;
	long ret = 0;
	u32 i;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.padding)
		return -EOPNOTSUPP;
	if (head.nregions > KTWIN_MAX_REGIONS)
		return -E2BIG;
	regions = vmemdup_user(argp->regions,
			       array_size(head.nregions, sizeof(*regions)));
	if (IS_ERR(regions))
		return PTR_ERR(regions);
	mem = vhost_iotlb_alloc(KTWIN_MAX_REGIONS, 0);
	if (!mem) {
		ret = -ENOMEM;
		goto out;
	}
	for (i = 0; i < head.nregions && !ret; i++)
		ret = add_region(mem, &regions[i]);
	if (!ret && !ktwin_log_mem_ok(twin, mem,
				      twin->features & BIT_ULL(VHOST_F_LOG_ALL)))
		ret = -EFAULT;
	if (ret)
		vhost_iotlb_free(mem);
	else
		ktwin_set_mem(twin, mem);
out:
	kvfree(regions);
	return ret;
}

/* One queue: each of these is called with vq->lock held. */

static long set_num(struct ktwin_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (vq->port)
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (!vfp_ring_size_ok(&vq->ring, s.num))
		return -EINVAL;
	vq->ring.num = s.num;
	return 0;
}

static long set_base(struct ktwin_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (vq->port)
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (s.num > 0xffff && !vq->ring.packed)
		return -EINVAL;
	vfp_ring_set_base(&vq->ring, s.num);
	return 0;
}

static long get_state(struct ktwin_vq *vq, u32 num, void __user *argp)
{
	struct vhost_vring_state s = { .index = vq->index, .num = num };

	return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
}

/*
 * Legal while the ring runs (a client turns logging on so): the addresses
 * are then checked at once, and the engine keeps nothing that came by way of
 * the old ones.
 */
static long set_addr(struct ktwin_vq *vq, void __user *argp)
{
	struct vfp_ring ring = vq->ring;
	struct vhost_vring_addr a;

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if ((u64)(unsigned long)a.desc_user_addr != a.desc_user_addr ||
	    (u64)(unsigned long)a.used_user_addr != a.used_user_addr ||
	    (u64)(unsigned long)a.avail_user_addr != a.avail_user_addr)
		return -EFAULT;
	if (a.avail_user_addr & (VRING_AVAIL_ALIGN_SIZE - 1) ||
	    a.used_user_addr & (VRING_USED_ALIGN_SIZE - 1) ||
	    a.log_guest_addr & (VRING_USED_ALIGN_SIZE - 1))
		return -EINVAL;
	ring.desc = (void __user *)(unsigned long)a.desc_user_addr;
	ring.avail = (void __user *)(unsigned long)a.avail_user_addr;
	ring.used = (void __user *)(unsigned long)a.used_user_addr;
	ring.log_ring = a.flags & BIT(VHOST_VRING_F_LOG);
	ring.log_addr = a.log_guest_addr;
	if (vq->port && (!vfp_ring_access_ok(&ring) ||
			 (ring.log_ring && !vfp_ring_log_ok(&ring, ring.log))))
		return -EINVAL;
	vq->ring = ring;
	if (!vq->port)
		return 0;
	/* What softirq has mapped is the ring that was. */
	ktwin_softirq_forget(vq);
	vfp_ring_look_again(&vq->ring);
	/* The driver may have kicked, or wait to be asked to, over there. */
	ktwin_executor_wake(vq);
	return 0;
}

static long set_kick(struct ktwin_vq *vq, void __user *argp)
{
	struct file *file = NULL;
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	if (f.fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(f.fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	return ktwin_kick_set(vq, file);
}

/* An eventfd, NULL for none, or why it is no eventfd. */
static struct eventfd_ctx *get_eventfd(int fd)
{
	return fd == VHOST_FILE_UNBIND ? NULL : eventfd_ctx_fdget(fd);
}

static long set_eventfd(struct eventfd_ctx **slot, void __user *argp)
{
	struct eventfd_ctx *ctx;
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	ctx = get_eventfd(f.fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	swap(ctx, *slot);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long set_busyloop(struct ktwin_vq *vq, void __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	vq->busyloop_us = s.num;
	return 0;
}

static long vring_ioctl_locked(struct ktwin_vq *vq, unsigned int cmd,
			       void __user *argp)
{
	lockdep_assert_held(&vq->lock);

	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		return set_num(vq, argp);
	case VHOST_SET_VRING_ADDR:
		return set_addr(vq, argp);
	case VHOST_SET_VRING_BASE:
		return set_base(vq, argp);
	case VHOST_GET_VRING_BASE:
		return get_state(vq, vfp_ring_base(&vq->ring), argp);
	case VHOST_SET_VRING_KICK:
		return set_kick(vq, argp);
	case VHOST_SET_VRING_CALL:
		return set_eventfd(&vq->call, argp);
	case VHOST_SET_VRING_ERR:
		return set_eventfd(&vq->err, argp);
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		return set_busyloop(vq, argp);
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		return get_state(vq, vq->busyloop_us, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

/* Each of them begins with a queue's index. */
static long vring_ioctl(struct ktwin *twin, unsigned int cmd,
			void __user *argp)
{
	struct ktwin_vq *vq;
	u32 index;
	long ret;

	if (get_user(index, (u32 __user *)argp))
		return -EFAULT;
	if (index >= KTWIN_NR_VQS)
		return -ENOBUFS;
	vq = &twin->vqs[array_index_nospec(index, KTWIN_NR_VQS)];

	if (ktwin_vq_lock_killable(vq))
		return -EINTR;
	ret = vring_ioctl_locked(vq, cmd, argp);
	ktwin_vq_unlock(vq);
	return ret;
}

/* The twin */

static long set_backend(struct ktwin *twin, void __user *argp)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	if (ktwin_check_owner(twin))
		return -EPERM;
	if (f.index >= KTWIN_NR_VQS)
		return -ENOBUFS;
	f.index = array_index_nospec(f.index, KTWIN_NR_VQS);
	return ktwin_vq_set_backend(&twin->vqs[f.index], f.fd);
}

static long set_features(struct ktwin *twin, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~ktwin_features())
		return -EOPNOTSUPP;
	return ktwin_set_features(twin, features);
}

static long get_u64(u64 value, void __user *argp)
{
	return copy_to_user(argp, &value, sizeof(value)) ? -EFAULT : 0;
}

/* There are none: they are about the IOTLB, which is not offered. */
static long set_backend_features(void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	return features ? -EOPNOTSUPP : 0;
}

static long set_log_base(struct ktwin *twin, void __user *argp)
{
	u64 base;

	if (copy_from_user(&base, argp, sizeof(base)))
		return -EFAULT;
	if ((u64)(unsigned long)base != base)
		return -EFAULT;
	return ktwin_log_set_base(twin, base);
}

static long set_log_fd(struct ktwin *twin, int __user *argp)
{
	struct eventfd_ctx *ctx;
	int fd;

	if (get_user(fd, argp))
		return -EFAULT;
	ctx = get_eventfd(fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ktwin_log_set_eventfd(twin, ctx);
	return 0;
}

static long owner_ioctl(struct ktwin *twin, unsigned int cmd,
			void __user *argp)
{
	if (ktwin_check_owner(twin))
		return -EPERM;

	switch (cmd) {
	case VHOST_SET_MEM_TABLE:
		return set_mem_table(twin, argp);
	case VHOST_SET_LOG_BASE:
		return set_log_base(twin, argp);
	case VHOST_SET_LOG_FD:
		return set_log_fd(twin, argp);
	default:
		return vring_ioctl(twin, cmd, argp);
	}
}

static long ktwin_ioctl_locked(struct ktwin *twin, unsigned int cmd,
			       void __user *argp)
{
	lockdep_assert_held(&twin->lock);

	switch (cmd) {
	case VHOST_GET_FEATURES:
		return get_u64(ktwin_features(), argp);
	case VHOST_SET_FEATURES:
		return set_features(twin, argp);
	case VHOST_GET_BACKEND_FEATURES:
		return get_u64(0, argp);
	case VHOST_SET_BACKEND_FEATURES:
		return set_backend_features(argp);
	case VHOST_SET_OWNER:
		return ktwin_set_owner(twin);
	case VHOST_RESET_OWNER:
		return ktwin_reset_owner(twin);
	case VHOST_NET_SET_BACKEND:
		return set_backend(twin, argp);
	default:
		return owner_ioctl(twin, cmd, argp);
	}
}

static long ktwin_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ktwin *twin = file->private_data;
	long ret;

	if (mutex_lock_killable(&twin->lock))
		return -EINTR;
	ret = ktwin_ioctl_locked(twin, cmd, (void __user *)arg);
	mutex_unlock(&twin->lock);
	return ret;
}

static int ktwin_open(struct inode *inode, struct file *file)
{
	struct ktwin *twin = ktwin_create();

	if (IS_ERR(twin))
		return PTR_ERR(twin);
	file->private_data = twin;
	return 0;
}

static int ktwin_release(struct inode *inode, struct file *file)
{
	ktwin_close(file->private_data);
	return 0;
}

static const struct file_operations ktwin_fops = {
	.owner		= THIS_MODULE,
	.open		= ktwin_open,
	.release	= ktwin_release,
	.unlocked_ioctl	= ktwin_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice ktwin_misc = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "kvm-twin",
	.fops		= &ktwin_fops,
	.mode		= 0660,
};

/**
 * ktwin_chardev_register() - let /dev/kvm-twin appear
 *
 * Return: 0 or an error.
 */
int ktwin_chardev_register(void)
{
	return misc_register(&ktwin_misc);
}

/**
 * ktwin_chardev_unregister() - let /dev/kvm-twin go; it is open nowhere
 */
void ktwin_chardev_unregister(void)
{
	misc_deregister(&ktwin_misc);
}
