// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/kvm-twin: a folder for each twin that has an owner, with
 * its counters, its state, and the policies of its queues.
 *
 * Nothing here takes twin->lock: it is held while a folder is removed, and
 * that waits for the readers.
 */
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kvm-twin/twin.h"

static struct dentry *root;
static LIST_HEAD(twins);
static DEFINE_MUTEX(twins_lock);	/* the list, and the twins' nr */

int ktwin_default_policy;
bool ktwin_default_direct = true;

static const char * const policy_names[KTWIN_NR_POLICIES] = {
	[KTWIN_INLINE]	= "inline",
	[KTWIN_WORKER]	= "worker",
	[KTWIN_SOFTIRQ]	= "softirq",
	[KTWIN_ADAPTIVE] = "adaptive",
};

static const char * const vq_names[KTWIN_NR_VQS] = {
	[KTWIN_VQ_RX]	= "rx0",
	[KTWIN_VQ_TX]	= "tx0",
};

static const char * const counter_names[KTWIN_NR_COUNTERS] = {
#define KTWIN_COUNTER_NAME(id, name) \
	[KTWIN_##id] = name,
	KTWIN_COUNTERS(KTWIN_COUNTER_NAME)
#undef KTWIN_COUNTER_NAME
};

/* Counters */

static u64 sum(const struct ktwin_vq *vq, enum ktwin_counter counter)
{
	u64 total = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		total += READ_ONCE(per_cpu_ptr(vq->counters, cpu)->v[counter]);
	return total;
}

static int counters_show(struct seq_file *m, void *unused)
{
	const struct ktwin_vq *vq = m->private;
	enum ktwin_counter i;

	for (i = 0; i < KTWIN_NR_COUNTERS; i++)
		seq_printf(m, "%s: %llu\n", counter_names[i], sum(vq, i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static void summary_line(struct seq_file *m, const struct ktwin *twin)
{
	const struct ktwin_vq *rx = &twin->vqs[KTWIN_VQ_RX];
	const struct ktwin_vq *tx = &twin->vqs[KTWIN_VQ_TX];

	seq_printf(m, "%d-%u rx_packets=%llu rx_bytes=%llu tx_packets=%llu tx_bytes=%llu kicks=%llu kicks_inline=%llu\n",
		   twin->pid, twin->nr, sum(rx, KTWIN_PACKETS),
		   sum(rx, KTWIN_BYTES), sum(tx, KTWIN_PACKETS),
		   sum(tx, KTWIN_BYTES),
		   sum(tx, KTWIN_KICKS) + sum(rx, KTWIN_KICKS),
		   sum(tx, KTWIN_KICKS_INLINE) + sum(rx, KTWIN_KICKS_INLINE));
}

static int summary_show(struct seq_file *m, void *unused)
{
	const struct ktwin *twin;

	mutex_lock(&twins_lock);
	list_for_each_entry(twin, &twins, link)
		summary_line(m, twin);
	mutex_unlock(&twins_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(summary);

/* State */

/* A pump may take its time, if guest memory is missing. */
static int vq_state(struct seq_file *m, struct ktwin_vq *vq)
{
	if (ktwin_vq_lock_killable(vq))
		return -EINTR;
	seq_printf(m, "%s: %s %s num=%u last_avail=%u used=%u notify=%s scheduled=%d moderated=%d task_queued=%d wants_room=%d wants_buffers=%d kick=%s call=%s stlb=%s invalidate_ns_max=%llu\n",
		   vq_names[vq->index],
		   !vq->port ? "stopped" : vq->broken ? "broken" : "running",
		   vq->ring.packed ? "packed" : "split",
		   vq->ring.num, vq->ring.last_avail, vq->ring.used_idx,
		   vq->ring.notify_on ? "on" : "off",
		   test_bit(KTWIN_VQ_SCHEDULED, &vq->state), vq->moderation.active,
		   test_bit(KTWIN_VQ_TASK_QUEUED, &vq->state),
		   test_bit(KTWIN_VQ_WANTS_ROOM, &vq->state),
		   test_bit(KTWIN_VQ_WANTS_BUFFERS, &vq->state),
		   vq->kick.file ? "set" : "none", vq->call ? "set" : "none",
		   vq->stlb && READ_ONCE(vq->stlb->mapped) ? "mapped" : "none",
		   READ_ONCE(vq->invalidate_ns));
	ktwin_vq_unlock(vq);
	return 0;
}

static int state_show(struct seq_file *m, void *unused)
{
	struct ktwin *twin = m->private;
	unsigned int i;
	int err = 0;

	for (i = 0; i < KTWIN_NR_VQS && !err; i++)
		err = vq_state(m, &twin->vqs[i]);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int features_show(struct seq_file *m, void *unused)
{
	const struct ktwin *twin = m->private;

	seq_printf(m, "offered: 0x%llx\nacked: 0x%llx\n", ktwin_features(),
		   READ_ONCE(twin->features));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(features);

/* Files that can be written to */

/* A file's words are given to @set. */
static ssize_t write_words(struct file *file, const char __user *from, size_t len,
			   int (*set)(struct ktwin *twin, char *words))
{
	struct seq_file *m = file->private_data;
	char words[48];
	int err;

	if (len >= sizeof(words))
		return -EINVAL;
	if (copy_from_user(words, from, len))
		return -EFAULT;
	words[len] = '\0';
	err = set(m->private, words);
	return err ? err : len;
}

/* As DEFINE_SHOW_ATTRIBUTE(), of a file that can be written to: by name_set(). */
#define DEFINE_WORDS_ATTRIBUTE(name)						\
static int name ## _open(struct inode *inode, struct file *file)		\
{										\
	return single_open(file, name ## _show, inode->i_private);		\
}										\
										\
static ssize_t name ## _write(struct file *file, const char __user *from,	\
			      size_t len, loff_t *pos)				\
{										\
	return write_words(file, from, len, name ## _set);			\
}										\
										\
static const struct file_operations name ## _fops = {				\
	.owner		= THIS_MODULE,						\
	.open		= name ## _open,					\
	.read		= seq_read,						\
	.write		= name ## _write,					\
	.llseek		= seq_lseek,						\
	.release	= single_release,					\
}

/* Policy */

/**
 * ktwin_policy_parse() - find a policy by its name
 * @name: the name
 *
 * Return: enum ktwin_policy, or -EINVAL.
 */
int ktwin_policy_parse(const char *name)
{
	return match_string(policy_names, KTWIN_NR_POLICIES, name);
}

static int policy_show(struct seq_file *m, void *unused)
{
	const struct ktwin *twin = m->private;
	unsigned int i;

	for (i = 0; i < KTWIN_NR_VQS; i++)
		seq_printf(m, "%s: %s\n", vq_names[i],
			   policy_names[READ_ONCE(twin->vqs[i].policy)]);
	return 0;
}

/* "POLICY" for all queues, or "QUEUE POLICY" for one. */
static int policy_set(struct ktwin *twin, char *words)
{
	char *name = strim(words), *queue = NULL;
	int policy, only = -1;
	unsigned int i;

	if (strpbrk(name, " \t")) {
		queue = strsep(&name, " \t");
		name = skip_spaces(name);
		only = match_string(vq_names, KTWIN_NR_VQS, queue);
		if (only < 0)
			return only;
	}
	policy = ktwin_policy_parse(name);
	if (policy < 0)
		return policy;
	if (policy == KTWIN_INLINE && !ktwin_executor_has_inline())
		return -EOPNOTSUPP;
	for (i = 0; i < KTWIN_NR_VQS; i++)
		if (!queue || i == only)
			WRITE_ONCE(twin->vqs[i].policy, policy);
	return 0;
}

DEFINE_WORDS_ATTRIBUTE(policy);

/* Path: past the queueing disciplines, or through them */

static const char * const path_names[] = { "qdisc", "direct" };

static int path_show(struct seq_file *m, void *unused)
{
	const struct ktwin *twin = m->private;

	seq_printf(m, "%s: %s\n", vq_names[KTWIN_VQ_TX],
		   path_names[READ_ONCE(twin->vqs[KTWIN_VQ_TX].owner.direct)]);
	return 0;
}

static int path_set(struct ktwin *twin, char *words)
{
	int path = match_string(path_names, ARRAY_SIZE(path_names), strim(words));

	if (path < 0)
		return path;
	WRITE_ONCE(twin->vqs[KTWIN_VQ_TX].owner.direct, path);
	return 0;
}

DEFINE_WORDS_ATTRIBUTE(path);

/* Moderation */

static int moderation_show(struct seq_file *m, void *unused)
{
	const struct ktwin *twin = m->private;
	const struct ktwin_moderation *mod = &twin->vqs[KTWIN_VQ_TX].moderation;

	seq_printf(m, "%s: interval_us=%u kicks=%u active=%d\n", vq_names[KTWIN_VQ_TX],
		   READ_ONCE(mod->interval_us), READ_ONCE(mod->kicks),
		   READ_ONCE(mod->active));
	return 0;
}

/* "interval_us=N", "kicks=N", or both. */
static int moderation_set(struct ktwin *twin, char *words)
{
	struct ktwin_moderation *mod = &twin->vqs[KTWIN_VQ_TX].moderation;
	unsigned int interval_us = READ_ONCE(mod->interval_us);
	unsigned int kicks = READ_ONCE(mod->kicks);
	char *rest = strim(words), *word, *name;
	int err;

	while ((word = strsep(&rest, " \t"))) {
		name = strsep(&word, "=");
		if (!word)
			return -EINVAL;
		if (!strcmp(name, "interval_us"))
			err = kstrtouint(word, 0, &interval_us);
		else if (!strcmp(name, "kicks"))
			err = kstrtouint(word, 0, &kicks);
		else
			err = -EINVAL;
		if (err)
			return err;
	}
	if (!ktwin_moderation_ok(interval_us, kicks))
		return -ERANGE;
	WRITE_ONCE(mod->interval_us, interval_us);
	WRITE_ONCE(mod->kicks, kicks);
	return 0;
}

DEFINE_WORDS_ATTRIBUTE(moderation);

/* Folders */

/* The lowest number that no other twin of the process has. */
static unsigned int free_nr(const struct ktwin *twin)
{
	const struct ktwin *other;
	unsigned int nr = 0;

again:
	list_for_each_entry(other, &twins, link) {
		if (other->pid == twin->pid && other->nr == nr) {
			nr++;
			goto again;
		}
	}
	return nr;
}

/**
 * ktwin_debugfs_add() - show a twin that has got an owner
 * @twin: the twin
 *
 * Context: process, twin->lock held; may sleep.
 */
void ktwin_debugfs_add(struct ktwin *twin)
{
	unsigned int i;
	char name[32];

	mutex_lock(&twins_lock);
	twin->nr = free_nr(twin);
	list_add_tail(&twin->link, &twins);
	mutex_unlock(&twins_lock);

	snprintf(name, sizeof(name), "%d-%u", twin->pid, twin->nr);
	twin->dir = debugfs_create_dir(name, root);
	debugfs_create_file("state", 0444, twin->dir, twin, &state_fops);
	debugfs_create_file("features", 0444, twin->dir, twin, &features_fops);
	debugfs_create_file("policy", 0644, twin->dir, twin, &policy_fops);
	debugfs_create_file("path", 0644, twin->dir, twin, &path_fops);
	debugfs_create_file("moderation", 0644, twin->dir, twin, &moderation_fops);
	for (i = 0; i < KTWIN_NR_VQS; i++)
		debugfs_create_file(vq_names[i], 0444, twin->dir,
				    &twin->vqs[i], &counters_fops);
}

/**
 * ktwin_debugfs_remove() - a twin loses its owner
 * @twin: the twin
 *
 * At return nobody reads the twin's files.  Its number is free only then, so
 * that another twin's folder can't come first.
 *
 * Context: process, twin->lock held; may sleep.
 */
void ktwin_debugfs_remove(struct ktwin *twin)
{
	debugfs_remove(twin->dir);
	twin->dir = NULL;
	mutex_lock(&twins_lock);
	list_del_init(&twin->link);
	mutex_unlock(&twins_lock);
}

/**
 * ktwin_debugfs_init() - make the top folder
 *
 * A kernel without debugfs has no counters to show, and goes on.
 */
void ktwin_debugfs_init(void)
{
	root = debugfs_create_dir("kvm-twin", NULL);
	debugfs_create_file("summary", 0444, root, NULL, &summary_fops);
}

/**
 * ktwin_debugfs_exit() - remove the top folder; there are no twins
 */
void ktwin_debugfs_exit(void)
{
	debugfs_remove(root);
}
