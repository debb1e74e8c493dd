#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a newcomer wants to see: a stock guest talks to the outside world
through the twin, and the counters tell who did the work."""
import argparse
import hashlib
import os
import platform

from lab import (Guest, Outside, Tap, Tapdev, counters, default_device, run,
                 spawn, twins)
from net import PING

PEER, GUEST = '10.9.0.1', '10.9.0.2'
SIZE_MB = 16
SHOWN = ('packets', 'packets_softirq', 'bytes', 'gso_packets', 'kicks', 'kicks_inline',
         'kicks_worker', 'kicks_softirq', 'backend_events', 'calls', 'calls_suppressed')
FILE = '/tmp/kvm-twin-demo'


class Alone:
    """Surroundings on a machine with no spare NIC: the host's end of a tap."""

    def __init__(self):
        self.tap = Tapdev('tap0', addr=PEER + '/24')
        self.peer = self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tap.close()

    @staticmethod
    def run(command, timeout=120, check=True):
        return run(command, timeout, check)

    @staticmethod
    def spawn(command):
        return spawn(command)


def title(text):
    print(f'\n== {text}', flush=True)


def show(text):
    print('   ' + text.rstrip().replace('\n', '\n   '), flush=True)


def show_counters():
    """One line a counter, one column a queue; returns them."""
    values = counters(twins()[0])
    show(f'/sys/kernel/debug/kvm-twin/{twins()[0]}/')
    show(f'{"":18}' + ''.join(f'{queue:>12}' for queue in values))
    for name in SHOWN:
        show(f'{name:18}' + ''.join(f'{v[name]:12}' for v in values.values()))
    return values


def sha256(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


# Busybox's nc ends when the other side has sent all, so the receiver's own
# input must not be what ends first: cat has none.
RECEIVE = 'nc -l -p {port} -e sh -c "cat >{path}"'


def to_peer(tap, guest, net):
    """A file made in the guest goes out."""
    guest.sh(f'dd if=/dev/urandom of={FILE} bs=1M count={SIZE_MB} 2>&1', timeout=300)
    here = FILE + '-out'
    receiver = net.peer.spawn('busybox ' + RECEIVE.format(port=5001, path=here))
    guest.sh(f'while ! nc {PEER} 5001 <{FILE}; do usleep 100000; done', timeout=300)
    receiver.wait()
    sent = guest.sh(f'sha256sum {FILE}').split()[0]
    show(f'sent by the guest  {sent}\nreceived outside   {sha256(here)}')
    tap.ok(sent == sha256(here), f'{SIZE_MB} MiB from the guest have the same SHA-256')


def to_guest(tap, guest, net):
    """A file made outside comes in."""
    here = FILE + '-in'
    with open(here, 'wb') as file:
        file.write(os.urandom(SIZE_MB << 20))
    receiver = guest.spawn(RECEIVE.format(port=5002, path=FILE))
    net.peer.run('busybox sh -c "while ! busybox nc '
                 f'{GUEST} 5002 <{here}; do busybox usleep 100000; done"', 300)
    receiver.wait()
    got = guest.sh(f'sha256sum {FILE}').split()[0]
    show(f'sent from outside      {sha256(here)}\nreceived in the guest  {got}')
    tap.ok(got == sha256(here), f'{SIZE_MB} MiB to the guest have the same SHA-256')


def demo(tap, alone):
    title(f'The host: Linux {platform.release()}; the module')
    device = default_device()
    tap.ok(device == '/dev/kvm-twin', 'kvm_twin.ko is loaded', device)
    show(run(f'ls -l {device}'))
    title('A stock guest under stock QEMU, -netdev tap,vhost=on,vhostfd=3 3<>' + device)
    with (Alone() if alone else Outside()) as net, \
            Guest(device=device, tap=net.tap) as guest:
        tap.ok(True, f'the guest is up after {guest.wait_boot():.1f} s')
        guest.ifup(GUEST + '/24')
        show(guest.sh('uname -sr; ethtool -i eth0 | head -n 1'))
        title('It pings the outside world')
        show(guest.sh(f'{PING} -n -c 3 {PEER}'))
        title('The counters before')
        before = show_counters()
        title('A file each way')
        to_peer(tap, guest, net)
        to_guest(tap, guest, net)
        title('The counters after')
        after = show_counters()
        kicks, inline, softirq = (
            sum(after[q][name] - before[q][name] for q in after)
            for name in ('kicks', 'kicks_inline', 'kicks_softirq'))
        tap.note(f'{inline} of {kicks} kicks were served inline, {softirq} in softirq')
        tap.ok(kicks and inline + softirq >= 0.99 * kicks,
               f'{inline + softirq} of {kicks} kicks were served in the time of the '
               'vCPU\'s own thread', after)
    title('The end')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--alone', action='store_true',
                        help='with nothing but a tap, for a real host')
    options = parser.parse_args()
    Tap.main(lambda tap: demo(tap, options.alone))
