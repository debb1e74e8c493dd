// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest/ring/tap.h"

#define MAX_MESSAGES	6

const char *tap_only = "";
unsigned int tap_limit = 120;

static unsigned int count, failures;
static unsigned int messages;
static char current[200];

void tap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void tap_case(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(current, sizeof(current), format, args);
	va_end(args);
}

void tap_differ(const char *file, int line, const char *what, long long got,
		long long want)
{
	if (messages++ < MAX_MESSAGES)
		tap_note("%s:%d: %s: expected %lld, got %lld%s%s", file, line,
			 what, want, got, *current ? "; " : "", current);
}

bool tap_failed(void)
{
	return messages;
}

static int in_child(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(tap_limit);
		test->run();
		fflush(stdout);
		exit(messages ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		tap_note("ended by signal %d", WTERMSIG(status));
	return status;
}

void tap_run(const struct test *tests)
{
	const struct test *test;
	bool bad;

	for (test = tests; test->claim; test++) {
		if (!strstr(test->claim, tap_only))
			continue;
		if (!count)
			puts("TAP version 13");
		bad = in_child(test) != 0;
		printf("%s %u %s%s%s\n", bad ? "not ok" : "ok", ++count,
		       test->claim, test->todo ? " # TODO " : "",
		       test->todo ? test->todo : "");
		failures += bad && !test->todo;
	}
}

/* The plan; returns the exit code. */
int tap_done(void)
{
	printf("1..%u\n", count);
	return failures || !count ? 1 : 0;
}
