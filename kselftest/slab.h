/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory the kernel's slab caches hold that no reclaim gets back, when they
 * have come to rest.
 */
#ifndef KSELFTEST_SLAB_H
#define KSELFTEST_SLAB_H

#include <glob.h>
#include <poll.h>

#include "kselftest/proc.h"
#include "kselftest/wire.h"

#define SLAB_TRIES	300	/* of 100 ms each */
#define SLAB_CACHES	400
#define SLAB_TELL	16	/* KiB that are worth a line */

/* What is freed stays with KASAN for a while, and kmemleak has slab of its own. */
static inline bool slab_can_tell(void)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) != 0 &&
	       access("/proc/sys/vm/stat_refresh", F_OK) == 0;
}

/* Which caches hold how much: what has grown can be told afterwards. */
struct slab_caches {
	unsigned int	n;
	struct {
		char	name[64];
		long	kib;
	} of[SLAB_CACHES];
};

static inline void slab_look(struct slab_caches *caches)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long pages, slabs;
	char line[512];

	must(file);
	caches->n = 0;
	while (caches->n < SLAB_CACHES && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %*u %*u %*u %*u %lu : %*s %*u %*u %*u : %*s %*u %lu",
			   caches->of[caches->n].name, &pages, &slabs) != 3)
			continue;
		caches->of[caches->n++].kib = pages * slabs * 4;
	}
	fclose(file);
}

/*
 * The ranges that threads had their stacks in are given back by the ten thousand, when
 * there are enough of them: no measure of what stays.
 */
static inline long slab_of_stacks(void)
{
	static struct slab_caches caches;
	unsigned int i;

	slab_look(&caches);
	for (i = 0; i < caches.n; i++)
		if (!strcmp(caches.of[i].name, "vmap_area"))
			return caches.of[i].kib;
	return 0;
}

/* Empty slabs are given back, and the counters of all CPUs are summed up. */
static inline long long slab_kib(void)
{
	glob_t caches;
	size_t i;

	wire_write("/proc/sys/vm/drop_caches", "3");
	must(!glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches));
	for (i = 0; i < caches.gl_pathc; i++)
		wire_write(caches.gl_pathv[i], "1");
	globfree(&caches);
	wire_write("/proc/sys/vm/stat_refresh", "1");
	return proc_sum("/proc/meminfo", "SUnreclaim", 0) - slab_of_stacks();
}

/* What is on its way to be freed is freed: one look is as the last. */
static inline long long slab_at_rest(void)
{
	long long last = slab_kib(), now = last;
	unsigned int tries;

	for (tries = 0; tries < SLAB_TRIES; tries++) {
		alarm(REPORT_LIMIT);
		poll(NULL, 0, 100);
		now = slab_kib();
		if (now == last)
			break;
		last = now;
	}
	return now;
}

/* Wait until there are at most @most KiB more than @before; returns how many are. */
static inline long long slab_growth(long long before, long long most)
{
	long long grown = slab_at_rest() - before;
	unsigned int tries;

	for (tries = 0; grown > most && tries < SLAB_TRIES; tries++) {
		alarm(REPORT_LIMIT);
		poll(NULL, 0, 100);
		grown = slab_kib() - before;
	}
	return grown;
}

static inline void slab_tell(const struct slab_caches *before)
{
	struct slab_caches now;
	unsigned int i;
	long grown;

	slab_look(&now);
	for (i = 0; i < now.n && i < before->n; i++) {
		grown = now.of[i].kib - before->of[i].kib;
		if (!strcmp(now.of[i].name, before->of[i].name) && labs(grown) >= SLAB_TELL)
			note("slab cache %s: %+ld KiB", now.of[i].name, grown);
	}
}

#endif /* KSELFTEST_SLAB_H */
