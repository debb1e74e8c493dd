/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is write-protected by a userfaultfd, and a thread that lets each page be
 * written to again when somebody is about to.
 */
#ifndef KSELFTEST_PROTECTOR_H
#define KSELFTEST_PROTECTOR_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kselftest/report.h"

#define PROTECTOR_PAGE	4096ull

static struct {
	int		fd;
	pthread_t	thread;
} protector;

static inline int protector_set_page(uint64_t at, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { at, PROTECTOR_PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(protector.fd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

/*
 * Page by page: up to Linux 6.2 one call does not reach from a mapping to the next.
 * Returns 0 or an errno.
 */
static inline int protector_on(const void *at, size_t len)
{
	size_t done;
	int err = 0;

	for (done = 0; done < len && !err; done += PROTECTOR_PAGE)
		err = protector_set_page((uintptr_t)at + done, true);
	return err;
}

static inline void *protector_serve(void *unused)
{
	struct uffd_msg msg;
	uint64_t at;
	int err;

	while (read(protector.fd, &msg, sizeof(msg)) == sizeof(msg)) {
		at = msg.arg.pagefault.address & ~(PROTECTOR_PAGE - 1);
		do {
			err = protector_set_page(at, false);
		} while (err == EAGAIN);
		must(!err);
	}
	return unused;
}

/* Returns whether this kernel can. */
static inline bool protector_open(void)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };

	protector.fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (protector.fd < 0 || ioctl(protector.fd, UFFDIO_API, &api))
		return false;
	must(!pthread_create(&protector.thread, NULL, protector_serve, NULL));
	return true;
}

static inline void protector_watch(void *at, size_t len)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, len },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	must(!ioctl(protector.fd, UFFDIO_REGISTER, &reg));
}

static inline void protector_close(void)
{
	must(!pthread_cancel(protector.thread));
	must(!pthread_join(protector.thread, NULL));
	close(protector.fd);
}

#endif /* KSELFTEST_PROTECTOR_H */
