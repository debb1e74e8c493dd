#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Live migration of a running guest under traffic, from QEMU to QEMU on the lab host:
fast twin to fast twin, to vhost-net, and back.

Before the guest goes on, its memory on the other side is compared with what it left
behind, byte by byte: a page that was written to and not logged would differ.
"""
import argparse
import collections
import itertools
import os

from guest import MACHINE
from host import DEVICE
from lab import (Guest, Outside, Tap, Tapdev, counters, insmod, receive, run,
                 twins, wait_until)
from traffic import Traffic

PEER, GUEST = '10.9.0.1', '10.9.0.2'
DEVICES = {'t': DEVICE, 'v': '/dev/vhost-net'}
BYTES = 48 << 20
ENOUGH = 50             # frames
MEM = 192
# The host's own page of the guest, which it writes to when it likes.
NO_CLOCK = 'no-kvmclock no-steal-acc'


class Places:
    """Two places on the bridge where the guest can be, in turns."""

    def __init__(self, net, tap1):
        self.taps = itertools.cycle([net.tap, tap1])
        self.count = 0

    def start(self, device, mac, incoming=False):
        self.count += 1
        ram = f'/dev/shm/ram-{self.count}'
        args = ['-object', f'memory-backend-file,id=ram,size={MEM}M,share=on,'
                           f'mem-path={ram}']
        if incoming:
            args += ['-incoming', f'unix:{ram}.socket', '-S']
        # Older kernels' vhost-net does not offer what a twin has for this.
        guest = Guest(device=device, tap=next(self.taps), mem=MEM, mac=mac, args=args,
                      device_opts='queue_reset=off', append=NO_CLOCK,
                      machine=MACHINE + ',memory-backend=ram')
        guest.ram = ram
        return guest


def migrate(source, dest):
    """Returns what QEMU says of it; the guest is stopped on either side then."""
    source.qmp('migrate', uri=f'unix:{dest.ram}.socket')

    def ended():
        state = source.qmp('query-migrate')
        return state if state.get('status') in ('completed', 'failed') else None
    state = wait_until(ended, 300, 'the end of the migration', 0.2)
    wait_until(lambda: dest.qmp('query-status')['status'] == 'paused', 60,
               'the guest on the other side')
    return state


def differing(source, dest):
    """The pages that are not the same, and how many bytes of each."""
    pages = collections.Counter()
    for line in run(['cmp', '-l', source.ram, dest.ram], check=False).splitlines():
        pages[hex((int(line.split()[0]) - 1) & ~4095)] += 1
    return dict(pages)


def received():
    """Frames that the twins, if there are any, have given to the guest."""
    return sum(counters(twin, 'rx0')['packets'] for twin in twins())


def leave(source):
    source.shutdown()
    os.unlink(source.ram)


class Stream:
    """A stream to the guest that goes on wherever it is."""

    def __init__(self, net, guest, port):
        self.receiver = receive(guest, f'tcp-recv {port} {BYTES} {port}')
        self.sender = net.peer.probe_spawn(f'tcp-send {GUEST} {port} {BYTES} {port}')

    def check(self, tap, kind, guest):
        self.receiver.guest = guest
        report = self.receiver.wait(300, check=False) + self.sender.wait(60, check=False)
        tap.ok(f'received {BYTES} bytes' in report and f'sent {BYTES} bytes' in report,
               f'{kind}: a stream to it has come whole', report)


def hop(tap, net, places, source, device, streams):
    """Take the guest elsewhere; returns where it is.  Without a stream its receive
    buffers are filled long after it has touched them itself, by pings: what is not
    logged then shows best."""
    kind = f'hop {places.count}, {source.device} to {device}'
    dest = places.start(device, source.mac, incoming=True)
    stream = Stream(net, source, 7000 + places.count) if streams else None
    before = received()
    state = migrate(source, dest)
    frames = received() - before
    tap.equal(state['status'], 'completed', f'{kind}: the guest is on the other side')
    if source.device == DEVICE:
        tap.ok(frames > ENOUGH, f'{kind}: frames came in meanwhile', frames)
    tap.equal(differing(source, dest), {}, f'{kind}: all of its memory is the same')
    dest.adopt(source)
    dest.qmp('cont')
    if stream:
        stream.check(tap, kind, dest)
    tap.ok(dest.ping(PEER), f'{kind}: it reaches the peer')
    ram = state['ram']
    tap.note(f'{kind}: {frames} frames, {ram["transferred"] >> 20} MiB, '
             f'{ram["dirty-sync-count"]} rounds, stopped for {state.get("downtime")} ms')
    leave(source)
    return dest


def main(tap, options):
    insmod()
    run('modprobe vhost_net')
    route = itertools.cycle(DEVICES[letter] for letter in options.route)
    with Outside() as net, Tapdev('tap1') as tap1:
        net.bridge.add('tap1')
        places = Places(net, tap1)
        guest = places.start(next(route), '52:54:00:00:03:01')
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'the guest reaches the peer')
        traffic = Traffic(guest, net.peer, GUEST, PEER)
        for number in range(options.hops):
            guest = hop(tap, net, places, guest, next(route), number % 2)
            traffic.guest = traffic.out.guest = guest
        traffic.stop()
        leave(guest)
    tap.equal(twins(), [], 'no twin is left')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--hops', type=int, default=4)
    parser.add_argument('--route', default='tvtt', help='t: a twin, v: vhost-net')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options))
