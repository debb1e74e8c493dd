# SPDX-License-Identifier: GPL-2.0-only
"""What a test needs inside the lab host, in one import.

    tap.py    Tap: printing results
    host.py   Error, run(), wait_until(), insmod(), counters(), snapshots
    net.py    Tapdev, Macvtap, Bridge, Peer, Outside: the network around a guest
    guest.py  Guest: a virtual machine run by stock QEMU

A test looks like this:

    from lab import Tap, Tapdev, Guest, Outside

    def main(tap):
        with Outside() as net, Guest(tap=net.tap) as guest:
            guest.wait_boot()
            guest.ifup('10.9.0.2/24')
            tap.ok(guest.ping('10.9.0.1'), 'the guest reaches the outside')

    Tap.main(main)
"""
from tap import Tap
from host import (Error, RAN, Unanswered, acked, counters, cpu_lists,
                  default_device, host_ctxt, insmod, meminfo, rmmod, run,
                  set_policy, slab, spawn, twins, wait_until)
from net import Bridge, Macvtap, Outside, Peer, Tapdev, ip, nics, receive
from guest import Guest

__all__ = [
    'Tap', 'Error', 'RAN', 'Unanswered', 'acked', 'counters', 'cpu_lists',
    'default_device', 'host_ctxt', 'insmod',
    'meminfo', 'rmmod', 'run', 'set_policy', 'slab', 'spawn', 'twins', 'wait_until',
    'Bridge', 'Macvtap', 'Outside', 'Peer', 'Tapdev', 'ip', 'nics', 'receive',
    'Guest',
]
