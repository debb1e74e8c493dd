#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A program that has /dev/vhost-net built in works when our node is
bind-mounted over it; and a macvtap is as good a backend as a tap."""
from lab import (Guest, Macvtap, Outside, Peer, Tap, counters, default_device,
                 ip, nics, run, twins)

PEER, GUEST = '10.9.0.1', '10.9.0.2'
NODE = '/dev/vhost-net'


def built_in(tap):
    """QEMU with vhost=on and no vhostfd opens the node itself."""
    run(f'busybox mount --bind {default_device()} {NODE}')
    try:
        with Outside() as net, Guest(device=None, tap=net.tap,
                                     netdev_opts='vhost=on') as guest:
            guest.wait_boot()
            guest.ifup(GUEST + '/24')
            tap.ok(guest.ping(PEER), f'QEMU that opens {NODE} itself reaches '
                   'the peer')
            tap.ok(counters(twins()[0], 'tx0')['packets'], 'through our twin')
    finally:
        run(f'busybox umount {NODE}')


def macvtap(tap):
    lower, other = nics()
    with Peer(PEER + '/24', other) as peer, Macvtap(lower) as port, \
            Guest(device=default_device(), tap=port) as guest:
        ip(f'link set {lower} promisc on')
        peer.wait_carrier()
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'over a macvtap the guest reaches the peer')
        tap.ok(peer.ping(GUEST), 'and the peer the guest')
        moved = {queue: values['packets']
                 for queue, values in counters(twins()[0]).items()}
        tap.ok(all(moved.values()), f'the twin has carried both ways: {moved}')


def main(tap):
    built_in(tap)
    macvtap(tap)


Tap.main(main)
