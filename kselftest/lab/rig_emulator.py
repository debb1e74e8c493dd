#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""For scripts/lab/selftest: the emulated processor fails whenever this is tried."""
import os

from lab import EmulatorError, Tap
from tap import AGAIN


def main(tap):
    tap.note(f'begun anew {os.environ.get(AGAIN, 0)} times')
    raise EmulatorError('on purpose')


Tap.main(main)
