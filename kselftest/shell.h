/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the host's, which must succeed.
 */
#ifndef KSELFTEST_SHELL_H
#define KSELFTEST_SHELL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kselftest/report.h"

__attribute__((format(printf, 1, 2)))
static inline void shell(const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	must(!system(command));
}

#endif /* KSELFTEST_SHELL_H */
