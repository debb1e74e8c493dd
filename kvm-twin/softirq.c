// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue run in softirq: where the backend's event occurs, or the kick, in whatever
 * task's time.
 *
 * Each queue has a NAPI instance, which an event schedules, and whose poll pumps between
 * the backend and the guest's buffers through the software TLB.  Nobody is woken.
 * What can't be done so (a page that the TLB lacks, a log to be written, a lock that is
 * held, a frame for which the backend sleeps) goes to the worker, who does it in order and
 * has the TLB learn on its way.
 *
 * The poll does not take vq->lock, which is a mutex; it holds vq->poll_lock, and who has
 * taken the mutex keeps it out by vq->held, changed under that lock.  Guest memory it
 * reaches in access sections alone, with the TLB's lock; frames to be sent are copied
 * there, and go out between two sections.
 */
#include <linux/netdevice.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm-twin/datapath.h"
#include "kvm-twin/trace.h"

/* NAPI instances belong to a device; it is ours alone, and so is the lock of its list. */
static struct net_device *napi_dev;
static DEFINE_MUTEX(napi_lock);

/**
 * ktwin_softirq_init() - get what polls need
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM.
 */
int ktwin_softirq_init(void)
{
	napi_dev = alloc_netdev_dummy(0);
	return napi_dev ? 0 : -ENOMEM;
}

/**
 * ktwin_softirq_exit() - there are no twins any more
 *
 * Context: process; may sleep.
 */
void ktwin_softirq_exit(void)
{
	synchronize_net();	/* who traces a poll looks at its name */
	compat_free_netdev_dummy(napi_dev);
}

/* An access section, with the TLB's lock.  Returns whether there can be one. */
static bool begin_section(struct ktwin_vq *vq)
{
	if (unlikely(!vfp_soft_begin(&vq->ring)))
		return false;
	/*
	 * What is copied from a stack that is mapped (that of interrupts is) is looked up
	 * by CONFIG_HARDENED_USERCOPY under a lock that softirq may have interrupted, but
	 * not where no fault may be taken.
	 */
	pagefault_disable();
	return true;
}

static void end_section(struct ktwin_vq *vq)
{
	pagefault_enable();
	vfp_soft_end(&vq->ring);
}

static enum ktwin_soft_verdict section(struct ktwin_vq *vq, int budget, int *done)
{
	enum ktwin_soft_verdict verdict;

	if (unlikely(!begin_section(vq)))
		return KTWIN_SOFT_DEFER;
	ktwin_inc(vq, PUMPS_SOFTIRQ);
	verdict = vq->index == KTWIN_VQ_TX ? ktwin_pump_tx_soft(vq, budget, done) :
					     ktwin_pump_rx_soft(vq, budget, done);
	end_section(vq);
	return verdict;
}

/* With poll_lock: a section for what another twin has for this one's guest. */
static unsigned int take(struct ktwin_vq *vq, const struct nshim_port *port,
			 const struct nshim_gift *gifts, unsigned int n)
{
	unsigned int taken = 0;

	/* It may be on its way from one port to another. */
	if (unlikely(vq->held || vq->port != port || vq->broken))
		return 0;
	if (!spin_trylock(&vq->stlb->lock))
		return 0;
	if (likely(begin_section(vq))) {
		taken = ktwin_take_soft(vq, gifts, n);
		end_section(vq);
	}
	spin_unlock(&vq->stlb->lock);
	return taken;
}

/**
 * ktwin_softirq_take() - give the guest frames that do not come by the backend
 * @vq: an RX queue
 * @port: the port that they are for
 * @gifts: the frames
 * @n: how many
 *
 * Nobody is waited for: whoever is at the queue will come by the backend's frames, too.
 *
 * Context: BHs disabled, RCU; the sender's.
 * Return: how many were taken, from the first on.
 */
unsigned int ktwin_softirq_take(struct ktwin_vq *vq, const struct nshim_port *port,
				const struct nshim_gift *gifts, unsigned int n)
{
	unsigned int taken;

	if (!ktwin_is_soft(vq))
		return 0;
	if (!spin_trylock(&vq->poll_lock))
		return 0;
	taken = take(vq, port, gifts, n);
	spin_unlock(&vq->poll_lock);
	return taken;
}

/* One access section, and what it has to send. */
static enum ktwin_soft_verdict pump(struct ktwin_vq *vq, int budget, int *done)
{
	enum ktwin_soft_verdict verdict;
	u64 start = local_clock();
	s64 ns;

	if (unlikely(vq->held))
		return KTWIN_SOFT_DEFER;
	if (unlikely(!vq->port || vq->broken)) {
		clear_bit(KTWIN_VQ_SCHEDULED, &vq->state);
		return KTWIN_SOFT_DONE;
	}
	spin_lock(&vq->stlb->lock);
	verdict = section(vq, budget, done);
	spin_unlock(&vq->stlb->lock);
	if (vq->index == KTWIN_VQ_TX)
		ktwin_flush_tx(vq);
	WRITE_ONCE(vq->deferrals, verdict == KTWIN_SOFT_DEFER ? vq->deferrals + 1 : 0);
	ns = max_t(s64, local_clock() - start, 0);
	ktwin_add(vq, PUMP_NS, ns);
	trace_ktwin_pump(vq, KTWIN_SOFTIRQ, verdict != KTWIN_SOFT_DONE, ns);
	return verdict;
}

/*
 * Context: softirq.  A section ends when somebody else waits for either lock, too; the
 * next begins when he has had it.
 */
static int poll(struct napi_struct *napi, int budget)
{
	struct ktwin_vq *vq = container_of(napi, struct ktwin_vq, napi);
	enum ktwin_soft_verdict verdict;
	int done = 0;

	if (budget <= 0)
		return 0;
	do {
		spin_lock(&vq->poll_lock);
		verdict = pump(vq, budget, &done);
		spin_unlock(&vq->poll_lock);
	} while (verdict == KTWIN_SOFT_MORE && done < budget);
	/* What a guest sends without end is for its VMM's share of the CPU to pay. */
	if (verdict == KTWIN_SOFT_MORE && vq->index == KTWIN_VQ_RX)
		return budget;
	if (verdict == KTWIN_SOFT_MORE)
		ktwin_inc(vq, OVERFLOWS);
	else if (verdict == KTWIN_SOFT_DEFER)
		ktwin_inc(vq, DEFERRED);
	if (verdict != KTWIN_SOFT_DONE)
		ktwin_executor_defer(vq);
	/* To have used all of it means to come back. */
	done = min(done, budget - 1);
	napi_complete_done(napi, done);
	return done;
}

/*
 * A softirq that is raised in task context would be run by ksoftirqd.  At the end of an
 * interrupt it is run at once, and nobody is woken.  Context: hard interrupt.
 */
static void interrupt(struct irq_work *work)
{
	napi_schedule(&container_of(work, struct ktwin_vq, irq_work)->napi);
}

/**
 * ktwin_softirq_add() - make a queue one that can be run in softirq
 * @vq: the queue, which is stopped
 *
 * Context: process; may sleep.
 * Return: 0 or -ENOMEM; ktwin_softirq_remove() and ktwin_softirq_free() are due either
 * way.
 */
int ktwin_softirq_add(struct ktwin_vq *vq)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
	struct vfp_stlb *stlb = kvzalloc(sizeof(*stlb), gfp);

	vq->pages = kvmalloc_array(KTWIN_SOFT_PAGES, sizeof(*vq->pages), gfp);
	if (!stlb || !vq->pages) {
		kvfree(stlb);
		return -ENOMEM;
	}
	vfp_stlb_init(stlb);
	vq->stlb = stlb;
	vq->ring.stlb = stlb;
	vq->irq_work = IRQ_WORK_INIT_HARD(interrupt);
	mutex_lock(&napi_lock);
	/* As one for TX: nobody looks for it by its id. */
	netif_napi_add_tx(napi_dev, &vq->napi, poll);
	mutex_unlock(&napi_lock);
	napi_enable(&vq->napi);
	return 0;
}

/**
 * ktwin_softirq_remove() - end what runs in softirq
 * @vq: a queue that no event comes to any more
 *
 * Context: process; may sleep.
 */
void ktwin_softirq_remove(struct ktwin_vq *vq)
{
	if (!vq->stlb)
		return;
	irq_work_sync(&vq->irq_work);
	napi_disable(&vq->napi);
	mutex_lock(&napi_lock);
	__netif_napi_del(&vq->napi);
	mutex_unlock(&napi_lock);
}

/**
 * ktwin_softirq_free() - free what ktwin_softirq_add() has allocated
 * @vq: the queue
 *
 * Context: process; may sleep.
 */
void ktwin_softirq_free(struct ktwin_vq *vq)
{
	if (vq->stlb)
		vfp_stlb_free(vq->stlb);
	kvfree(vq->stlb);
	kvfree(vq->pages);
}

/**
 * ktwin_softirq_schedule() - have a queue run in softirq
 * @vq: the queue, whose KTWIN_VQ_SCHEDULED was set by the caller
 *
 * Context: any.
 * Return: whether it will be; not if it is known that softirq could not do it.
 */
bool ktwin_softirq_schedule(struct ktwin_vq *vq)
{
	if (!vq->stlb || !READ_ONCE(vq->stlb->mapped))
		return false;
	/* A guest whose frames always lack something is not to pay twice for each. */
	if (READ_ONCE(vq->deferrals) >= KTWIN_SOFT_DEFERRALS && ++vq->retry % KTWIN_SOFT_RETRY)
		return false;
	if (in_interrupt())
		napi_schedule(&vq->napi);
	else
		irq_work_queue(&vq->irq_work);
	return true;
}

/* Learn of the pages that a chain's segments lie in, if softirq may have it. */
static int learn(struct ktwin_vq *vq, const struct vfp_chain *chain)
{
	int ret;

	if (chain->out_len > KTWIN_SOFT_TX_BYTES)
		return 0;
	ret = vfp_stlb_fill_segments(vq->stlb, chain->iov, chain->nr_out + chain->nr_in,
				     KTWIN_SOFT_PAGES);
	if (ret > 0)
		ktwin_add(vq, STLB_FILLS, ret);
	return ret;
}

/* Have the TLB know the buffers that the guest has posted. */
static void look_ahead(struct ktwin_vq *vq)
{
	struct vfp_chain chain = { .iov = vq->iov, .max = VFP_MAX_SEGS };
	u16 mark = vfp_ring_mark(&vq->ring);
	unsigned int steps = 0, slots = 0, pages = 0;
	int ret;

	while (steps < KTWIN_SOFT_AHEAD && pages < 2 * KTWIN_SOFT_AHEAD &&
	       slots < vq->ring.num) {
		cond_resched();
		ret = vfp_ring_pop(&vq->ring, &chain);
		if (ret <= 0)
			break;
		steps += chain.steps;
		slots += chain.slots;
		pages += min_t(size_t, chain.nr_in + chain.nr_out + chain.in_len / PAGE_SIZE,
			       KTWIN_SOFT_PAGES);
		if (learn(vq, &chain) < 0)
			break;
	}
	/* What is wrong with a chain is found when it is its turn. */
	vq->ring.fault = VFP_FAULT_NONE;
	vfp_ring_rewind(&vq->ring, mark);
}

/**
 * ktwin_softirq_prepare() - have the TLB learn what softirq will need
 * @vq: the queue, which is about to be pumped
 *
 * Of RX, what is posted is learnt before it is needed.  Of TX, who has kicked can mostly
 * send it without: so only when softirq has lacked something.
 *
 * Context: process, vq->lock held, current->mm is the owner's.  Sleeps and faults.
 */
void ktwin_softirq_prepare(struct ktwin_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (vq->broken || vq->ring.log_data || vq->ring.log_ring)
		return;
	if (vq->index == KTWIN_VQ_TX && vq->stlb->mapped && !vq->deferrals)
		return;
	if (vfp_stlb_map(&vq->ring))
		return;
	if (vq->stlb->lacked && vfp_stlb_fill(vq->stlb, vq->stlb->lacked) > 0)
		ktwin_inc(vq, STLB_FILLS);
	vq->stlb->lacked = NULL;
	look_ahead(vq);
}

/**
 * ktwin_softirq_forget() - what the TLB knows may be wrong now
 * @vq: the queue, of RX or TX
 *
 * Context: process.
 */
void ktwin_softirq_forget(struct ktwin_vq *vq)
{
	if (vq->stlb)
		vfp_stlb_forget(vq->stlb);
}
