#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Rebinds, resets and kills under traffic, then the module goes at once and
memory is back to where it was."""
import argparse
import os
import time

from events import GUEST, PEER, reaches, rebind_driver, up
from lab import (Guest, Outside, Tap, cpu_lists, default_device,
                 insmod, meminfo, rmmod, slab, twins, wait_until)
from traffic import Traffic

# What may stay in caches that the kernel fills by use: the dentries and inodes
# of /proc, stacks of exited threads, slabs not given back yet.
PAGES_SLACK = 8 << 20
SLAB_SLACK = 1 << 20


def memory():
    """Bytes that the kernel uses and that are no cache, and unreclaimable slab.
    Frames that wait in a tap are among them: it is to be drained before.

    A page of a guest that something still holds counts as the kernel's: it is
    no longer mapped anywhere, and so no longer in AnonPages."""
    info = meminfo()
    known = ('MemFree', 'Buffers', 'Cached', 'SReclaimable', 'AnonPages')
    used = info['MemTotal'] - cpu_lists() - sum(info[name] for name in known)
    return used, info['SUnreclaim']


def rebinds(tap, net, device, count):
    with Guest(device=device, tap=net.tap) as guest:
        guest.wait_boot()
        up(guest)
        back = net.peer.spawn(f'ping -q -i 0.005 {GUEST}')
        rebind_driver(guest, count)
        back.stop()
        tap.ok(reaches(guest), f'{count} rebinds of the guest\'s driver')


def resets(tap, net, device, count):
    with Guest(device=device, tap=net.tap) as guest:
        guest.wait_boot()
        for _ in range(count):
            up(guest)
            traffic = Traffic(guest, net.peer, GUEST, PEER)
            guest.reset()
            traffic.lost_guest()
        up(guest)
    tap.ok(True, f'{count} system_resets under traffic')


def kills(tap, net, device, count):
    for _ in range(count):
        guest = Guest(device=device, tap=net.tap)
        guest.wait_boot()
        up(guest)
        traffic = Traffic(guest, net.peer, GUEST, PEER)
        guest.kill9()
        traffic.lost_guest()
    # The last references go with task works of threads that are exiting.
    wait_until(lambda: not twins(), 10, 'the twins of the dead to go')
    tap.ok(True, f'{count} kills of QEMU under traffic')


def unload(tap):
    began = time.monotonic()
    rmmod()
    tap.ok(True, 'the module is unloaded at the first try')
    tap.note(f'rmmod took {time.monotonic() - began:.2f} s')


def check_memory(tap, net, before, caches):
    net.tap.drain()
    used, unreclaimable = (now - then for now, then in zip(memory(), before))
    tap.note(f'in use {used:+d} bytes, unreclaimable slab {unreclaimable:+d}')
    grown = {name: count - caches.get(name, 0) for name, count in slab().items()
             if count - caches.get(name, 0) > 200}
    tap.note(f'slab caches with 200 objects more: {grown}')
    if os.path.exists('/sys/kernel/debug/kmemleak'):
        for claim in ('the page allocator', 'slab'):
            tap.skip(f'{claim} is back to where it was', 'KASAN keeps what was freed for '
                     'a while; what nothing refers to, kmemleak tells at the end')
        return
    tap.ok(used < PAGES_SLACK, 'the page allocator is back to where it was', used)
    tap.ok(unreclaimable < SLAB_SLACK, 'slab is back to where it was',
           (unreclaimable, grown))


def main(tap, options):
    device = default_device()
    with Outside() as net:
        # Once for all that is allocated on first use and kept.
        kills(tap, net, device, 1)
        rmmod()
        net.tap.drain()
        before, caches = memory(), slab()
        insmod()
        rebinds(tap, net, device, options.rebinds)
        resets(tap, net, device, options.resets)
        kills(tap, net, device, options.kills)
        unload(tap)
        check_memory(tap, net, before, caches)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rebinds', type=int, default=100)
    parser.add_argument('--resets', type=int, default=20)
    parser.add_argument('--kills', type=int, default=20)
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
