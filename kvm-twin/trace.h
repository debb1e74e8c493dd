/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_twin

#if !defined(KVM_TWIN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVM_TWIN_TRACE_H

#include <linux/tracepoint.h>

#include "kvm-twin/twin.h"

#define KTWIN_TRACE_QUEUES	{ KTWIN_VQ_RX, "rx" }, { KTWIN_VQ_TX, "tx" }

#define KTWIN_TRACE_WAYS						\
	{ KTWIN_INLINE, "inline" }, { KTWIN_WORKER, "worker" },		\
	{ KTWIN_SOFTIRQ, "softirq" }

/* A twin is named as its folder in debugfs is. */
#define KTWIN_TRACE_ID							\
	__field(pid_t, pid)						\
	__field(unsigned int, nr)					\
	__field(unsigned int, index)

#define KTWIN_TRACE_ASSIGN(vq)						\
	__entry->pid = (vq)->twin->pid;					\
	__entry->nr = (vq)->twin->nr;					\
	__entry->index = (vq)->index

#define KTWIN_TRACE_FMT	"%d-%u %s0 "
#define KTWIN_TRACE_ARGS						\
	__entry->pid, __entry->nr,					\
	__print_symbolic(__entry->index, KTWIN_TRACE_QUEUES)

TRACE_EVENT(ktwin_kick,
	TP_PROTO(const struct ktwin_vq *vq, bool merged, enum ktwin_policy way),
	TP_ARGS(vq, merged, way),
	TP_STRUCT__entry(
		KTWIN_TRACE_ID
		__field(bool, merged)
		__field(int, way)
	),
	TP_fast_assign(
		KTWIN_TRACE_ASSIGN(vq);
		__entry->merged = merged;
		__entry->way = way;
	),
	TP_printk(KTWIN_TRACE_FMT "%s", KTWIN_TRACE_ARGS,
		  __entry->merged ? "merged" :
		  __print_symbolic(__entry->way, KTWIN_TRACE_WAYS))
);

TRACE_EVENT(ktwin_pump,
	TP_PROTO(const struct ktwin_vq *vq, enum ktwin_policy way, bool more, u64 ns),
	TP_ARGS(vq, way, more, ns),
	TP_STRUCT__entry(
		KTWIN_TRACE_ID
		__field(int, way)
		__field(bool, more)
		__field(u64, ns)
	),
	TP_fast_assign(
		KTWIN_TRACE_ASSIGN(vq);
		__entry->way = way;
		__entry->more = more;
		__entry->ns = ns;
	),
	TP_printk(KTWIN_TRACE_FMT "%s ns=%llu%s", KTWIN_TRACE_ARGS,
		  __print_symbolic(__entry->way, KTWIN_TRACE_WAYS), __entry->ns,
		  __entry->more ? " more" : "")
);

TRACE_EVENT(ktwin_call,
	TP_PROTO(const struct ktwin_vq *vq, u16 used_idx, bool sent),
	TP_ARGS(vq, used_idx, sent),
	TP_STRUCT__entry(
		KTWIN_TRACE_ID
		__field(u16, used_idx)
		__field(bool, sent)
	),
	TP_fast_assign(
		KTWIN_TRACE_ASSIGN(vq);
		__entry->used_idx = used_idx;
		__entry->sent = sent;
	),
	TP_printk(KTWIN_TRACE_FMT "used_idx=%u %s", KTWIN_TRACE_ARGS,
		  __entry->used_idx, __entry->sent ? "sent" : "suppressed")
);

TRACE_EVENT(ktwin_ring_error,
	TP_PROTO(const struct ktwin_vq *vq),
	TP_ARGS(vq),
	TP_STRUCT__entry(
		KTWIN_TRACE_ID
		__field(int, fault)
		__field(u16, last_avail)
	),
	TP_fast_assign(
		KTWIN_TRACE_ASSIGN(vq);
		__entry->fault = vq->ring.fault;
		__entry->last_avail = vq->ring.last_avail;
	),
	TP_printk(KTWIN_TRACE_FMT "%s last_avail=%u", KTWIN_TRACE_ARGS,
		  __print_symbolic(__entry->fault,
			{ VFP_FAULT_RING_ACCESS,	"access" },
			{ VFP_FAULT_AVAIL_JUMP,		"avail_jump" },
			{ VFP_FAULT_HEAD,		"head" },
			{ VFP_FAULT_NEXT,		"next" },
			{ VFP_FAULT_LOOP,		"loop" },
			{ VFP_FAULT_INDIRECT,		"indirect" },
			{ VFP_FAULT_ORDER,		"order" },
			{ VFP_FAULT_TOO_LONG,		"too_long" },
			{ VFP_FAULT_ADDRESS,		"address" },
			{ VFP_FAULT_DIRECTION,		"direction" },
			{ VFP_FAULT_LOG,		"log" }),
		  __entry->last_avail)
);

#endif /* KVM_TWIN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kvm-twin
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
