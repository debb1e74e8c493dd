#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How fast a neighbour's frames are while a rogue guest (rogue.py) storms, against how
fast they are while that guest is merely busy.  Prints figures; what they are is no pass
or fail.  The lab host needs three CPUs (--smp 3): the rogue has one, with its twin's
worker, the neighbour has one, and the outside has one.  If the machine has fewer, or
something else to do, what shows is mostly that."""
import argparse
import glob
import os
import statistics
import time

from host import PROBE
from lab import Guest, Tap, Tapdev, counters, insmod, spawn, wait_until
from rogue import HOST, Rogue, faults, total

NEIGHBOUR, OUTSIDE = '10.9.0.2', '10.9.0.1'
CPUS = {'rogue': 0, 'neighbour': 1, 'outside': 2}
BUSY = 'busy'


def pin(pid, cpu):
    for path in glob.glob(f'/proc/{pid}/task/*'):
        os.sched_setaffinity(int(path.rsplit('/', 1)[1]), {cpu})


def pin_workers(pid, cpu):
    """The twins' workers of a VMM; how many there are."""
    found = 0
    for path in glob.glob('/proc/[0-9]*/comm'):
        with open(path) as file:
            if file.read().strip() == f'ktwin-{pid}':
                os.sched_setaffinity(int(path.split('/')[2]), {cpu})
                found += 1
    return found


class Mode:
    """What the rogue does in a window, and what came of it."""

    def __init__(self, name, kicks=None):
        self.name, self.kicks = name, kicks
        self.rates, self.malformed, self.kicked = [], 0, 0

    def start(self, rogue):
        if self.kicks is None:
            return rogue.guest.spawn('exec load spin 1 0')
        rogue.options.kicks = self.kicks
        job = rogue.start()
        before = total(faults(rogue.queues()))
        wait_until(lambda: total(faults(rogue.queues())) > before, 60,
                   'the first malformed ring')
        return job

    def stop(self, rogue, job):
        rogue.guest.sh('killall -TERM ' + ('load' if self.kicks is None else 'rogue'))
        job.wait(60, check=False)


def rate(twin, seconds):
    """Frames a second, both ways, for so long."""
    def moved():
        return sum(values['packets'] for values in counters(twin).values())

    before, began = moved(), time.monotonic()
    time.sleep(seconds)     # a window: there is nothing to wait for
    return (moved() - before) / (time.monotonic() - began)


def window(tap, mode, rogue, twin, seconds):
    job = mode.start(rogue)
    before = rogue.queues()
    mode.rates.append(rate(twin, seconds))
    after = rogue.queues()
    mode.malformed += total(faults(after)) - total(faults(before))
    mode.kicked += sum(after[q]['kicks'] - before[q]['kicks'] for q in after)
    tap.note(f'{mode.name}: {mode.rates[-1]:.0f} frames/s')
    mode.stop(rogue, job)


def tell(tap, modes):
    base = modes[0].rates
    for mode in modes:
        ratios = [100 * one / other for one, other in zip(mode.rates, base)]
        tap.note(f'{mode.name}: {statistics.median(mode.rates):.0f} frames/s, '
                 f'{min(mode.rates):.0f} to {max(mode.rates):.0f}; of the busy one\'s '
                 f'{statistics.median(ratios):.1f} %, {min(ratios):.1f} to '
                 f'{max(ratios):.1f}; {mode.malformed} malformed rings, '
                 f'{mode.kicked} kicks')


def measure(tap, rogue, neighbour, options):
    modes = [Mode(BUSY), Mode('malformed rings', 1),
             Mode('malformed rings and kicks', options.kicks)]
    twin = f'{neighbour.pid}-0'
    server = spawn(f'{PROBE} udp-echo 7000').wait_for('ready')
    pin(server.process.pid, CPUS['outside'])
    client = neighbour.spawn(f'exec load rr-client {OUTSIDE} 7000 {options.flight} 1 0')
    for _ in range(options.windows):
        for mode in modes:
            window(tap, mode, rogue, twin, options.seconds)
    tap.equal(client.code(), None, 'the neighbour\'s client goes on to the end')
    server.stop()
    tell(tap, modes)
    tap.ok(all(min(mode.rates) > 0 for mode in modes),
           'the neighbour\'s frames move in every window')
    tap.ok(all(mode.malformed for mode in modes[1:]),
           'the rogue\'s twin counts malformed rings meanwhile')
    tap.equal(total(faults(counters(twin))), 0, 'the neighbour\'s counts none')


def main(tap, options):
    if os.cpu_count() < len(CPUS):
        tap.skip('a neighbour\'s rate', 'scripts/lab/run --smp 3')
        return
    insmod()
    Guest.watched = False
    os.sched_setaffinity(0, {CPUS['outside']})
    with Tapdev('tap0', addr=OUTSIDE + '/24') as other, \
            Guest(tap=other, name='neighbour') as neighbour:
        rogue = Rogue(options)
        try:
            for guest, name in ((neighbour, 'neighbour'), (rogue.guest, 'rogue')):
                pin(guest.pid, CPUS[name])
                guest.wait_boot(400)
                pin(guest.pid, CPUS[name])
                tap.equal(pin_workers(guest.pid, CPUS[name]), 1,
                          f'the {name}\'s twin has one worker, on CPU {CPUS[name]}')
            neighbour.ifup(NEIGHBOUR + '/24')
            tap.ok(neighbour.ping(OUTSIDE) and rogue.works(), 'both guests are sound')
            rogue.unbind()
            measure(tap, rogue, neighbour, options)
            rogue.bind()
            tap.ok(rogue.works(), f'the rogue reaches {HOST} again')
        finally:
            rogue.close()


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--windows', type=int, default=5, help='of each kind')
    parser.add_argument('--seconds', type=float, default=4, help='of each window')
    parser.add_argument('--flight', type=int, default=8,
                        help='the neighbour\'s requests at a time')
    parser.add_argument('-k', '--kicks', type=int, default=1000, help='for each ring')
    parser.add_argument('-s', '--seed', type=int, default=1)
    parsed = parser.parse_args()
    parsed.rounds, parsed.vcpus, parsed.strays = 10 ** 9, 1, False
    Tap.main(lambda tap: main(tap, parsed))
