// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring-tests [-n RINGS] [-s SEED] [-t CLAIM] [-l SECONDS] [-c CORPUS]
 * -- all tests, or those with these words in their claim; each may take so
 * long.  The fuzz loop tries so many rings.  The corpus is what ./fuzz has found.
 */
#include <stdlib.h>
#include <unistd.h>

#include "kselftest/ring/tests.h"

unsigned long fuzz_rings = 1000000;
unsigned long long fuzz_seed = 0x9e3779b97f4a7c15;
const char *fuzz_corpus;

static bool options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:s:t:l:c:")) != -1) {
		switch (option) {
		case 'n':
			fuzz_rings = strtoul(optarg, NULL, 0);
			break;
		case 's':
			fuzz_seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			fuzz_corpus = optarg;
			break;
		case 't':
			tap_only = optarg;
			break;
		case 'l':
			tap_limit = strtoul(optarg, NULL, 0);
			break;
		default:
			return false;
		}
	}
	/* The generator would never leave 0. */
	return fuzz_seed && optind == argc;
}

int main(int argc, char **argv)
{
	if (!options(argc, argv))
		return 2;
	tap_run(split_tests);
	tap_run(chain_tests);
	tap_run(memory_tests);
	tap_run(notify_tests);
	tap_run(ring_tests);
	tap_run(model_tests);
	tap_run(hostile_tests);
	tap_run(fuzz_tests);
	tap_run(corpus_tests);
	tap_run(ahead_tests);
	tap_run(table_tests);
	tap_run(dirty_tests);
	tap_run(packed_tests);
	tap_run(packed_fault_tests);
	tap_run(packed_event_tests);
	tap_run(packed_model_tests);
	tap_run(packed_fuzz_tests);
	tap_run(turn_tests);
	tap_run(stlb_tests);
	tap_run(mapped_tests);
	tap_run(soft_tests);
	return tap_done();
}
