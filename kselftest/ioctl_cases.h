/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each ioctl says to what: the errno of vhost-net, and where and why ours
 * is another.  ioctl.c runs it.
 */
#ifndef KSELFTEST_IOCTL_CASES_H
#define KSELFTEST_IOCTL_CASES_H

#include <stddef.h>

#include "kselftest/states.h"

/* A field that is left out is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* An address that differs from the valid one. */
struct change {
	size_t		field;
	bool		add;
	uint64_t	value;
};

/* A memory table of at most two regions. */
struct table {
	uint32_t			nregions;
	uint32_t			padding;
	struct vhost_memory_region	r[2];
};

/**
 * struct test - one case
 * @arg: what is passed, copied to writable memory first
 * @raw: pass @arg itself
 * @addr: the argument is queue 0's valid address, changed so
 * @prior: VHOST_SET_VRING_ADDR is called with this first
 * @child: the call is made by another process
 * @expected: errno of both devices, 0 for none
 * @differs: why vhost-net's is @vhost instead
 */
struct test {
	const char		*name;
	enum state		state;
	unsigned long		cmd;
	const void		*arg;
	int			expected;
	const char		*differs;
	int			vhost;
	bool			raw;
	bool			child;
	const struct change	*addr;
	const struct change	*prior;
};

#define STATE(q, n)	(&(const struct vhost_vring_state){ q, n })
#define FD(q, n)	(&(const struct vhost_vring_file){ q, n })
#define U64(n)		(&(const uint64_t){ n })
#define TABLE(...)	(&(const struct table){ __VA_ARGS__ })
#define FIELD(name)	offsetof(struct vhost_vring_addr, name)
#define PUT(name, v)	(&(const struct change){ FIELD(name), false, v })
#define MOVE(name, v)	(&(const struct change){ FIELD(name), true, v })
#define SAME		(&(const struct change){ FIELD(log_guest_addr), false, 0 })

/* User addresses that nothing is mapped at, and the kernel's. */
#define NOWHERE		0x100000000ull
#define KERNEL		0xffff888000000000ull

#define MORE_REGIONS	"vhost takes 64 regions"
#define CHECKED_EARLY	"vhost checks memory when a queue runs"
#define UNKNOWN		_IOW(VHOST_VIRTIO, 0x7f, uint64_t)

static const struct test tests[] = {
	/* Owners */
	{ "SET_OWNER twice is refused", OWNED, VHOST_SET_OWNER, .expected = EBUSY },
	{ "SET_OWNER by another process is refused", OWNED, VHOST_SET_OWNER,
	  .child = true, .expected = EBUSY },
	{ "SET_OWNER while running is refused", RUNNING, VHOST_SET_OWNER,
	  .expected = EBUSY },
	{ "RESET_OWNER works", OWNED, VHOST_RESET_OWNER },
	{ "RESET_OWNER works when all is set", READY, VHOST_RESET_OWNER },
	{ "RESET_OWNER works while running", RUNNING, VHOST_RESET_OWNER },

	/* Features: the bits one by one are in ioctl.c */
	{ "unknown features are refused", FRESH, VHOST_SET_FEATURES, U64(1ull << 63),
	  EOPNOTSUPP },
	{ "features may be set before there is an owner", FRESH, VHOST_SET_FEATURES,
	  U64(VMM_BASIC) },
	{ "features may be set by another process", READY, VHOST_SET_FEATURES,
	  U64(VMM_BASIC), .child = true },
	{ "the same features may be set while running", RUNNING,
	  VHOST_SET_FEATURES, U64(VMM_BASIC) },
	{ "other features while running are refused", RUNNING, VHOST_SET_FEATURES,
	  U64(VMM_BASIC | VMM_EVENT_IDX), EBUSY,
	  "vhost lets features change under a running queue", 0 },
	{ "no backend features may be set", OWNED, VHOST_SET_BACKEND_FEATURES,
	  U64(0) },
	{ "IOTLB messages are refused", OWNED, VHOST_SET_BACKEND_FEATURES, U64(2),
	  EOPNOTSUPP, "no IOTLB is offered", 0 },
	{ "unknown backend features are refused", OWNED,
	  VHOST_SET_BACKEND_FEATURES, U64(1ull << 60), EOPNOTSUPP },

	/* Logging */
	{ "a log may be anywhere while stopped", READY, VHOST_SET_LOG_BASE,
	  U64(NOWHERE) },
	{ "a log may be set while running", RUNNING, VHOST_SET_LOG_BASE, U64(NOWHERE) },
	{ "a log's address is read", READY, VHOST_SET_LOG_BASE, (void *)8, .raw = true,
	  .expected = EFAULT },
	{ "a log may have no eventfd", READY, VHOST_SET_LOG_FD, &(const int){ -1 } },
	{ "what is no eventfd is refused for a log", READY, VHOST_SET_LOG_FD,
	  &(const int){ 0 }, EINVAL },
	{ "what is not open is refused for a log", READY, VHOST_SET_LOG_FD,
	  &(const int){ 999 }, EBADF },
	{ "logging may be turned on while stopped", READY, VHOST_SET_FEATURES,
	  U64(VMM_BASIC | BIT64(VHOST_F_LOG_ALL)) },
	{ "logging may be turned on while running", RUNNING, VHOST_SET_FEATURES,
	  U64(VMM_BASIC | BIT64(VHOST_F_LOG_ALL)) },

	/* Memory */
	{ "a memory table may be empty", OWNED, VHOST_SET_MEM_TABLE, TABLE(0) },
	{ "a memory table may have a region", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(1, 0, { { 0, 4096, NOWHERE, 0 } }) },
	{ "regions may overlap", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(2, 0, { { 0, 8192, NOWHERE, 0 }, { 4096, 8192, NOWHERE, 0 } }) },
	{ "memory table: padding is refused", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(0, 1), EOPNOTSUPP },
	{ "memory table: 513 regions are refused", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(513), E2BIG },
	{ "memory table: 2^32 - 1 regions are refused", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(~0u), E2BIG },
	{ "memory table: a region of no size is refused", OWNED,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { 4096, 0, NOWHERE, 0 } }), EFAULT },
	{ "memory table: a region of no size at 0 is refused", OWNED,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { 0, 0, NOWHERE, 0 } }), EFAULT,
	  "vhost takes it for all of the address space", 0 },
	{ "memory table: guest addresses that wrap are refused", OWNED,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { -4096ull, 8192, NOWHERE, 0 } }),
	  EFAULT },
	{ "memory table: kernel addresses are refused", OWNED, VHOST_SET_MEM_TABLE,
	  TABLE(1, 0, { { 0, 4096, KERNEL, 0 } }), EFAULT, CHECKED_EARLY, 0 },
	{ "memory table: user addresses that wrap are refused", OWNED,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { 0, -8192ull, NOWHERE, 0 } }),
	  EFAULT, CHECKED_EARLY, 0 },
	{ "memory table: kernel addresses while running are refused", RUNNING,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { 0, 4096, KERNEL, 0 } }), EFAULT },
	{ "a memory table may be replaced while running", RUNNING,
	  VHOST_SET_MEM_TABLE, TABLE(1, 0, { { 0, 4096, NOWHERE, 0 } }) },

	/* Sizes and bases */
	{ "a ring of 1 is legal", READY, VHOST_SET_VRING_NUM, STATE(0, 1) },
	{ "a ring of 32768 is legal", READY, VHOST_SET_VRING_NUM, STATE(1, 32768) },
	{ "a ring of 0 is refused", READY, VHOST_SET_VRING_NUM, STATE(0, 0), EINVAL },
	{ "a ring of 3 is refused", READY, VHOST_SET_VRING_NUM, STATE(0, 3), EINVAL },
	{ "a ring of 65535 is refused", READY, VHOST_SET_VRING_NUM, STATE(0, 65535),
	  EINVAL },
	{ "a ring of 65536 is refused", READY, VHOST_SET_VRING_NUM, STATE(0, 65536),
	  EINVAL },
	{ "a ring of 2^31 is refused", READY, VHOST_SET_VRING_NUM,
	  STATE(0, 1u << 31), EINVAL },
	{ "a ring of 2^32 - 1 is refused", READY, VHOST_SET_VRING_NUM,
	  STATE(0, ~0u), EINVAL },
	{ "a size while running is refused", RUNNING, VHOST_SET_VRING_NUM,
	  STATE(0, 256), EBUSY },
	{ "a base of 65535 is legal", READY, VHOST_SET_VRING_BASE, STATE(0, 65535) },
	{ "a base of 65536 is refused", READY, VHOST_SET_VRING_BASE,
	  STATE(0, 65536), EINVAL },
	{ "a base of 2^32 - 1 is refused", READY, VHOST_SET_VRING_BASE,
	  STATE(0, ~0u), EINVAL },
	{ "a base while running is refused", RUNNING, VHOST_SET_VRING_BASE,
	  STATE(0, 0), EBUSY },
	{ "the base may be asked for while running", RUNNING, VHOST_GET_VRING_BASE,
	  STATE(0, 0) },
	{ "a busy loop's time may be any", READY, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	  STATE(0, ~0u) },
	{ "a busy loop's time may be set while running", RUNNING,
	  VHOST_SET_VRING_BUSYLOOP_TIMEOUT, STATE(0, 50) },
	{ "a byte order can't be set", READY, VHOST_SET_VRING_ENDIAN, STATE(0, 0),
	  ENOTTY },
	{ "a byte order can't be asked for", READY, VHOST_GET_VRING_ENDIAN,
	  STATE(0, 0), ENOTTY },

	/* Addresses: a ring that is stopped is checked when it starts */
	{ "null rings may be set", READY, VHOST_SET_VRING_ADDR,
	  .addr = PUT(avail_user_addr, 0) },
	{ "a descriptor table may be anywhere", READY, VHOST_SET_VRING_ADDR,
	  .addr = MOVE(desc_user_addr, 1) },
	{ "an unaligned avail ring is refused", READY, VHOST_SET_VRING_ADDR,
	  .addr = MOVE(avail_user_addr, 1), .expected = EINVAL },
	{ "an unaligned used ring is refused", READY, VHOST_SET_VRING_ADDR,
	  .addr = MOVE(used_user_addr, 2), .expected = EINVAL },
	{ "an unaligned log is refused", READY, VHOST_SET_VRING_ADDR,
	  .addr = PUT(log_guest_addr, 2), .expected = EINVAL },
	{ "the used ring may be logged", READY, VHOST_SET_VRING_ADDR,
	  .addr = PUT(flags, 1ull << 32) },
	{ "running: the used ring may be logged", RUNNING, VHOST_SET_VRING_ADDR,
	  .addr = PUT(flags, 1ull << 32) },
	{ "running: where the used ring is logged matters if it is", RUNNING,
	  VHOST_SET_VRING_ADDR, .addr = PUT(log_guest_addr, 1ull << 63) },
	{ "unknown flags of an address are refused", READY, VHOST_SET_VRING_ADDR,
	  .addr = PUT(flags, 2ull << 32), .expected = EOPNOTSUPP },
	{ "a kernel address may be set while stopped", READY, VHOST_SET_VRING_ADDR,
	  .addr = PUT(desc_user_addr, KERNEL) },
	{ "the same addresses may be set while running", RUNNING,
	  VHOST_SET_VRING_ADDR, .addr = SAME },
	{ "running: a null avail ring may be set", RUNNING, VHOST_SET_VRING_ADDR,
	  .addr = PUT(avail_user_addr, 0) },
	{ "running: an unaligned avail ring is refused", RUNNING,
	  VHOST_SET_VRING_ADDR, .addr = MOVE(avail_user_addr, 1),
	  .expected = EINVAL },
	{ "running: a kernel descriptor table is refused", RUNNING,
	  VHOST_SET_VRING_ADDR, .addr = PUT(desc_user_addr, KERNEL),
	  .expected = EINVAL },
	{ "running: a kernel avail ring is refused", RUNNING, VHOST_SET_VRING_ADDR,
	  .addr = PUT(avail_user_addr, KERNEL), .expected = EINVAL },
	{ "running: a kernel used ring is refused", RUNNING, VHOST_SET_VRING_ADDR,
	  .addr = PUT(used_user_addr, KERNEL), .expected = EINVAL },

	/* Starting; the fd -2 stands for the tap */
	{ "a queue starts with its ring outside of the memory table", READY,
	  VHOST_NET_SET_BACKEND, FD(0, -2) },
	{ "a queue may be started twice", RUNNING, VHOST_NET_SET_BACKEND, FD(0, -2) },
	{ "a stopped queue may be stopped", READY, VHOST_NET_SET_BACKEND, FD(0, -1) },
	{ "start: no memory, no ring", OWNED, VHOST_NET_SET_BACKEND, FD(0, -2),
	  EFAULT },
	{ "start: no ring", MEMORY, VHOST_NET_SET_BACKEND, FD(0, -2), EFAULT },
	{ "start: no memory", RINGS, VHOST_NET_SET_BACKEND, FD(0, -2), EFAULT },
	{ "stop: no memory, no ring", OWNED, VHOST_NET_SET_BACKEND, FD(0, -1),
	  EFAULT },
	{ "stop: no ring", MEMORY, VHOST_NET_SET_BACKEND, FD(0, -1) },
	{ "stop: no memory", RINGS, VHOST_NET_SET_BACKEND, FD(0, -1), EFAULT },
	{ "start: null used ring", READY, VHOST_NET_SET_BACKEND, FD(0, -2), EFAULT,
	  .prior = PUT(used_user_addr, 0) },
	{ "start: used ring that is not mapped", READY, VHOST_NET_SET_BACKEND,
	  FD(0, -2), EFAULT, .prior = PUT(used_user_addr, NOWHERE) },
	{ "start: kernel used ring", READY, VHOST_NET_SET_BACKEND, FD(0, -2),
	  EFAULT, .prior = PUT(used_user_addr, KERNEL) },
	{ "start: kernel avail ring", READY, VHOST_NET_SET_BACKEND, FD(0, -2),
	  EFAULT, .prior = PUT(avail_user_addr, KERNEL) },
	{ "start: kernel descriptor table", READY, VHOST_NET_SET_BACKEND,
	  FD(0, -2), EFAULT, .prior = PUT(desc_user_addr, KERNEL) },
	{ "stop: kernel descriptor table", READY, VHOST_NET_SET_BACKEND, FD(0, -1),
	  EFAULT, .prior = PUT(desc_user_addr, KERNEL) },
	{ "start: avail ring that is not mapped", READY, VHOST_NET_SET_BACKEND,
	  FD(0, -2), .prior = PUT(avail_user_addr, NOWHERE) },
	{ "start: null avail ring", READY, VHOST_NET_SET_BACKEND, FD(0, -2),
	  .prior = PUT(avail_user_addr, 0) },

	/* Numbers that are no ioctl: the queue's index is looked at first */
	{ "an unknown ioctl before there is an owner", FRESH, UNKNOWN, U64(0), EPERM },
	{ "an unknown ioctl", OWNED, UNKNOWN, U64(0), ENOTTY },
	{ "an unknown ioctl of a queue that is not", OWNED, UNKNOWN, U64(2), ENOBUFS },
	{ "an unknown ioctl with no argument", OWNED, UNKNOWN, NULL, EFAULT,
	  .raw = true },
	{ "an ioctl of another device", OWNED, TUNGETIFF, U64(0), ENOTTY },
	{ "a vhost-scsi ioctl", OWNED, VHOST_SCSI_GET_ABI_VERSION, U64(0), ENOTTY },
	{ "a vhost-vsock ioctl", OWNED, VHOST_VSOCK_SET_RUNNING, U64(0), ENOTTY },
};

/* Every ioctl, with an argument that is valid. */
struct call {
	const char	*name;
	unsigned long	cmd;
	const void	*arg;
	bool		anybody;	/* needs no owner */
	bool		queue;		/* begins with a queue's index */
	bool		no_arg;
};

static const struct call calls[] = {
	{ "GET_FEATURES", VHOST_GET_FEATURES, U64(0), .anybody = true },
	{ "SET_FEATURES", VHOST_SET_FEATURES, U64(0), .anybody = true },
	{ "GET_BACKEND_FEATURES", VHOST_GET_BACKEND_FEATURES, U64(0),
	  .anybody = true },
	{ "SET_BACKEND_FEATURES", VHOST_SET_BACKEND_FEATURES, U64(0),
	  .anybody = true },
	{ "RESET_OWNER", VHOST_RESET_OWNER, NULL, .no_arg = true },
	{ "SET_MEM_TABLE", VHOST_SET_MEM_TABLE, TABLE(0) },
	{ "SET_VRING_NUM", VHOST_SET_VRING_NUM, STATE(0, 256), .queue = true },
	{ "SET_VRING_BASE", VHOST_SET_VRING_BASE, STATE(0, 0), .queue = true },
	{ "GET_VRING_BASE", VHOST_GET_VRING_BASE, STATE(0, 0), .queue = true },
	{ "SET_VRING_ADDR", VHOST_SET_VRING_ADDR,
	  &(const struct vhost_vring_addr){ }, .queue = true },
	{ "SET_VRING_KICK", VHOST_SET_VRING_KICK, FD(0, -1), .queue = true },
	{ "SET_VRING_CALL", VHOST_SET_VRING_CALL, FD(0, -1), .queue = true },
	{ "SET_VRING_ERR", VHOST_SET_VRING_ERR, FD(0, -1), .queue = true },
	{ "SET_VRING_BUSYLOOP_TIMEOUT", VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	  STATE(0, 0), .queue = true },
	{ "GET_VRING_BUSYLOOP_TIMEOUT", VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	  STATE(0, 0), .queue = true },
	{ "NET_SET_BACKEND", VHOST_NET_SET_BACKEND, FD(0, -1), .queue = true },
};

#endif /* KSELFTEST_IOCTL_CASES_H */
