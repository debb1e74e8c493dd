/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The counters of a queue, in the order that debugfs shows them.
 * Documentation/counters.rst has a sentence for each.
 */
#ifndef KVM_TWIN_COUNTERS_H
#define KVM_TWIN_COUNTERS_H

#include <linux/percpu.h>
#include <linux/types.h>

#define KTWIN_COUNTERS(X)						\
	X(PACKETS,		"packets")				\
	X(BYTES,		"bytes")				\
	X(CSUM_PACKETS,		"csum_packets")				\
	X(GSO_PACKETS,		"gso_packets")				\
	X(KICKS,		"kicks")				\
	X(KICKS_INLINE,		"kicks_inline")				\
	X(KICKS_WORKER,		"kicks_worker")				\
	X(KICKS_SOFTIRQ,	"kicks_softirq")			\
	X(KICKS_MERGED,		"kicks_merged")				\
	X(EVENTS,		"backend_events")			\
	X(PUMPS_INLINE,		"pumps_inline")				\
	X(PUMPS_WORKER,		"pumps_worker")				\
	X(PUMPS_SOFTIRQ,	"pumps_softirq")			\
	X(PACKETS_SOFTIRQ,	"packets_softirq")			\
	X(PACKETS_DIRECT,	"packets_direct")			\
	X(PACKETS_SWITCHED,	"packets_switched")			\
	X(PACKETS_TAKEN,	"packets_taken")			\
	X(PACKETS_AGGREGATED,	"packets_aggregated")			\
	X(ACKS_EXPANDED,	"acks_expanded")			\
	X(DEFERRED,		"deferred")				\
	X(PUMP_NS,		"pump_ns")				\
	X(OVERFLOWS,		"overflows")				\
	X(CONTENDED,		"contended")				\
	X(RESCUES,		"rescues")				\
	X(MODERATIONS,		"moderations")				\
	X(PUMPS_TIMER,		"pumps_timer")				\
	X(BATCHES,		"batches")				\
	X(CALLS,		"calls")				\
	X(CALLS_SUPPRESSED,	"calls_suppressed")			\
	X(STLB_MISSES,		"stlb_misses")				\
	X(STLB_FILLS,		"stlb_fills")				\
	X(STLB_DROPS,		"stlb_drops")				\
	X(INVALIDATIONS,	"invalidations")			\
	X(NO_ROOM,		"no_room")				\
	X(NO_BUFFERS,		"no_buffers")				\
	X(UPCALLS,		"upcalls")				\
	X(DROP_MALFORMED,	"drop_malformed")			\
	X(DROP_FAULT,		"drop_fault")				\
	X(DROP_TOO_BIG,		"drop_too_big")				\
	X(DROP_NO_DEVICE,	"drop_no_device")			\
	X(DROP_NO_MEMORY,	"drop_no_memory")			\
	X(DROP_STOPPED,		"drop_stopped")				\
	X(DROP_FULL,		"drop_full")				\
	X(DROP_OTHER,		"drop_other")				\
	X(RING_ACCESS,		"ring_error_access")			\
	X(RING_AVAIL_JUMP,	"ring_error_avail_jump")		\
	X(RING_HEAD,		"ring_error_head")			\
	X(RING_NEXT,		"ring_error_next")			\
	X(RING_LOOP,		"ring_error_loop")			\
	X(RING_INDIRECT,	"ring_error_indirect")			\
	X(RING_ORDER,		"ring_error_order")			\
	X(RING_TOO_LONG,	"ring_error_too_long")			\
	X(RING_ADDRESS,		"ring_error_address")			\
	X(RING_DIRECTION,	"ring_error_direction")			\
	X(RING_LOG,		"ring_error_log")

enum ktwin_counter {
#define KTWIN_COUNTER_ID(id, name) KTWIN_##id,
	KTWIN_COUNTERS(KTWIN_COUNTER_ID)
#undef KTWIN_COUNTER_ID
	KTWIN_NR_COUNTERS
};

struct ktwin_counters {
	u64 v[KTWIN_NR_COUNTERS];
};

#define ktwin_add(vq, id, n)	this_cpu_add((vq)->counters->v[KTWIN_##id], n)
#define ktwin_inc(vq, id)	this_cpu_inc((vq)->counters->v[KTWIN_##id])

#endif /* KVM_TWIN_COUNTERS_H */
