// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of a TCP stream that are sent in one go, put together for a NIC that takes them
 * apart again.
 *
 * For guests that do not have segmentation offloaded.  Receive aggregation, as Menon and
 * Zwaenepoel have it ("Optimizing TCP Receive Performance", 2008), the other way round:
 * what costs by the frame is paid for by the aggregate.  What is on the wire then is what
 * the guest has sent, to the bit: a frame is put with others only if the NIC's
 * segmentation would make just that frame.  So checksums are verified first, as a wrong
 * one would come out right, and nothing waits for a frame that may come.
 */
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/virtio_net.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "nic-shim/aggregate.h"
#include "nic-shim/nshim.h"
#include "nic-shim/segment.h"

/* There is little to be had of smaller segments, and NICs may not like them. */
#define LEAST_SEGMENT	256
#define CSUM_AT		offsetof(struct tcphdr, check)
/* With one byte more, as NICs' limits are the first length that is too much. */
#define LONGEST_HEADERS	(ETH_HLEN + 40u + 60u + 1u)

unsigned int nshim_most_aggregated = 64;

/* What a checksum is about is left out. */
static __sum16 csum_of(const struct nshim_segment *s, unsigned int len, __wsum sum)
{
	const struct ipv6hdr *ip6 = s->ip;
	const struct iphdr *ip = s->ip;

	if (nshim_segment_is_ipv4(s))
		return csum_tcpudp_magic(ip->saddr, ip->daddr, len, IPPROTO_TCP, sum);
	return csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len, IPPROTO_TCP, sum);
}

/* Data, and no flag but those of data that flows. */
static bool parse(const struct xdp_buff *frame, struct nshim_segment *s)
{
	unsigned int len = frame->data_end - frame->data;

	return nshim_segment_parse(frame->data, len, len, s) && s->payload &&
	       (s->flags & ~TCPHDR_PSH) == TCPHDR_ACK;
}

static bool pushes(const struct nshim_segment *s)
{
	return s->flags & TCPHDR_PSH;
}

/*
 * Would its checksum be right on the wire?  One that is still to be made needs its start:
 * where the guest says, and right as well.
 */
static bool is_sound(const struct xdp_buff *frame, const struct nshim_segment *s)
{
	const struct virtio_net_hdr *hdr = compat_tun_batch_hdr(frame->data_hard_start,
								frame->frame_sz);

	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	/* Of the two that mean 0 one can't tell which a NIC would make. */
	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return s->tcp->check && s->tcp->check != CSUM_MANGLED_0 &&
		       !csum_of(s, s->len, csum_partial(s->tcp, s->len, 0));
	return le16_to_cpu((__force __le16)hdr->csum_start) ==
			(void *)s->tcp - frame->data &&
	       le16_to_cpu((__force __le16)hdr->csum_offset) == CSUM_AT &&
	       s->tcp->check == (__force __sum16)~csum_of(s, s->len, 0);
}

/* Does one follow another?  @nth: counted from @first. */

static bool follows_tcp(const struct tcphdr *first, const struct tcphdr *tcp, u32 offset)
{
	return tcp->source == first->source && tcp->dest == first->dest &&
	       ntohl(tcp->seq) == ntohl(first->seq) + offset &&
	       tcp->ack_seq == first->ack_seq && tcp->window == first->window &&
	       tcp->urg_ptr == first->urg_ptr && tcp->doff == first->doff &&
	       !memcmp(tcp + 1, first + 1, first->doff * 4 - sizeof(*first));
}

static bool follows(const struct nshim_segment *first, const struct nshim_segment *s,
		    unsigned int nth)
{
	return s->payload <= first->payload &&
	       follows_tcp(first->tcp, s->tcp, nth * first->payload) &&
	       nshim_ip_follows(first->ip, s->ip, nth, false);
}

/**
 * nshim_aggregate_limit() - how many frames may be put together
 * @lower: the NIC that they are for
 *
 * Context: any.
 * Return: how many; less than two if none.
 */
unsigned int nshim_aggregate_limit(const struct net_device *lower)
{
	netdev_features_t wanted = NETIF_F_SG | NETIF_F_TSO | NETIF_F_TSO6;

	if ((READ_ONCE(lower->features) & wanted) != wanted)
		return 1;
	return min3(READ_ONCE(nshim_most_aggregated), (unsigned int)READ_ONCE(lower->gso_max_segs),
		    (unsigned int)MAX_SKB_FRAGS + 1);
}

/* How many of such frames the NIC takes, and an IP header can tell the length of. */
static unsigned int most_by_length(const struct net_device *lower,
				   const struct nshim_segment *s)
{
	unsigned int most = min_t(unsigned int, READ_ONCE(lower->gso_max_size), U16_MAX);

	return (most - min(most, LONGEST_HEADERS)) / s->payload;
}

static noinline unsigned int run_of_tcp(const struct net_device *lower,
					const struct xdp_buff *frames, unsigned int n)
{
	struct nshim_segment first, s;
	unsigned int i;

	if (!parse(&frames[0], &first) || first.payload < LEAST_SEGMENT || pushes(&first) ||
	    frames[0].data_end - frames[0].data > READ_ONCE(lower->mtu) + ETH_HLEN)
		return 1;
	n = min(n, most_by_length(lower, &first));
	for (i = 1; i < n; i++) {
		if (memcmp(frames[0].data, frames[i].data, ETH_HLEN) ||
		    !parse(&frames[i], &s) || !follows(&first, &s, i) ||
		    (i == 1 && !is_sound(&frames[0], &first)) || !is_sound(&frames[i], &s))
			break;
		if (s.payload < first.payload || pushes(&s))
			return i + 1;
	}
	return i;
}

/* The first look at a frame. */
static bool may_be_tcp(const struct xdp_buff *frame)
{
	const struct ethhdr *eth = frame->data;
	const struct ipv6hdr *ip6 = (const void *)(eth + 1);
	const struct iphdr *ip = (const void *)(eth + 1);

	if (frame->data_end - frame->data < sizeof(*eth) + sizeof(*ip))
		return false;
	return (eth->h_proto == htons(ETH_P_IP) && ip->protocol == IPPROTO_TCP) ||
	       (eth->h_proto == htons(ETH_P_IPV6) && ip6->nexthdr == IPPROTO_TCP);
}

/**
 * nshim_aggregate_run() - how many frames from the first on may be put together?
 * @lower: the NIC that they are for
 * @frames: gathered frames, each with its virtio-net header in front
 * @n: how many, at most; not more than nshim_aggregate_limit()
 *
 * The last of them may be smaller, and may push.
 *
 * Context: any.
 * Return: how many; 1 if none.
 */
unsigned int nshim_aggregate_run(const struct net_device *lower,
				 const struct xdp_buff *frames, unsigned int n)
{
	return n > 1 && may_be_tcp(&frames[0]) ? run_of_tcp(lower, frames, n) : 1;
}

/* A frame's payload becomes the skb's next fragment: its memory is the skb's then. */
static void append(struct sk_buff *skb, const struct xdp_buff *frame, unsigned int front)
{
	unsigned int len = frame->data_end - frame->data - front;
	struct page *page = virt_to_head_page(frame->data);

	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, page,
			   frame->data + front - page_address(page), len);
	skb->len += len;
	skb->data_len += len;
	skb->truesize += frame->frame_sz;
}

/* The headers of all, as the NIC wants them to make each one's (tcp_gro_complete()). */
static void finish(struct sk_buff *skb, struct nshim_segment *s, unsigned int n)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	struct iphdr *ip = s->ip;
	struct ipv6hdr *ip6 = s->ip;

	s->len += skb->data_len;
	if (nshim_segment_is_ipv4(s)) {
		ip->tot_len = htons(sizeof(*ip) + s->len);
		ip_send_check(ip);
	} else {
		ip6->payload_len = htons(s->len);
	}
	s->tcp->check = ~csum_of(s, s->len, 0);
	skb_set_transport_header(skb, (void *)s->tcp - (void *)skb->data);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (unsigned char *)s->tcp - skb->head;
	skb->csum_offset = CSUM_AT;
	shinfo->gso_size = s->payload;
	shinfo->gso_segs = n;
	shinfo->gso_type = nshim_segment_is_ipv4(s) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
}

/**
 * nshim_aggregate_make() - put frames together
 * @skb: the first of them
 * @frames: all of them, as nshim_aggregate_run() has seen them
 * @n: how many; at least two
 *
 * Context: any.
 */
void nshim_aggregate_make(struct sk_buff *skb, const struct xdp_buff *frames, unsigned int n)
{
	struct nshim_segment first, last;
	unsigned int i;

	/* They were parsed before, and nobody else has them. */
	parse(&frames[0], &first);
	parse(&frames[n - 1], &last);
	for (i = 1; i < n; i++)
		append(skb, &frames[i], (void *)first.tcp - frames[0].data +
					first.tcp->doff * 4);
	first.tcp->psh = pushes(&last);
	finish(skb, &first, n);
}
