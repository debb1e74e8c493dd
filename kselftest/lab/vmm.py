#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The programs of kselftest/ that are a VMM and a guest in one: run in the lab
host, each result passed on under the program's name.

The programs are built into /out; one or some of them can be named, with options
of their own: 'hostile -n 1000000 -s 7'.
"""
import argparse
import os
import subprocess
import time

from lab import Tap, insmod, rmmod, run, twins

PROGRAMS = ('transmit', 'receive', 'notify', 'pingpong', 'faults', 'lifecycle',
            'cycles', 'logging', 'hotswap', 'backpressure', 'preempted', 'giveback',
            'memory', 'mapped', 'moves', 'layouts', 'userfault', 'invalidations',
            'headers', 'segments', 'aggregate', 'datagrams', 'acks', 'handover', 'onenic',
            'softkick', 'moderation', 'heldup', 'hog', 'flood', 'hostile', 'crossing',
            'vanishing', 'namespaces', 'isolation')
# Not on a macvtap: what is counted by a tap's device, what a driver below makes of
# segments, and who may open a tap.
TAP_ONLY = ('headers', 'flood', 'isolation')
# Fewer frames to and fro, and fewer rings.
QUICK = {'pingpong': ['6000'], 'hostile': ['-n', '4000'],
         'cycles': ['-n', '250', '-k', '50'], 'invalidations': ['-n', '1500']}


def relay(tap, program, *args):
    """Run /out/PROGRAM, and pass on its results.  It ends itself by a signal
    when it hangs, and must come to its plan."""
    before, plan, start = tap.count, None, time.monotonic()
    with subprocess.Popen([f'/out/{program}', *args], text=True,
                          errors='replace', stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            found = tap.pass_on(program, line.rstrip('\n'))
            plan = found if found is not None else plan
    count = tap.count - before
    tap.ok(plan == count and process.returncode in (0, 1),
           f'{program}: runs to its end',
           f'exit code {process.returncode}, plan {plan}, {count} results')
    tap.note(f'{program}: {time.monotonic() - start:.0f} s')


def check_gone(tap):
    """No twin is left, and the module goes at once."""
    tap.equal(twins(), [], 'no twin is left')
    rmmod()
    tap.ok(True, 'the module is unloaded')


def main(tap, options):
    run('modprobe -a vhost_net tun tap')
    if options.wire != 'tap':
        run('modprobe -a macvtap veth')
    os.environ['WIRE'] = options.wire
    # One that does not change with the machine's speed; some programs set another.
    insmod('policy=softirq')
    for words in options.programs or PROGRAMS:
        program, *args = words.split()
        if options.wire != 'tap' and not options.programs and program in TAP_ONLY:
            continue
        if options.quick:
            args = args or QUICK.get(program, [])
        relay(tap, program, options.device, *args)
    check_gone(tap)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='/dev/kvm-twin')
    parser.add_argument('--quick', action='store_true',
                        help='12,000 frames to and fro instead of 70,000, '
                             '4,000 hostile rings instead of 20,000')
    parser.add_argument('--wire', choices=('tap', 'macvtap'), default='tap',
                        help='what the queues are attached to')
    parser.add_argument('programs', nargs='*')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options))
