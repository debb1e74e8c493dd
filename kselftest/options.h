/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options of programs that do something many times, at random:
 * PROGRAM [DEVICE] [-n COUNT] [-s SEED]
 */
#ifndef KSELFTEST_OPTIONS_H
#define KSELFTEST_OPTIONS_H

#include "kselftest/vmm.h"

#include <getopt.h>

static inline void options_parse(int argc, char **argv, unsigned long *count, uint64_t *seed)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' }, { } };
	int c;

	while ((c = getopt_long(argc, argv, "n:s:", options, NULL)) >= 0) {
		if (c == 'n')
			*count = strtoul(optarg, NULL, 0);
		else if (c == 's')
			*seed = strtoull(optarg, NULL, 0);
		else
			exit(2);
	}
	if (optind < argc)
		vmm_device = argv[optind];
}

#endif /* KSELFTEST_OPTIONS_H */
