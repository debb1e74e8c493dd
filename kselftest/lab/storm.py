#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""All that may befall a guest under traffic (events.py), in random order: after each
event traffic flows again, and in the end it is unchanged and the module goes.

The order is that of the seed, which is printed: the same seed, kinds and number of
steps are the same storm.
"""
import argparse
import collections
import time
import traceback

from events import GUEST, KINDS, PEER, Scene, have
from lab import Tap, default_device, rmmod, twins
from traffic import transfer

BYTES = 1 << 20
# After so many failures there is no use in going on.
FAILURES = 3


class Storm:
    def __init__(self, tap, scene, kinds):
        self.tap, self.scene, self.kinds = tap, scene, kinds
        self.tried = collections.Counter()
        self.well = collections.Counter()

    def failures(self):
        return sum(self.tried.values()) - sum(self.well.values())

    def step(self, number, kind):
        self.tap.note(f'step {number}, at {self.tap.elapsed():.0f} s: {kind}')
        self.tried[kind] += 1
        try:
            KINDS[kind](self.scene)
            self.scene.flows()
            self.well[kind] += 1
        except Exception:
            self.tap.note(f'step {number} has failed\n' + traceback.format_exc())
            self.scene.drop_guest()
            self.scene.start()

    def tell(self):
        for kind in self.kinds:
            if self.tried[kind]:
                self.tap.equal(self.well[kind], self.tried[kind],
                               f'{kind}: {self.tried[kind]} times, traffic flows again')
                self.tap.note(f'sum: {self.well[kind]} storm: {kind}')


def unchanged(tap, scene):
    scene.stop_traffic()
    transfer(tap, f'{BYTES} bytes from the guest are unchanged after that',
             scene.guest, scene.net.peer, PEER, 5001, BYTES)
    transfer(tap, f'{BYTES} bytes to the guest are unchanged after that',
             scene.net.peer, scene.guest, GUEST, 5002, BYTES)


def main(tap, options):
    kinds = [kind for kind in options.kinds.split(',') if have(kind)]
    tap.note(f'seed {options.seed}, kinds {",".join(kinds)}')
    scene = Scene(default_device(), options.seed)
    storm = Storm(tap, scene, kinds)
    scene.start()
    end = time.monotonic() + options.minutes * 60 if options.minutes else None
    number = 0
    while (time.monotonic() < end if end else number < options.steps) and \
            storm.failures() < FAILURES:
        number += 1
        # In their order first when there are as many steps, so that each comes.
        kind = kinds[number - 1] if options.each and number <= len(kinds) else \
            scene.random.choice(kinds)
        storm.step(number, kind)
    unchanged(tap, scene)
    storm.tell()
    scene.close()
    tap.note(f'sum: {scene.frames} storm: frames of both ways')
    tap.equal(twins(), [], 'no twin is left')
    rmmod()
    tap.ok(True, 'the module is unloaded at the first try')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--minutes', type=float, help='instead of a number of steps')
    parser.add_argument('--kinds', default=','.join(KINDS), help='which, by commas')
    parser.add_argument('--each', action='store_true', help='each once, first')
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
