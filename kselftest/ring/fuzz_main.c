// SPDX-License-Identifier: GPL-2.0-only
/* What libFuzzer calls; ./fuzz builds and runs it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kselftest/ring/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void fuzz_violated(const char *what)
{
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

static void say(void)
{
	unsigned long broken = 0;
	unsigned int i;

	for (i = 1; i < VFP_NR_FAULTS; i++)
		broken += fuzz_counts.faults[i];
	fprintf(stderr, "fuzz: %lu inputs, %lu pops, %lu chains, %lu given back, ",
		fuzz_counts.inputs, fuzz_counts.pops, fuzz_counts.chains,
		fuzz_counts.given);
	fprintf(stderr, "%lu malformed rings, by fault:", broken);
	for (i = 1; i < VFP_NR_FAULTS; i++)
		fprintf(stderr, " %lu", fuzz_counts.faults[i]);
	fputc('\n', stderr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool told;

	if (!told) {
		told = true;
		atexit(say);
	}
	return fuzz_one(data, size);
}
