/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other processes: what runs in a child, with fewer privileges, and what it is
 * handed through a socket.
 */
#ifndef KSELFTEST_OTHERS_H
#define KSELFTEST_OTHERS_H

#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "kselftest/wire.h"

#define NOBODY	65534

/* What runs in a child returns errno or another small number. */
static inline int in_child(int (*function)(int fd), int fd)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(function(fd));
	}
	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static inline void become_nobody(void)
{
	must(!setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY));
	/* Else its own files in /proc would be root's. */
	must(!prctl(PR_SET_DUMPABLE, 1));
}

/* All capabilities, but only in a namespace of its own. */
static inline void become_root_elsewhere(void)
{
	become_nobody();
	must(!unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS));
	wire_write("/proc/self/setgroups", "deny");
	wire_write("/proc/self/uid_map", "0 65534 1");
	wire_write("/proc/self/gid_map", "0 65534 1");
	must(!getuid());
}

static inline void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	must(sendmsg(to, &msg, 0) == 1);
}

static inline int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	must(recvmsg(from, &msg, MSG_CMSG_CLOEXEC) == 1);
	must(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

#endif /* KSELFTEST_OTHERS_H */
