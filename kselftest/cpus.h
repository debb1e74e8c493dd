/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPU the threads of a test run on, and the workers of its twins.
 */
#ifndef KSELFTEST_CPUS_H
#define KSELFTEST_CPUS_H

#include <dirent.h>
#include <sched.h>
#include <string.h>
#include <sys/types.h>
#include <sys/utsname.h>

#include "kselftest/proc.h"
#include "kselftest/report.h"

/* 0 is the calling thread. */
static inline void cpus_stay_on(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(tid, sizeof(set), &set));
}

/* With PREEMPT_RT, softirqs and timers have threads, which other threads may be before. */
static inline bool cpus_are_realtime(void)
{
	struct utsname name;

	must(!uname(&name));
	return strstr(name.version, "PREEMPT_RT");
}

/* Is that a thread of the kernel's that works for this process? */
static inline bool cpus_is_worker(const char *pid)
{
	char expected[32];

	snprintf(expected, sizeof(expected), "ktwin-%d\n", getpid());
	return proc_name_begins(pid, expected);
}

/* All of them; returns how many there are. */
static inline unsigned int cpus_workers_stay_on(int cpu)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	unsigned int n = 0;

	must(proc);
	while ((entry = readdir(proc))) {
		if (!cpus_is_worker(entry->d_name))
			continue;
		cpus_stay_on(atoi(entry->d_name), cpu);
		n++;
	}
	closedir(proc);
	return n;
}

#endif /* KSELFTEST_CPUS_H */
