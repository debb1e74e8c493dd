/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results in the Test Anything Protocol (TAP 13), for the C test programs.
 *
 * A check says why it fails with because() or equal(), which return whether
 * all is well; the claim() that it belongs to prints that.
 */
#ifndef KSELFTEST_REPORT_H
#define KSELFTEST_REPORT_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A claim that takes longer than this hangs: the signal ends the program. */
#define REPORT_LIMIT	240

static struct {
	unsigned int	count;
	unsigned int	failed;
	char		why[1024];
} report;

/* Note why a check fails, or in which case; returns false. */
__attribute__((format(printf, 1, 2)))
static inline bool because(const char *format, ...)
{
	size_t len = strlen(report.why);
	va_list args;

	if (len && len + 2 < sizeof(report.why))
		len += sprintf(report.why + len, "; ");
	va_start(args, format);
	vsnprintf(report.why + len, sizeof(report.why) - len, format, args);
	va_end(args);
	return false;
}

static inline bool equal(long long got, long long expected, const char *what)
{
	return got == expected ||
	       because("%s: expected %lld, got %lld", what, expected, got);
}

static inline void report_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13");
	alarm(REPORT_LIMIT);
}

__attribute__((format(printf, 2, 3)))
static inline bool claim(bool good, const char *format, ...)
{
	va_list args;

	printf("%s %u ", good ? "ok" : "not ok", ++report.count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (!good) {
		report.failed++;
		if (report.why[0])
			printf("# %s\n", report.why);
	}
	report.why[0] = '\0';
	alarm(REPORT_LIMIT);
	return good;
}

static inline void skip(const char *name, const char *reason)
{
	printf("ok %u %s # SKIP %s\n", ++report.count, name, reason);
	report.why[0] = '\0';
}

__attribute__((format(printf, 1, 2)))
static inline void note(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* The plan; returns the program's exit code. */
static inline int report_end(void)
{
	printf("1..%u\n", report.count);
	return report.failed ? 1 : 0;
}

/* Shell commands, up to the first that fails; a NULL ends them. */
static inline bool commands(const char * const *list)
{
	while (*list && !system(*list))
		list++;
	return !*list;
}

/* What a test stands on: without it there is no use in going on. */
#define must(good) do {							\
	if (!(good)) {							\
		printf("not ok %u %s:%d: %s\n# %s\n", ++report.count,	\
		       __FILE__, __LINE__, #good, report.why[0] ?	\
		       report.why : strerror(errno));			\
		exit(1);						\
	}								\
} while (0)

#endif /* KSELFTEST_REPORT_H */
