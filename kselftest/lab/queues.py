#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two queue pairs: both carry traffic, and ethtool -L works under it."""
from lab import (Guest, Outside, Tap, counters, default_device, receive, twins,
                 wait_until)
from traffic import Traffic

PEER, GUEST = '10.9.0.1', '10.9.0.2'
FLOWS = 8
BYTES = 4 << 20


def packets(queue):
    return [counters(twin, queue)['packets'] for twin in twins()]


def streams(tap, net, guest, name):
    """Several TCP streams at once, so that flows spread over the queues."""
    receivers = [receive(net.peer, f'tcp-recv {7100 + i} {BYTES} {i}')
                 for i in range(FLOWS)]
    senders = [guest.probe_spawn(f'tcp-send {PEER} {7100 + i} {BYTES} {i}')
               for i in range(FLOWS)]
    reports = [job.wait(300, check=False) for job in receivers]
    for job in senders:
        job.wait(60)
    tap.ok(all(f'received {BYTES} bytes' in text for text in reports), name,
           '\n'.join(reports))


def set_pairs(tap, guest, number):
    guest.sh(f'ethtool -L eth0 combined {number}')
    shown = guest.sh('ethtool -l eth0').split('Current', 1)[1]
    tap.ok(f'Combined:\t{number}' in shown.replace('Combined:\t\t', 'Combined:\t'),
           f'ethtool -L eth0 combined {number} is obeyed under traffic', shown)
    tap.ok(guest.ping(PEER), f'the peer is reached with {number} pair(s)')


def main(tap):
    device = default_device()
    with Outside(queues=2) as net, \
            Guest(device=device, tap=net.tap, vcpus=2) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.equal(len(twins()), 2, 'each queue pair has a twin of its own')
        guest.sh('ethtool -L eth0 combined 2')
        tap.ok(guest.ping(PEER), 'the guest reaches the peer')
        before = packets('tx0')
        streams(tap, net, guest, f'{FLOWS} streams of {BYTES} bytes arrive unchanged')
        moved = [b - a for a, b in zip(before, packets('tx0'))]
        tap.ok(all(moved), 'both TX queues have carried frames', moved)
        tap.note(f'frames by TX queue: {moved}')

        traffic = Traffic(guest, net.peer, GUEST, PEER)
        for number in (1, 2, 1, 2):
            set_pairs(tap, guest, number)
        traffic.stop()
        streams(tap, net, guest, 'streams arrive unchanged after all that')
        rx = packets('rx0')
        wait_until(lambda: all(packets('rx0')), 10, 'frames on both RX queues')
        tap.ok(all(rx), 'both RX queues have carried frames', rx)


Tap.main(main)
