#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""For scripts/lab/selftest: a guest does not answer whenever this is tried."""
import os

from lab import Tap, Unanswered
from tap import AGAIN


def main(tap):
    tap.note(f'tried before: {os.environ.get(AGAIN, 0)}')
    raise Unanswered('on purpose')


Tap.main(main)
