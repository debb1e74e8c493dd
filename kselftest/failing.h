/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's fault injection, aimed: at one task, and at one call that the module
 * makes.  A call is known by its return address, which must be found on the stack
 * of what is to fail; so nothing fails that is not below it, such as the system call
 * by which a fault is ordered.
 *
 * kselftest/lab/failing.py finds the calls, and sets the knobs that are not set here.
 */
#ifndef KSELFTEST_FAILING_H
#define KSELFTEST_FAILING_H

#include <fcntl.h>
#include <stdint.h>

#include "kselftest/report.h"

#define FAILING_KINDS	3
#define FAILING_SITES	512
#define FAILING_MANY	1000000000u	/* a fault that never comes */
#define FAILING_ALL	0u		/* all that is below the call fails */

static const char * const failing_kinds[FAILING_KINDS] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

/**
 * struct failing - what may be made to fail
 * @nr: calls; the first stands for the whole module
 * @start: return address of each
 * @end: behind it
 * @leaves: what is called is none of ours, and need not say what it has lost
 * @fired: how often something below it has failed
 * @at: the one that is to fail
 * @require_start: of each kind of fault, the knob for @start
 * @require_end: and for @end
 * @times: and the one that is counted down with each fault
 */
static struct {
	unsigned int	nr;
	unsigned long	start[FAILING_SITES];
	unsigned long	end[FAILING_SITES];
	int		leaves[FAILING_SITES];
	unsigned long	fired[FAILING_SITES];
	unsigned int	at;
	int		require_start[FAILING_KINDS];
	int		require_end[FAILING_KINDS];
	int		times[FAILING_KINDS];
} failing;

/* Whose faults they are: @nth counts down to one, @all makes all fail. */
struct failing_task {
	int	pid;
	int	nth;
	int	all;
};

/* These files have no positions. */
static inline void failing_put(int fd, const char *format, unsigned long value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), format, value);

	must(write(fd, text, len) == len);
}

static inline unsigned long failing_get(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t len;

	must(fd >= 0);
	len = read(fd, text, sizeof(text) - 1);
	must(len > 0);
	close(fd);
	text[len] = '\0';
	return strtoul(text, NULL, 0);
}

static inline int failing_open_knob(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static inline const char *failing_path(const char *kind, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	return path;
}

static inline int failing_knob(const char *kind, const char *name)
{
	return failing_open_knob(failing_path(kind, name));
}

static inline const char *failing_task_path(int pid, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

static inline void failing_read_sites(const char *path)
{
	FILE *file = fopen(path, "r");

	must(file);
	while (fscanf(file, "%lx %lx %d\n", &failing.start[failing.nr],
		      &failing.end[failing.nr], &failing.leaves[failing.nr]) == 3)
		must(++failing.nr < FAILING_SITES);
	must(failing.nr > 1);
	fclose(file);
}

/*
 * After vmm_begin(): the sites are in a file that is the second argument.  Returns
 * false where there is nothing to be done.
 */
static inline bool failing_begin(int argc, char **argv)
{
	unsigned int i;

	if (access("/proc/self/fail-nth", W_OK)) {
		skip("faults", "this kernel has no fault injection");
		return false;
	}
	if (argc < 3) {
		skip("faults", "no list of calls: run by lab/failing.py");
		return false;
	}
	failing_read_sites(argv[2]);
	for (i = 0; i < FAILING_KINDS; i++) {
		failing.require_start[i] = failing_knob(failing_kinds[i], "require-start");
		failing.require_end[i] = failing_knob(failing_kinds[i], "require-end");
		failing.times[i] = failing_knob(failing_kinds[i], "times");
	}
	return true;
}

/* What has failed how often, a line a site, added to the list's other end. */
static inline void failing_end(char **argv)
{
	char path[256];
	unsigned int i;
	FILE *file;

	snprintf(path, sizeof(path), "%s.fired", argv[2]);
	file = fopen(path, "a");
	must(file);
	for (i = 0; i < failing.nr; i++)
		fprintf(file, "%lx %lu\n", failing.start[i], failing.fired[i]);
	must(!fclose(file));
}

static inline struct failing_task failing_open(int pid)
{
	return (struct failing_task) {
		.pid = pid,
		.nth = failing_open_knob(failing_task_path(pid, "fail-nth")),
		.all = failing_open_knob(failing_task_path(pid, "make-it-fail")),
	};
}

static inline void failing_close(struct failing_task *task)
{
	close(task->nth);
	close(task->all);
}

static inline void failing_at(unsigned int site)
{
	unsigned int i;

	failing.at = site;
	for (i = 0; i < FAILING_KINDS; i++) {
		failing_put(failing.require_start[i], "0x%lx", failing.start[site]);
		failing_put(failing.require_end[i], "0x%lx", failing.end[site]);
		failing_put(failing.times[i], "%lu", FAILING_MANY);
	}
}

/* From now on the @n-th fails, or all. */
static inline void failing_arm(struct failing_task *task, unsigned int n)
{
	if (n == FAILING_ALL)
		failing_put(task->all, "%lu", 1);
	else
		failing_put(task->nth, "%lu", n);
}

/* Nothing fails any more.  Returns how many of those that could fail were come by. */
static inline unsigned int failing_disarm(struct failing_task *task, unsigned int n)
{
	unsigned int left = failing_get(failing_task_path(task->pid, "fail-nth"));

	failing_put(task->nth, "%lu", 0);
	failing_put(task->all, "%lu", 0);
	return n - left;
}

/* How many have failed since this was asked for the last time. */
static inline unsigned int failing_count(void)
{
	unsigned long left, n = 0;
	unsigned int i;

	for (i = 0; i < FAILING_KINDS; i++) {
		left = failing_get(failing_path(failing_kinds[i], "times"));
		n += FAILING_MANY - left;
		if (left != FAILING_MANY)
			failing_put(failing.times[i], "%lu", FAILING_MANY);
	}
	failing.fired[failing.at] += n;
	return n;
}

#endif /* KSELFTEST_FAILING_H */
