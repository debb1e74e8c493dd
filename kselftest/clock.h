/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KSELFTEST_CLOCK_H
#define KSELFTEST_CLOCK_H

#include <time.h>

/* Seconds since some time or other. */
static inline double clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

#endif /* KSELFTEST_CLOCK_H */
