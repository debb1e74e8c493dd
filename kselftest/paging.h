/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel does to memory by itself, made to be done: swap, merging of pages,
 * compaction, huge pages.  What a test needs is set up by a function that returns what
 * is missing, or NULL, and ended by another.
 */
#ifndef KSELFTEST_PAGING_H
#define KSELFTEST_PAGING_H

#include <sys/mman.h>
#include <sys/swap.h>

#include "kselftest/proc.h"
#include "kselftest/report.h"
#include "kselftest/wire.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD	20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static const char * const make_swap[] = {
	"modprobe -q zram",
	"test -e /dev/zram0 && echo 64M >/sys/block/zram0/disksize",
	"mkswap /dev/zram0 >/tmp/mkswap 2>&1",
	NULL
};

static inline const char *needs_swap(void)
{
	if (!commands(make_swap) || swapon("/dev/zram0", 0))
		return "no swap could be made";
	return NULL;
}

static inline void end_swap(void)
{
	must(!swapoff("/dev/zram0"));
	wire_write("/sys/block/zram0/reset", "1");
}

static inline const char *needs_compaction(void)
{
	return access("/proc/sys/vm/compact_memory", W_OK) ?
		"this kernel does not compact memory" : NULL;
}

static inline const char *needs_collapse(void)
{
	return access("/sys/kernel/mm/transparent_hugepage", F_OK) ?
		"this kernel has no huge pages that come by themselves" : NULL;
}

static inline const char *needs_merging(void)
{
	if (access("/sys/kernel/mm/ksm/run", W_OK))
		return "this kernel merges no pages";
	wire_write("/sys/kernel/mm/ksm/pages_to_scan", "2000");
	wire_write("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	wire_write("/sys/kernel/mm/ksm/run", "1");
	return NULL;
}

static inline void end_merging(void)
{
	wire_write("/sys/kernel/mm/ksm/run", "2");
}

/* A figure that grows, if what is to happen happens. */
static inline long long vmstat(const char *name)
{
	return proc_sum("/proc/vmstat", name, 0);
}

#endif /* KSELFTEST_PAGING_H */
