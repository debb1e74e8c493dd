/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states that a client of the device may be in, for the tests of its
 * ioctls; /dev/vhost-net is their oracle.
 */
#ifndef KSELFTEST_STATES_H
#define KSELFTEST_STATES_H

#include "kselftest/vmm.h"

#include <sys/wait.h>

#define ORACLE		"/dev/vhost-net"
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* How far a client has come when the case's call is made. */
enum state {
	FRESH,		/* opened */
	OWNED,		/* and has an owner */
	MEMORY,		/* and features and memory */
	RINGS,		/* owned, with features and rings but no memory */
	READY,		/* all but a backend */
	RUNNING,	/* both queues have the tap */
};

static struct wire wire;

static inline void enter(struct vmm *vmm, enum state state)
{
	if (state >= OWNED)
		must(!vmm_ioctl(vmm->dev, VHOST_SET_OWNER, NULL));
	if (state >= MEMORY)
		must(!vmm_set_features(vmm));
	if (state >= MEMORY && state != RINGS)
		must(!vmm_set_mem(vmm));
	if (state >= RINGS)
		must(!vmm_set_ring(vmm, RX) && !vmm_set_ring(vmm, TX));
	if (state == RUNNING)
		must(!vmm_start(vmm, wire.tap));
}

/* Returns 0 or a negative errno. */
static inline int by_child(int dev, unsigned long cmd, const void *arg)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid)
		_exit(-vmm_ioctl(dev, cmd, arg));
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

#endif /* KSELFTEST_STATES_H */
