#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kselftest/lab/rig-broken.sh HOW  -- a test that goes wrong in the given way,
# for scripts/lab/selftest, which proves that the runner notices.  All but
# 'fail' and those about the plan claim to have passed: the claim must not do.
set -u

claim() { printf 'TAP version 13\nok 1 %s\n1..1\n' "$1"; }

triple_fault() { echo triple >/sys/kernel/reboot/type; echo b >/proc/sysrq-trigger; }

case $1 in
nothing)  claim 'nothing is wrong' ;;
skip)     claim 'this cannot be tried here # SKIP on purpose' ;;
again)    printf 'TAP version 13\nnot ok 1 fails at first\n# lab: again\n'
	  claim 'is well at the second try' ;;
twice)    printf 'TAP version 13\nok 1 is well at first\n# lab: again\n'
	  printf 'TAP version 13\nnot ok 1 fails at the second try\n1..1\n' ;;
unanswered) exec "$(dirname "$0")/rig_unanswered.py" ;;
fail)     printf 'TAP version 13\nnot ok 1 fails on purpose\n1..1\n' ;;
exit)     claim 'exits with 3'; exit 3 ;;
noplan)   printf 'TAP version 13\nok 1 has no plan\n' ;;
short)    printf 'TAP version 13\nok 1 has one result of two\n1..2\n' ;;
panic)    claim 'panics'; echo c >/proc/sysrq-trigger ;;
reboot)   claim 'reboots'; busybox reboot -f ;;
triple)   claim 'ends with a triple fault'; triple_fault ;;
poweroff) claim 'powers off'; busybox poweroff -f ;;
hang)     claim 'never ends'; exec sleep infinity ;;
warning)  claim 'warns'; echo 'WARNING: CPU: 0 on purpose' >/dev/kmsg ;;
process)  claim 'leaves a process'; setsid /out/probe udp-echo 7 >/dev/null & sleep 0.5 ;;
*)        exit 2 ;;
esac
