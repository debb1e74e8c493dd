// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kick moderation: a guest that sends without pause is not to kick for each frame.
 *
 * A kick that is served inline costs one VM exit, and when it is over the guest may kick
 * again: alone, a frame is sent at once, but under load there is one exit a frame.  So
 * under the policy adaptive, when so many kicks have come within so short a time
 * (@kicks, @interval_us), notifications stay off when the ring has run empty, and a timer
 * looks at it instead, again and again, as long as it finds enough to be worth it.
 *
 * The timer's interrupt makes the guest exit, too, and has the thread that kicked last
 * pump before it goes back to its guest, as a kick does; if that does not run, or can't be
 * asked, the ring is pumped in softirq, or by the worker.  Who pumps arms the timer again,
 * or turns notifications on.
 *
 * A guest whose CPU others have is not taken for one that has nothing to send: it would kick
 * again for each of its first frames whenever it gets one.  Its ring is looked at less and
 * less often until it runs.
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/task.h>

#include "kvm-twin/twin.h"

/* By how much, in powers of two, the interval grows of a kicker that waits for its CPU. */
#define MOST_BACKOFF	5

unsigned int ktwin_moderation_us = 50;
unsigned int ktwin_moderation_kicks = 4;

static bool is_wanted(const struct ktwin_vq *vq)
{
	return vq->index == KTWIN_VQ_TX && READ_ONCE(vq->policy) == KTWIN_ADAPTIVE;
}

static u64 interval_ns(const struct ktwin_moderation *mod)
{
	return (u64)READ_ONCE(mod->interval_us) * NSEC_PER_USEC;
}

/* However long: another thread of the guest's may have something to send meanwhile. */
static void arm(struct ktwin_moderation *mod)
{
	u64 longest = (u64)KTWIN_MODERATION_US_MAX * NSEC_PER_USEC;
	u64 ns = min(interval_ns(mod) << READ_ONCE(mod->backoff), longest);

	hrtimer_start(&mod->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

/*
 * Context: hard interrupt.  Armed once more, for the thread that is asked may go to sleep
 * without having come to it.
 */
static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct ktwin_moderation *mod = container_of(timer, struct ktwin_moderation, timer);
	struct ktwin_vq *vq = container_of(mod, struct ktwin_vq, moderation);

	/* Not HRTIMER_RESTART: who was asked may have pumped already, and armed it. */
	if (ktwin_executor_expire(vq, mod->kicker))
		arm(mod);
	return HRTIMER_NORESTART;
}

/**
 * ktwin_moderation_ok() - can a queue be moderated so?
 * @interval_us: how often its ring would be looked at, in microseconds
 * @kicks: how many kicks in that time would be many
 *
 * Context: any.
 * Return: whether it can.
 */
bool ktwin_moderation_ok(unsigned int interval_us, unsigned int kicks)
{
	return interval_us >= KTWIN_MODERATION_US_MIN &&
	       interval_us <= KTWIN_MODERATION_US_MAX && kicks >= 2;
}

/**
 * ktwin_moderation_init() - a queue that is not moderated
 * @vq: the queue
 *
 * Context: any.
 */
void ktwin_moderation_init(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;

	mod->interval_us = ktwin_moderation_us;
	mod->kicks = ktwin_moderation_kicks;
	hrtimer_setup(&mod->timer, expired, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
}

/**
 * ktwin_moderation_kick() - the guest has kicked
 * @vq: the queue
 *
 * Context: any, IRQs off; the kick eventfd's wait queue locked.
 */
void ktwin_moderation_kick(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;
	u64 now;

	if (!is_wanted(vq))
		return;
	now = local_clock();
	if (now - mod->since > interval_ns(mod)) {
		mod->since = now;
		mod->seen = 0;
	}
	if (++mod->seen >= READ_ONCE(mod->kicks))
		WRITE_ONCE(mod->loaded, true);
}

static void set_kicker(struct ktwin_moderation *mod, struct task_struct *kicker)
{
	if (mod->kicker == kicker)
		return;
	/* It may be expiring. */
	hrtimer_cancel(&mod->timer);
	if (mod->kicker)
		put_task_struct(mod->kicker);
	mod->kicker = kicker ? get_task_struct(kicker) : NULL;
}

/* It was asked, and has not come, though it does not sleep. */
static bool waits_for_cpu(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;
	struct task_struct *kicker = mod->kicker;

	return test_bit(KTWIN_VQ_TIMER_QUEUED, &vq->state) && kicker &&
	       READ_ONCE(mod->asked) == kicker && task_is_running(kicker);
}

static bool is_worth_it(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;

	if (!mod->active)
		return READ_ONCE(mod->loaded);
	/* Half of what it takes to begin, so that it does not come and go. */
	if (mod->taken >= READ_ONCE(mod->kicks) / 2) {
		WRITE_ONCE(mod->backoff, 0);
		return true;
	}
	/*
	 * A guest that does not run sends nothing, which tells nothing of when it does.  What
	 * comes after that was seen is another thread's, which can kick.
	 */
	if ((mod->taken && mod->backoff) || !waits_for_cpu(vq))
		return false;
	WRITE_ONCE(mod->backoff, min(mod->backoff + 1, MOST_BACKOFF));
	return true;
}

/**
 * ktwin_moderation_begin() - the ring is empty: look at it later, rather than be kicked?
 * @vq: the queue, which is being pumped
 *
 * Context: any but hard interrupts, the queue's.
 * Return: whether the timer will see to it.  Notifications may stay off then.
 */
bool ktwin_moderation_begin(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;

	ktwin_assert_owned(vq);
	if (!is_wanted(vq) || !is_worth_it(vq)) {
		ktwin_moderation_end(vq);
		return false;
	}
	if (!mod->active)
		ktwin_inc(vq, MODERATIONS);
	WRITE_ONCE(mod->active, true);
	mod->taken = 0;
	/* The worker, or softirq, stands in for who slept, this time. */
	if (in_task() && !(current->flags & PF_KTHREAD))
		set_kicker(mod, current);
	arm(mod);
	return true;
}

/**
 * ktwin_moderation_resume() - who was asked has got a CPU at last
 * @vq: the queue, which somebody else has pumped meanwhile
 *
 * Context: process, vq->lock held.
 */
void ktwin_moderation_resume(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;

	ktwin_assert_owned(vq);
	if (!mod->active || !mod->backoff)
		return;
	WRITE_ONCE(mod->backoff, 0);
	arm(mod);
}

/**
 * ktwin_moderation_end() - be kicked again
 * @vq: the queue
 *
 * Context: any but hard interrupts, the queue's.
 */
void ktwin_moderation_end(struct ktwin_vq *vq)
{
	struct ktwin_moderation *mod = &vq->moderation;

	ktwin_assert_owned(vq);
	WRITE_ONCE(mod->loaded, false);
	if (!mod->active)
		return;
	hrtimer_cancel(&mod->timer);
	/* Whom it has asked may sleep, and it has the worker come no more. */
	if (test_bit(KTWIN_VQ_TIMER_QUEUED, &vq->state) &&
	    test_bit(KTWIN_VQ_SCHEDULED, &vq->state))
		ktwin_executor_defer(vq);
	set_kicker(mod, NULL);
	WRITE_ONCE(mod->active, false);
	WRITE_ONCE(mod->backoff, 0);
	mod->taken = 0;
}
