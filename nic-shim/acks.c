// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acknowledgments of aggregates.
 *
 * A guest that is given a frame which was put together from many acknowledges it once,
 * where it would have acknowledged every second segment (RFC 9293, section 3.8.6.3).  A
 * sender whose congestion window grows with each acknowledgment grows it less.  So, if
 * that is wanted, the guest's one acknowledgment is the template of those that are
 * missing, as Menon and Zwaenepoel have it ("Optimizing TCP Receive Performance", 2008,
 * section 3.2): they differ from it in what they acknowledge, and leave before it.
 *
 * Only where nothing else would have been different: the aggregates came in order, with
 * nothing missing, of segments that TCP does not refuse as too small, and the
 * acknowledgment carries no data, no option but a time, and no smaller window than the last.
 */
#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <net/checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "nic-shim/acks.h"
#include "nic-shim/nshim.h"
#include "nic-shim/segment.h"

/* Between two flushes: those of 512 KiB, should the guest be so late. */
#define MOST_EXPANDED	256u
/* A time, and what aligns it (RFC 7323, appendix A). */
#define TIMES		((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | \
			 (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP)

bool nshim_expand_acks;

/* Whose stream is it: that which @s is of, or that which it acknowledges? */
static struct nshim_flow flow_of(const struct nshim_segment *s, bool acknowledges)
{
	const struct ipv6hdr *ip6 = s->ip;
	const struct iphdr *ip = s->ip;
	struct nshim_flow flow = {
		.peer_port	= s->tcp->source,
		.own_port	= s->tcp->dest,
	};

	if (nshim_segment_is_ipv4(s)) {
		ipv6_addr_set_v4mapped(ip->saddr, &flow.peer);
		ipv6_addr_set_v4mapped(ip->daddr, &flow.own);
	} else {
		flow.peer = ip6->saddr;
		flow.own = ip6->daddr;
	}
	if (acknowledges) {
		swap(flow.peer, flow.own);
		swap(flow.peer_port, flow.own_port);
	}
	return flow;
}

static bool is_same(const struct nshim_flow *a, const struct nshim_flow *b)
{
	return !memcmp(a, b, offsetof(struct nshim_flow, mss));
}

static struct nshim_flow *slot_of(struct nshim_acks *acks, const struct nshim_flow *flow)
{
	u32 hash = jhash2((const u32 *)flow, offsetof(struct nshim_flow, mss) / sizeof(u32), 0);

	BUILD_BUG_ON(offsetof(struct nshim_flow, mss) % sizeof(u32));
	return &acks->flows[hash % NSHIM_FLOWS];
}

/* What comes is the next of the stream, or it begins with it. */
static void note(struct nshim_flow *slot, const struct nshim_flow *flow,
		 const struct nshim_segment *s, unsigned int mss)
{
	u32 seq = ntohl(s->tcp->seq);

	if (mss && (!is_same(slot, flow) || !slot->mss)) {
		*slot = *flow;
		slot->acked = seq;
		slot->window = 0;
	} else if (!is_same(slot, flow)) {
		return;
	}
	if (seq != slot->end || (mss && mss != slot->mss)) {
		slot->begin = seq;
		slot->mss = mss ?: slot->mss;
	}
	slot->end = seq + s->payload;
}

/**
 * nshim_acks_received() - the guest is given a frame
 * @acks: of its queue pair
 * @skb: the frame, from its Ethernet header on
 *
 * Context: any but hard interrupts.
 */
void nshim_acks_received(struct nshim_acks *acks, const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int mss = skb_is_gso(skb) ? shinfo->gso_size : 0;
	struct nshim_segment s;
	struct nshim_flow flow;

	if (mss && (mss < TCP_MIN_MSS ||
		    !(shinfo->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))))
		return;
	if (!nshim_segment_parse(skb->data, skb_headlen(skb), skb->len, &s) || !s.payload)
		return;
	flow = flow_of(&s, false);
	spin_lock_bh(&acks->lock);
	note(slot_of(acks, &flow), &flow, &s, mss);
	spin_unlock_bh(&acks->lock);
}

static bool has_time_alone(const struct tcphdr *tcp)
{
	return tcp->doff == 5 || (tcp->doff == 8 && *(const __be32 *)(tcp + 1) == htonl(TIMES));
}

/*
 * How many acknowledgments of two segments each are missing, from *@from on, before this
 * one.
 */
static unsigned int count_missing(struct nshim_flow *flow, const struct nshim_segment *s,
				  u32 *from)
{
	u32 ack = ntohl(s->tcp->ack_seq), begin = flow->begin;
	u16 window = ntohs(s->tcp->window), last = flow->window;

	if (before(begin, flow->acked))
		begin = flow->acked;
	*from = begin;
	if (s->flags & TCPHDR_ACK && after(ack, flow->acked))
		flow->acked = ack;
	flow->window = window;
	if (s->flags != TCPHDR_ACK || s->payload || !has_time_alone(s->tcp) ||
	    window < last || !after(ack, begin) || after(ack, flow->end))
		return 0;
	return (ack - begin - 1) / (2 * flow->mss);
}

/* NULL if there is no memory for it. */
static struct sk_buff *make_ack(const struct sk_buff *template, const struct nshim_segment *s,
				u32 ack)
{
	struct sk_buff *skb = skb_copy(template, GFP_ATOMIC | __GFP_NOWARN);
	__be32 from = s->tcp->ack_seq;
	struct tcphdr *tcp;

	if (unlikely(!skb))
		return NULL;
	tcp = (void *)skb->data + ((void *)s->tcp - (void *)template->data);
	tcp->ack_seq = htonl(ack);
	inet_proto_csum_replace4(&tcp->check, skb, from, tcp->ack_seq, false);
	return skb;
}

/**
 * nshim_acks_expand() - what is to be sent before a frame of the guest's
 * @acks: of its queue pair
 * @skb: the frame
 * @may: whether anything is; if not, what it acknowledges is known all the same
 * @expanded: how many were added since the last flush; those that there are is added
 *
 * Context: BHs disabled.
 * Return: acknowledgments, linked by their next pointers, the last of them @skb.
 */
struct sk_buff *nshim_acks_expand(struct nshim_acks *acks, struct sk_buff *skb, bool may,
				  unsigned int *expanded)
{
	struct sk_buff *first = skb, **link = &first, *ack;
	struct nshim_flow key, *flow;
	unsigned int n = 0, mss = 0, i;
	struct nshim_segment s;
	u32 from = 0;

	if (!nshim_segment_parse(skb->data, skb_headlen(skb), skb->len, &s))
		return skb;
	key = flow_of(&s, true);
	spin_lock(&acks->lock);
	flow = slot_of(acks, &key);
	if (is_same(flow, &key) && flow->mss) {
		mss = flow->mss;
		n = count_missing(flow, &s, &from);
	}
	spin_unlock(&acks->lock);
	/* One that asks for segments, though it has no data, is no template. */
	n = may && !skb_is_gso(skb) ? min(n, MOST_EXPANDED - *expanded) : 0;
	for (i = 1; i <= n; i++) {
		ack = make_ack(skb, &s, from + i * 2 * mss);
		if (unlikely(!ack))
			break;
		*link = ack;
		link = &ack->next;
		(*expanded)++;
	}
	*link = skb;
	return first;
}
