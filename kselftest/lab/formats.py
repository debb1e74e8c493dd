#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest's driver may choose the ring's format and what goes with it: each
way in which stock QEMU offers them moves traffic unchanged."""
import argparse
import itertools
import platform

from lab import Guest, Outside, Tap, acked, counters, default_device, run, twins
from traffic import transfer

PEER, GUEST = '10.9.0.1', '10.9.0.2'
BYTES = 4 << 20
# The guest's kernel is the host's; 6.12's driver knows nothing of the order.
KNOWS_ORDER = int(platform.release().split('.')[0]) >= 7
MRG_RXBUF, INDIRECT, EVENT_IDX, PACKED, IN_ORDER = 15, 28, 29, 34, 35
# What QEMU is told, which features the guest must have taken, and which not.
WAYS = (
    ('packed=on', {PACKED, INDIRECT, EVENT_IDX}, set()),
    ('packed=on,event_idx=off', {PACKED, INDIRECT}, {EVENT_IDX}),
    ('packed=on,indirect_desc=off,mrg_rxbuf=off', {PACKED, EVENT_IDX}, {INDIRECT}),
    ('packed=on,in_order=on,rx_queue_size=1024', {PACKED, IN_ORDER}, set()),
    ('in_order=on,rx_queue_size=1024', {IN_ORDER}, {PACKED}),
    ('event_idx=off,indirect_desc=off', set(), {PACKED, EVENT_IDX, INDIRECT}),
)


# Each of them on and off: what QEMU calls it, and the bit.
CROSSED = {'packed': PACKED, 'in_order': IN_ORDER, 'event_idx': EVENT_IDX,
           'indirect_desc': INDIRECT, 'mrg_rxbuf': MRG_RXBUF}
SIZES = (256, 512, 1024)


def every_way():
    """All of them crossed; the size of the receive ring, and whether single queues
    can be reset, by turns."""
    for number, states in enumerate(itertools.product((False, True),
                                                      repeat=len(CROSSED))):
        chosen = dict(zip(CROSSED, states))
        options = [f'{name}={"on" if on else "off"}' for name, on in chosen.items()
                   if name != 'in_order' or on]
        options.append(f'rx_queue_size={SIZES[number % 3]}')
        options.append(f'queue_reset={"on" if number % 4 < 2 else "off"}')
        yield (','.join(options), {CROSSED[name] for name, on in chosen.items() if on},
               {CROSSED[name] for name, on in chosen.items() if not on})


def offers(name):
    """Has this QEMU such a property?"""
    return name + '=' in run('qemu-system-x86_64 -device virtio-net-pci,help')


def bad_counters():
    return {f'{queue} {name}': n for queue, values in counters(twins()[0]).items()
            for name, n in values.items()
            if n and name.startswith(('drop_', 'ring_error_'))}


def one_way(tap, net, device, options, taken, left):
    with Guest(device=device, tap=net.tap, device_opts=options) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), f'{options}: the peer is reached')
        bits = acked(twins()[0])
        missing = taken - bits
        tap.ok(not missing and not left & bits, f'{options}: the guest took that',
               f'missing {missing}, not to be there {left & bits}')
        transfer(tap, f'{options}: {BYTES} bytes from the guest are unchanged',
                 guest, net.peer, PEER, 5001, BYTES)
        transfer(tap, f'{options}: {BYTES} bytes to the guest are unchanged',
                 net.peer, guest, GUEST, 5002, BYTES)
        guest.qmp('stop')
        guest.qmp('cont')
        tap.ok(guest.ping(PEER), f'{options}: so it is after stop and cont')
        guest.reset()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), f'{options}: and after a reset')
        tap.equal(bad_counters(), {}, f'{options}: no drop and no error')


def main(tap, parsed):
    device = default_device()
    ways = every_way() if parsed.all else WAYS[:parsed.ways]
    with Outside() as net:
        for options, taken, left in ways:
            if 'in_order' in options and not (offers('in_order') and KNOWS_ORDER):
                tap.skip(options, 'QEMU or the guest\'s driver knows no such feature')
                continue
            one_way(tap, net, device, options, taken, left)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--ways', type=int, default=len(WAYS),
                        help='only so many of them')
    parser.add_argument('--all', action='store_true',
                        help='all that QEMU offers, on and off, crossed')
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
