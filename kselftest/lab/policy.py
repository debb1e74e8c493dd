#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Who serves the kicks, and what that costs in context switches.

Bursts of datagrams go from a guest to the peer, a pause between any two, by
each contender in turn; counted are the lab host's context switches, less what
it has when the guest does nothing.  The guest polls when it is idle: a vCPU
that halts between two bursts switches, too, more often than what is compared,
and by chance more or less.
"""
import argparse
import statistics
import time

from lab import (Guest, Outside, Tap, counters, default_device,
                 host_ctxt, set_policy, twins)

PEER, GUEST = '10.9.0.1', '10.9.0.2'
DEVICE = '/dev/kvm-twin'
BURSTS, FRAMES, SIZE, GAP_US = 500, 8, 200, 4000
WINDOWS = 3
CONTENDERS = (('inline', DEVICE), ('worker', DEVICE),
              ('vhost-net', '/dev/vhost-net'))


def idle_rate():
    """Context switches a second when there is no traffic: the least of three
    windows, as something may still be settling after the boot."""
    def window():
        began, before = time.monotonic(), host_ctxt()
        time.sleep(1)       # a quantity per time: there is no event to wait for
        return (host_ctxt() - before) / (time.monotonic() - began)

    return min(window() for _ in range(3))


def burst_window(guest, idle):
    """Context switches of the lab host for one burst."""
    began, before = time.monotonic(), host_ctxt()
    guest.probe(f'udp-burst {PEER} 7000 {BURSTS} {FRAMES} {SIZE} {GAP_US}')
    spent = time.monotonic() - began
    return (host_ctxt() - before - idle * spent) / BURSTS


def tx(before=None):
    """The TX counters of the one twin, or what they grew by."""
    now = counters(twins()[0], 'tx0')
    return {key: now[key] - before[key] for key in now} if before else now


def check_kicks(tap, policy, vcpus, grown):
    kicks = grown['kicks']
    tap.note(f'{policy}, {vcpus} vCPU: {kicks} kicks, '
             f'{grown["kicks_inline"]} inline, {grown["kicks_worker"]} worker, '
             f'{grown["kicks_merged"]} merged, {grown["packets"]} frames')
    if policy == 'inline':
        tap.ok(kicks and grown['kicks_worker'] <= kicks * 0.01,
               f'at least 99 % of the kicks of a guest with {vcpus} vCPU run inline',
               grown)
    else:
        tap.ok(kicks and not grown['kicks_inline'],
               f'under the policy worker none of {vcpus} vCPU\'s kicks runs inline',
               grown)


def contender(tap, net, policy, device, vcpus):
    """Median of the context switches a burst."""
    with Guest(device=device, tap=net.tap, vcpus=vcpus,
               append='idle=poll') as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        if not guest.ping(PEER):
            raise RuntimeError(f'no way to the peer under {policy}')
        if device == DEVICE:
            set_policy(policy)
            before = tx()
        idle = idle_rate()
        windows = [burst_window(guest, idle) for _ in range(WINDOWS)]
        if device == DEVICE:
            check_kicks(tap, policy, vcpus, tx(before))
    median = statistics.median(windows)
    tap.note(f'{policy}, {vcpus} vCPU: {median:.2f} context switches a burst of '
             f'{FRAMES} (windows: {", ".join(f"{w:.2f}" for w in windows)}; '
             f'idle {idle:.0f} a second)')
    return median


def main(tap, vcpus):
    default_device()
    with Outside() as net:
        # Nobody listens there: the peer drops the datagrams.
        for n in vcpus:
            cost = {policy: contender(tap, net, policy, device, n)
                    for policy, device in CONTENDERS}
            # The worker's are for reading: batches save it many, too.
            tap.ok(cost['inline'] < cost['vhost-net'],
                   f'inline costs fewer context switches than vhost-net, {n} vCPU',
                   cost)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--vcpus', type=int, nargs='+', default=[1, 2])
    options = parser.parse_args()
    Tap.main(lambda tap: main(tap, options.vcpus))
