#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Frames for a guest that never sleeps, and requests of its that are answered: how often
threads of its VMM, and of its backend's (a worker, if that has one), leave a CPU for each,
beside vhost-net's.

The kernel's generator sends from the peer on one CPU, which the frames' interrupts have,
too, and the server; the guest has the other.  So the guest's thread has no reason to
leave its CPU but the frames.
"""
import glob
import os
import time

from bench_places import LOAD, interrupts, pin
from lab import (Guest, Outside, Tap, counters, default_device, host_ctxt, nics, run,
                 twins)
from softirq import KINDS, MEM, set_huge

PEER, GUEST, NOBODY = '10.9.0.1', '10.9.0.2', '10.9.0.77'
MAC = '52:54:00:00:01:77'
# Learning which pages the guest uses is not what is counted.
WARM, FRAMES, TRANSACTIONS = 3000, 20000, 5000
PORT = 7777
# Nanoseconds between two frames: the generator spins for less than 100,000, and so many
# the guest can take.
PAUSE = 99000
DEVICES = {'vhost-net': '/dev/vhost-net', 'kvm-twin': None}

FLOOD = '''
set -e
cd /proc/net/pktgen
echo rem_device_all >kpktgend_1
echo add_device {dev} >kpktgend_1
for line in "count {count}" "pkt_size 60" "clone_skb 0" "delay {pause}" "dst {dst}" \\
	"dst_mac {mac}" "udp_dst_min 9" "udp_dst_max 9"; do
	echo "$line" >{dev}
done
'''


def seen(guest):
    return int(guest.sh('cat /sys/class/net/eth0/statistics/rx_packets'))


def tasks(guest):
    """Folders of the VMM's threads, and of a kernel thread that works for it."""
    yield from glob.glob(f'/proc/{guest.pid}/task/*')
    for path in glob.glob('/proc/[0-9]*/comm'):
        try:
            with open(path, encoding='utf-8') as file:
                if file.read().strip() in (f'vhost-{guest.pid}', f'ktwin-{guest.pid}'):
                    yield os.path.dirname(path)
        except (FileNotFoundError, ProcessLookupError):
            pass        # it has just ended


def switches_of(task):
    with open(task + '/status', encoding='utf-8') as file:
        return sum(int(line.split()[1]) for line in file if 'ctxt_switches' in line)


def flood(net, guest, count):
    """Has the guest receive so many frames.  Returns the switches meanwhile of the
    tasks, and of all of the host, and how many frames it has received."""
    net.peer.run(['sh', '-c', FLOOD.format(dev=net.peer.nic, count=count, pause=PAUSE,
                                           dst=NOBODY, mac=MAC)])
    before, first = seen(guest), host_ctxt()
    each = {task: switches_of(task) for task in tasks(guest)}
    net.peer.run(['sh', '-c', 'echo start >/proc/net/pktgen/pgctrl'], timeout=300)
    mine = sum(switches_of(task) - old for task, old in each.items())
    return mine, host_ctxt() - first, seen(guest) - before


def leaving(guest, command):
    """How often the guest's tasks leave a CPU while it runs a command, and its seconds."""
    each, began = {task: switches_of(task) for task in tasks(guest)}, time.monotonic()
    guest.sh(command, timeout=300)
    return (sum(switches_of(task) - old for task, old in each.items()),
            time.monotonic() - began)


def transactions(net, guest):
    """One byte there and back, again and again: the switches meanwhile, and those of
    the same time without, as the host has its own business."""
    client = f'load rr-client {PEER} {PORT} 1'
    server = net.peer.spawn(f'taskset -c 1 {LOAD} rr-server {PORT}').wait_for('ready')
    guest.sh(f'{client} {WARM} 1', timeout=300)
    switches, seconds = leaving(guest, f'{client} {TRANSACTIONS} 1')
    server.stop()
    return switches, leaving(guest, f'sleep {seconds:.1f}')[0]


def pinned(guest):
    guest.wait_boot()
    for cpu in guest.qmp('query-cpus-fast'):
        os.sched_setaffinity(cpu['thread-id'], {0})
    guest.ifup(GUEST + '/24')


def measure(tap, name, device, kind='anonymous'):
    """Switches a frame, and a transaction; for ours, the share of frames in softirq."""
    irqs = [number for nic in nics() for number in interrupts(nic)]
    # One that sleeps would be switched away from for each interrupt.  And one whose CPU
    # is taken away for a while is not to run out of buffers, for whose frames its kick
    # would take care, inline.
    with Outside() as net, Guest(device=device, tap=net.tap, mac=MAC, mem=MEM,
                                 append='idle=poll', args=KINDS[kind],
                                 device_opts='rx_queue_size=1024') as guest:
        pinned(guest)
        pin(irqs, 1)
        ours = device == DEVICES['kvm-twin']
        tap.ok(guest.ping(PEER), f'{name}, {kind}: the guest reaches the peer')
        flood(net, guest, WARM)
        before = counters(twins()[0], 'rx0') if ours else {}
        switches, all_of_host, frames = flood(net, guest, FRAMES)
        tap.note(f'{name}, {kind}: {switches} switches for {frames} frames '
                 f'({all_of_host} on all of the host)')
        tap.ok(frames >= FRAMES / 2, f'{name}, {kind}: most of them are received', frames)
        if ours:
            check(tap, kind, {key: value - before[key] for key, value in
                              counters(twins()[0], 'rx0').items()})
        if kind != 'anonymous':
            return switches / max(frames, 1), None
        there_and_back, without = transactions(net, guest)
        tap.note(f'{name}: {there_and_back} for {TRANSACTIONS} transactions, and '
                 f'{without} in as much time without any')
        return switches / max(frames, 1), (there_and_back - without) / TRANSACTIONS


def check(tap, kind, grown):
    frames, soft = grown['packets'], grown['packets_softirq']
    tap.note(f'{kind}: {soft} of {frames} in softirq; ' + ' '.join(
        f'{key}={value}' for key, value in grown.items() if value))
    tap.ok(soft >= 0.999 * frames > 0,
           f'{kind}: at least 99.9 % of the frames are received in softirq')


def main(tap):
    run('modprobe -a pktgen vhost_net')
    DEVICES['kvm-twin'] = default_device()
    theirs = measure(tap, 'vhost-net', DEVICES['vhost-net'])
    if not set_huge(MEM // 2 + 8) >= MEM // 2:
        raise RuntimeError('the lab host has not as many huge pages')
    for kind in ('anonymous', 'memfd', 'huge'):
        ours = measure(tap, 'kvm-twin', DEVICES['kvm-twin'], kind)
        tap.ok(ours[0] < 0.01 and ours[0] < theirs[0] / 2,
               f'{kind}: less than a switch in a hundred frames', (ours, theirs))
        if ours[1] is not None:
            tap.ok(ours[1] < 0.05 and ours[1] < theirs[1] / 10,
                   'less than one in twenty transactions', (ours, theirs))
    set_huge(0)


if __name__ == '__main__':
    Tap.main(main)
