// SPDX-License-Identifier: GPL-2.0-only
/*
 * The places where the kernel, as it starts, adapts its code to the processor.
 * Those that access to user memory has are wanted here as a kernel would have
 * them, but for stac and clac, which a program may not execute: where these
 * belong there are nops.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>

#include "kselftest/ring/bench/bench.h"

/* Set by patch.ld. */
extern struct alt_instr bench_alternatives[], bench_alternatives_end[];

/* Feature and flags: their field has changed its name and its width. */
static u32 key_of(const struct alt_instr *alt)
{
	const unsigned int from = sizeof(alt->instr_offset) +
				  sizeof(alt->repl_offset);
	u32 key = 0;

	memcpy(&key, (const u8 *)alt + from,
	       offsetof(struct alt_instr, instrlen) - from);
	return key;
}

static bool wanted(const struct bench_cpu *cpu, u32 key)
{
	switch (key) {
	case X86_FEATURE_LFENCE_RDTSC:	/* all that have 64 bits */
	case X86_FEATURE_REP_GOOD:	/* likewise, but for the very first */
		return true;
	case X86_FEATURE_ERMS:
		return cpu->erms;
	case X86_FEATURE_FSRM:
		return cpu->fsrm;
	case ALT_NOT(X86_FEATURE_FSRM):
		return !cpu->fsrm;
	}
	return false;
}

void bench_patches(const struct bench_cpu *cpu,
		   void (*apply)(const struct bench_patch *patch))
{
	struct alt_instr *alt;

	for (alt = bench_alternatives; alt < bench_alternatives_end; alt++) {
		struct bench_patch patch = {
			.at = (u8 *)&alt->instr_offset + alt->instr_offset,
			.len = alt->instrlen,
			.with = (u8 *)&alt->repl_offset + alt->repl_offset,
			.with_len = alt->replacementlen,
		};

		if (wanted(cpu, key_of(alt)))
			apply(&patch);
	}
}
