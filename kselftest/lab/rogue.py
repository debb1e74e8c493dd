#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A rogue guest, which misuses its own rings at speed (rogue.c), and a neighbour on
the same host, which goes on with checked traffic meanwhile."""
import argparse
import statistics
import time

from formats import offers
from host import DEVICE, PROBE
from lab import (Error, Guest, Outside, Tap, Tapdev, counters, default_device, ip, receive,
                 spawn, twins)
from traffic import Sweeps, sweep_command

PEER, NEIGHBOUR = '10.9.0.1', '10.9.0.2'
HOST, ROGUE = '10.8.0.1', '10.8.0.2'
# Pages that a spoilt address may mean, just above the first 64 KiB: the rogue's
# kernel is not to have anything there that frames would be written over.
APPEND = 'memmap=64K$64K'
# Frames for the rogue to receive: more than it takes, and no more than the tap has
# room for.
FEED = f'{PROBE} udp-burst {ROGUE} 9 1000000000 2 100 2000'
FORMATS = ('packed', 'in_order')
LOST = ('unable to start vhost', 'unable to restart vhost',
        'Error when restarting the queue')


class Rogue:
    """The rogue guest, with a tap of its own that leads to the host."""

    def __init__(self, options, device):
        self.tap = Tapdev('tap1', addr=HOST + '/24')
        with open('/proc/sys/net/ipv6/conf/tap1/disable_ipv6', 'w') as file:
            file.write('1')
        self.guest = Guest(device=device, tap=self.tap, name='rogue', append=APPEND,
                           vcpus=options.vcpus,
                           device_opts=','.join(
                               f'{name}=on' for name in FORMATS if offers(name)))
        ip(f'neigh replace {ROGUE} lladdr {self.guest.mac} dev tap1 nud permanent')
        self.options, self.device = options, device
        self.pci = self.feed = None

    def works(self):
        self.guest.ifup(ROGUE + '/24')
        return self.guest.ping(HOST)

    def unbind(self):
        path = self.guest.sh('readlink -f /sys/class/net/eth0/device/..')
        self.pci = path.strip().rsplit('/', 1)[1]
        self.guest.sh(f'echo {self.pci} >/sys/bus/pci/drivers/virtio-pci/unbind')
        self.feed = spawn(FEED)

    def bind(self):
        self.feed.stop()
        self.guest.sh(f'echo {self.pci} >/sys/bus/pci/drivers/virtio-pci/bind')

    def start(self, rounds=None, sound=False):
        words = [f'exec rogue {self.pci} -n {rounds or self.options.rounds}',
                 f'-s {self.options.seed} -k {self.options.kicks}']
        if self.options.strays:
            words.append('--strays')
        if sound:
            words.append('--sound')
        return self.guest.spawn(' '.join(words))

    def queues(self):
        return counters(f'{self.guest.pid}-0')

    def fell_back(self):
        """What QEMU says when it serves the NIC itself: lines of its log."""
        with open(self.guest.log, errors='replace') as file:
            return [line for line in file if any(text in line for text in LOST)]

    def close(self):
        if self.feed:
            self.feed.stop()
        self.guest.kill9()
        self.tap.close()


def faults(queues):
    """{queue: {kind: how often}} of what was malformed."""
    return {queue: {name.removeprefix('ring_error_'): value
                    for name, value in values.items()
                    if name.startswith('ring_error_') and value}
            for queue, values in queues.items()}


def total(found):
    return sum(sum(kinds.values()) for kinds in found.values())


def misuse(tap, rogue):
    """Runs the rogue to its end, and passes on what it says."""
    before = tap.count
    job = rogue.start()
    text = job.wait(rogue.options.patience, check=False)
    plans = [tap.pass_on('rogue', line) for line in text.splitlines()]
    tap.ok(tap.count - before in plans, 'the rogue came to its end',
           f'{text}exit code {job.code()}')


def tell(tap, rogue):
    queues = rogue.queues()
    found = faults(queues)
    for queue, kinds in found.items():
        tap.note(f'{queue}: {sum(kinds.values())} malformed rings: ' + ', '.join(
            f'{kind} {count}' for kind, count in kinds.items()))
        tap.note(' '.join(f'{name}={value}' for name, value in queues[queue].items()
                          if value and not name.startswith('ring_error_')))
    tap.ok(all(found.values()) and total(found) >= rogue.options.rounds // 4,
           f'the rogue\'s twin counts malformed rings, by kind: {total(found)}', found)
    tap.equal(sum(values['upcalls'] for values in queues.values()), total(found),
              'each of them stopped its queue once')
    tap.equal(rogue.fell_back(), [], 'it was the twin that served them all')
    tap.equal({name: faults(counters(name)) for name in twins()
               if not name.startswith(f'{rogue.guest.pid}-') and
               total(faults(counters(name)))}, {}, 'no other twin counts any')


def check_rogue(tap, rogue):
    misuse(tap, rogue)
    if rogue.device == DEVICE:
        tell(tap, rogue)
    rogue.bind()
    tap.ok(rogue.works(), 'the rogue is a sound guest again when a driver is bound')


def check_strays(tap, rogue):
    """What becomes of the rogue is QEMU's business; of the host, ours."""
    try:
        misuse(tap, rogue)
    except (Error, OSError) as error:
        tap.note(f'the rogue has ended: {error}')
        return
    tap.note(f'malformed: {faults(rogue.queues())}')
    tap.note(f'QEMU has taken over {len(rogue.fell_back())} times')


def check_rate(tap, rogue, neighbour):
    """How long the neighbour's datagrams take beside a guest that does nothing, one that is
    busy with itself, one that resets queues and kicks as the rogue does but has sound
    rings, and the rogue, by turns.  For reading: who has the CPU is chance."""
    def seconds(job=None):
        start = time.monotonic()
        neighbour.probe(sweep_command(PEER))
        duration = time.monotonic() - start
        if job:
            job.stop()
        return duration

    jobs = {
        'nobody': lambda: None,
        'a busy guest': lambda: rogue.guest.spawn('exec sh -c "while :; do :; done"'),
        'sound rings': lambda: rogue.start(10 ** 9, sound=True),
        'the rogue': lambda: rogue.start(10 ** 9)}
    beside = {who: [] for who in jobs}
    found = {who: 0 for who in jobs}
    for _ in range(rogue.options.rate):
        for who, job in jobs.items():
            before = total(faults(rogue.queues()))
            beside[who].append(seconds(job()))
            found[who] += total(faults(rogue.queues())) - before
    # A sound one is laid out anew while it may be looked at.
    tap.ok(found['the rogue'] > 2 * found['sound rings'],
           f'malformed rings are the rogue\'s: {found["the rogue"]}', found)
    medians = {who: statistics.median(times) for who, times in beside.items()}
    for who, times in beside.items():
        tap.note(f'{Sweeps.LAST} datagrams there and back take {medians[who]:.2f} s beside '
                 f'{who} ({min(times):.2f} to {max(times):.2f}); the rate beside the rogue '
                 f'is {100 * medians[who] / medians["the rogue"]:.0f} % of that')


def check_neighbour(tap, sums):
    tap.ok(sums and sums['lost'] == sums['changed'] == sums['duplicate'] == 0,
           'the neighbour loses no datagram meanwhile, and none is changed', sums)
    tap.note(f'the neighbour\'s datagrams, there and back: {sums}')


def main(tap, options):
    device = default_device()
    tap.note(f'seed {options.seed}, {device}')
    with Outside() as net, Guest(device=device, tap=net.tap, name='neighbour') as neighbour:
        rogue = Rogue(options, device)
        try:
            for guest in (neighbour, rogue.guest):
                guest.wait_boot(180)
            neighbour.ifup(NEIGHBOUR + '/24')
            tap.ok(neighbour.ping(PEER) and rogue.works(), 'both guests are sound')
            rogue.unbind()
            if options.rate:
                echo = receive(net.peer, 'udp-echo 7000')
                check_rate(tap, rogue, neighbour)
                echo.stop()
            else:
                sweeps = Sweeps(neighbour, net.peer, PEER)
                (check_strays if options.strays else check_rogue)(tap, rogue)
                check_neighbour(tap, sweeps.stop())
            tap.ok(neighbour.ping(PEER), 'the neighbour reaches the peer')
        finally:
            rogue.close()


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-n', '--rounds', type=int, default=500,
                        help='how many rings; most are malformed')
    parser.add_argument('-s', '--seed', type=int, default=1)
    parser.add_argument('-k', '--kicks', type=int, default=1, help='for each ring')
    parser.add_argument('--vcpus', type=int, default=1,
                        help='with 2 rings are spoilt while they are looked at')
    parser.add_argument('--strays', action='store_true',
                        help='rings where no memory is; QEMU may die of it')
    parser.add_argument('--rate', type=int, metavar='WINDOWS',
                        help='measure the neighbour\'s rate instead, in so many windows')
    parser.add_argument('--patience', type=int, default=3600,
                        help='seconds that it may take')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options))
