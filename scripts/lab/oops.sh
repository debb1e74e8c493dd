# SPDX-License-Identifier: GPL-2.0-only
# What in a kernel log means that something went wrong.  Sourced by the runner
# and by the lab host's init, so that both judge by the same words.
# shellcheck shell=bash

# oopses FILE  -- print the lines of a kernel log that tell of a fault.
# A line from the boot that names a weakness of the processor ('data leak
# possible') is none, nor is one that says that leaks will be looked for, or that the
# detector has been told (by failing.py) that there is no memory for its own notes.
oopses() {
	grep -a -E -e 'WARNING:|BUG:|Oops|general protection|Call Trace' \
		-e 'soft lockup|hung task|blocked for more than|rcu:.*stall' \
		-e 'KASAN|UBSAN|KCSAN|refcount|leak|Kernel panic' \
		-e 'DEBUG_LOCKS_WARN_ON|INFO: possible|INFO: suspicious' "$1" |
		grep -a -v -e 'data leak possible' -e 'Kernel command line:' \
			-e 'leak detector initialized' -e 'kmemleak: Cannot allocate a scan area'
}
