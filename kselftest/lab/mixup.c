// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an emulated processor needs to mix up a host and its guest, if it can
 * (scripts/lab/mend_emulator.py): one CPU that enters and leaves a guest, and another one
 * that loads the state of its FPU.
 *
 *	mixup leave COUNT	in a guest: leave it COUNT times, by CPUID
 *	mixup load		until SIGTERM
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <string.h>

#include "kselftest/lab/words.h"

static void leave(unsigned long count)
{
	unsigned int a, b, c, d;

	while (count--)
		__cpuid(0, a, b, c, d);
}

static void load(void)
{
	static unsigned char state[512] __attribute__((aligned(16)));

	__asm__ volatile("fxsave %0" : "=m" (state));
	for (;;)
		__asm__ volatile("fxrstor %0" : : "m" (state));
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "leave"))
		leave(number(argv[2]));
	else if (argc == 2 && !strcmp(argv[1], "load"))
		load();
	else
		die("mixup leave COUNT | load");
	return 0;
}
