// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the owner to a tap: frames that do not fit a page, one by one.
 *
 * A tap copies them itself.  Of a macvtap they are made into socket buffers here, or
 * copied into another guest's memory at once (handover.c).
 */
#include <linux/errno.h>
#include <linux/if_tap.h>
#include <linux/virtio_net.h>
#include <net/sock.h>

#include "nic-shim/handover.h"
#include "nic-shim/lane.h"
#include "nic-shim/tap.h"

/* What lies before an skb's pages. */
#define TAP_LINEAR	256u

static int send_by_tap(struct tap_port *tap, struct iov_iter *frame)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT, .msg_iter = *frame };
	int ret = tap->sock->ops->sendmsg(tap->sock, &msg, iov_iter_count(frame));

	return ret < 0 ? ret : 0;
}

static struct sk_buff *make_long_frame(const struct tap_port *tap, struct iov_iter frame,
				       size_t len, int *err)
{
	size_t linear = min_t(size_t, len, TAP_LINEAR);
	struct sk_buff *skb = alloc_skb_with_frags(NET_SKB_PAD + NET_IP_ALIGN + linear,
						   len - linear, PAGE_ALLOC_COSTLY_ORDER, err,
						   GFP_KERNEL);

	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put(skb, linear);
	skb->data_len = len - linear;
	skb->len += len - linear;
	iov_iter_advance(&frame, tap->hdr_len);
	*err = skb_copy_datagram_from_iter(skb, 0, &frame, len);
	if (likely(!*err))
		return skb;
	kfree_skb(skb);
	return NULL;
}

/* Does another twin take it at once? */
static bool hand_over_long(struct tap_port *tap, const struct iov_iter *frame,
			   const struct virtio_net_hdr *hdr)
{
	struct iov_iter rest = *frame;
	struct nshim_lane lane;
	struct tap_dev *dev;
	u8 front[NSHIM_FRONT];
	bool given = false;

	iov_iter_advance(&rest, tap->hdr_len);
	if (_copy_from_iter(front, sizeof(front), &rest) != sizeof(front))
		return false;
	local_bh_disable();
	rcu_read_lock();
	dev = rcu_dereference(tap_queue_of(tap)->tap);
	if (likely(dev)) {
		nshim_tap_begin_lane(tap, &lane, dev);
		given = nshim_handover_long(tap, &lane, hdr, front, &rest);
	}
	rcu_read_unlock();
	local_bh_enable();
	return given;
}

static int send_by_nic(struct tap_port *tap, struct iov_iter *frame,
		       struct virtio_net_hdr *hdr)
{
	size_t len = iov_iter_count(frame) - tap->hdr_len;
	struct nshim_lane lane;
	struct sk_buff *skb;
	struct tap_dev *dev;
	int err;

	err = nshim_tap_mend_hdr_len(hdr, len);
	if (unlikely(err))
		return err;
	if (nshim_netdev_has_siblings(&tap->nic) && hand_over_long(tap, frame, hdr))
		return 0;
	skb = make_long_frame(tap, *frame, len, &err);
	if (unlikely(!skb))
		return err;
	local_bh_disable();
	rcu_read_lock();
	dev = rcu_dereference(tap_queue_of(tap)->tap);
	err = dev ? nshim_tap_finish_frame(skb, dev->dev, hdr) : -EIO;
	if (likely(!err)) {
		nshim_tap_begin_lane(tap, &lane, dev);
		nshim_netdev_send(&tap->nic, &lane, nshim_tap_expand(tap, &lane, skb));
	} else {
		kfree_skb(skb);
	}
	rcu_read_unlock();
	local_bh_enable();
	return err;
}

/**
 * nshim_tap_send_long() - send a frame that does not fit a page
 * @tap: the port
 * @frame: header and frame
 *
 * Context: process, the port's; sleeps and faults.
 * Return: as nshim_ops.xmit.
 */
int nshim_tap_send_long(struct tap_port *tap, struct iov_iter *frame)
{
	struct virtio_net_hdr hdr = { };
	int err;

	if (tap->hdr_len) {
		struct iov_iter peek = *frame;

		if (unlikely(!copy_from_iter_full(&hdr, sizeof(hdr), &peek)))
			return -EFAULT;
	}
	if (tap->is_macvtap && nshim_tap_has_endless_buffer(tap))
		err = send_by_nic(tap, frame, &hdr);
	else
		err = send_by_tap(tap, frame);
	return err ?: nshim_frame_flags(&hdr);
}
