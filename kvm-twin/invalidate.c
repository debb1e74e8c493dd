// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes to the owner's page tables, which the software TLBs must not outlive.
 *
 * The kernel tells before and after each.  Before, pages are dropped, for which an
 * access section is waited for at most: no mutex, no RCU.  When the owner dies, that
 * is the last change, and it never ends.
 */
#include <linux/mmu_notifier.h>
#include <linux/sched/clock.h>

#include "kvm-twin/twin.h"

static void invalidate_vq(struct ktwin_vq *vq, unsigned long first, unsigned long last)
{
	u64 start = local_clock();
	s64 ns;

	ktwin_inc(vq, INVALIDATIONS);
	if (vfp_stlb_invalidate(vq->stlb, first, last))
		ktwin_inc(vq, STLB_DROPS);
	ns = local_clock() - start;
	/* Of two at a time the one may be forgotten. */
	if (ns > (s64)READ_ONCE(vq->invalidate_ns))
		WRITE_ONCE(vq->invalidate_ns, ns);
}

static void invalidate(struct ktwin *twin, unsigned long first, unsigned long last)
{
	unsigned int i;

	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (twin->vqs[i].stlb)
			invalidate_vq(&twin->vqs[i], first, last);
}

/* Context: process; may not sleep if @range says so, and does not. */
static int range_start(struct mmu_notifier *notifier,
		       const struct mmu_notifier_range *range)
{
	struct ktwin *twin = container_of(notifier, struct ktwin, notifier);

	invalidate(twin, range->start, range->end - 1);
	return 0;
}

static void range_end(struct mmu_notifier *notifier,
		      const struct mmu_notifier_range *range)
{
	struct ktwin *twin = container_of(notifier, struct ktwin, notifier);
	unsigned int i;

	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (twin->vqs[i].stlb)
			vfp_stlb_settled(twin->vqs[i].stlb);
}

/* The owner's memory goes; there will be no other in this address space. */
static void owner_gone(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	invalidate(container_of(notifier, struct ktwin, notifier), 0, ULONG_MAX);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release		= owner_gone,
	.invalidate_range_start	= range_start,
	.invalidate_range_end	= range_end,
};

/**
 * ktwin_invalidate_begin() - be told of changes
 * @twin: a twin that has got an owner, and whose queues are stopped
 *
 * To register takes all the locks of the owner's memory, and gives up for a signal that is
 * pending: the call is made again once that was handled.
 *
 * Context: process, the owner's; twin->lock held.  May sleep.
 * Return: 0, -ENOMEM, or -ERESTARTNOINTR.
 */
int ktwin_invalidate_begin(struct ktwin *twin)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&twin->lock);
	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (twin->vqs[i].stlb)
			twin->vqs[i].stlb->under_way = 0;
	twin->notifier.ops = &notifier_ops;
	err = mmu_notifier_register(&twin->notifier, twin->mm);
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

/**
 * ktwin_invalidate_end() - be told no more
 * @twin: a twin whose queues are stopped
 *
 * At return nobody is being told.
 *
 * Context: process; twin->lock held.  May sleep.
 */
void ktwin_invalidate_end(struct ktwin *twin)
{
	unsigned int i;

	lockdep_assert_held(&twin->lock);
	mmu_notifier_unregister(&twin->notifier, twin->mm);
	for (i = 0; i < KTWIN_NR_VQS; i++) {
		if (!twin->vqs[i].stlb)
			continue;
		vfp_stlb_forget(twin->vqs[i].stlb);
		vfp_stlb_free(twin->vqs[i].stlb);
	}
}
