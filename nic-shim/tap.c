// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap or macvtap as the backend: the drop-in.
 *
 * The tap is used through its socket, as vhost-net does, so that it stays a
 * tap: bridges, nftables and tc on it go on working, and what its owner set
 * by ioctl (offloads, header size, send buffer) is in force.
 *
 * Here it is attached, and received from; tap_send.c sends.
 */
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>

#include "nic-shim/tap.h"

/* Receive */

/*
 * Returns how many frames have come, or -EBUSY.  Who reads the tap holds its lock with
 * softirqs enabled, so that they can't wait for it.
 */
static int refill(struct tap_port *tap, bool wait)
{
	/* Who floods the one shall not keep us from the other. */
	bool shared = tap->has_inlet && !nshim_inlet_is_empty(&tap->inlet);
	unsigned int most = shared ? TAP_BATCH / 2 : TAP_BATCH;

	if (wait)
		spin_lock(&tap->ring->consumer_lock);
	else if (!spin_trylock(&tap->ring->consumer_lock))
		return -EBUSY;
	tap->rx_head = 0;
	tap->rx_tail = __ptr_ring_consume_batched(tap->ring, tap->rx, most);
	if (tap->rx_tail)
		tun_wake_queue(tap->port.file, tap->rx_tail);
	spin_unlock(&tap->ring->consumer_lock);
	if (tap->has_inlet && tap->rx_tail < TAP_BATCH)
		tap->rx_tail += nshim_inlet_take(&tap->inlet, tap->rx + tap->rx_tail,
						 TAP_BATCH - tap->rx_tail);
	return tap->rx_tail;
}

/* Does the tap prepend what was said? */
static bool header_is_as_said(const struct tap_port *tap)
{
	const struct tap_queue *q = tap_queue_of(tap);
	int len = q->flags & IFF_VNET_HDR ? READ_ONCE(q->vnet_hdr_sz) : 0;

	return len == tap->hdr_len;
}

/* Has the guest said that it takes datagrams as one frame? */
static bool takes_datagrams(const struct tap_port *tap)
{
	const struct tap_dev *dev;
	bool takes;

	if (!tap->is_macvtap || !tap->hdr_len || !header_is_as_said(tap))
		return false;
	rcu_read_lock();
	dev = rcu_dereference(tap_queue_of(tap)->tap);
	takes = dev && READ_ONCE(dev->tap_features) & NETIF_F_GSO_UDP_L4;
	rcu_read_unlock();
	return takes;
}

static void find_next(struct tap_port *tap)
{
	unsigned int most = min(tap->rx_tail - tap->rx_head, READ_ONCE(nshim_most_joined));

	tap->rx_next.n = 1;
	if (most > 1 && takes_datagrams(tap))
		nshim_datagrams_find(tap->rx + tap->rx_head, most, &tap->rx_next);
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
	/* Meanwhile the guest may have been told that it gets none. */
	if (!tap->rx_next.n || (tap->rx_next.n > 1 && !takes_datagrams(tap)))
		find_next(tap);
	port->frames = tap->rx_next.n;
	if (port->frames > 1) {
		*flags = NSHIM_FRAME_CSUM | NSHIM_FRAME_GSO;
		return tap->hdr_len + tap->rx_next.len;
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

static void tap_part(struct nshim_port *port)
{
	to_tap(port)->rx_next.n = 1;
}

/*
 * From @from on, which is before its pages.
 *
 * As skb_copy_datagram_iter() (net/core/datagram.c), but without asking the allocators
 * whether what an skb says of its own memory is so.
 */
static int copy_data(const struct sk_buff *skb, unsigned int from, struct iov_iter *to)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int len = skb_headlen(skb) - from, i;
	const struct sk_buff *part;

	if (_copy_to_iter(skb->data + from, len, to) != len)
		return -EFAULT;
	for (i = 0; i < shinfo->nr_frags; i++) {
		const skb_frag_t *frag = &shinfo->frags[i];

		len = skb_frag_size(frag);
		/* There is no page of a device's own memory. */
		if (!skb_frag_page(frag) ||
		    copy_page_to_iter(skb_frag_page(frag), skb_frag_off(frag), len, to) != len)
			return -EFAULT;
	}
	skb_walk_frags(skb, part) {
		int err = copy_data(part, 0, to);

		if (err)
			return err;
	}
	return 0;
}

/* Header and frame, as tap_put_user() (drivers/net/tap.c), but with the number of buffers. */
static int copy_frame(struct tap_port *tap, const struct sk_buff *skb, struct iov_iter *to,
		      unsigned int buffers)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	size_t len = tap->hdr_len;

	if (len) {
		if (virtio_net_hdr_from_skb(skb, &hdr.hdr, true, true, 0))
			return -EINVAL;
		hdr.num_buffers = (__force __virtio16)cpu_to_le16(buffers);
		/* Not longer than that is, as attach has seen: no need to look it up. */
		if (_copy_to_iter(&hdr, len, to) != len)
			return -EFAULT;
	}
	return copy_data(skb, 0, to) ?: len + skb->len;
}

/* The same of frames that are read as one. */
static int copy_datagrams(struct tap_port *tap, void *const *frames,
			  const struct nshim_datagrams *d, struct iov_iter *to,
			  unsigned int buffers)
{
	u8 headers[sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct udphdr)];
	struct virtio_net_hdr_mrg_rxbuf hdr;
	size_t len = tap->hdr_len;
	unsigned int i;
	int err = 0;

	nshim_datagrams_headers(frames[0], d, &hdr.hdr, headers);
	hdr.num_buffers = (__force __virtio16)cpu_to_le16(buffers);
	if (_copy_to_iter(&hdr, len, to) != len ||
	    _copy_to_iter(headers, d->hdr_len, to) != d->hdr_len)
		return -EFAULT;
	for (i = 0; i < d->n && !err; i++)
		err = copy_data(frames[i], d->hdr_len, to);
	return err ?: len + d->len;
}

static int recv_datagrams(struct tap_port *tap, void *const *frames,
			  const struct nshim_datagrams *d, struct iov_iter *to,
			  unsigned int buffers)
{
	int ret = -EINVAL;
	unsigned int i;

	if (likely(header_is_as_said(tap)))
		ret = copy_datagrams(tap, frames, d, to, buffers);
	for (i = 0; i < d->n; i++) {
		if (unlikely(ret < 0))
			kfree_skb(frames[i]);
		else
			napi_consume_skb(frames[i], in_serving_softirq());
	}
	return ret;
}

static int recv_from_macvtap(struct tap_port *tap, struct sk_buff *skb, struct iov_iter *to,
			     unsigned int buffers)
{
	int ret;

	if (unlikely(!iov_iter_count(to) || !header_is_as_said(tap))) {
		kfree_skb(skb);
		return iov_iter_count(to) ? -EINVAL : 0;
	}
	if (unlikely(skb_vlan_tag_present(skb))) {
		skb = __vlan_hwaccel_push_inside(skb);
		if (!skb)
			return -ENOMEM;
	}
	if (unlikely(READ_ONCE(nshim_expand_acks)))
		nshim_acks_received(&tap->acks, skb);
	ret = copy_frame(tap, skb, to, buffers);
	if (unlikely(ret < 0))
		kfree_skb(skb);
	else
		napi_consume_skb(skb, in_serving_softirq());
	return ret;
}

static int recv_by_socket(struct tap_port *tap, void *frame, struct iov_iter *to)
{
	struct msghdr msg = {
		.msg_control	= frame,
		.msg_iter	= *to,
	};
	size_t len = iov_iter_count(to);
	int ret;

	ret = tap->sock->ops->recvmsg(tap->sock, &msg, len, MSG_DONTWAIT | MSG_TRUNC);
	/* A tap does not tell of what it could not write; the iterator does. */
	if (unlikely(ret > 0 && ret == len && iov_iter_count(&msg.msg_iter)))
		return -EFAULT;
	return ret;
}

static int tap_recv(struct nshim_port *port, struct iov_iter *to, unsigned int buffers)
{
	struct tap_port *tap = to_tap(port);
	void *const *frames = tap->rx + tap->rx_head;
	struct nshim_datagrams next = tap->rx_next;

	tap->rx_head += next.n;
	tap->rx_next.n = 0;
	if (next.n > 1)
		return recv_datagrams(tap, frames, &next, to, buffers);
	return tap->is_macvtap ? recv_from_macvtap(tap, frames[0], to, buffers) :
				 recv_by_socket(tap, frames[0], to);
}

/* Attach and detach */

static int tap_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		    void *key)
{
	struct tap_port *tap = container_of(wait, struct tap_port, wait);
	__poll_t mask = key_to_poll(key) & tap->events;

	if (mask & EPOLLOUT && !nshim_tap_has_room(tap))
		mask &= ~EPOLLOUT;
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
	if (tap->has_inlet)
		lost += nshim_inlet_close(&tap->inlet, tap->sock->sk, tap->ring);
	page_frag_cache_drain(&tap->frags);
	fput(port->file);
	/* Another twin may still look into the inlet. */
	kfree_rcu(tap, inlet.rcu);
	return lost;
}

static const struct nshim_ops tap_ops = {
	.detach		= tap_detach,
	.xmit		= nshim_tap_xmit,
	.flush		= nshim_tap_flush,
	.may_send	= nshim_tap_may_send,
	.peek		= tap_peek,
	.part		= tap_part,
	.recv		= tap_recv,
};

/* Is there a NIC below that can be driven?  For the socket of what is no tun device. */
static bool is_on_macvlan(const struct tap_port *tap)
{
	struct tap_dev *dev;
	bool is;

	rcu_read_lock();
	dev = rcu_dereference(tap_queue_of(tap)->tap);
	is = dev && netif_is_macvlan(dev->dev);
	rcu_read_unlock();
	return is;
}

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
	tap->is_macvtap = is_on_macvlan(tap);
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

	if (hdr_len > sizeof(struct virtio_net_hdr_mrg_rxbuf))
		return ERR_PTR(-EINVAL);
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
	spin_lock_init(&tap->acks.lock);
	tap->port.counts_buffers = tap->is_macvtap && hdr_len;

	init_waitqueue_func_entry(&tap->wait, tap_wake);
	init_poll_funcptr(&tap->pt, tap_poll_queued);
	err = -EINVAL;
	if (vfs_poll(file, &tap->pt) & EPOLLERR)
		goto err_unpoll;
	tap->has_inlet = tap->is_macvtap && events & EPOLLIN &&
			 nshim_inlet_open(&tap->inlet, tap->sock->sk, owner);
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
