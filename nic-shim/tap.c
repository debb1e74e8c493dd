// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap or macvtap as the backend: the drop-in.
 *
 * The tap is used through its socket, as vhost-net does, so that it stays a
 * tap: bridges, nftables and tc on it go on working, and what its owner set
 * by ioctl (offloads, header size, send buffer) is in force.
 *
 * Small frames are copied into page fragments and handed over in batches;
 * frames that do not fit a page go one by one, gathered by the tap itself.
 */
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/if_ether.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "nic-shim/nshim.h"

#define TAP_BATCH	64

/* Longer than any frame.  Taps compute with int: to them, 2^32 - 1 is -1. */
#define TAP_MAX_LEN	SZ_1M

/**
 * struct tap_port - one queue of a tap
 * @port: what the owner sees
 * @owner: whom to tell
 * @hdr_len: bytes of the virtio-net header that the tap expects
 * @sock: the tap's socket; lives as long as the file that @port holds
 * @ring: what the tap has for us to receive
 * @wqh: the tap's wait queue
 * @wait: our entry in it
 * @pt: how poll() tells us @wqh
 * @events: which of its events are ours
 * @frags: what the gathered frames are copied into
 * @nr_tx: frames gathered in @tx
 * @refused: frames that the tap did not take since the last flush
 * @rx_head: next frame of @rx to take
 * @rx_tail: end of the frames in @rx
 * @rx: frames that have left @ring
 * @tx: frames for the next batch
 */
struct tap_port {
	struct nshim_port	port;
	struct nshim_owner	*owner;
	size_t			hdr_len;
	struct socket		*sock;
	struct ptr_ring		*ring;
	wait_queue_head_t	*wqh;
	wait_queue_entry_t	wait;
	poll_table		pt;
	__poll_t		events;
	struct page_frag_cache	frags;
	unsigned int		nr_tx;
	unsigned int		refused;
	unsigned int		rx_head;
	unsigned int		rx_tail;
	void			*rx[TAP_BATCH];
	struct xdp_buff		tx[TAP_BATCH];
};

static struct tap_port *to_tap(struct nshim_port *port)
{
	return container_of(port, struct tap_port, port);
}

/* Transmit */

static void send_gathered(struct tap_port *tap)
{
	struct tun_msg_ctl ctl = {
		.type	= TUN_MSG_PTR,
		.num	= tap->nr_tx,
		.ptr	= tap->tx,
	};
	struct msghdr msg = {
		.msg_flags	= MSG_DONTWAIT,
		.msg_control	= &ctl,
		.msg_controllen	= sizeof(ctl),
	};
	unsigned int i, sent = tap->nr_tx;

	if (!sent)
		return;
	tap->nr_tx = 0;
	if (likely(tap->sock->ops->sendmsg(tap->sock, &msg, 0) >= 0))
		return;
	/* The device has left the tap; a macvtap never says so. */
	for (i = 0; i < sent; i++)
		page_frag_free(tap->tx[i].data_hard_start);
	tap->refused += sent;
}

static unsigned int tap_flush(struct nshim_port *port)
{
	struct tap_port *tap = to_tap(port);
	unsigned int refused;

	send_gathered(tap);
	refused = tap->refused;
	tap->refused = 0;
	return refused;
}

static int frame_flags(const struct virtio_net_hdr *hdr)
{
	int flags = 0;

	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		flags |= NSHIM_FRAME_CSUM;
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		flags |= NSHIM_FRAME_GSO;
	return flags;
}

/*
 * For a checksum the tap's ordinary path mends a header length that ends before
 * it, and refuses one that ends in the Ethernet header or beyond the frame; its
 * batch path leaves that to its caller.
 */
static int mend_hdr_len(struct virtio_net_hdr *hdr, size_t frame_len)
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
	/* One copy takes both: the header comes to lie in the headroom. */
	err = -EFAULT;
	front = buf + pad - tap->hdr_len;
	if (unlikely(!copy_from_iter_full(front, len, frame)))
		goto err_free;
	memset(buf, 0, COMPAT_TUN_BATCH_HDR_MAX);
	hdr = compat_tun_batch_hdr(buf, buflen);
	/* What the header may have beyond, the number of buffers, says nothing. */
	if (tap->hdr_len)
		*hdr = *(struct virtio_net_hdr *)front;
	err = mend_hdr_len(hdr, len - tap->hdr_len);
	if (unlikely(err))
		goto err_free;

	xdp_init_buff(xdp, buflen, NULL);
	xdp_prepare_buff(xdp, buf, pad, len - tap->hdr_len, true);
	tap->nr_tx++;
	return frame_flags(hdr);

err_free:
	page_frag_free(buf);
	return err;
}

static int send_one(struct tap_port *tap, struct iov_iter *frame)
{
	struct virtio_net_hdr hdr = { };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	int err;

	if (tap->hdr_len) {
		struct iov_iter peek = *frame;

		if (unlikely(!copy_from_iter_full(&hdr, sizeof(hdr), &peek)))
			return -EFAULT;
	}
	msg.msg_iter = *frame;
	err = tap->sock->ops->sendmsg(tap->sock, &msg, iov_iter_count(frame));
	return err < 0 ? err : frame_flags(&hdr);
}

static int tap_xmit(struct nshim_port *port, struct iov_iter *frame, bool wait)
{
	struct tap_port *tap = to_tap(port);
	struct sock *sk = tap->sock->sk;
	unsigned int pad, buflen;
	size_t len = iov_iter_count(frame);

	if (unlikely(len < tap->hdr_len + ETH_HLEN))
		return -EINVAL;
	if (unlikely(len > TAP_MAX_LEN))
		return -EMSGSIZE;

	pad = SKB_DATA_ALIGN(NET_IP_ALIGN + NET_SKB_PAD + tap->hdr_len +
			     (sock_flag(sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0));
	/* A batch takes no account of a send buffer: it needs an endless one. */
	if (READ_ONCE(sk->sk_sndbuf) == INT_MAX &&
	    len <= SKB_WITH_OVERHEAD(PAGE_SIZE) - pad) {
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
	/* The tap sleeps for memory for it. */
	if (!wait)
		return -EBUSY;
	send_gathered(tap);
	return send_one(tap, frame);
}

static bool tap_may_send(struct nshim_port *port)
{
	return vfs_poll(port->file, NULL) & (EPOLLOUT | EPOLLERR);
}

/* Receive */

/*
 * Returns how many frames have come, or -EBUSY.  Who reads the tap holds its lock with
 * softirqs enabled, so that they can't wait for it.
 */
static int refill(struct tap_port *tap, bool wait)
{
	if (wait)
		spin_lock(&tap->ring->consumer_lock);
	else if (!spin_trylock(&tap->ring->consumer_lock))
		return -EBUSY;
	tap->rx_head = 0;
	tap->rx_tail = __ptr_ring_consume_batched(tap->ring, tap->rx,
						  TAP_BATCH);
	if (tap->rx_tail)
		tun_wake_queue(tap->port.file, tap->rx_tail);
	spin_unlock(&tap->ring->consumer_lock);
	return tap->rx_tail;
}

static ssize_t tap_peek(struct nshim_port *port, unsigned int *flags, bool wait)
{
	struct tap_port *tap = to_tap(port);
	struct sk_buff *skb;
	size_t len;
	void *ptr;
	int ret;

	if (tap->rx_head == tap->rx_tail) {
		ret = refill(tap, wait);
		if (ret <= 0)
			return ret;
	}
	*flags = 0;
	ptr = tap->rx[tap->rx_head];
	if (tun_is_xdp_frame(ptr))
		return tap->hdr_len + tun_ptr_to_xdp(ptr)->len;
	skb = ptr;
	if (!wait && compat_copy_may_sleep(skb))
		return -EBUSY;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		*flags |= NSHIM_FRAME_CSUM;
	if (skb_is_gso(skb))
		*flags |= NSHIM_FRAME_GSO;
	len = tap->hdr_len + skb->len;
	return skb_vlan_tag_present(skb) ? len + VLAN_HLEN : len;
}

static int tap_recv(struct nshim_port *port, struct iov_iter *to)
{
	struct tap_port *tap = to_tap(port);
	struct msghdr msg = {
		.msg_control	= tap->rx[tap->rx_head++],
		.msg_iter	= *to,
	};
	size_t len = iov_iter_count(to);
	int ret;

	ret = tap->sock->ops->recvmsg(tap->sock, &msg, len,
				      MSG_DONTWAIT | MSG_TRUNC);
	/* A tap does not tell of what it could not write; the iterator does. */
	if (unlikely(ret > 0 && ret == len && iov_iter_count(&msg.msg_iter)))
		return -EFAULT;
	return ret;
}

/* Attach and detach */

static int tap_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		    void *key)
{
	struct tap_port *tap = container_of(wait, struct tap_port, wait);
	__poll_t mask = key_to_poll(key) & tap->events;

	if (mask)
		tap->owner->event(tap->owner, mask);
	return 0;
}

static void tap_poll_queued(struct file *file, wait_queue_head_t *wqh,
			    poll_table *pt)
{
	struct tap_port *tap = container_of(pt, struct tap_port, pt);

	tap->wqh = wqh;
	add_wait_queue(wqh, &tap->wait);
}

/* What is told of a frame that the tap has no room for is the frame alone. */
static DEFINE_MUTEX(lost_lock);
static unsigned int lost_frames;

static void lose_frame(void *ptr)
{
	lockdep_assert_held(&lost_lock);
	lost_frames++;
	tun_ptr_free(ptr);
}

/* Returns how many frames the tap had no room for. */
static unsigned int give_back_rx(struct tap_port *tap)
{
	unsigned int lost;

	if (tap->rx_head == tap->rx_tail)
		return 0;
	mutex_lock(&lost_lock);
	lost_frames = 0;
	ptr_ring_unconsume(tap->ring, tap->rx + tap->rx_head,
			   tap->rx_tail - tap->rx_head, lose_frame);
	lost = lost_frames;
	mutex_unlock(&lost_lock);
	return lost;
}

static unsigned int tap_detach(struct nshim_port *port)
{
	struct tap_port *tap = to_tap(port);
	unsigned int lost;

	remove_wait_queue(tap->wqh, &tap->wait);
	lost = give_back_rx(tap);
	page_frag_cache_drain(&tap->frags);
	fput(port->file);
	kfree(tap);
	return lost;
}

static const struct nshim_ops tap_ops = {
	.detach		= tap_detach,
	.xmit		= tap_xmit,
	.flush		= tap_flush,
	.may_send	= tap_may_send,
	.peek		= tap_peek,
	.recv		= tap_recv,
};

static int find_socket(struct tap_port *tap, struct file *file)
{
	tap->sock = tun_get_socket(file);
	if (!IS_ERR(tap->sock)) {
		tap->ring = tun_get_tx_ring(file);
		return PTR_ERR_OR_ZERO(tap->ring);
	}
	tap->sock = tap_get_socket(file);
	if (IS_ERR(tap->sock))
		return PTR_ERR(tap->sock);
	tap->ring = tap_get_ptr_ring(file);
	return PTR_ERR_OR_ZERO(tap->ring);
}

/**
 * nshim_tap_attach() - attach a queue to a tap
 * @fd: a queue of a tap or macvtap, of the calling process
 * @events: EPOLLIN to receive, EPOLLOUT to send
 * @hdr_len: bytes of virtio-net header before each frame, 0 for none; what
 *	the tap was told by TUNSETVNETHDRSZ
 * @owner: whom to tell of @events
 *
 * The fd is looked up once; the port holds the file.
 *
 * Context: process; may sleep.
 * Return: the port, -ENOTSOCK if @fd is no tap, -EINVAL if no device belongs
 * to it, or -ENOMEM.
 */
struct nshim_port *nshim_tap_attach(int fd, __poll_t events, size_t hdr_len,
				    struct nshim_owner *owner)
{
	struct tap_port *tap;
	struct file *file;
	int err;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-ENOTSOCK);
	tap = kzalloc(sizeof(*tap), GFP_KERNEL_ACCOUNT);
	if (!tap) {
		err = -ENOMEM;
		goto err_fput;
	}
	err = -ENOTSOCK;
	if (find_socket(tap, file))
		goto err_free;
	tap->port.ops = &tap_ops;
	tap->port.file = file;
	tap->owner = owner;
	tap->events = events;
	tap->hdr_len = hdr_len;

	init_waitqueue_func_entry(&tap->wait, tap_wake);
	init_poll_funcptr(&tap->pt, tap_poll_queued);
	err = -EINVAL;
	if (vfs_poll(file, &tap->pt) & EPOLLERR)
		goto err_unpoll;
	return &tap->port;

err_unpoll:
	if (tap->wqh)
		remove_wait_queue(tap->wqh, &tap->wait);
err_free:
	kfree(tap);
err_fput:
	fput(file);
	return ERR_PTR(err);
}
