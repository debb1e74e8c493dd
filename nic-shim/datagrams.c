// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams of one flow that wait for a guest, read as one frame, which the guest takes
 * apart at its socket (UDP_L4 of virtio-net, virtio 1.3, section 5.1.6.4).
 *
 * Receive aggregation for what is not TCP, as Menon and Zwaenepoel have it for TCP
 * ("Optimizing TCP Receive Performance", 2008), which here is GRO's.  GRO does it for
 * datagrams, too, but only where it was told to (rx-udp-gro-forwarding).  What a guest
 * spends on a frame before its socket is paid for once.
 *
 * Nothing waits for a datagram that may come, and no frame is changed: only what is read of
 * them.  One is read with others only if segmentation would make it again, but for the
 * identification of one that says that it must not be fragmented, which means nothing
 * (RFC 6864), and for a checksum that was still to be made, and begun wrongly.
 */
#include <linux/etherdevice.h>
#include <linux/sizes.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>

#include "nic-shim/datagrams.h"
#include "nic-shim/nshim.h"
#include "nic-shim/plain_ip.h"

/* Of one frame: more than that saves nothing to speak of, and takes many buffers at once. */
#define LONGEST		SZ_16K
/* Linux has dropped those of more segments (UDP_MAX_SEGMENTS), before it took 128. */
#define MOST		64u
#define CSUM_AT		offsetof(struct udphdr, check)

unsigned int nshim_most_joined = 64;

/* A frame that may be read with others. */
struct datagram {
	const struct ethhdr	*eth;
	const void		*ip;
	const struct udphdr	*udp;
	unsigned int		hdr_len;
	unsigned int		payload;
};

/*
 * Sockets of tunnels have been given such frames whole, by Linux before 6.9 (CVE-2024-35884):
 * VXLAN's two ports, GENEVE's and GTP-U's.
 */
static bool is_tunnels(const struct udphdr *udp)
{
	switch (ntohs(udp->dest)) {
	case 2152:
	case 4789:
	case 6081:
	case 8472:
		return true;
	}
	return false;
}

/* The NIC has seen that the checksum is right, or it is one that is still to be made. */
static bool has_good_csum(const struct sk_buff *skb, const struct datagram *d)
{
	if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		return d->udp->check;
	return skb->ip_summed == CHECKSUM_PARTIAL && skb->csum_offset == CSUM_AT &&
	       skb_checksum_start(skb) == (const unsigned char *)d->udp;
}

static bool parse(const struct sk_buff *skb, struct datagram *d)
{
	unsigned int ip_len = nshim_ip_plain_len(skb->data, skb_headlen(skb), skb->len,
						 IPPROTO_UDP);

	if (!ip_len || skb_is_gso(skb) || skb_has_frag_list(skb) ||
	    skb_vlan_tag_present(skb) || skb->encapsulation || !compat_frags_readable(skb))
		return false;
	d->eth = (const struct ethhdr *)skb->data;
	d->ip = d->eth + 1;
	d->udp = d->ip + ip_len;
	d->hdr_len = sizeof(*d->eth) + ip_len + sizeof(*d->udp);
	if (skb_headlen(skb) < d->hdr_len || skb->len == d->hdr_len)
		return false;
	d->payload = skb->len - d->hdr_len;
	return ntohs(d->udp->len) == d->payload + sizeof(*d->udp) && has_good_csum(skb, d);
}

/* Is @d what segmentation would make as the @nth behind @first? */
static bool follows(const struct datagram *first, const struct datagram *d, unsigned int nth)
{
	return !memcmp(first->eth, d->eth, sizeof(*d->eth)) &&
	       first->udp->source == d->udp->source && first->udp->dest == d->udp->dest &&
	       d->payload <= first->payload && nshim_ip_follows(first->ip, d->ip, nth, true);
}

/**
 * nshim_datagrams_find() - how many frames can be read as one?
 * @frames: socket buffers of a macvtap, from their Ethernet headers on
 * @most: how many there are, at least 1
 * @run: is filled in
 *
 * Context: any.
 */
void nshim_datagrams_find(void *const *frames, unsigned int most, struct nshim_datagrams *run)
{
	struct datagram first, d;

	run->n = 1;
	if (!parse(frames[0], &first) || is_multicast_ether_addr(first.eth->h_dest) ||
	    is_tunnels(first.udp))
		return;
	most = min(most, MOST);
	run->hdr_len = first.hdr_len;
	run->gso_size = first.payload;
	run->len = first.hdr_len + first.payload;
	while (run->n < most && run->len + first.payload <= LONGEST &&
	       parse(frames[run->n], &d) && follows(&first, &d, run->n)) {
		run->n++;
		run->len += d.payload;
		if (d.payload < first.payload)
			break;
	}
}

/**
 * nshim_datagrams_headers() - what such a frame begins with
 * @first: the first of those it is read from
 * @d: as nshim_datagrams_find() has left it, of more than one
 * @hdr: is filled in: its virtio-net header, little-endian
 * @headers: @d->hdr_len bytes: is filled in, from Ethernet's to UDP's
 *
 * Context: any.
 */
void nshim_datagrams_headers(const struct sk_buff *first, const struct nshim_datagrams *d,
			     struct virtio_net_hdr *hdr, u8 *headers)
{
	unsigned int udp_at = d->hdr_len - sizeof(struct udphdr), udp_len = d->len - udp_at;
	struct udphdr *udp = (struct udphdr *)(headers + udp_at);
	void *at = headers + sizeof(struct ethhdr);
	struct ipv6hdr *ip6 = at;
	struct iphdr *ip = at;

	memcpy(headers, first->data, d->hdr_len);
	udp->len = htons(udp_len);
	if (nshim_ip_is_v4(ip)) {
		ip->tot_len = htons(d->len - sizeof(struct ethhdr));
		ip_send_check(ip);
		udp->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, udp_len, IPPROTO_UDP, 0);
	} else {
		ip6->payload_len = htons(udp_len);
		udp->check = ~csum_ipv6_magic(&ip6->saddr, &ip6->daddr, udp_len, IPPROTO_UDP, 0);
	}
	*hdr = (struct virtio_net_hdr) {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = (__force __virtio16)cpu_to_le16(d->hdr_len),
		.gso_size = (__force __virtio16)cpu_to_le16(d->gso_size),
		.csum_start = (__force __virtio16)cpu_to_le16(udp_at),
		.csum_offset = (__force __virtio16)cpu_to_le16(CSUM_AT),
	};
}
