#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A real guest under the policy adaptive: a stream of small datagrams takes few kicks,
one after a pause takes its own."""
from lab import Guest, Outside, Tap, counters, insmod, twins, wait_until

PEER, GUEST = '10.9.0.1', '10.9.0.2'


def burst(guest, bursts, frames, gap_us):
    """What the TX counters grow by."""
    before = counters(twins()[0], 'tx0')
    # Nobody listens there: the peer drops the datagrams.
    guest.probe(f'udp-burst {PEER} 7000 {bursts} {frames} 60 {gap_us}')
    wait_until(is_at_rest, 10, 'the end of the moderation')
    now = counters(twins()[0], 'tx0')
    return {name: now[name] - before[name] for name in now}


def is_at_rest():
    with open(f'/sys/kernel/debug/kvm-twin/{twins()[0]}/moderation') as file:
        return 'active=0' in file.read()


def drops(grown):
    return {name: value for name, value in grown.items()
            if name.startswith('drop_') and value}


def main(tap):
    insmod()
    with Outside() as net, Guest(tap=net.tap) as guest:
        guest.wait_boot(180)
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'the peer is reached')

        stream = burst(guest, 200, 64, 0)
        tap.note({name: value for name, value in stream.items() if value})
        tap.ok(stream['packets'] >= 200 * 64 and not drops(stream),
               'all of a stream is sent', stream)
        tap.ok(stream['kicks'] <= stream['packets'] / 4,
               'it takes less than a kick for four frames', stream)
        tap.ok(stream['moderations'] and stream['pumps_timer'],
               'as its ring is looked at by time', stream)

        lone = burst(guest, 50, 1, 20000)
        tap.note({name: value for name, value in lone.items() if value})
        tap.ok(lone['packets'] >= 50 and lone['kicks'] >= lone['packets'] * 0.9,
               'frames with pauses in between take a kick each', lone)
        tap.ok(guest.ping(PEER), 'the peer is still reached')


if __name__ == '__main__':
    Tap.main(main)
