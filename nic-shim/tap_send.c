// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the owner to a tap.
 *
 * Small frames are copied into page fragments and gathered.  A tap is handed them as one
 * batch, as by vhost-net.  Of a macvtap they are made into socket buffers here, for the
 * driver of the NIC below (netdev.c).  Frames that do not fit a page go one by one
 * (tap_long.c).
 */
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/sizes.h>
#include <linux/virtio_net.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "nic-shim/aggregate.h"
#include "nic-shim/handover.h"
#include "nic-shim/lane.h"
#include "nic-shim/tap.h"

/* Longer than any frame.  Taps compute with int: to them, 2^32 - 1 is -1. */
#define TAP_MAX_LEN	SZ_1M
/* What may wait, of a queue of a macvtap, for room in the NIC. */
#define TAP_MAX_WAITING	SZ_256K

/* What was gathered goes nowhere: the device has left the tap. */
static void lose_gathered(struct tap_port *tap, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		page_frag_free(tap->tx[i].data_hard_start);
	tap->flushed.no_device += n;
}

static void hand_to_tap(struct tap_port *tap, unsigned int n)
{
	struct tun_msg_ctl ctl = {
		.type	= TUN_MSG_PTR,
		.num	= n,
		.ptr	= tap->tx,
	};
	struct msghdr msg = {
		.msg_flags	= MSG_DONTWAIT,
		.msg_control	= &ctl,
		.msg_controllen	= sizeof(ctl),
	};

	if (unlikely(tap->sock->ops->sendmsg(tap->sock, &msg, 0) < 0))
		lose_gathered(tap, n);
}

/* Past the tap */

/**
 * nshim_tap_finish_frame() - have an skb be a frame of a macvtap
 * @skb: it, with its bytes
 * @dev: the macvtap
 * @hdr: its virtio-net header
 *
 * As tap_get_user() and tap_get_user_xdp() (drivers/net/tap.c) understand a frame; but
 * where its transport header is, is looked for only if it takes the long way.
 *
 * Context: BHs disabled.
 * Return: 0, or -EINVAL if the header does not fit the frame.
 */
int nshim_tap_finish_frame(struct sk_buff *skb, struct net_device *dev,
			   const struct virtio_net_hdr *hdr)
{
	int depth;

	skb->dev = dev;
	*nshim_cb(skb) = (struct nshim_cb) { .frames = 1, .bytes = skb->len };
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	if ((hdr->flags || hdr->gso_type) && virtio_net_hdr_to_skb(skb, hdr, true))
		return -EINVAL;
	if (unlikely(eth_type_vlan(skb->protocol)) &&
	    vlan_get_protocol_and_depth(skb, skb->protocol, &depth))
		skb_set_network_header(skb, depth);
	return 0;
}

/* Context: BHs disabled.  Not inline: it would be there twice, for one frame and for more. */
static noinline struct sk_buff *make_frame(struct tap_port *tap, struct net_device *dev,
					   struct xdp_buff *xdp)
{
	const struct virtio_net_hdr *hdr = compat_tun_batch_hdr(xdp->data_hard_start,
								xdp->frame_sz);
	struct sk_buff *skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);

	if (unlikely(!skb)) {
		page_frag_free(xdp->data_hard_start);
		tap->flushed.no_memory++;
		return NULL;
	}
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (likely(!nshim_tap_finish_frame(skb, dev, hdr)))
		return skb;
	kfree_skb(skb);
	tap->flushed.malformed++;
	return NULL;
}

/* As many of a batch, from its first on, as become one.  Context: as make_frame(). */
static struct sk_buff *make_aggregate(struct tap_port *tap, struct net_device *dev,
				      struct xdp_buff *frames, unsigned int n)
{
	struct sk_buff *skb = make_frame(tap, dev, frames);
	unsigned int i;

	if (n < 2)
		return skb;
	if (unlikely(!skb)) {
		for (i = 1; i < n; i++)
			page_frag_free(frames[i].data_hard_start);
		tap->flushed.no_memory += n - 1;
		return NULL;
	}
	nshim_aggregate_make(skb, frames, n);
	nshim_cb(skb)->frames = n;
	for (i = 1; i < n; i++)
		nshim_cb(skb)->bytes += frames[i].data_end - frames[i].data;
	tap->flushed.aggregated += n;
	return skb;
}

/*
 * How many of a batch, from its first on, become one; only for the driver, as what is
 * configured, and who listens, is to see the frames that the guest has sent.
 */
static unsigned int next_run(struct tap_port *tap, const struct nshim_lane *lane,
			     const struct xdp_buff *frames, unsigned int n)
{
	unsigned int run = nshim_aggregate_run(lane->lower, frames, n);

	return run > 1 && nshim_netdev_drives(&tap->nic, lane, frames->data) ? run : 1;
}

/**
 * nshim_tap_begin_lane() - as nshim_netdev_begin()
 * @tap: the port
 * @lane: to be filled in
 * @dev: its macvtap
 *
 * Context: as nshim_netdev_begin().
 */
void nshim_tap_begin_lane(struct tap_port *tap, struct nshim_lane *lane, struct tap_dev *dev)
{
	nshim_netdev_begin(&tap->nic, lane, dev->dev, tap->sock->sk,
			   READ_ONCE(tap->owner->direct), &tap->flushed);
}

/* Those of the port that receives from the same queue, if they are to be expanded. */
static struct nshim_acks *acks_of(const struct tap_port *tap)
{
	struct nshim_inlet *inlet;

	if (likely(!READ_ONCE(nshim_expand_acks)))
		return NULL;
	inlet = rcu_dereference_sk_user_data(tap->sock->sk);
	return inlet ? &nshim_tap_of_inlet(inlet)->acks : NULL;
}

/**
 * nshim_tap_expand() - what is to be sent before a frame of a macvtap
 * @tap: the port
 * @lane: as nshim_tap_begin_lane() has left it
 * @skb: the frame
 *
 * Context: as nshim_netdev_begin().
 * Return: acknowledgments, linked by their next pointers, the last of them @skb.
 */
struct sk_buff *nshim_tap_expand(struct tap_port *tap, const struct nshim_lane *lane,
				 struct sk_buff *skb)
{
	struct nshim_acks *acks = acks_of(tap);

	if (likely(!acks))
		return skb;
	return nshim_acks_expand(acks, skb, nshim_netdev_drives(&tap->nic, lane, skb->data),
				 &tap->flushed.expanded);
}

/* Those that another twin takes at once.  Returns how many from the first on. */
static unsigned int hand_over(struct tap_port *tap, const struct nshim_lane *lane,
			      const struct xdp_buff *frames, unsigned int n, bool *behind)
{
	unsigned int given = nshim_handover(tap, lane, frames, n, behind), i;

	for (i = 0; i < given; i++)
		page_frag_free(frames[i].data_hard_start);
	return given;
}

static void make_and_hand_to_nic(struct tap_port *tap, unsigned int n)
{
	struct sk_buff *first = NULL, **tail = &first, *skb;
	unsigned int i, run, limit;
	bool behind = false;
	struct nshim_lane lane;
	struct tap_dev *dev;

	local_bh_disable();
	rcu_read_lock();
	dev = rcu_dereference(tap_queue_of(tap)->tap);
	if (unlikely(!dev)) {
		lose_gathered(tap, n);
		goto out;
	}
	nshim_tap_begin_lane(tap, &lane, dev);
	limit = lane.is_open ? nshim_aggregate_limit(lane.lower) : 1;
	for (i = 0; i < n; i += run) {
		run = hand_over(tap, &lane, &tap->tx[i], n - i, &behind);
		if (run)
			continue;
		run = next_run(tap, &lane, &tap->tx[i], min(n - i, limit));
		skb = make_aggregate(tap, dev->dev, &tap->tx[i], run);
		if (unlikely(!skb)) {
			nshim_lane_count_dropped(&lane, run);
			continue;
		}
		*tail = nshim_tap_expand(tap, &lane, skb);
		tail = &skb->next;
	}
	nshim_netdev_send(&tap->nic, &lane, first);
out:
	rcu_read_unlock();
	local_bh_enable();
}

/* Gathered frames */

static void send_gathered(struct tap_port *tap)
{
	unsigned int n = tap->nr_tx;

	if (!n)
		return;
	tap->nr_tx = 0;
	if (tap->is_macvtap)
		make_and_hand_to_nic(tap, n);
	else
		hand_to_tap(tap, n);
}

/**
 * nshim_tap_flush() - nshim_ops.flush
 * @port: the port
 * @flushed: what became of the frames since the last flush
 *
 * Context: process or softirq, the port's.
 */
void nshim_tap_flush(struct nshim_port *port, struct nshim_flushed *flushed)
{
	struct tap_port *tap = to_tap(port);

	send_gathered(tap);
	*flushed = tap->flushed;
	tap->flushed = (struct nshim_flushed) { };
}

/**
 * nshim_tap_mend_hdr_len() - have a header say of itself what a batch needs
 * @hdr: the virtio-net header
 * @frame_len: bytes of its frame
 *
 * For a checksum the tap's ordinary path mends a header length that ends before
 * it, and refuses one that ends in the Ethernet header or beyond the frame; its
 * batch path leaves that to its caller.
 *
 * Context: any.
 * Return: 0, or -EINVAL.
 */
int nshim_tap_mend_hdr_len(struct virtio_net_hdr *hdr, size_t frame_len)
{
	u32 end, hdr_len = le16_to_cpu((__force __le16)hdr->hdr_len);

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;
	end = le16_to_cpu((__force __le16)hdr->csum_start) +
	      le16_to_cpu((__force __le16)hdr->csum_offset) + 2;
	if (end > frame_len || max(end, hdr_len) < ETH_HLEN)
		return -EINVAL;
	if (end > hdr_len)
		hdr->hdr_len = (__force __virtio16)cpu_to_le16(end);
	return 0;
}

/*
 * Copy a frame into a fragment laid out as the tap's batches want it.  Not inline: the
 * compiler would have it there twice, for each @gfp.
 */
static noinline int gather(struct tap_port *tap, struct iov_iter *frame,
			   unsigned int pad, unsigned int buflen, gfp_t gfp)
{
	struct xdp_buff *xdp = &tap->tx[tap->nr_tx];
	size_t len = iov_iter_count(frame);
	struct virtio_net_hdr *hdr;
	void *buf, *front;
	int err;

	/* The fragment begins with room for any header that a tap may know. */
	BUILD_BUG_ON(SKB_DATA_ALIGN(NET_IP_ALIGN + NET_SKB_PAD) <
		     COMPAT_TUN_BATCH_HDR_MAX);
	buf = page_frag_alloc(&tap->frags, buflen, gfp);
	if (unlikely(!buf))
		return gfpflags_allow_blocking(gfp) ? -ENOMEM : -EBUSY;
	/*
	 * One copy takes both: the header comes to lie in the headroom.  The fragment is as
	 * long as that, see nshim_tap_xmit(): no need to look it up.
	 */
	err = -EFAULT;
	front = buf + pad - tap->hdr_len;
	if (unlikely(_copy_from_iter(front, len, frame) != len))
		goto err_free;
	memset(buf, 0, COMPAT_TUN_BATCH_HDR_MAX);
	hdr = compat_tun_batch_hdr(buf, buflen);
	/* What the header may have beyond, the number of buffers, says nothing. */
	if (tap->hdr_len)
		*hdr = *(struct virtio_net_hdr *)front;
	err = nshim_tap_mend_hdr_len(hdr, len - tap->hdr_len);
	if (unlikely(err))
		goto err_free;

	xdp_init_buff(xdp, buflen, NULL);
	xdp_prepare_buff(xdp, buf, pad, len - tap->hdr_len, true);
	tap->nr_tx++;
	return nshim_frame_flags(hdr);

err_free:
	page_frag_free(buf);
	return err;
}

/**
 * nshim_tap_xmit() - nshim_ops.xmit
 * @port: the port
 * @frame: header and frame
 * @wait: may memory be waited for?
 *
 * Context: process; softirq if not @wait.
 * Return: NSHIM_FRAME_*, or an error as of nshim_ops.xmit.
 */
int nshim_tap_xmit(struct nshim_port *port, struct iov_iter *frame, bool wait)
{
	struct tap_port *tap = to_tap(port);
	unsigned int pad, buflen;
	size_t len = iov_iter_count(frame);

	if (unlikely(len < tap->hdr_len + ETH_HLEN))
		return -EINVAL;
	if (unlikely(len > TAP_MAX_LEN))
		return -EMSGSIZE;
	if (unlikely(!nshim_tap_has_room(tap)))
		return -EAGAIN;

	pad = SKB_DATA_ALIGN(NET_IP_ALIGN + NET_SKB_PAD + tap->hdr_len +
			     (sock_flag(tap->sock->sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0));
	if (nshim_tap_has_endless_buffer(tap) && len <= SKB_WITH_OVERHEAD(PAGE_SIZE) - pad) {
		buflen = SKB_DATA_ALIGN(pad + len - tap->hdr_len) +
			 SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
		if (tap->nr_tx == TAP_BATCH) {
			if (!wait)
				return -EBUSY;
			send_gathered(tap);
		}
		return gather(tap, frame, pad, buflen,
			      wait ? GFP_KERNEL : GFP_NOWAIT | __GFP_NOWARN);
	}
	/* There may not be memory for it at once. */
	if (!wait)
		return -EBUSY;
	send_gathered(tap);
	return nshim_tap_send_long(tap, frame);
}

/* Room */

/**
 * nshim_tap_has_room() - may more be sent, as far as what goes past the tap is concerned?
 * @tap: the port
 *
 * If not, the last frames that wait will wake the tap's wait queue when they have been
 * sent: sock_wfree() and tap_sock_write_space().
 *
 * Context: any.
 * Return: whether.
 */
bool nshim_tap_has_room(struct tap_port *tap)
{
	struct sock *sk = tap->sock->sk;

	if (!tap->is_macvtap || sk_wmem_alloc_get(sk) < TAP_MAX_WAITING)
		return true;
	set_bit(SOCKWQ_ASYNC_NOSPACE, &sk->sk_socket->flags);
	smp_mb__after_atomic();	/* the bit before the last look */
	return sk_wmem_alloc_get(sk) < TAP_MAX_WAITING;
}

/**
 * nshim_tap_may_send() - nshim_ops.may_send
 * @port: the port
 *
 * Context: process or softirq.
 * Return: whether there is room; if not, EPOLLOUT follows.
 */
bool nshim_tap_may_send(struct nshim_port *port)
{
	return vfs_poll(port->file, NULL) & (EPOLLOUT | EPOLLERR) &&
	       nshim_tap_has_room(to_tap(port));
}
