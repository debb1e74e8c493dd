/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack, under the newest kernels' names.
 *
 * Kbuild includes this before each file of the module, so that no other file
 * tests a kernel version.  Each piece is dated by the upstream release that
 * made it unnecessary; when the floor is above that, the piece goes.
 */
#ifndef KVM_TWIN_COMPAT_H
#define KVM_TWIN_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "kvm-twin needs Linux 6.1 or newer"
#endif

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/if_tun.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uio.h>

/* 6.8: eventfd_signal() always adds 1 and returns nothing. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define eventfd_signal(ctx)	((void)eventfd_signal(ctx, 1))
#endif

/* 6.4: io_uring's threads are not the only ones of their kind. */
#ifndef PF_USER_WORKER
#define PF_USER_WORKER	PF_IO_WORKER
#endif

/* 6.2, and late releases of 6.1: what an iov_iter is to its user. */
#ifndef ITER_SOURCE
#define ITER_SOURCE	WRITE
#define ITER_DEST	READ
#endif

/* 6.2: timer_delete_sync(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync	del_timer_sync
#endif

/* 6.9: page_frag_cache_drain(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
static inline void page_frag_cache_drain(struct page_frag_cache *nc)
{
	if (!nc->va)
		return;
	__page_frag_cache_drain(virt_to_head_page(nc->va), nc->pagecnt_bias);
	nc->va = NULL;
}
#endif

/* 6.14: a kthread worker is made and started by kthread_run_worker(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define kthread_run_worker	kthread_create_worker
#endif

/* 6.13: hrtimer_setup(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void compat_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*function)(struct hrtimer *),
					clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#define hrtimer_setup	compat_hrtimer_setup
#endif

/* 6.11: a device that is none, for NAPI instances alone. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
static inline struct net_device *compat_alloc_netdev_dummy(void)
{
	struct net_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (dev)
		init_dummy_netdev(dev);
	return dev;
}

#define alloc_netdev_dummy(size)	compat_alloc_netdev_dummy()
#define compat_free_netdev_dummy	kfree
#else
#define compat_free_netdev_dummy	free_netdev
#endif

/* 6.10, and late releases of 6.1 and 6.6: skb_copy_datagram_iter() does not sleep. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0) ||		\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 40) &&	\
	 LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)) ||	\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 100) &&	\
	 LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0))
#define compat_copy_may_sleep(skb)	false
#else
#define compat_copy_may_sleep(skb)	skb_is_nonlinear(skb)
#endif

/* 6.12: an skb's pages may be a device's. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define compat_frags_readable(skb)	true
#else
#define compat_frags_readable		skb_frags_readable
#endif

/* 6.2: datagrams as one frame; before, no tap says that its guest takes such. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif

/* 6.6: tc's programs and clsact share a hook; @way: egress or ingress. */
#if defined(CONFIG_NET_XGRESS)
#define compat_has_tc(dev, way)	rcu_access_pointer((dev)->tcx_##way)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0) && defined(CONFIG_NET_CLS_ACT)
#define compat_has_tc(dev, way)	rcu_access_pointer((dev)->miniq_##way)
#else
#define compat_has_tc(dev, way)	false
#endif

static inline bool compat_has_egress_hooks(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return true;
#endif
	return compat_has_tc(dev, egress);
}

static inline bool compat_has_ingress_hooks(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_INGRESS
	if (rcu_access_pointer(dev->nf_hooks_ingress))
		return true;
#endif
	return compat_has_tc(dev, ingress);
}

/* After 6.12: frames may wait for whoever has a queueing discipline's lock. */
#ifdef COMPAT_HAVE_QDISC_DEFER_LIST
#include <net/sch_generic.h>
#define compat_qdisc_is_deferred(q)	(!llist_empty(&(q)->defer_list))
#else
#define compat_qdisc_is_deferred(q)	false
#endif

/* 6.5: segmentation has a header of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

/* After 6.12: a device is asked within an RCU read-side section. */
#ifndef COMPAT_HAVE_DEV_NIT_ACTIVE_RCU
#define dev_nit_active_rcu	dev_nit_active
#endif

/*
 * After 6.12: a frame of a tap's batch begins with its virtio-net header;
 * until then its length stood before that.  (Probed: probes.mk.)
 */
#define COMPAT_TUN_BATCH_HDR_MAX	32
static inline struct virtio_net_hdr *compat_tun_batch_hdr(void *buf, int buflen)
{
#ifdef COMPAT_HAVE_TUN_XDP_HDR
	struct tun_xdp_hdr *hdr = buf;

	hdr->buflen = buflen;
	return &hdr->gso;
#else
	return buf;
#endif
}

/*
 * After 6.12: a tap stops its device's queue when the ring is full, and whoever
 * takes from the ring wakes it.  (Probed: probes.mk.)
 */
#ifndef COMPAT_HAVE_TUN_WAKE_QUEUE
static inline void tun_wake_queue(struct file *file, int consumed)
{
}
#endif

#endif /* KVM_TWIN_COMPAT_H */
