/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of the fast twin: its structures, and its functions by file.
 *
 * One packet to the wire:  a guest's kick ends in kick.c (ktwin_kick_wake),
 * executor.c chooses who serves it and calls datapath.c (ktwin_pump_tx), which
 * takes chains from virtio-fastpath and gives frames to nic-shim.
 *
 * One packet to the guest:  nic-shim tells queue.c (ktwin_backend_event) that
 * a frame has come, executor.c calls receive.c (ktwin_pump_rx).
 *
 * Locks, outermost first:
 *
 *   twin->lock   the twin's owner, memory, features; start and stop.
 *   vq->lock     a queue's ring, port, eventfds.  Held while it is pumped, so
 *                that whoever has taken it and found no port, or has taken
 *                the port away, knows that guest memory is left alone.
 *   vq->poll_lock  held by a poll in softirq; vq->held, under it, tells that vq->lock
 *                is taken.
 *   stlb->lock   of a queue's software TLB.  Held by a poll for an access section.
 *
 * Nothing that can be called with a wait queue locked takes any.
 */
#ifndef KVM_TWIN_TWIN_H
#define KVM_TWIN_TWIN_H

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/poll.h>
#include <linux/task_work.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "kvm-twin/counters.h"
#include "nic-shim/nshim.h"
#include "virtio-fastpath/vfp.h"

#define KTWIN_VQ_RX	0
#define KTWIN_VQ_TX	1
#define KTWIN_NR_VQS	2

/* QEMU sends at most 509 regions, vhost takes 64 unless told otherwise. */
#define KTWIN_MAX_REGIONS	512

/* What one pump does at most before others are to have their turn. */
#define KTWIN_PUMP_PACKETS	256
#define KTWIN_PUMP_BYTES	(512 * 1024)

/* How late a thread that kicked may be before the worker does its work. */
#define KTWIN_OVERDUE_JIFFIES	2

/* So many descriptors of a chain take as long as a packet. */
#define KTWIN_PACKET_STEPS	32

/* So many frames that are read as one take as long as another packet. */
#define KTWIN_PACKET_FRAMES	8

/* Pages that a frame may lie in for softirq, and chains ahead of it to be known. */
#define KTWIN_SOFT_PAGES	128
#define KTWIN_SOFT_AHEAD	256

/* Longer frames are not sent in softirq: for them the backend sleeps. */
#define KTWIN_SOFT_TX_BYTES	PAGE_SIZE

/* After so many polls in a row that had to defer, one of so many events is polled for. */
#define KTWIN_SOFT_DEFERRALS	8
#define KTWIN_SOFT_RETRY	64

/* How often a ring whose guest need not kick may be looked at. */
#define KTWIN_MODERATION_US_MIN	10
#define KTWIN_MODERATION_US_MAX	100000

/* After how many chains the driver is shown what was used. */
#define KTWIN_PUBLISH_CHAINS	64

/**
 * enum ktwin_policy - who serves a kick
 * @KTWIN_INLINE: the thread that kicked, before it goes back to its guest
 * @KTWIN_WORKER: the twin's worker thread
 * @KTWIN_SOFTIRQ: as @KTWIN_INLINE; and the backend's events, and kicks that can't be
 *	served so, are served in softirq, where they occur
 * @KTWIN_ADAPTIVE: as @KTWIN_SOFTIRQ; and while the guest sends without pause it is not
 *	to kick, but a timer has the ring looked at
 * @KTWIN_NR_POLICIES: how many there are
 */
enum ktwin_policy {
	KTWIN_INLINE,
	KTWIN_WORKER,
	KTWIN_SOFTIRQ,
	KTWIN_ADAPTIVE,
	KTWIN_NR_POLICIES
};

/**
 * enum ktwin_soft_verdict - how a pump in softirq has ended
 * @KTWIN_SOFT_DONE: there is nothing more to do
 * @KTWIN_SOFT_MORE: there is, in another access section
 * @KTWIN_SOFT_DEFER: there is, and softirq can't do it
 */
enum ktwin_soft_verdict {
	KTWIN_SOFT_DONE,
	KTWIN_SOFT_MORE,
	KTWIN_SOFT_DEFER,
};

/* Bits of ktwin_vq.state; all may be changed from any context. */
enum ktwin_vq_state {
	KTWIN_VQ_SCHEDULED,	/* somebody will pump, or is pumping */
	KTWIN_VQ_TASK_QUEUED,	/* a thread that kicked has yet to come to it */
	KTWIN_VQ_TIMER_QUEUED,	/* nor one that the moderation timer has asked */
	KTWIN_VQ_WANTS_ROOM,	/* TX: waits for room in the backend */
	KTWIN_VQ_WANTS_BUFFERS,	/* RX: frames wait for the guest's buffers */
};

/**
 * struct ktwin_kick - the interception of a queue's kicks
 * @file: the kick eventfd, or NULL
 * @wqh: its wait queue
 * @wait: our entry in that
 * @pt: how poll() tells us @wqh
 */
struct ktwin_kick {
	struct file		*file;
	wait_queue_head_t	*wqh;
	wait_queue_entry_t	wait;
	poll_table		pt;
};

/**
 * struct ktwin_moderation - whether a TX queue is kicked, or looked at by time
 * @interval_us: how often it is looked at, and the time in which @kicks count as many
 * @kicks: what is many
 * @since: when kicks began to be counted, in ns; by the kick eventfd's lock
 * @seen: how many have come since
 * @loaded: they were many
 * @active: notifications are off, and @timer is armed, or its pump is to come; this and
 *	what follows by vq->lock, or by a poll
 * @taken: chains since @timer was armed
 * @backoff: by what power of two @timer takes longer, as @kicker waits for a CPU
 * @kicker: the thread that @timer asks to pump, or NULL; does not change while it is armed
 * @asked: whom it has asked last, for comparing: no reference is held; written by its
 *	interrupt, without a lock
 * @timer: looks at the queue
 * @work: for being run by @kicker
 */
struct ktwin_moderation {
	unsigned int		interval_us;
	unsigned int		kicks;
	u64			since;
	unsigned int		seen;
	bool			loaded;
	bool			active;
	unsigned int		taken;
	int			backoff;
	struct task_struct	*kicker;
	const struct task_struct *asked;
	struct hrtimer		timer;
	struct callback_head	work;
};

/**
 * struct ktwin_vq - one virtqueue
 * @twin: whose it is
 * @index: KTWIN_VQ_RX or KTWIN_VQ_TX
 * @lock: see above
 * @ring: the ring engine's view
 * @cache: what it has read
 * @port: the backend; NULL when the queue is stopped
 * @broken: a ring fault has stopped the queue until it is started anew
 * @kick: how kicks come
 * @call: how the guest is interrupted, or NULL
 * @err: how the slow twin is told of a broken ring, or NULL
 * @log_event: who is told of writes to the dirty log, or NULL; the twin's, and the
 *	same for all of its queues
 * @busyloop_us: VHOST_SET_VRING_BUSYLOOP_TIMEOUT, kept for the asking
 * @owner: how the port reaches us
 * @policy: enum ktwin_policy; changed at any time
 * @state: enum ktwin_vq_state
 * @task_work: for being run by the thread that kicked
 * @overdue: when that thread is late
 * @queued_at: when @task_work was queued, in jiffies
 * @work: for being run by the worker
 * @moderation: TX: whether it is kicked
 * @stlb: the owner's memory for softirq
 * @poll_lock: see above
 * @held: @lock is taken: softirq is to keep out; under @poll_lock
 * @invalidate_ns: how long a change of the owner's page tables was kept at most
 * @napi: for being run in softirq
 * @irq_work: brings softirq where there is none
 * @deferrals: polls in a row that could not go on; whose KTWIN_VQ_SCHEDULED it is may
 *	change it
 * @retry: events since that were left to the worker
 * @pages: the segments of the frame at hand, there
 * @counters: per CPU
 * @iov: segments of the frame at hand
 * @heads: chains that are to be given back next
 */
struct ktwin_vq {
	struct ktwin			*twin;
	unsigned int			index;

	struct mutex			lock;
	struct vfp_ring			ring;
	struct vfp_cache		cache;
	struct nshim_port		*port;
	bool				broken;
	struct ktwin_kick		kick;
	struct eventfd_ctx		*call;
	struct eventfd_ctx		*err;
	struct eventfd_ctx		*log_event;
	u32				busyloop_us;

	struct nshim_owner		owner;
	int				policy;
	unsigned long			state;
	struct callback_head		task_work;
	struct timer_list		overdue;
	unsigned long			queued_at;
	struct kthread_work		work;
	struct ktwin_moderation		moderation;

	struct vfp_stlb			*stlb;
	spinlock_t			poll_lock;
	bool				held;
	u64				invalidate_ns;
	struct napi_struct		napi;
	struct irq_work			irq_work;
	unsigned int			deferrals;
	unsigned int			retry;
	struct bio_vec			*pages;

	struct ktwin_counters __percpu	*counters;
	struct iovec			*iov;
	struct vfp_used			*heads;
};

/**
 * struct ktwin - the fast twin of one queue pair: one open of the device
 * @body: the file that the twin's memory belongs to; a thread that will run a
 *	queue later holds a reference on it, and so on the module's code
 * @lock: see above
 * @mm: the owner's; NULL when there is none.  Held by mm_count alone: when
 *	the owner dies, its memory goes, and pumps find it gone
 * @notifier: tells of changes to the owner's page tables
 * @pid: the owner's, for telling twins apart in debugfs
 * @nr: tells the twins of one owner apart
 * @worker: made with the first owner, ended with the twin
 * @settle: has it forget that it was to hurry
 * @mem: the guest's memory
 * @features: what was negotiated
 * @hdr_len: bytes of virtio-net header that the guest sees
 * @own_hdr: the backend has no such header: we make it up
 * @dir: the folder in debugfs
 * @link: in the list of all twins (debugfs.c)
 * @rcu: NAPI instances of its queues may be looked at for so long
 * @vqs: the queues
 */
struct ktwin {
	struct file		*body;
	struct mutex		lock;
	struct mm_struct	*mm;
	struct mmu_notifier	notifier;
	pid_t			pid;
	unsigned int		nr;
	struct kthread_worker	*worker;
	struct kthread_work	settle;
	struct vhost_iotlb	*mem;
	u64			features;
	size_t			hdr_len;
	bool			own_hdr;
	struct dentry		*dir;
	struct list_head	link;
	struct rcu_head		rcu;
	struct ktwin_vq		vqs[KTWIN_NR_VQS];
};

/* Is what its owner's threads don't do at once done in softirq? */
static inline bool ktwin_is_soft(const struct ktwin_vq *vq)
{
	int policy = READ_ONCE(vq->policy);

	return policy == KTWIN_SOFTIRQ || policy == KTWIN_ADAPTIVE;
}

/* Whoever runs a queue, or changes it, has either of its locks. */
static inline void ktwin_assert_owned(const struct ktwin_vq *vq)
{
	lockdep_assert(lockdep_is_held(&vq->lock) || lockdep_is_held(&vq->poll_lock));
}

/* The virtio-net header that the guest sees but the backend does not. */
static inline size_t ktwin_own_hdr_len(const struct ktwin *twin)
{
	return twin->own_hdr ? twin->hdr_len : 0;
}

/* chardev.c: the device node; decodes and validates, nothing else */

int ktwin_chardev_register(void);
void ktwin_chardev_unregister(void);

/* twin.c: the twin as a whole */

struct ktwin *ktwin_create(void);
void ktwin_close(struct ktwin *twin);
int ktwin_set_owner(struct ktwin *twin);
int ktwin_reset_owner(struct ktwin *twin);
int ktwin_check_owner(const struct ktwin *twin);
u64 ktwin_features(void);
int ktwin_set_features(struct ktwin *twin, u64 features);
void ktwin_set_mem(struct ktwin *twin, struct vhost_iotlb *mem);

/* queue.c: one queue: start, stop, and its eventfds */

int ktwin_vq_init(struct ktwin_vq *vq, struct ktwin *twin, unsigned int index);
void ktwin_vq_free(struct ktwin_vq *vq);
int ktwin_vq_set_backend(struct ktwin_vq *vq, int fd);
void ktwin_vq_lock(struct ktwin_vq *vq);
int ktwin_vq_lock_killable(struct ktwin_vq *vq);
bool ktwin_vq_trylock(struct ktwin_vq *vq);
void ktwin_vq_lock_by_worker(struct ktwin_vq *vq);
void ktwin_vq_unlock(struct ktwin_vq *vq);
void ktwin_vq_stop(struct ktwin_vq *vq);
void ktwin_vq_reset(struct ktwin_vq *vq);
void ktwin_vq_break(struct ktwin_vq *vq);
void ktwin_vq_call(struct ktwin_vq *vq);

/* log.c: the dirty log */

bool ktwin_log_ok(const struct ktwin_vq *vq);
bool ktwin_log_mem_ok(const struct ktwin *twin, struct vhost_iotlb *mem, bool log_data);
int ktwin_log_set_base(struct ktwin *twin, u64 base);
void ktwin_log_set_eventfd(struct ktwin *twin, struct eventfd_ctx *ctx);
void ktwin_log_tell(struct ktwin_vq *vq);

/* kick.c: the interception of kicks */

int ktwin_kick_set(struct ktwin_vq *vq, struct file *file);

/* executor.c: who runs a queue, and when */

void ktwin_executor_init(struct ktwin_vq *vq);
void ktwin_executor_begin(struct ktwin *twin);
void ktwin_executor_hurry(struct ktwin *twin);
void ktwin_executor_settle(struct ktwin *twin);
void ktwin_executor_quiesce(struct ktwin_vq *vq);
bool ktwin_executor_has_inline(void);
void ktwin_executor_kick(struct ktwin_vq *vq);
void ktwin_executor_wake(struct ktwin_vq *vq);
void ktwin_executor_defer(struct ktwin_vq *vq);
bool ktwin_executor_expire(struct ktwin_vq *vq, struct task_struct *kicker);

/* moderation.c: whether the guest is to kick, or a timer looks at the ring */

extern unsigned int ktwin_moderation_us;
extern unsigned int ktwin_moderation_kicks;
bool ktwin_moderation_ok(unsigned int interval_us, unsigned int kicks);
void ktwin_moderation_init(struct ktwin_vq *vq);
void ktwin_moderation_kick(struct ktwin_vq *vq);
bool ktwin_moderation_begin(struct ktwin_vq *vq);
void ktwin_moderation_resume(struct ktwin_vq *vq);
void ktwin_moderation_end(struct ktwin_vq *vq);

/* softirq.c: a queue run where the backend's events occur */

int ktwin_softirq_init(void);
void ktwin_softirq_exit(void);
int ktwin_softirq_add(struct ktwin_vq *vq);
void ktwin_softirq_remove(struct ktwin_vq *vq);
void ktwin_softirq_free(struct ktwin_vq *vq);
bool ktwin_softirq_schedule(struct ktwin_vq *vq);
unsigned int ktwin_softirq_take(struct ktwin_vq *vq, const struct nshim_port *port,
				const struct nshim_gift *gifts, unsigned int n);
void ktwin_softirq_prepare(struct ktwin_vq *vq);
void ktwin_softirq_forget(struct ktwin_vq *vq);

/* invalidate.c: changes to the owner's page tables */

int ktwin_invalidate_begin(struct ktwin *twin);
void ktwin_invalidate_end(struct ktwin *twin);

/* datapath.c: from the guest to the wire */

bool ktwin_pump_tx(struct ktwin_vq *vq);
enum ktwin_soft_verdict ktwin_pump_tx_soft(struct ktwin_vq *vq, int budget, int *done);
void ktwin_flush_tx(struct ktwin_vq *vq);
int ktwin_publish(struct ktwin_vq *vq, bool soft);

/* receive.c: from the wire to the guest */

bool ktwin_pump_rx(struct ktwin_vq *vq);
enum ktwin_soft_verdict ktwin_pump_rx_soft(struct ktwin_vq *vq, int budget, int *done);
unsigned int ktwin_take_soft(struct ktwin_vq *vq, const struct nshim_gift *gifts,
			     unsigned int n);

/* debugfs.c: counters and policies */

extern int ktwin_default_policy;
extern bool ktwin_default_direct;
int ktwin_policy_parse(const char *name);
void ktwin_debugfs_init(void);
void ktwin_debugfs_exit(void);
void ktwin_debugfs_add(struct ktwin *twin);
void ktwin_debugfs_remove(struct ktwin *twin);

#endif /* KVM_TWIN_TWIN_H */
