#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest and the outside world reach each other, and no byte changes.

guest -- virtio-net -- DEVICE -- tap0 -- br0 -- e1000e == e1000e -- peer
"""
import argparse

from lab import Guest, Outside, Tap, default_device, run
from traffic import transfer

BYTES = 64 << 20
PEER, GUEST = '10.9.0.1', '10.9.0.2'


def main(tap, device):
    tap.note(f'device {device}')
    with Outside() as net, Guest(device=device, tap=net.tap) as guest:
        tap.ok(True, 'QEMU starts with the device')
        tap.note(f'guest up in {guest.wait_boot():.1f} s')
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'the guest reaches the peer')
        tap.ok(net.peer.ping(GUEST), 'the peer reaches the guest')
        transfer(tap, '64 MiB from the guest arrive unchanged',
                 guest, net.peer, PEER, 5001, BYTES)
        transfer(tap, '64 MiB to the guest arrive unchanged',
                 net.peer, guest, GUEST, 5002, BYTES)
        tap.note(f'guest up in {guest.reset():.1f} s after a reset')
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'the guest reaches the peer after a reset')
    run(f'test ! -e /proc/{guest.pid}')
    tap.note(f'{tap.elapsed():.1f} s in all')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', help='/dev/kvm-twin if there is one, '
                        'else /dev/vhost-net')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options.device or default_device()))
