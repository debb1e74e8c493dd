/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results in the Test Anything Protocol (TAP 13).  Each test is a process: if
 * it crashes or hangs, that test has failed and the others go on.
 */
#ifndef RING_TAP_H
#define RING_TAP_H

#include <stdbool.h>

/**
 * struct test - a claim, and what shows it
 * @claim:	what is so if the test passes
 * @run:	uses the expect macros
 * @todo:	why it is known to fail, or NULL
 */
struct test {
	const char	*claim;
	void		(*run)(void);
	const char	*todo;
};

/* Only tests whose claim has these words, and the seconds that each may take. */
extern const char *tap_only;
extern unsigned int tap_limit;

void tap_run(const struct test *tests);
int tap_done(void);
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What is being tried, for the message of a failure. */
void tap_case(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tap_differ(const char *file, int line, const char *what, long long got,
		long long want);
bool tap_failed(void);

#define expect(cond)							\
	do {								\
		if (!(cond))						\
			tap_differ(__FILE__, __LINE__, #cond, 0, 1);	\
	} while (0)

#define expect_eq(got, want)						\
	do {								\
		long long got_ = (long long)(got);			\
		long long want_ = (long long)(want);			\
									\
		if (got_ != want_)					\
			tap_differ(__FILE__, __LINE__, #got, got_,	\
				   want_);				\
	} while (0)

#endif
