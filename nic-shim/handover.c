// SPDX-License-Identifier: GPL-2.0-only
/*
 * From guest to guest on one NIC without an skb: the other twin copies the frame into its
 * guest's buffers, in the sender's time.
 *
 * What is looked at of a frame, its addresses and, if it is to be segmented, its headers,
 * is a copy that its guest can't change any more.  Of one that does not fit a page only the
 * first bytes are; the rest is copied once, from the one guest's memory to the other's.
 *
 * What is not as plain as that, and what the other can't take at once, goes by the inlet
 * (switch.c), and keeps its order: nothing is handed over that would overtake it.
 */
#include <linux/etherdevice.h>
#include <linux/if_macvlan.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/ipv6.h>
#include <net/tcp.h>

#include "nic-shim/handover.h"
#include "nic-shim/lane.h"
#include "nic-shim/segment.h"
#include "nic-shim/tap.h"

/* As many as are handed over at a time. */
#define MOST_GIFTS	16

/* Whom to, and what it takes. */
struct taker {
	struct net_device	*dev;
	struct nshim_owner	*owner;
	const struct nshim_port	*port;
	netdev_features_t	features;
	unsigned int		longest;
};

/* Returns whether it is for another macvlan device; who takes it may be nobody. */
static bool find_taker(struct tap_port *tap, const struct nshim_lane *lane, const u8 *dest,
		       struct taker *taker)
{
	struct nshim_inlet *inlet = NULL;

	taker->dev = nshim_netdev_sibling(&tap->nic, lane, dest);
	if (likely(!taker->dev))
		return false;
	if (!tap->nic.is_copied)
		inlet = nshim_switch_find(lane->lower, taker->dev, NULL,
					  &taker->features);
	taker->owner = inlet ? READ_ONCE(inlet->owner) : NULL;
	taker->port = inlet ? &nshim_tap_of_inlet(inlet)->port : NULL;
	/* As __is_skb_forwardable(). */
	taker->longest = READ_ONCE(lane->lower->mtu) + lane->lower->hard_header_len + VLAN_HLEN;
	return true;
}

/*
 * A checksum to be made of what is behind the IP header.  That it is not behind the frame's
 * end was looked at (nshim_tap_mend_hdr_len()).
 */
static bool is_plain_checksum(const struct virtio_net_hdr *hdr, const struct ethhdr *eth)
{
	unsigned int before = ETH_HLEN;

	if (eth->h_proto == htons(ETH_P_IP))
		before += sizeof(struct iphdr);
	else if (eth->h_proto == htons(ETH_P_IPV6))
		before += sizeof(struct ipv6hdr);
	else
		return false;
	return le16_to_cpu((__force __le16)hdr->csum_start) >= before;
}

/*
 * A TCP stream's frame, to be segmented just as its headers say.  Returns how long those
 * are, or 0.
 */
static unsigned int plain_headers(const struct virtio_net_hdr *hdr, const void *data,
				  size_t front, size_t len)
{
	bool is_ipv4 = hdr->gso_type == VIRTIO_NET_HDR_GSO_TCPV4;
	unsigned int size = le16_to_cpu((__force __le16)hdr->gso_size);
	struct nshim_segment s;

	if (!nshim_segment_parse((void *)data, front, len, &s) ||
	    nshim_segment_is_ipv4(&s) != is_ipv4 || !size || size >= s.payload ||
	    le16_to_cpu((__force __le16)hdr->csum_start) != (void *)s.tcp - data ||
	    le16_to_cpu((__force __le16)hdr->csum_offset) != offsetof(struct tcphdr, check))
		return 0;
	return len - s.payload;
}

/* Does the other guest take frames that are to be segmented so? */
static bool takes_gso(const struct taker *taker, u8 type)
{
	return (type == VIRTIO_NET_HDR_GSO_TCPV4 && taker->features & NETIF_F_TSO) ||
	       (type == VIRTIO_NET_HDR_GSO_TCPV6 && taker->features & NETIF_F_TSO6);
}

/*
 * What the other guest is told of a frame: what this one has, if there is nothing that it
 * may not have as it is, and no more.  Returns whether so.
 */
static bool wrap(const struct taker *taker, const struct virtio_net_hdr *hdr,
		 const void *data, size_t front, size_t len, struct nshim_gift *gift)
{
	unsigned int headers;

	*gift = (struct nshim_gift) { .data = data, .len = front };
	if (eth_type_vlan(((const struct ethhdr *)data)->h_proto))
		return false;
	if (!hdr->flags && hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return len <= taker->longest;
	if (hdr->flags != VIRTIO_NET_HDR_F_NEEDS_CSUM ||
	    !(taker->features & NETIF_F_CSUM_MASK) || !is_plain_checksum(hdr, data))
		return false;
	gift->hdr.flags = hdr->flags;
	gift->hdr.csum_start = hdr->csum_start;
	gift->hdr.csum_offset = hdr->csum_offset;
	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return len <= taker->longest;
	if (!takes_gso(taker, hdr->gso_type))
		return false;
	headers = plain_headers(hdr, data, front, len);
	gift->hdr.gso_type = hdr->gso_type;
	gift->hdr.gso_size = hdr->gso_size;
	gift->hdr.hdr_len = (__force __virtio16)cpu_to_le16(headers);
	return headers;
}

/* May frames reach another twin at all? */
static bool is_open(const struct tap_port *tap, const struct nshim_lane *lane)
{
	return lane->is_open && lane->is_bridged && nshim_netdev_has_siblings(&tap->nic);
}

static void count(struct tap_port *tap, const struct nshim_lane *lane,
		  const struct taker *taker, unsigned int n, unsigned int bytes)
{
	struct vlan_pcpu_stats *stats;

	tap->flushed.switched += n;
	nshim_lane_count(lane, n, bytes);
	stats = this_cpu_ptr(((struct macvlan_dev *)netdev_priv(taker->dev))->pcpu_stats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->rx_packets, n);
	u64_stats_add(&stats->rx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
}

/**
 * nshim_handover() - hand frames over that are for the same other twin
 * @tap: whose they are
 * @lane: as nshim_netdev_begin() has left it
 * @frames: gathered frames, each with its virtio-net header in front
 * @n: how many at most
 * @behind: whether one that was not handed over, and may be for a twin, comes before
 *	them; set if the first of them is such a one
 *
 * Their memory is the caller's still.
 *
 * Context: as nshim_netdev_begin().
 * Return: how many were, from the first on.
 */
unsigned int nshim_handover(struct tap_port *tap, const struct nshim_lane *lane,
			    const struct xdp_buff *frames, unsigned int n, bool *behind)
{
	const u8 *dest = frames->data;
	struct nshim_gift gifts[MOST_GIFTS];
	const struct virtio_net_hdr *hdr;
	unsigned int i, bytes = 0, given;
	struct taker taker;
	size_t len;

	if (*behind || !is_open(tap, lane))
		return 0;
	if (unlikely(is_multicast_ether_addr(dest))) {
		*behind = true;
		return 0;
	}
	if (likely(!find_taker(tap, lane, dest, &taker)))
		return 0;
	n = taker.owner ? min(n, MOST_GIFTS) : 0;
	for (i = 0; i < n; i++) {
		hdr = compat_tun_batch_hdr(frames[i].data_hard_start, frames[i].frame_sz);
		len = frames[i].data_end - frames[i].data;
		if (!ether_addr_equal(frames[i].data, dest) ||
		    !wrap(&taker, hdr, frames[i].data, len, len, &gifts[i]))
			break;
	}
	given = i ? taker.owner->take(taker.owner, taker.port, gifts, i) : 0;
	*behind = !i || given < i;
	if (!given)
		return 0;
	for (i = 0; i < given; i++)
		bytes += gifts[i].len;
	count(tap, lane, &taker, given, bytes);
	return given;
}

/**
 * nshim_handover_long() - hand a frame over that does not fit a page
 * @tap: whose it is
 * @lane: as nshim_netdev_begin() has left it
 * @hdr: its virtio-net header
 * @front: its first NSHIM_FRONT bytes
 * @rest: what follows; may have been read in part if it is not handed over
 *
 * Context: as nshim_netdev_begin(), in process context.
 * Return: whether it was.
 */
bool nshim_handover_long(struct tap_port *tap, const struct nshim_lane *lane,
			 const struct virtio_net_hdr *hdr, const void *front,
			 struct iov_iter *rest)
{
	size_t len = NSHIM_FRONT + iov_iter_count(rest);
	struct nshim_gift gift;
	struct taker taker;

	if (!is_open(tap, lane) || is_multicast_ether_addr(front) ||
	    likely(!find_taker(tap, lane, front, &taker)))
		return false;
	if (!taker.owner || !wrap(&taker, hdr, front, NSHIM_FRONT, len, &gift))
		return false;
	gift.rest = rest;
	if (!taker.owner->take(taker.owner, taker.port, &gift, 1))
		return false;
	count(tap, lane, &taker, 1, len);
	return true;
}
