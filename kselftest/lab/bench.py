#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Do the work that scripts/bench measures, by each contender in turn.

What is executed meanwhile is counted by the emulator, window by window; here
is only noted which windows belong to what: one line of JSON for each cell, in
/out/bench/cells.  A cell is one work by one contender over one network.
"""
import argparse
import json
import time
from contextlib import closing

from lab import Error, Tap, Unanswered, default_device
from bench_places import AGGREGATES, Guests, Native, World
from bench_work import chosen, transmit

OUT = '/out/bench'
# What runs by the clock and not for a frame: polling before a vCPU is put to
# sleep, and the search for pages to merge into huge ones.
QUIET = {
    '/sys/module/kvm/parameters/halt_poll_ns': '0',
    '/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs': '4000000',
}
# The contenders that one device serves, and so the same guests.
SHARING = {'inline': ('inline', 'worker', 'softirq', 'adaptive', *AGGREGATES),
           'vhost-net': ('vhost-net',), 'qemu': ('qemu',)}


def laps():
    """How many marks there were so far."""
    with open(OUT + '/count.laps') as file:
        return sum(1 for _ in file)


def keep(name, text):
    with open(f'{OUT}/{name}', 'w') as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def note(cell):
    with open(OUT + '/cells', 'a') as file:
        file.write(json.dumps(cell) + '\n')


def measure(tap, net, contender, places, work, count):
    """Do one work and note its cell."""
    claim = f'{work.name}, {net}, {contender}'
    places[0].world.moderate(work.usecs)
    first, began = laps() + 1, time.monotonic()
    try:
        work.run(places, work, count)
    except Unanswered:
        raise
    except Error as error:
        tap.ok(False, claim, error)
        return
    marks = laps() - first
    if not tap.equal(marks, count, claim):
        return
    note({'work': work.name, 'title': work.title, 'unit': work.unit,
          'bytes': work.bytes, 'net': net, 'contender': contender,
          'guests': work.guests, 'units': work.per_lap,
          'generated': work.run is transmit,
          'laps': list(range(first, first + count)),
          'modules': places[0].modules()})
    tap.note(f'{time.monotonic() - began:.1f} s')


def native(tap, world, works, count):
    with closing(Native(world)) as place:
        for work in works:
            if work.guests == 1:
                measure(tap, place.net, place.contender, [place], work, count)


def one_work(tap, guests, work, options):
    """Have each contender that the guests can stand for do a work."""
    places = guests.grow(work.guests)
    for contender in SHARING[guests.device]:
        if contender in options.contenders:
            guests.choose(contender)
            measure(tap, guests.net, contender, places, work, options.windows)


def virtual(tap, world, net, device, options, works):
    """All works by guests of one device; with fresh ones from there on where one has not
    answered."""
    left, tries = list(works), 4
    while left and tries:
        tries -= 1
        with closing(Guests(world, net, device)) as guests:
            try:
                while left:
                    one_work(tap, guests, left[0], options)
                    del left[0]
            except Unanswered as error:
                tap.note(f'{net}, {device}: anew from {left[0].name} on, as {error}')
    tap.ok(not left, f'{net}, {device}: all works were done', left)


def main(tap, options):
    default_device()
    for path, value in QUIET.items():
        with open(path, 'w') as file:
            file.write(value)
    works = chosen(options.works, options.quick)
    with closing(World()) as world:
        if 'native' in options.contenders:
            native(tap, world, works, options.windows)
        for net in options.nets:
            for device, contenders in SHARING.items():
                if set(contenders) & set(options.contenders):
                    virtual(tap, world, net, device, options, works)
    keep('kallsyms', read('/proc/kallsyms'))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--works', nargs='+', default=[])
    parser.add_argument('--nets', nargs='+', default=['bridge', 'macvtap'])
    parser.add_argument('--contenders', nargs='+', default=[
        'native', 'vhost-net', 'qemu', 'inline', 'worker', 'softirq', 'adaptive'])
    parser.add_argument('--windows', type=int, default=7)
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
