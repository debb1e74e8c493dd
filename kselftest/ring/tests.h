/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RING_TESTS_H
#define RING_TESTS_H

#include "kselftest/ring/tap.h"
#include "kselftest/ring/rig.h"

extern const struct test split_tests[];
extern const struct test chain_tests[];
extern const struct test memory_tests[];
extern const struct test notify_tests[];
extern const struct test ring_tests[];
extern const struct test model_tests[];
extern const struct test hostile_tests[];
extern const struct test fuzz_tests[];
extern const struct test ahead_tests[];
extern const struct test table_tests[];
extern const struct test dirty_tests[];
extern const struct test corpus_tests[];
extern const struct test packed_tests[];
extern const struct test packed_fault_tests[];
extern const struct test packed_event_tests[];
extern const struct test packed_model_tests[];
extern const struct test packed_fuzz_tests[];
extern const struct test turn_tests[];
extern const struct test stlb_tests[];
extern const struct test mapped_tests[];
extern const struct test soft_tests[];

/* Set by the command line: how many rings are tried, and which. */
extern unsigned long fuzz_rings;
extern unsigned long long fuzz_seed;

/* A random ring for a rig of its format, from *@state, which is never 0. */
void fuzz_split_ring(struct rig *rig, u64 *state);
void fuzz_packed_ring(struct rig *rig, u64 *state);

/* Says how many there were of each sort. */
void fuzz_note(const char *format, unsigned long rings, unsigned long chains,
	       const unsigned long counts[VFP_NR_FAULTS]);

/* A file of inputs that the fuzzer has found, a line in hex each. */
extern const char *fuzz_corpus;

#endif
