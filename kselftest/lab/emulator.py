#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The emulated processor has not the flaws that Debian's has (scripts/lab/mend_emulator.py):
a guest's access to MMIO right behind an exception is emulated; and host and guest are kept
apart when the lab host's first CPU enters and leaves a guest while the other one loads the
state of its FPU, over and over (mixup.c)."""
import argparse
import os

from host import OUT
from lab import Guest, Tap, spawn


# A device of the guest's that no driver is bound to, with registers in memory.
AHCI = '/sys/bus/pci/devices/0000:00:1f.2'


def on_cpu(cpu):
    """What is started from now on runs there."""
    os.sched_setaffinity(0, {cpu})


def check_mmio(tap, guest):
    guest.sh(f'echo 1 >{AHCI}/enable && mixup touch {AHCI}/resource5 1000')
    tap.ok(True, '1000 accesses to MMIO, each behind a page fault, are emulated')


def check_apart(tap, guest, count):
    on_cpu(1)
    load = spawn(f'{OUT}/mixup load')
    try:
        guest.sh(f'mixup leave {count}', timeout=300)
        tap.ok(load.process.poll() is None,
               f'host and guest are kept apart: {count} exits beside FXRSTOR')
    finally:
        load.stop()


def main(tap, options):
    on_cpu(0)
    with Guest() as guest:
        guest.wait_boot(180)
        check_mmio(tap, guest)
        check_apart(tap, guest, options.count)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument('-n', '--count', type=int, default=200000)
Tap.main(lambda tap: main(tap, parser.parse_args()))
