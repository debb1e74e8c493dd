/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What files of /proc tell: figures, from those that have a name and numbers in a line,
 * and the names of threads.
 */
#ifndef KSELFTEST_PROC_H
#define KSELFTEST_PROC_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "kselftest/report.h"

/*
 * The sum of the numbers at place @at of the lines that begin with @name, with or
 * without a colon; -1 if there is no such line.
 */
static inline long long proc_sum(const char *path, const char *name,
				 unsigned int at)
{
	FILE *file = fopen(path, "r");
	long long sum = -1;
	char line[512], *word;
	unsigned int i;

	must(file);
	while (fgets(line, sizeof(line), file)) {
		word = strtok(line, ": \t\n");
		if (!word || strcmp(word, name))
			continue;
		for (i = 0; word && i <= at; i++)
			word = strtok(NULL, " \t\n");
		if (word)
			sum = (sum < 0 ? 0 : sum) + strtoll(word, NULL, 10);
	}
	fclose(file);
	return sum;
}

/*
 * Have as many pages been unpinned as pinned?  Each CPU keeps a part of either figure for
 * itself until they are summed up, and what has ended may yet be about to let go.
 */
static inline bool proc_no_page_pinned(void)
{
	long long taken, left;
	unsigned int tries;
	int fd;

	for (tries = 0; tries < 100; tries++) {
		fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);
		if (fd >= 0) {
			must(write(fd, "1", 1) == 1);
			close(fd);
		}
		taken = proc_sum("/proc/vmstat", "nr_foll_pin_acquired", 0);
		left = proc_sum("/proc/vmstat", "nr_foll_pin_released", 0);
		if (taken == left)
			break;
		poll(NULL, 0, 50);
	}
	return equal(left, taken, "pins released");
}

/* What a device of this namespace has dropped of what was sent to it. */
static inline long long proc_dropped(const char *device)
{
	long long n = proc_sum("/proc/self/net/dev", device, 11);

	must(n >= 0);
	return n;
}

/* Does the name of a thread, with its newline, begin so? */
static inline bool proc_name_begins(const char *pid, const char *with)
{
	char path[300], comm[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	fclose(file);
	return !strncmp(comm, with, strlen(with));
}

/* The process of that name, which there is; of a kernel thread, too. */
static inline int proc_find(const char *wanted)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char name[32], path[64];
	bool found = false;
	FILE *file;
	int pid;

	must(dir);
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		file = atoi(entry->d_name) ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		found = fscanf(file, "%31s", name) == 1 && !strcmp(name, wanted);
		fclose(file);
	}
	must(found);
	pid = atoi(entry->d_name);
	closedir(dir);
	return pid;
}

#endif /* KSELFTEST_PROC_H */
