// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who runs a queue's pump, and when.
 *
 * KTWIN_VQ_SCHEDULED is set by whoever wants a pump, and cleared by the pump
 * itself just before it looks for the last time whether there is more to do.
 * So at most one pump is under way or to come, and no event is lost.
 *
 * Inline, a kick becomes a task work of the thread that kicked: it runs before
 * that thread goes back to its guest (or to userspace), may sleep and fault,
 * and its mm is the owner's.  What can't be run so is run in softirq (softirq.c),
 * which is at once, too; and what can't be run there goes to the worker.
 *
 * A thread with such a work may lose its CPU before it comes to it, and not
 * get it back until a quota is filled again.  KTWIN_VQ_TASK_QUEUED tells, and
 * a timer that is armed with the work has the worker come in that case.  The
 * task work finds nothing left to do; until then it is linked, and no other can
 * be queued.
 */
#include <linux/file.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/timer.h>

#define CREATE_TRACE_POINTS
#include "kvm-twin/trace.h"
#include "kvm-twin/twin.h"

/**
 * ktwin_executor_defer() - have the worker run a queue
 * @vq: the queue, whose KTWIN_VQ_SCHEDULED the caller has set, or has from who did
 *
 * Context: any.
 */
void ktwin_executor_defer(struct ktwin_vq *vq)
{
	kthread_queue_work(vq->twin->worker, &vq->work);
}

/*
 * Run the pump.  Returns whether it is to be run again: it has done its
 * share, and there is more.
 */
static bool pump(struct ktwin_vq *vq, enum ktwin_policy way)
{
	u64 start = local_clock();
	bool more;
	s64 ns;

	lockdep_assert_held(&vq->lock);
	/* Who has kicked can send without softirq, and need not pay for it. */
	if (ktwin_is_soft(vq) && (vq->index == KTWIN_VQ_RX || way == KTWIN_WORKER))
		ktwin_softirq_prepare(vq);
	more = vq->index == KTWIN_VQ_TX ? ktwin_pump_tx(vq) : ktwin_pump_rx(vq);
	ktwin_log_tell(vq);
	/* Another CPU's clock may be behind. */
	ns = max_t(s64, local_clock() - start, 0);
	ktwin_add(vq, PUMP_NS, ns);
	trace_ktwin_pump(vq, way, more, ns);
	return more;
}

/* A queue that is not to be pumped now; a start will see to it. */
static bool at_rest(struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (vq->port && !vq->broken)
		return false;
	clear_bit(KTWIN_VQ_SCHEDULED, &vq->state);
	return true;
}

/* The worker */

/*
 * Guest memory may be missing until somebody brings it, as with userfaultfd, and a
 * kernel thread that comes by waits as long as it takes: for ever, if that somebody
 * is a process that ends, and waits for us.  So the worker can be killed out of it.
 */
static void settle(struct kthread_work *work)
{
	allow_kernel_signal(SIGKILL);
	flush_signals(current);
}

static bool pump_with_mm(struct ktwin_vq *vq, struct mm_struct *mm)
{
	bool more;

	kthread_use_mm(mm);
	ktwin_inc(vq, PUMPS_WORKER);
	more = pump(vq, KTWIN_WORKER);
	kthread_unuse_mm(mm);
	return more;
}

static void run_by_worker(struct kthread_work *work)
{
	struct ktwin_vq *vq = container_of(work, struct ktwin_vq, work);
	struct mm_struct *mm = NULL;
	bool more = false;

	ktwin_vq_lock_by_worker(vq);
	if (!at_rest(vq)) {
		mm = vq->twin->mm;
		if (mmget_not_zero(mm)) {
			more = pump_with_mm(vq, mm);
		} else {
			/* The owner is dead; its file will be closed. */
			clear_bit(KTWIN_VQ_SCHEDULED, &vq->state);
			mm = NULL;
		}
	}
	/* With the lock held: who takes the port away then finds it queued. */
	if (more)
		ktwin_executor_defer(vq);
	ktwin_vq_unlock(vq);
	if (mm)
		mmput(mm);
}

/* The thread that kicked */

#ifdef KTWIN_HAVE_TASK_WORK

static const bool has_inline = true;

/* Returns false if the worker is to do it. */
static bool pump_inline(struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (at_rest(vq))
		return true;
	/* No mm: the thread is exiting. */
	if (current->mm != vq->twin->mm)
		return false;
	ktwin_inc(vq, PUMPS_INLINE);
	if (pump(vq, KTWIN_INLINE)) {
		ktwin_inc(vq, OVERFLOWS);
		ktwin_executor_defer(vq);
	}
	return true;
}

/* Returns whether it was this thread that served the queue; @queued: by which bit. */
static bool run_inline(struct ktwin_vq *vq, int queued)
{
	/* Is an ioctl or the worker at it?  Do not let the guest wait. */
	bool served, locked = ktwin_vq_trylock(vq);

	clear_bit(queued, &vq->state);
	/* The worker may have been here. */
	if (!test_bit(KTWIN_VQ_SCHEDULED, &vq->state)) {
		served = false;
		if (locked && queued == KTWIN_VQ_TIMER_QUEUED)
			ktwin_moderation_resume(vq);
	} else {
		if (!locked)
			ktwin_inc(vq, CONTENDED);
		served = locked && pump_inline(vq);
		if (!served)
			ktwin_executor_defer(vq);
	}
	if (locked)
		ktwin_vq_unlock(vq);
	return served;
}

static void run_by_task(struct callback_head *work)
{
	struct ktwin_vq *vq = container_of(work, struct ktwin_vq, task_work);
	struct file *body = vq->twin->body;

	if (run_inline(vq, KTWIN_VQ_TASK_QUEUED))
		ktwin_inc(vq, KICKS_INLINE);
	else
		ktwin_inc(vq, KICKS_WORKER);
	/*
	 * Maybe the last reference to the twin, and to this very code.  What
	 * follows from that is done once we have returned: fput() adds a task
	 * work itself, and the core kernel lets go of the module after it.
	 */
	fput(body);
}

static void run_by_timer(struct callback_head *work)
{
	struct ktwin_vq *vq = container_of(work, struct ktwin_vq, moderation.work);
	struct file *body = vq->twin->body;

	run_inline(vq, KTWIN_VQ_TIMER_QUEUED);
	fput(body);	/* as above */
}

/*
 * Have a task run a work before it goes back to its guest or to userspace.  Context: any,
 * IRQs off; @queued was set by the caller.
 */
static bool add_work(struct ktwin_vq *vq, struct task_struct *task,
		     struct callback_head *work, int queued)
{
	struct file *body = vq->twin->body;

	/* Whoever ends the twin ends kicks and the timer before the reference. */
	get_file(body);
	if (likely(!task_work_add(task, work, TWA_RESUME)))
		return true;
	clear_bit(queued, &vq->state);
	fput(body);
	return false;
}

/*
 * Context: the eventfd's wait queue locked, IRQs off.  Returns whether the
 * pump will run in the current task: one of the owner's that goes back to its
 * guest or to userspace, as a kernel thread that works for it does not.
 */
static bool queue_on_current(struct ktwin_vq *vq)
{
	/* Kicks of one queue come one at a time: by its eventfd's lock. */
	if (!in_task() || current->mm != vq->twin->mm ||
	    current->flags & (PF_KTHREAD | PF_USER_WORKER | PF_EXITING))
		return false;
	if (test_bit(KTWIN_VQ_TASK_QUEUED, &vq->state))
		return false;
	WRITE_ONCE(vq->queued_at, jiffies);
	smp_mb__before_atomic();	/* the time before the bit */
	set_bit(KTWIN_VQ_TASK_QUEUED, &vq->state);
	if (!add_work(vq, current, &vq->task_work, KTWIN_VQ_TASK_QUEUED))
		return false;
	smp_mb__after_atomic();	/* the bit before the look at the timer */
	/* One that is armed will do: it finds this work, too. */
	if (!timer_pending(&vq->overdue))
		mod_timer(&vq->overdue, jiffies + KTWIN_OVERDUE_JIFFIES);
	return true;
}

/*
 * Context: hard interrupt.  Returns whether the pump will run in @task, unless that goes
 * to sleep before: which is why its work is not that of kicks, which would have to wait.
 */
static bool queue_on(struct ktwin_vq *vq, struct task_struct *task)
{
	if (!task || !task_is_running(task))
		return false;
	WRITE_ONCE(vq->moderation.asked, task);
	set_bit(KTWIN_VQ_TIMER_QUEUED, &vq->state);
	return add_work(vq, task, &vq->moderation.work, KTWIN_VQ_TIMER_QUEUED);
}

/*
 * A thread has kicked some time ago.  If it has not come to the queue yet, the
 * worker does.  Context: softirq.
 */
static void overdue(struct timer_list *timer)
{
	struct ktwin_vq *vq = container_of(timer, struct ktwin_vq, overdue);

	smp_mb();	/* no longer pending, before the bit is read */
	if (!test_bit(KTWIN_VQ_TASK_QUEUED, &vq->state))
		return;
	/* A later kick than the one that armed us? */
	if (jiffies - READ_ONCE(vq->queued_at) < KTWIN_OVERDUE_JIFFIES) {
		mod_timer(timer, jiffies + KTWIN_OVERDUE_JIFFIES);
		return;
	}
	ktwin_inc(vq, RESCUES);
	ktwin_executor_defer(vq);
}

static void init_inline(struct ktwin_vq *vq)
{
	init_task_work(&vq->task_work, run_by_task);
	init_task_work(&vq->moderation.work, run_by_timer);
	timer_setup(&vq->overdue, overdue, 0);
}

static void quiesce_inline(struct ktwin_vq *vq)
{
	timer_delete_sync(&vq->overdue);
}

#else /* !KTWIN_HAVE_TASK_WORK */

static const bool has_inline;

static bool queue_on(struct ktwin_vq *vq, struct task_struct *task)
{
	return false;
}

static bool queue_on_current(struct ktwin_vq *vq)
{
	return false;
}

static void init_inline(struct ktwin_vq *vq)
{
}

static void quiesce_inline(struct ktwin_vq *vq)
{
}

#endif /* KTWIN_HAVE_TASK_WORK */

/**
 * ktwin_executor_has_inline() - can kicks be served by who kicked?
 *
 * Context: any.
 * Return: whether this build can.
 */
bool ktwin_executor_has_inline(void)
{
	return has_inline;
}

/**
 * ktwin_executor_init() - prepare a queue for being run
 * @vq: the queue
 */
void ktwin_executor_init(struct ktwin_vq *vq)
{
	init_inline(vq);
	kthread_init_work(&vq->work, run_by_worker);
}

/**
 * ktwin_executor_begin() - a twin has got its worker
 * @twin: the twin
 *
 * Context: process; twin->lock held.
 */
void ktwin_executor_begin(struct ktwin *twin)
{
	kthread_init_work(&twin->settle, settle);
	kthread_queue_work(twin->worker, &twin->settle);
}

/**
 * ktwin_executor_hurry() - the worker is not to wait for guest memory any more
 * @twin: the twin
 *
 * Until ktwin_executor_settle(), what it comes by and is not there has failed.
 *
 * Context: process; twin->lock held.
 */
void ktwin_executor_hurry(struct ktwin *twin)
{
	lockdep_assert_held(&twin->lock);
	if (twin->worker)
		send_sig(SIGKILL, twin->worker->task, 1);
}

/**
 * ktwin_executor_settle() - the worker may take its time again
 * @twin: the twin
 *
 * Context: process; twin->lock held.
 */
void ktwin_executor_settle(struct ktwin *twin)
{
	lockdep_assert_held(&twin->lock);
	if (twin->worker)
		kthread_queue_work(twin->worker, &twin->settle);
}

/**
 * ktwin_executor_quiesce() - have nothing come by time alone
 * @vq: a queue whose kicks are no longer intercepted
 *
 * A task work may still come; it finds nothing to do.
 *
 * Context: process; may sleep.
 */
void ktwin_executor_quiesce(struct ktwin_vq *vq)
{
	quiesce_inline(vq);
}

/* In softirq, or else by the worker.  Returns which. */
static enum ktwin_policy hand_on(struct ktwin_vq *vq)
{
	if (ktwin_is_soft(vq) && ktwin_softirq_schedule(vq))
		return KTWIN_SOFTIRQ;
	ktwin_executor_defer(vq);
	return KTWIN_WORKER;
}

/**
 * ktwin_executor_kick() - the guest has kicked
 * @vq: the queue
 *
 * Context: any, IRQs off; the kick eventfd's wait queue locked.
 */
void ktwin_executor_kick(struct ktwin_vq *vq)
{
	enum ktwin_policy way = KTWIN_INLINE;

	ktwin_inc(vq, KICKS);
	ktwin_moderation_kick(vq);
	if (test_and_set_bit(KTWIN_VQ_SCHEDULED, &vq->state)) {
		ktwin_inc(vq, KICKS_MERGED);
		trace_ktwin_kick(vq, true, way);
		return;
	}
	if (READ_ONCE(vq->policy) == KTWIN_WORKER || !queue_on_current(vq))
		way = hand_on(vq);
	trace_ktwin_kick(vq, false, way);
	if (way == KTWIN_SOFTIRQ)
		ktwin_inc(vq, KICKS_SOFTIRQ);
	else if (way == KTWIN_WORKER)
		ktwin_inc(vq, KICKS_WORKER);
}

/**
 * ktwin_executor_expire() - it is time to look at a queue that is not kicked
 * @vq: the queue
 * @kicker: a thread that may be asked to, if it runs; or NULL
 *
 * Context: hard interrupt.
 * Return: whether that thread was asked.  If it has not come the next time, softirq or the
 * worker will.
 */
bool ktwin_executor_expire(struct ktwin_vq *vq, struct task_struct *kicker)
{
	bool asked = test_bit(KTWIN_VQ_TIMER_QUEUED, &vq->state);

	/* Whom we asked before and who has not come has that bit set, too. */
	if (test_and_set_bit(KTWIN_VQ_SCHEDULED, &vq->state) && !asked)
		return false;
	ktwin_inc(vq, PUMPS_TIMER);
	if (!asked && queue_on(vq, kicker))
		return true;
	hand_on(vq);
	return false;
}

/**
 * ktwin_executor_wake() - there is something to do that no kick has told
 * @vq: the queue
 *
 * Context: any.
 */
void ktwin_executor_wake(struct ktwin_vq *vq)
{
	if (!test_and_set_bit(KTWIN_VQ_SCHEDULED, &vq->state))
		hand_on(vq);
}
