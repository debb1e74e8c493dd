#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guests on one bridge, or on macvtaps of one NIC, and a peer, send each other frames that
say whom they are for, and look at all that comes in (tagged.c): no frame comes to whom it
is not for."""
import argparse
import re
import signal
import socket
from contextlib import ExitStack

from host import OUT
from lab import (Guest, Macvtap, Outside, Peer, Tap, Tapdev, counters, insmod, ip, nics,
                 run, twins, wait_until)
from net import carrier

SUMS = re.compile(r'sums: received (\d+) strays (\d+) changed (\d+) disorder (\d+)')


class Members:
    """All guests, and the peer as the last: run() one exchange."""

    def __init__(self, guests, peer):
        self.guests, self.peer = guests, peer
        nic = peer.run(f'cat /sys/class/net/{peer.nic}/address').strip()
        self.macs = [guest.mac for guest in guests] + [nic]

    def _command(self, program, device, me, count):
        return f'{program} {device} {me} {count} ' + ' '.join(self.macs)

    def exchange(self, count, timeout):
        """Each sends count frames to each other; [(received, strays, changed,
        disorder)] when all have told that they have had all."""
        jobs = [guest.spawn('exec ' + self._command('tagged', 'eth0', me, count))
                for me, guest in enumerate(self.guests)]
        last = self.peer.spawn(self._command(f'{OUT}/tagged', self.peer.nic,
                                             len(self.guests), count))
        for job in [*jobs, last]:
            job.wait_for('done', timeout)
        for guest in self.guests:
            guest.sh('killall -TERM tagged')
        last.process.send_signal(signal.SIGTERM)
        return [tuple(map(int, SUMS.search(job.wait()).groups()))
                for job in [*jobs, last]]


def tell(tap, sums):
    tap.note('received, strays, changed, out of order: '
             + ', '.join(' '.join(map(str, each)) for each in sums))


def check(tap, members, options):
    sums = members.exchange(options.count, options.patience)
    others = len(sums) - 1
    tell(tap, sums)
    tap.equal([each[0] for each in sums], [others * options.count] * len(sums),
              f'{others * options.count * len(sums)} frames come to whom they are for')
    tap.equal([each[1] for each in sums], [0] * len(sums),
              'none comes to anybody else')
    tap.equal([each[2:] for each in sums], [(0, 0)] * len(sums),
              'none is changed, lost or doubled, and they come in order')


def check_hub(tap, members):
    """A bridge that forgets at once sends all to all: such frames are seen."""
    ip('link set br0 type bridge ageing_time 0')
    sums = members.exchange(20, 300)
    tell(tap, sums)
    tap.ok(all(each[1] for each in sums), 'on a hub each sees frames for others', sums)


def switched():
    """Frames that twins have given to other twins."""
    return sum(counters(twin, 'tx0')['packets_switched'] for twin in twins())


def check_switched(tap, options):
    """What a guest sends to another one does not pass the NIC."""
    for twin in twins():
        tx = counters(twin, 'tx0')
        tap.ok(tx['packets_switched'] >= (options.guests - 1) * options.count,
               f'{twin}: what is for other guests is given to their twins',
               tx['packets_switched'])
        tap.ok(tx['packets_direct'] >= options.count,
               f'{twin}: and what is for the peer to the driver', tx['packets_direct'])


def check_watched(tap, members, lower, taps):
    """Not where somebody has a say, or listens."""
    def exchange(name):
        before = switched()
        sums = members.exchange(20, 300)
        tap.ok(all(each[0] == (len(sums) - 1) * 20 for each in sums),
               f'with {name} frames come as before', sums)
        tap.equal(switched() - before, 0, 'but not from twin to twin')

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as capture:
        capture.bind((lower, 3))
        exchange('a listener on the NIC')
    for dev in (lower, *(each.name for each in taps)):
        run(f'tc qdisc add dev {dev} clsact')
        run(f'tc filter add dev {dev} ingress matchall action ok')
    exchange('filters on all devices')
    for dev in (lower, *(each.name for each in taps)):
        run(f'tc qdisc del dev {dev} clsact')
    before = switched()
    members.exchange(20, 300)
    tap.ok(switched() > before, 'without them frames go from twin to twin again')


def on_bridge(stack, options):
    """(taps, peer, the NIC)"""
    net = stack.enter_context(Outside())
    taps = [net.tap] + [stack.enter_context(Tapdev(f'tap{i}'))
                        for i in range(1, options.guests)]
    for extra in taps[1:]:
        net.bridge.add(extra.name)
    return taps, net.peer, net.nic


def set_byte_limit(nic, least):
    """What a NIC takes at once, at least; what it does not take goes the long way."""
    with open(f'/sys/class/net/{nic}/queues/tx-0/byte_queue_limits/limit_min', 'w',
              encoding='ascii') as file:
        file.write(str(least))


def on_macvtaps(stack, options):
    """The same; and a NIC that has room for all that is sent."""
    lower, other = nics()
    set_byte_limit(lower, 1 << 20)
    stack.callback(set_byte_limit, lower, 0)
    peer = stack.enter_context(Peer(nic=other))
    taps = [stack.enter_context(Macvtap(lower, f'macvtap{i}', mac=f'52:54:00:00:02:{i:02x}'))
            for i in range(1, options.guests + 1)]
    wait_until(lambda: carrier(lower), 30, f'the carrier of {lower}')
    peer.wait_carrier()
    return taps, peer, lower


def main(tap, options):
    insmod()
    with ExitStack() as stack:
        taps, peer, lower = (on_macvtaps if options.macvtap else on_bridge)(stack, options)
        guests = [stack.enter_context(Guest(tap=each, mem=192)) for each in taps]
        for guest in guests:
            guest.wait_boot(180)
            guest.ifup()
        tap.equal(len(twins()), options.guests, 'each guest has a twin')
        members = Members(guests, peer)
        check(tap, members, options)
        for twin in twins():
            tap.note(f'{twin}: ' + ', '.join(
                f'{queue} {values["packets"]}' for queue, values in
                counters(twin).items()))
        if options.macvtap:
            check_switched(tap, options)
            check_watched(tap, members, lower, taps)
        else:
            check_hub(tap, members)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--guests', type=int, default=3)
    parser.add_argument('-n', '--count', type=int, default=500,
                        help='frames from each to each other')
    parser.add_argument('--macvtap', action='store_true',
                        help='on macvtaps of one NIC instead of a bridge')
    parser.add_argument('--patience', type=int, default=600,
                        help='seconds that it may take')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options))
