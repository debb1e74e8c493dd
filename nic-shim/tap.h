/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tap.c, tap_send.c and tap_long.c between themselves.
 */
#ifndef NIC_SHIM_TAP_H
#define NIC_SHIM_TAP_H

#include <linux/if_tap.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/wait.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "nic-shim/acks.h"
#include "nic-shim/datagrams.h"
#include "nic-shim/netdev.h"
#include "nic-shim/nshim.h"
#include "nic-shim/switch.h"

#define TAP_BATCH	64

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
 * @is_macvtap: whether it is one
 * @has_inlet: whether other twins' frames come in by @inlet
 * @inlet: theirs
 * @acks: what was received that acknowledgments may be expanded of
 * @nic: what is known of the NIC below, if it is
 * @flushed: what became of frames since the last flush
 * @rx_head: next frame of @rx to take
 * @rx_tail: end of the frames in @rx
 * @rx_next: what of @rx is read as the next frame; @n is 0 if that is still to be found
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
	bool			is_macvtap;
	bool			has_inlet;
	struct nshim_inlet	inlet;
	struct nshim_acks	acks;
	struct nshim_netdev	nic;
	struct nshim_flushed	flushed;
	unsigned int		rx_head;
	unsigned int		rx_tail;
	struct nshim_datagrams	rx_next;
	void			*rx[TAP_BATCH];
	struct xdp_buff		tx[TAP_BATCH];
};

static inline struct tap_port *to_tap(struct nshim_port *port)
{
	return container_of(port, struct tap_port, port);
}

/* Of a macvtap alone: a tun device's socket is another one. */
static inline struct tap_queue *tap_queue_of(const struct tap_port *tap)
{
	return container_of(tap->sock, struct tap_queue, sock);
}

/* The port that other twins' frames come to by an inlet. */
static inline struct tap_port *nshim_tap_of_inlet(struct nshim_inlet *inlet)
{
	return container_of(inlet, struct tap_port, inlet);
}

/* A tap's batches, and with them what goes past it, take no account of a send buffer. */
static inline bool nshim_tap_has_endless_buffer(const struct tap_port *tap)
{
	return READ_ONCE(tap->sock->sk->sk_sndbuf) == INT_MAX;
}

int nshim_tap_mend_hdr_len(struct virtio_net_hdr *hdr, size_t frame_len);
int nshim_tap_finish_frame(struct sk_buff *skb, struct net_device *dev,
			   const struct virtio_net_hdr *hdr);
void nshim_tap_begin_lane(struct tap_port *tap, struct nshim_lane *lane, struct tap_dev *dev);
struct sk_buff *nshim_tap_expand(struct tap_port *tap, const struct nshim_lane *lane,
				 struct sk_buff *skb);
int nshim_tap_send_long(struct tap_port *tap, struct iov_iter *frame);

int nshim_tap_xmit(struct nshim_port *port, struct iov_iter *frame, bool wait);
void nshim_tap_flush(struct nshim_port *port, struct nshim_flushed *flushed);
bool nshim_tap_may_send(struct nshim_port *port);
bool nshim_tap_has_room(struct tap_port *tap);

#endif /* NIC_SHIM_TAP_H */
