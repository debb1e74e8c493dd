#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The counter counts right: a program that turns so many times in its loop, in
the host and in a guest.  Run it with scripts/lab/run --count DIR."""
from contextlib import closing

from lab import Tap, default_device
from bench_places import Guests, Native, World

LAPS = '/out/bench/count.laps'
MILLIONS, WINDOWS = 30, 3
COLUMNS = ('lap', 'what', 'time', 'k', 'u', 'K', 'U', 'exits')


def windows():
    with open(LAPS) as file:
        return [dict(zip(COLUMNS, map(float, line.split()))) for line in file]


def spin(place):
    """The windows of a spinning program."""
    before = len(windows())
    place.load(f'spin {MILLIONS} {WINDOWS}')
    return windows()[before + 1:]


def turns(rows, mode):
    """Instructions a turn in a mode, window by window."""
    return [row[mode] / (MILLIONS * 1e6) for row in rows]


def whole(values, tap, claim):
    """All are the same whole number, but for what else was executed."""
    number = round(values[0])
    tap.ok(number and all(abs(value - number) < 0.01 * number for value in values),
           claim, values)
    return number


def check_host(tap, world):
    """Returns instructions a turn."""
    with closing(Native(world)) as place:
        rows = spin(place)
    tap.equal(len(rows), WINDOWS, 'each mark ends a window')
    tap.ok(not sum(row['K'] + row['U'] + row['exits'] for row in rows),
           'without a guest nothing is counted as one\'s', rows)
    return whole(turns(rows, 'u'), tap, 'a program of the host: every turn is counted')


def check_guest(tap, world, host):
    with closing(Guests(world, 'bridge', 'vhost-net')) as guests:
        rows = spin(guests.grow(1)[0])
    tap.equal(whole(turns(rows, 'U'), tap, 'a program of a guest: every turn is counted'),
              host, 'a turn is the same in both')
    tap.ok(all(value < 0.05 for value in turns(rows, 'u')),
           'none of them is counted as the host\'s', rows)
    tap.ok(all(0 < row['exits'] < 50000 and row['K'] for row in rows),
           'the guest\'s ticks are seen, as exits and in its kernel', rows)


def main(tap):
    default_device()
    with closing(World()) as world:
        check_guest(tap, world, check_host(tap, world))


if __name__ == '__main__':
    Tap.main(main)
