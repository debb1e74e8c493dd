#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guests on one bridge, and a peer, send each other frames that say whom they are for,
and look at all that comes in (tagged.c): no frame comes to whom it is not for."""
import argparse
import re
import signal
from contextlib import ExitStack

from host import OUT
from lab import Guest, Outside, Tap, Tapdev, counters, insmod, ip, twins

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


def main(tap, options):
    insmod()
    with ExitStack() as stack:
        net = stack.enter_context(Outside())
        taps = [net.tap] + [stack.enter_context(Tapdev(f'tap{i}'))
                            for i in range(1, options.guests)]
        for extra in taps[1:]:
            net.bridge.add(extra.name)
        guests = [stack.enter_context(Guest(tap=each, mem=192)) for each in taps]
        for guest in guests:
            guest.wait_boot(180)
            guest.ifup()
        tap.equal(len(twins()), options.guests, 'each guest has a twin')
        members = Members(guests, net.peer)
        check(tap, members, options)
        for twin in twins():
            tap.note(f'{twin}: ' + ', '.join(
                f'{queue} {values["packets"]}' for queue, values in
                counters(twin).items()))
        check_hub(tap, members)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--guests', type=int, default=3)
    parser.add_argument('-n', '--count', type=int, default=500,
                        help='frames from each to each other')
    parser.add_argument('--patience', type=int, default=600,
                        help='seconds that it may take')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options))
