#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""UDP datagrams of every size, once each way: none is lost, none is changed.

Sizes beyond the MTU are sent in fragments by the guest's and the peer's IP
layers: with an MTU of 1500, 65507 bytes are 45 frames that all must arrive.
With one of 9000 they are 8, and a frame fills many buffers; as that is much
faster, it is what every size is tried with.
"""
import argparse

from lab import (Guest, Outside, Tap, counters, default_device, ip, receive,
                 twins, wait_until)

PEER, GUEST = '10.9.0.1', '10.9.0.2'
# Frames in flight, less than the queues on the way hold.
FRAMES = 180


def sweep(tap, name, source, destination, addr, port, sizes, window):
    first, last, step = sizes
    receiver = receive(destination,
                       f'udp-sweep-recv {port} {first} {last} {step} 20')
    sent = source.probe(
        f'udp-sweep-send {addr} {port} {first} {last} {step} {window}',
        timeout=1500, check=False)
    report = receiver.wait(timeout=60, check=False)
    count = (last - first) // step + 1
    tap.ok(f'received {count} ' in report and 'lost 0' in report and
           'changed 0' in report,
           f'{name}, sizes {first} to {last} in steps of {step}: '
           'none lost, none changed', sent + report)
    tap.note(f'{name}: {report.strip()}')


def set_mtu(net, guest, mtu):
    for name in (net.nic, net.tap.name, net.bridge.name):
        ip(f'link set {name} mtu {mtu}')
    ip(f'link set {net.peer.nic} mtu {mtu}', net.peer.netns)
    net.peer.wait_carrier()
    guest.sh(f'ip link set eth0 mtu {mtu}')


def main(tap, options):
    sizes = (options.first, options.last, options.step)
    with Outside() as net, \
            Guest(device=options.device or default_device(), tap=net.tap) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        set_mtu(net, guest, options.mtu)
        tap.note(f'MTU {options.mtu}')
        # A NIC whose MTU was changed has its link renegotiated.
        wait_until(lambda: guest.ping(PEER, count=1), 60, 'the peer')
        window = FRAMES // (1 + options.last // (options.mtu - 28))
        sweep(tap, 'from the guest', guest, net.peer, PEER, 6001, sizes, window)
        sweep(tap, 'to the guest', net.peer, guest, GUEST, 6002, sizes, window)
        for twin in twins():
            for queue, values in counters(twin).items():
                drops = {k: v for k, v in values.items()
                         if v and k.startswith(('drop_', 'ring_error_'))}
                tap.equal(drops, {}, f'{queue} has counted no drop and no error')
                tap.note(f'{queue}: ' + ' '.join(
                    f'{k}={v}' for k, v in values.items() if v))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--first', type=int, default=1)
    parser.add_argument('--last', type=int, default=65507)
    parser.add_argument('--step', type=int, default=1)
    parser.add_argument('--mtu', type=int, default=1500)
    parser.add_argument('--device')
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
