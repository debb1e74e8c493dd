/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a command line, and what to do when one is wrong. */
#ifndef WORDS_H
#define WORDS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fprintf(stderr, errno ? ": %s\n" : "\n", strerror(errno));
	va_end(args);
	exit(2);
}

static inline long number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 0);
	if (errno || *end || end == text || value < 0)
		die("not a number: %s", text);
	return value;
}

/* Any address if @host is NULL. */
static inline struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_port = htons(number(port));
	if (host && inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		die("not an address: %s", host);
	return sa;
}

#endif
