#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two guests on a bridge talk to each other through two twins."""
import argparse

from lab import (Bridge, Guest, Tap, Tapdev, counters, default_device, twins)
from traffic import transfer

ADDR = ('10.9.1.1', '10.9.1.2')
BYTES = 16 << 20


def main(tap, device):
    with Tapdev('tap0') as tap0, Tapdev('tap1') as tap1, \
            Bridge('br0', ['tap0', 'tap1']), \
            Guest(device=device, tap=tap0) as one, \
            Guest(device=device, tap=tap1) as two:
        for guest, addr in zip((one, two), ADDR):
            guest.wait_boot()
            guest.ifup(addr + '/24')
        if device.endswith('kvm-twin'):
            tap.equal(len(twins()), 2, 'each guest has a twin')
        tap.ok(one.ping(ADDR[1]), 'the first reaches the second')
        tap.ok(two.ping(ADDR[0]), 'the second reaches the first')
        transfer(tap, f'{BYTES} bytes from the first to the second are unchanged',
                 one, two, ADDR[1], 5001, BYTES)
        transfer(tap, f'{BYTES} bytes from the second to the first are unchanged',
                 two, one, ADDR[0], 5002, BYTES)
        for twin in twins():
            moved = {queue: values['packets']
                     for queue, values in counters(twin).items()}
            tap.ok(all(moved.values()), f'the twin has carried both ways: {moved}')
            for queue, values in counters(twin).items():
                tap.note(f'{queue}: ' + ' '.join(
                    f'{k}={v}' for k, v in values.items() if v))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device')
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options.device or default_device()))
