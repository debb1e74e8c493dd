// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interception of kicks: an entry in the wait queue of the kick eventfd,
 * which KVM signals from the vCPU thread that wrote the doorbell.
 */
#include <linux/file.h>

#include "kvm-twin/twin.h"

/*
 * Context: any that signals an eventfd, mostly the vCPU thread; its wait
 * queue locked, IRQs off.  No eventfd may be signalled here.
 *
 * A kick while the queue is stopped is of no interest: a start pumps once.
 */
static int ktwin_kick_wake(wait_queue_entry_t *wait, unsigned int mode,
			   int sync, void *key)
{
	struct ktwin_vq *vq = container_of(wait, struct ktwin_vq, kick.wait);

	if ((key_to_poll(key) & EPOLLIN) && READ_ONCE(vq->port))
		ktwin_executor_kick(vq);
	return 0;
}

static void ktwin_kick_queued(struct file *file, wait_queue_head_t *wqh,
			      poll_table *pt)
{
	struct ktwin_kick *kick = container_of(pt, struct ktwin_kick, pt);

	kick->wqh = wqh;
	add_wait_queue(wqh, &kick->wait);
}

/**
 * ktwin_kick_set() - intercept another eventfd
 * @vq: the queue
 * @file: the eventfd, of which a reference is taken over, or NULL for none
 *
 * What was kicked before is served: nobody reads the eventfd's count, so it
 * tells.
 *
 * Context: process, vq->lock held.
 * Return: 0, or -EINVAL for an eventfd whose count has run full.
 */
int ktwin_kick_set(struct ktwin_vq *vq, struct file *file)
{
	struct ktwin_kick *kick = &vq->kick;
	__poll_t mask;

	lockdep_assert_held(&vq->lock);
	if (kick->file) {
		remove_wait_queue(kick->wqh, &kick->wait);
		fput(kick->file);
	}
	kick->file = file;
	if (!file)
		return 0;

	init_waitqueue_func_entry(&kick->wait, ktwin_kick_wake);
	init_poll_funcptr(&kick->pt, ktwin_kick_queued);
	mask = vfs_poll(file, &kick->pt);
	if (mask & EPOLLERR) {
		ktwin_kick_set(vq, NULL);
		return -EINVAL;
	}
	if ((mask & EPOLLIN) && vq->port)
		ktwin_executor_wake(vq);
	return 0;
}
