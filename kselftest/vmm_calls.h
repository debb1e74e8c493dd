/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of a VMM's life, in their order; each can be made again, unless it has
 * passed.
 */
#ifndef KSELFTEST_VMM_CALLS_H
#define KSELFTEST_VMM_CALLS_H

#include "kselftest/vmm.h"

#define NUM	64

static struct vmm vmm;
static struct wire wire, other;
static int spare[2];		/* eventfds that a queue does not use just now */
static struct wire *attached[2];	/* where each queue is */

static int open_device(int q)
{
	int dev = open(vmm_device, O_RDWR | O_CLOEXEC);

	(void)q;
	if (dev < 0)
		return -errno;
	vmm.dev = dev;
	return 0;
}

static int get_features(int q)
{
	uint64_t features;

	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_GET_FEATURES, &features);
}

static int set_owner(int q)
{
	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL);
}

static int set_features(int q)
{
	(void)q;
	return vmm_set_features(&vmm);
}

static int get_backend_features(int q)
{
	uint64_t features;

	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_GET_BACKEND_FEATURES, &features);
}

static int set_backend_features(int q)
{
	uint64_t features = 0;

	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_SET_BACKEND_FEATURES, &features);
}

static int set_mem(int q)
{
	(void)q;
	return vmm_set_mem(&vmm);
}

/* To where it is not looked at, as nothing is logged. */
static int set_log_base(int q)
{
	uint64_t base = 0;

	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_SET_LOG_BASE, &base);
}

static int set_num(int q)
{
	return vmm_set_state(&vmm, VHOST_SET_VRING_NUM, q, NUM);
}

static int set_base(int q)
{
	return vmm_set_state(&vmm, VHOST_SET_VRING_BASE, q, vmm.q[q].used_idx);
}

static int set_addr(int q)
{
	struct vhost_vring_addr addr = vmm_addr(&vmm, q);

	return vmm_ioctl(vmm.dev, VHOST_SET_VRING_ADDR, &addr);
}

static int set_kick(int q)
{
	return vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, q, vmm.q[q].kick);
}

static int set_call(int q)
{
	return vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, q, vmm.q[q].call);
}

static int set_err(int q)
{
	return vmm_set_fd(&vmm, VHOST_SET_VRING_ERR, q, vmm.q[q].err);
}

static int set_busyloop(int q)
{
	return vmm_set_state(&vmm, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, q, 50);
}

static int get_busyloop(int q)
{
	return vmm_set_state(&vmm, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, q, 0);
}

static int get_base(int q)
{
	return vmm_set_state(&vmm, VHOST_GET_VRING_BASE, q, 0);
}

static int set_backend(int q)
{
	return vmm_backend(&vmm, q, attached[q]->tap);
}

static int no_backend(int q)
{
	return vmm_backend(&vmm, q, -1);
}

/* While it runs: another eventfd, and another tap. */
static int swap_fd(int *fd, int *with, int (*set)(int q), int q)
{
	int old = *fd, err;

	*fd = *with;
	err = set(q);
	if (err)
		*fd = old;
	else
		*with = old;
	return err;
}

static int swap_kick(int q)
{
	return swap_fd(&vmm.q[q].kick, &spare[0], set_kick, q);
}

static int swap_call(int q)
{
	return swap_fd(&vmm.q[q].call, &spare[1], set_call, q);
}

static int swap_tap(int q)
{
	struct wire *to = attached[q] == &wire ? &other : &wire;
	int err = vmm_backend(&vmm, q, to->tap);

	if (!err)
		attached[q] = to;
	return err;
}

static int reset_owner(int q)
{
	(void)q;
	return vmm_ioctl(vmm.dev, VHOST_RESET_OWNER, NULL);
}

static int close_device(int q)
{
	(void)q;
	return close(vmm.dev) ? -errno : 0;
}

static int read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	char text[4096];

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int read_summary(int q)
{
	(void)q;
	return read_file(VMM_DEBUGFS "/summary");
}

static const char *path_of(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), VMM_DEBUGFS "/%d-0/%s", getpid(), file);
	return path;
}

static int read_state(int q)
{
	(void)q;
	return read_file(path_of("state"));
}

static int read_features(int q)
{
	(void)q;
	return read_file(path_of("features"));
}

static int read_policy(int q)
{
	(void)q;
	return read_file(path_of("policy"));
}

static int read_moderation(int q)
{
	(void)q;
	return read_file(path_of("moderation"));
}

static int read_path(int q)
{
	(void)q;
	return read_file(path_of("path"));
}

static int read_counters(int q)
{
	return read_file(path_of(q == RX ? "rx0" : "tx0"));
}

static int write_file(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, words, strlen(words)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int write_policy(int q)
{
	(void)q;
	return write_file(path_of("policy"), "inline");
}

static int write_path(int q)
{
	(void)q;
	return write_file(path_of("path"), "qdisc");
}

static int write_moderation(int q)
{
	(void)q;
	return write_file(path_of("moderation"), "kicks=5");
}

enum {
	LIVE	= 1,	/* frames pass before and after it */
	SHOWN	= 2,	/* of a twin whose folder could be made */
};

static const struct op {
	const char	*name;
	int		(*run)(int q);
	int		q;
	unsigned int	flags;
} ops[] = {
	{ "open", open_device, RX, 0 },
	{ "GET_FEATURES", get_features, RX, 0 },
	{ "SET_OWNER", set_owner, RX, 0 },
	{ "GET_BACKEND_FEATURES", get_backend_features, RX, 0 },
	{ "SET_BACKEND_FEATURES", set_backend_features, RX, 0 },
	{ "SET_FEATURES", set_features, RX, 0 },
	{ "SET_MEM_TABLE", set_mem, RX, 0 },
	{ "SET_LOG_BASE", set_log_base, RX, 0 },
	{ "SET_VRING_NUM, RX", set_num, RX, 0 },
	{ "SET_VRING_NUM, TX", set_num, TX, 0 },
	{ "SET_VRING_BASE, RX", set_base, RX, 0 },
	{ "SET_VRING_BASE, TX", set_base, TX, 0 },
	{ "SET_VRING_ADDR, RX", set_addr, RX, 0 },
	{ "SET_VRING_ADDR, TX", set_addr, TX, 0 },
	{ "SET_VRING_KICK, RX", set_kick, RX, 0 },
	{ "SET_VRING_KICK, TX", set_kick, TX, 0 },
	{ "SET_VRING_CALL, RX", set_call, RX, 0 },
	{ "SET_VRING_CALL, TX", set_call, TX, 0 },
	{ "SET_VRING_ERR, RX", set_err, RX, 0 },
	{ "SET_VRING_ERR, TX", set_err, TX, 0 },
	{ "SET_VRING_BUSYLOOP_TIMEOUT, RX", set_busyloop, RX, 0 },
	{ "SET_VRING_BUSYLOOP_TIMEOUT, TX", set_busyloop, TX, 0 },
	{ "GET_VRING_BUSYLOOP_TIMEOUT, RX", get_busyloop, RX, 0 },
	{ "GET_VRING_BUSYLOOP_TIMEOUT, TX", get_busyloop, TX, 0 },
	{ "SET_BACKEND, RX", set_backend, RX, 0 },
	{ "SET_BACKEND, TX", set_backend, TX, 0 },
	{ "a read of summary", read_summary, RX, LIVE },
	{ "a read of state", read_state, RX, LIVE | SHOWN },
	{ "a read of features", read_features, RX, LIVE | SHOWN },
	{ "a read of policy", read_policy, RX, LIVE | SHOWN },
	{ "a read of path", read_path, RX, LIVE | SHOWN },
	{ "a read of moderation", read_moderation, RX, LIVE | SHOWN },
	{ "a read of counters, RX", read_counters, RX, LIVE | SHOWN },
	{ "a read of counters, TX", read_counters, TX, LIVE | SHOWN },
	{ "a write of policy", write_policy, RX, LIVE | SHOWN },
	{ "a write of path", write_path, RX, LIVE | SHOWN },
	{ "a write of moderation", write_moderation, RX, LIVE | SHOWN },
	{ "another kick eventfd, RX", swap_kick, RX, LIVE },
	{ "another kick eventfd, TX", swap_kick, TX, LIVE },
	{ "another call eventfd, RX", swap_call, RX, LIVE },
	{ "another call eventfd, TX", swap_call, TX, LIVE },
	{ "SET_FEATURES while it runs", set_features, RX, LIVE },
	{ "SET_MEM_TABLE while it runs", set_mem, RX, LIVE },
	{ "SET_VRING_ADDR while it runs, RX", set_addr, RX, LIVE },
	{ "SET_VRING_ADDR while it runs, TX", set_addr, TX, LIVE },
	{ "another tap, RX", swap_tap, RX, LIVE },
	{ "another tap, TX", swap_tap, TX, LIVE },
	{ "GET_VRING_BASE, RX", get_base, RX, 0 },
	{ "GET_VRING_BASE, TX", get_base, TX, 0 },
	{ "a stop, RX", no_backend, RX, 0 },
	{ "a stop, TX", no_backend, TX, 0 },
	{ "RESET_OWNER", reset_owner, RX, 0 },
	{ "close", close_device, RX, 0 },
};

#define NR_OPS	(sizeof(ops) / sizeof(ops[0]))

#endif /* KSELFTEST_VMM_CALLS_H */
