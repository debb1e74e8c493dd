// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each call of a VMM's life, with every allocation and every copy of the module's in
 * it made to fail: one after the other, and all that are below one of its calls at
 * once.  It fails, or passes for all that; the twin is as it was, or as it was to be;
 * made again, it passes; and then frames pass.
 */
#include "kselftest/vmm_calls.h"
#include "kselftest/failing.h"

#include <sys/wait.h>
#include <time.h>

#define MOST	200	/* faults of one call below one site */

static struct failing_task me;

/* What has become of an operation, over all tries. */
static struct {
	unsigned long	faults;		/* in all */
	unsigned int	failed;		/* tries that have failed for it */
	unsigned int	absorbed;	/* and that have not */
} seen[NR_OPS];

/* For each site: how many faults there could be in an operation. */
static unsigned int hits[FAILING_SITES][NR_OPS];

static bool is_live(unsigned int i)
{
	return i < NR_OPS && ops[i].flags & LIVE;
}

static bool frames_pass(void)
{
	return vmm_try_tx(&vmm, attached[TX], 100, 1) &&
	       vmm_try_rx(&vmm, attached[RX], 100, 2);
}

/* What a queue's pump changes, whenever that has its turn. */
static bool changes_by_itself(const char *word)
{
	static const char *const names[] = { "notify=", "scheduled=", "moderated=",
					     "task_queued=", "wants_", "stlb=",
					     "invalidate_ns_max=" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(word, names[i], strlen(names[i])))
			return true;
	return false;
}

/* What a failed call must leave as it was. */
static void snapshot(char *to, size_t size)
{
	FILE *file = vmm_debugfs(&vmm, "state", "r");
	char word[64];

	*to = '\0';
	while (file && fscanf(file, "%63s", word) == 1)
		if (!changes_by_itself(word))
			strncat(to, word, size - strlen(to) - 1);
	if (file)
		fclose(file);
}

/* A twin whose folder, or a file of it, could not be made goes on without. */
static bool is_missing(unsigned int i, int err)
{
	return err == -ENOENT && ops[i].flags & SHOWN;
}

static bool in_trouble(unsigned int i, int err, const char *what)
{
	return because("%s: %s: %s, site %u", ops[i].name, what,
		       err ? strerror(-err) : "passes", failing.at);
}

/* One call, whose @n-th fault comes; returns success, and how many came. */
static bool try_one(unsigned int i, unsigned int n, unsigned int *fired)
{
	char before[512], after[512];
	int err;

	snapshot(before, sizeof(before));
	failing_arm(&me, n);
	err = ops[i].run(ops[i].q);
	failing_disarm(&me, n);
	*fired = failing_count();
	seen[i].faults += *fired;
	if (!err) {
		seen[i].absorbed += *fired > 0;
		return true;
	}
	if (!*fired && is_missing(i, err))
		return true;
	seen[i].failed++;
	if (!*fired || (err != -ENOMEM && err != -EFAULT))
		return in_trouble(i, err, "with a fault");
	snapshot(after, sizeof(after));
	if (strcmp(before, after))
		return because("%s: state was '%s', is '%s'", ops[i].name,
			       before, after);
	if (is_live(i) && !frames_pass())
		return in_trouble(i, err, "no frames after it failed");
	err = ops[i].run(ops[i].q);
	return !err || in_trouble(i, err, "once more");
}

static void fresh_rings(void)
{
	int q;

	for (q = RX; q <= TX; q++) {
		ring_reset(&vmm.q[q], 0);
		ring_drain_event(vmm.q[q].kick);
		ring_drain_event(vmm.q[q].call);
		ring_drain_event(vmm.q[q].err);
	}
	attached[RX] = &wire;
	attached[TX] = &wire;
	wire_drain(&wire);
	wire_drain(&other);
}

/* All of a life; in call @at comes the @n-th fault. */
static bool live(unsigned int at, unsigned int n, unsigned int *fired)
{
	bool good = true;
	unsigned int i;
	int err;

	fresh_rings();
	for (i = 0; i < NR_OPS; i++) {
		if (is_live(i) && !is_live(i - 1))
			good = frames_pass() && good;
		if (i == at) {
			good = try_one(i, n, fired) && good;
			continue;
		}
		err = ops[i].run(ops[i].q);
		if (err && !is_missing(i, err))
			good = in_trouble(i, err, "without a fault");
		if (is_live(i) && !is_live(i + 1))
			good = frames_pass() && good;
	}
	return vmm_no_twin_left() && good;
}

/*
 * All of a life without a fault: how many there could be in each call, the least of
 * several lives.  An allocator may have to allocate, too, but not always.
 */
static bool count_hits(unsigned int site, unsigned int lives)
{
	unsigned int i, n, life;
	bool good = true;
	int err;

	failing_at(site);
	for (life = 0; life < lives; life++) {
		fresh_rings();
		for (i = 0; i < NR_OPS; i++) {
			failing_arm(&me, FAILING_MANY);
			err = ops[i].run(ops[i].q);
			n = failing_disarm(&me, FAILING_MANY);
			if (!life || n < hits[site][i])
				hits[site][i] = n;
			if (err)
				good = in_trouble(i, err, "without a fault");
		}
		good = vmm_no_twin_left() && good;
	}
	must(!failing_count());
	alarm(REPORT_LIMIT);
	return good;
}

static bool fail_in(unsigned int i)
{
	unsigned int site, n, fired;
	bool good = true;

	for (site = 1; site < failing.nr; site++) {
		if (!hits[site][i])
			continue;
		failing_at(site);
		good = live(i, FAILING_ALL, &fired) && good;
		good = (fired || because("site %u did not fail", site)) && good;
		for (n = 1; fired && n < MOST; n++)
			good = live(i, n, &fired) && good;
		good = (n < MOST || because("no end of faults")) && good;
		alarm(REPORT_LIMIT);
	}
	return good;
}

/* Returns where it went wrong, or 0. */
static int own_first(void)
{
	struct failing_task task = failing_open(getpid());
	int err;

	if (open_device(RX))
		return 1;
	failing_arm(&task, FAILING_ALL);
	err = set_owner(RX);
	failing_disarm(&task, FAILING_ALL);
	if (err && err != -ENOMEM && err != -EFAULT)
		return 2;
	return err && set_owner(RX) ? 3 : 0;
}

/* The first twin of a process has something made that the next ones find there. */
static bool each_first(unsigned int *faults)
{
	unsigned int site;
	bool good = true;
	int status;
	pid_t pid;

	for (site = 1; site < failing.nr; site++) {
		failing_at(site);
		pid = fork();
		if (!pid)
			_exit(own_first());
		must(pid > 0 && waitpid(pid, &status, 0) == pid);
		*faults += failing_count();
		if (status)
			good = because("site %u: wait status 0x%x", site, status);
		alarm(REPORT_LIMIT);
	}
	return vmm_no_twin_left() && good;
}

/* Faults below known calls that return to this range. */
static unsigned int known_in(unsigned int i, unsigned long start, unsigned long end)
{
	unsigned int site, sum = 0;

	for (site = 1; site < failing.nr; site++)
		if (failing.start[site] >= start && failing.start[site] < end)
			sum += hits[site][i];
	return sum;
}

/*
 * What else may fail below the module: told, but no claim, as the checkers of the
 * kernel allocate, too, below calls that cannot fail for their part.
 */
static void tell_unknown(void)
{
	unsigned int i, sum, all = 0;

	for (i = 0; i < NR_OPS; i++) {
		sum = known_in(i, failing.start[0] + 1, failing.end[0]);
		if (sum < hits[0][i])
			note("%s: %u of %u faults are below calls that are known",
			     ops[i].name, sum, hits[0][i]);
		all += hits[0][i];
	}
	note("%u faults are possible in a life without one", all);
	must(all);
}

static void all_ops(void)
{
	unsigned long faults = 0, began = time(NULL);
	unsigned int site, i, first = 0;
	bool good = true;

	for (site = 0; site < failing.nr; site++)
		good = count_hits(site, site ? 2 : 5) && good;
	claim(good, "a VMM's life passes while faults are only counted");
	note("took %lu s", time(NULL) - began);
	tell_unknown();
	for (i = 0; i < NR_OPS; i++) {
		if (!hits[0][i])
			continue;
		claim(fail_in(i), "%s: fails or passes, then passes again",
		      ops[i].name);
		note("%s: %lu faults, %u failed, %u passed all the same", ops[i].name,
		     seen[i].faults, seen[i].failed, seen[i].absorbed);
		faults += seen[i].faults;
	}
	claim(each_first(&first), "SET_OWNER, a process's first: fails or passes, then passes");
	note("SET_OWNER, a process's first: %u faults", first);
	note("faults %lu, took %lu s", faults + first, time(NULL) - began);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!failing_begin(argc, argv))
		return report_end();
	wire_open(&wire, "wire0", VMM_HDR);
	wire_open(&other, "wire1", VMM_HDR);
	vmm_adopt(&vmm, -1, VMM_BASIC, NUM);
	spare[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	spare[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(spare[0] >= 0 && spare[1] >= 0);
	me = failing_open(getpid());
	all_ops();
	failing_close(&me);
	failing_end(argv);
	wire_close(&wire);
	wire_close(&other);
	return report_end();
}
