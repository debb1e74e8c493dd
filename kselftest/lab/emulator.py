#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lab host's first CPU enters and leaves a guest while the other one loads the state of
its FPU, over and over (mixup.c): the emulated processor keeps them apart.  As Debian has
it, it does not (scripts/lab/mend_emulator.py)."""
import argparse
import os

from host import OUT
from lab import Guest, Tap, spawn


def on_cpu(cpu):
    """What is started from now on runs there."""
    os.sched_setaffinity(0, {cpu})


def main(tap, options):
    on_cpu(1)
    load = spawn(f'{OUT}/mixup load')
    on_cpu(0)
    try:
        with Guest() as guest:
            tap.ok(guest.wait_boot(180), 'a guest boots')
            guest.sh(f'mixup leave {options.count}', timeout=300)
            tap.ok(True, f'it is left {options.count} times')
            guest.shutdown()
    finally:
        load.stop()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('-n', '--count', type=int, default=200000)
Tap.main(lambda tap: main(tap, parser.parse_args()))
