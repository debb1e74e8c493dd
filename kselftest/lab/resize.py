#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""VIRTIO_F_RING_RESET: ethtool -G changes the rings' sizes under traffic, one
queue being reset while the other goes on."""
from lab import Guest, Outside, Tap, acked, counters, default_device, twins
from traffic import Traffic, transfer

PEER, GUEST = '10.9.0.1', '10.9.0.2'
RING_RESET = 40
BYTES = 4 << 20
SIZES = ((128, 256), (256, 64), (64, 128), (256, 256))
WAYS = ('', 'packed=on')


def resize(tap, guest, options, rx, tx):
    guest.sh(f'ethtool -G eth0 rx {rx} tx {tx}')
    shown = guest.sh('ethtool -g eth0').split('Current', 1)[1].split()
    now = {name: shown[shown.index(name + ':') + 1] for name in ('RX', 'TX')}
    name = f'{options or "split"}: ethtool -G eth0 rx {rx} tx {tx}'
    tap.equal(now, {'RX': str(rx), 'TX': str(tx)}, f'{name} is obeyed under traffic')
    tap.ok(guest.ping(PEER), f'{name}: the peer is reached')


def one_way(tap, net, options):
    with Guest(device=default_device(), tap=net.tap, device_opts=options) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), f'{options or "split"}: the peer is reached')
        tap.ok(RING_RESET in acked(twins()[0]),
               f'{options or "split"}: the guest took RING_RESET')
        traffic = Traffic(guest, net.peer, GUEST, PEER)
        for rx, tx in SIZES:
            resize(tap, guest, options, rx, tx)
        traffic.stop()
        before = counters(twins()[0], 'tx0')['packets']
        transfer(tap, f'{options or "split"}: {BYTES} bytes from the guest are unchanged',
                 guest, net.peer, PEER, 5001, BYTES)
        transfer(tap, f'{options or "split"}: {BYTES} bytes to the guest are unchanged',
                 net.peer, guest, GUEST, 5002, BYTES)
        sent = counters(twins()[0], 'tx0')['packets'] - before
        tap.ok(sent >= BYTES >> 16, f'{options or "split"}: it was the twin that sent',
               sent)


def main(tap):
    with Outside() as net:
        for options in WAYS:
            one_way(tap, net, options)


Tap.main(main)
