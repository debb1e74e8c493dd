// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module is loaded, and every allocation that its start makes is made to fail in
 * turn: it is not loaded then, or goes on without; and the next time it is.  The
 * module's file is the third argument; it must not be loaded yet.
 */
#include "kselftest/vmm.h"
#include "kselftest/failing.h"

#include <sys/syscall.h>

#define MOST	500

static int load(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), err;

	must(file >= 0);
	err = syscall(SYS_finit_module, file, "", 0) ? -errno : 0;
	close(file);
	return err;
}

static void unload(void)
{
	must(!syscall(SYS_delete_module, "kvm_twin", O_NONBLOCK));
}

/* Nothing of it is left, and nothing of it is in the way of the next. */
static bool gone(void)
{
	if (!access("/sys/module/kvm_twin", F_OK) || !access(VMM_DEVICE, F_OK) ||
	    !access(VMM_DEBUGFS, F_OK))
		return because("something is left");
	return true;
}

static bool opens(void)
{
	int dev = open(VMM_DEVICE, O_RDWR | O_CLOEXEC);

	if (dev < 0)
		return because("no device: %s", strerror(errno));
	close(dev);
	return true;
}

static bool try_one(const char *path, struct failing_task *me, unsigned int n,
		    unsigned int *fired, unsigned int *failed)
{
	int err;

	failing_arm(me, n);
	err = load(path);
	failing_disarm(me, n);
	*fired = failing_count();
	if (err) {
		++*failed;
		if (err != -ENOMEM || !*fired)
			return because("fault %u: %s", n, strerror(-err));
		if (!gone())
			return because("fault %u", n);
		err = load(path);
		if (err)
			return because("again, after fault %u: %s", n, strerror(-err));
	}
	if (!opens())
		return because("fault %u", n);
	unload();
	return gone();
}

static bool each_fault(const char *path)
{
	struct failing_task me = failing_open(getpid());
	unsigned int n, fired = 1, failed = 0, all = 0;
	bool good;

	failing_at(0);
	good = try_one(path, &me, FAILING_ALL, &fired, &failed);
	all += fired;
	for (n = 1; fired && n < MOST; n++) {
		good = try_one(path, &me, n, &fired, &failed) && good;
		all += fired;
		alarm(REPORT_LIMIT);
	}
	failing_close(&me);
	note("loading: %u faults, %u times it was not loaded", all, failed);
	if (fired || !failed)
		return because("%u of %u tries have failed", failed, n);
	return good;
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!failing_begin(argc, argv))
		return report_end();
	must(argc > 3 && gone());
	claim(each_fault(argv[3]),
	      "whatever fails when the module is loaded, the next time it is loaded");
	failing_end(argv);
	return report_end();
}
