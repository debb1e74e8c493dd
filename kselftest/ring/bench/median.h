/* SPDX-License-Identifier: GPL-2.0-only */
/* How the programs of the bench take the time, and what they make of many. */
#ifndef RING_BENCH_MEDIAN_H
#define RING_BENCH_MEDIAN_H

#include <stdlib.h>
#include <time.h>

/* Nanoseconds. */
static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median; @spread: from quartile to quartile, as a part of it. */
static inline double middle(double *values, unsigned int n, double *spread)
{
	qsort(values, n, sizeof(*values), compare);
	*spread = (values[n * 3 / 4] - values[n / 4]) / values[n / 2];
	return values[n / 2];
}

#endif
