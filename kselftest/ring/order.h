/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rule about the order of two accesses of the engine's, and who sees that it
 * is kept: shim.on_event = watch_order.
 */
#ifndef RING_ORDER_H
#define RING_ORDER_H

#include "kselftest/ring/rig.h"

static struct {
	const void	*first;		/* this access */
	const void	*then;		/* before this one */
	enum shim_event	barrier;	/* with this, or a full one, between */
	bool		pending;
	unsigned int	seen;
} rule;

static inline void watch_order(enum shim_event event, const void *addr)
{
	if (event == rule.barrier || event == SHIM_MB)
		rule.pending = false;
	if (addr && addr == rule.first)
		rule.pending = true;
	if (addr && addr == rule.then) {
		rule.seen++;
		expect(!rule.pending);
	}
}

#endif
