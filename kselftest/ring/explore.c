// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/explore.h"
#include "kselftest/ring/shim/shim.h"
#include "kselftest/ring/tap.h"

#define MAX_DEPTH	256
#define MAX_STORES	16

/* The choices of this run; the next run differs in the last that can. */
static struct {
	u8		taken[MAX_DEPTH];
	u8		of[MAX_DEPTH];
	unsigned int	len;
	unsigned int	pos;
} path;

/* A write that is not out; those of a later epoch come after it. */
struct store {
	u8		*to;
	u8		value[8];
	size_t		len;
	unsigned int	epoch;
};

static struct store stores[MAX_STORES];
static unsigned int nr_stores;
static unsigned int epoch;
static const struct explore_driver *driver;

static unsigned int choose(unsigned int of)
{
	if (of == 1)
		return 0;
	if (path.pos == MAX_DEPTH)
		abort();
	if (path.pos == path.len) {
		path.taken[path.len] = 0;
		path.of[path.len++] = of;
	}
	return path.taken[path.pos++];
}

static bool next_path(void)
{
	while (path.len) {
		if (++path.taken[path.len - 1] < path.of[path.len - 1])
			break;
		path.len--;
	}
	path.pos = 0;
	return path.len;
}

static void commit(unsigned int i)
{
	memcpy(stores[i].to, stores[i].value, stores[i].len);
	nr_stores--;
	memmove(stores + i, stores + i + 1, (nr_stores - i) * sizeof(*stores));
}

static void commit_all(void)
{
	while (nr_stores)
		commit(0);
}

/* Writes to one place stay in order; barriers keep epochs apart. */
static bool may_commit(unsigned int i)
{
	unsigned int k;

	for (k = 0; k < i; k++)
		if (stores[k].to == stores[i].to ||
		    stores[k].epoch != stores[i].epoch)
			return false;
	return true;
}

/*
 * The driver may take steps here, and writes may get out before each.  A
 * write that gets out matters only if the driver takes a step after it.
 */
static void interleave(void)
{
	unsigned int i, n, choice, can[MAX_STORES];
	enum explore_step next;
	bool committed = false;

	while ((next = driver->next()) != EXPLORE_NONE) {
		n = 0;
		for (i = 0; i < nr_stores && next == EXPLORE_SEEING; i++)
			if (may_commit(i))
				can[n++] = i;
		choice = choose(n + (committed ? 1 : 2));
		if (choice < n) {
			commit(can[choice]);
			committed = true;
		} else if (choice == n) {
			driver->step();
			committed = false;
		} else {
			return;
		}
	}
}

/* A write is but put aside: the driver's steps are as well taken later. */
static void on_event(enum shim_event event, const void *addr)
{
	if (event == SHIM_WMB)
		epoch++;
	if (event == SHIM_MB || (event == SHIM_READ && driver->shares(addr)))
		interleave();
	if (event == SHIM_MB)
		commit_all();
}

static bool on_store(void *to, const void *from, size_t len)
{
	struct store *store = &stores[nr_stores++];

	if (nr_stores > MAX_STORES || len > sizeof(store->value))
		abort();
	*store = (struct store) { .to = to, .len = len, .epoch = epoch };
	memcpy(store->value, from, len);
	return true;
}

void explore_settle(void)
{
	interleave();
	commit_all();
	while (driver->next() != EXPLORE_NONE)
		driver->step();
}

unsigned long explore(const struct explore_driver *with, void (*once)(void),
		      unsigned long limit)
{
	unsigned long runs = 0;

	driver = with;
	path.len = 0;
	path.pos = 0;
	do {
		nr_stores = 0;
		epoch = 0;
		shim.on_event = on_event;
		shim.on_store = on_store;
		once();
		shim.on_event = NULL;
		shim.on_store = NULL;
		shim_forget();
		runs++;
	} while (next_path() && !tap_failed() && runs < limit);
	return runs;
}
