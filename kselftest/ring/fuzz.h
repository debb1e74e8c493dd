/* SPDX-License-Identifier: GPL-2.0-only */
/* One input of a fuzzer, and what has come of all. */
#ifndef RING_FUZZ_H
#define RING_FUZZ_H

#include "kselftest/ring/rig.h"

/**
 * struct fuzz_counts - what the inputs have led to
 * @inputs:	how many there were
 * @pops:	attempts to take a chain
 * @chains:	chains taken
 * @given:	chains given back
 * @faults:	rings that were found to be broken, by enum vfp_fault
 */
struct fuzz_counts {
	unsigned long	inputs;
	unsigned long	pops;
	unsigned long	chains;
	unsigned long	given;
	unsigned long	faults[VFP_NR_FAULTS];
};

extern struct fuzz_counts fuzz_counts;

/* Told what an input has shown to be wrong; whoever includes this has it. */
void fuzz_violated(const char *what);

int fuzz_one(const u8 *data, size_t size);

#endif
