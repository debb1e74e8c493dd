/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two pumps, datapath.c and receive.c, have in common.
 */
#ifndef KVM_TWIN_DATAPATH_H
#define KVM_TWIN_DATAPATH_H

#include <linux/bitops.h>

#include "kvm-twin/twin.h"

/* How a step of a pump has ended. */
enum ktwin_verdict {
	KTWIN_GO_ON,
	KTWIN_EMPTY,	/* the source has nothing more */
	KTWIN_BLOCKED,	/* the sink takes nothing more */
	KTWIN_BROKEN,	/* the ring has a fault */
	KTWIN_DEFER,	/* softirq can't do it */
};

/* What a pump has done of its share. */
struct ktwin_share {
	unsigned int	packets;
	size_t		bytes;
};

static inline void ktwin_share_use(struct ktwin_share *share, size_t bytes)
{
	share->packets++;
	share->bytes += bytes;
}

/* To walk a long chain costs time, whether it is of use or not. */
static inline void ktwin_share_walk(struct ktwin_share *share,
				    const struct vfp_chain *chain)
{
	share->packets += chain->steps / KTWIN_PACKET_STEPS;
}

static inline bool ktwin_share_done(const struct ktwin_share *share)
{
	return share->packets >= KTWIN_PUMP_PACKETS ||
	       share->bytes >= KTWIN_PUMP_BYTES;
}

/*
 * From here on an event schedules a pump: what came before is still to be
 * looked for, after this.  Pairs with the test_and_set_bit() of the event.
 */
static inline void ktwin_unschedule(struct ktwin_vq *vq)
{
	clear_bit(KTWIN_VQ_SCHEDULED, &vq->state);
	smp_mb__after_atomic();	/* the bit before the caller's last look */
}

/* Go on, unless an event has scheduled another pump meanwhile. */
static inline bool ktwin_reschedule(struct ktwin_vq *vq)
{
	return !test_and_set_bit(KTWIN_VQ_SCHEDULED, &vq->state);
}

void ktwin_drop(struct ktwin_vq *vq, int err);
void ktwin_account(struct ktwin_vq *vq, size_t len, unsigned int flags);

#endif /* KVM_TWIN_DATAPATH_H */
