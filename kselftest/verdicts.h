/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Claims about each of very many cases: how often one did not hold, and why the
 * first time; told at the end.  And what the kernel logs meanwhile.
 */
#ifndef KSELFTEST_VERDICTS_H
#define KSELFTEST_VERDICTS_H

#include <fcntl.h>
#include <stdarg.h>

#include "kselftest/report.h"

/**
 * struct verdict - one claim
 * @name:	what is claimed
 * @held:	in how many cases it was looked at and held
 * @failed:	in how many it did not
 * @why:	the first of those
 */
struct verdict {
	const char	*name;
	unsigned long	held;
	unsigned long	failed;
	char		why[300];
};

__attribute__((format(printf, 3, 4)))
static inline bool verdict(struct verdict *v, bool good, const char *format, ...)
{
	va_list args;

	if (good) {
		v->held++;
		return true;
	}
	if (!v->failed++) {
		va_start(args, format);
		vsnprintf(v->why, sizeof(v->why), format, args);
		va_end(args);
	}
	return false;
}

/* None failed, and there was at least one. */
static inline bool verdict_claim(const struct verdict *v)
{
	if (v->failed)
		because("%lu times of %lu; first: %s", v->failed,
			v->held + v->failed, v->why);
	else if (!v->held)
		because("it was never looked at");
	return claim(v->held && !v->failed, "%s", v->name);
}

/* Returns a descriptor from which log_lines() counts what comes from now on. */
static inline int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	must(fd >= 0 && lseek(fd, 0, SEEK_END) >= 0);
	return fd;
}

/* Each read is a line; lines that were overwritten show as EPIPE, once. */
static inline unsigned int log_lines(int fd)
{
	char line[8192];
	unsigned int lines = 0;

	for (;;) {
		if (read(fd, line, sizeof(line)) >= 0) {
			lines++;
			continue;
		}
		if (errno == EAGAIN)
			return lines;
		must(errno == EPIPE);
		lines += 1000000;
	}
}

#endif /* KSELFTEST_VERDICTS_H */
