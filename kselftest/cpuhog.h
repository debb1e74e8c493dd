/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody who takes a CPU away from whoever is on it: a thread of real-time priority that
 * sleeps until an eventfd is signalled, and then runs until it is told to end.
 */
#ifndef KSELFTEST_CPUHOG_H
#define KSELFTEST_CPUHOG_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "kselftest/clock.h"
#include "kselftest/cpus.h"
#include "kselftest/ring.h"

#define CPUHOG_CPU	1
#define CPUHOG_SECONDS	10	/* at most */

struct cpuhog {
	pthread_t	thread;
	int		wake;
	pid_t		tid;
	bool		spinning;
	bool		done;
};

static inline bool cpuhog_is(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void cpuhog_set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static inline void *cpuhog_run(void *arg)
{
	struct sched_param param = { .sched_priority = 50 };
	struct cpuhog *hog = arg;
	double end;

	cpus_stay_on(0, CPUHOG_CPU);
	must(!pthread_setschedparam(pthread_self(), SCHED_FIFO, &param));
	__atomic_store_n(&hog->tid, gettid(), __ATOMIC_RELEASE);
	must(ring_poll(hog->wake, -1));
	cpuhog_set(&hog->spinning);
	end = clock_now() + CPUHOG_SECONDS;
	while (!cpuhog_is(&hog->done) && clock_now() < end)
		;
	return NULL;
}

/* It is asleep at return. */
static inline void cpuhog_start(struct cpuhog *hog, int wake)
{
	char path[64], state = 0;
	FILE *file;

	*hog = (struct cpuhog) { .wake = wake };
	must(!pthread_create(&hog->thread, NULL, cpuhog_run, hog));
	while (!__atomic_load_n(&hog->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", hog->tid);
	while (state != 'S') {
		file = fopen(path, "r");
		must(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
	}
}

/* Somebody has signalled. */
static inline void cpuhog_wait(const struct cpuhog *hog)
{
	while (!cpuhog_is(&hog->spinning))
		sched_yield();
}

static inline void cpuhog_end(struct cpuhog *hog)
{
	cpuhog_set(&hog->done);
	must(!pthread_join(hog->thread, NULL));
}

#endif /* KSELFTEST_CPUHOG_H */
