# SPDX-License-Identifier: GPL-2.0-only
"""The contenders of scripts/bench: a guest over each kind of network, or the
lab host itself.

Everything has its CPU, as far as it is the same for all: the guests and what
the host does natively are on CPU 0, the peer is on CPU 1.  Where the threads
of a contender run, of vhost-net and of QEMU and ours, is the scheduler's
choice, as it is on a machine that nobody has tuned.
"""
import glob
import os

from host import DEVICE, OUT, run, set_policy, spawn, wait_until
from net import Bridge, Macvtap, Peer, Tapdev, carrier, ip, moderate, nics
from guest import Guest

PEER = '10.9.0.1'
LOAD = OUT + '/load'
# The policy adaptive, with so many frames of a stream at most put together.
AGGREGATES = {f'{most}-in-one': most for most in (1, 2, 5, 10, 20, 64)}
MOST = '/sys/module/kvm_twin/parameters/aggregate'
DEVICES = {'vhost-net': '/dev/vhost-net', 'qemu': None,
           'inline': DEVICE, 'worker': DEVICE, 'softirq': DEVICE, 'adaptive': DEVICE}
# In I/O space: KVM emulates the instruction that writes to one in memory, which would cost
# each contender the same for each kick.
DOORBELLS = ('-global', 'virtio-pci.modern-pio-notify=on')


def interrupts(name):
    """Numbers of a NIC's interrupts."""
    return [os.path.basename(path) for path in
            glob.glob(f'/sys/class/net/{name}/device/msi_irqs/*')]


def pin(numbers, cpu):
    """Interrupts of a NIC that is up."""
    for number in numbers:
        path = f'/proc/irq/{number}/smp_affinity_list'
        # One that no driver has asked for has no such file.
        if os.path.exists(path):
            with open(path, 'w') as file:
                file.write(str(cpu))


class World:
    """A peer at the other end of the wire."""

    def __init__(self):
        # It stays: its symbols must be there at the end.
        run('modprobe pktgen')
        self.nic, other = nics()
        for nic in (self.nic, other):
            # So much that a generator need never wait for room, and spin.
            run(f'ethtool -G {nic} rx 4096 tx 4096')
        with open(f'/sys/class/net/{other}/address') as file:
            self.mac = file.read().strip()
        theirs = interrupts(other)
        self.peer = Peer(PEER + '/24', other)
        ip(f'link set {self.nic} up')
        wait_until(lambda: carrier(self.nic), 30, f'the carrier of {self.nic}')
        self.peer.wait_carrier()
        pin(interrupts(self.nic), 0)
        pin(theirs, 1)

    def moderate(self, usecs):
        moderate(self.nic, self.peer, usecs)

    def peer_load(self, command):
        return self.peer.spawn(f'taskset -c 1 {LOAD} {command}')

    def close(self):
        self.peer.close()
        ip(f'addr flush dev {self.nic}')


class Native:
    """The lab host itself in the guest's place."""
    net, contender = 'nic', 'native'
    addr = '10.9.0.2'

    def __init__(self, world):
        self.world, self.dev = world, world.nic
        ip(f'addr add {self.addr}/24 dev {self.dev}')
        run(f'ping -c 1 -W 5 {PEER}')

    def sh(self, command, timeout=60):
        return run(['sh', '-c', command], timeout)

    def load(self, command, timeout=300):
        return run(f'taskset -c 0 {LOAD} {command}', timeout)

    def spawn_load(self, command):
        return spawn(f'taskset -c 0 {LOAD} {command}')

    def modules(self):
        return ''

    def close(self):
        ip(f'addr flush dev {self.dev}')


class Virtual:
    """A guest on CPU 0 with its NIC: load() and sh() run in it."""
    dev = 'eth0'

    def __init__(self, world, tap, contender, number):
        # What is counted is not traced.
        Guest.watched = False
        self.world = world
        self.addr = f'10.9.0.{number + 2}'
        self.guest = Guest(device=DEVICES[contender], tap=tap,
                           name=f'{contender}-{number}', mem=192, args=DOORBELLS)

    def up(self):
        self.guest.wait_boot()
        for cpu in self.guest.qmp('query-cpus-fast'):
            os.sched_setaffinity(cpu['thread-id'], {0})
        self.guest.ifup(f'{self.addr}/24')
        self.guest.sh(f'ping -c 1 -W 5 {PEER}')

    def sh(self, command, timeout=60):
        return self.guest.sh(command, timeout)

    def load(self, command, timeout=300):
        return self.guest.sh('load ' + command, timeout)

    def spawn_load(self, command):
        return self.guest.spawn('exec load ' + command)

    def modules(self):
        """Lines of /proc/modules: where in the guest each is."""
        return self.guest.sh('cat /proc/modules')

    def close(self):
        self.guest.shutdown()


class Guests:
    """So many guests of one contender on a kind of network, one by one."""

    def __init__(self, world, net, device):
        self.world, self.net, self.device = world, net, device
        self.bridge = None
        self.taps, self.guests = [], []
        if net == 'bridge':
            self.bridge = Bridge('br0', [world.nic])

    def _tap(self, number):
        if self.net == 'macvtap':
            return Macvtap(self.world.nic, f'macvtap{number}',
                           mac=f'52:54:00:00:02:{number + 1:02x}')
        tap = Tapdev(f'tap{number}')
        self.bridge.add(tap.name)
        return tap

    def grow(self, count):
        """Have at least so many up; returns that many."""
        fresh = []
        for number in range(len(self.guests), count):
            self.taps.append(self._tap(number))
            fresh.append(Virtual(self.world, self.taps[-1], self.device, number))
            self.guests.append(fresh[-1])
        for guest in fresh:
            guest.up()
        return self.guests[:count]

    def choose(self, contender):
        """Which of the contenders that share the device it is from now on."""
        if DEVICES[self.device] != DEVICE:
            return
        set_policy('adaptive' if contender in AGGREGATES else contender)
        with open(MOST, 'w') as file:
            file.write(str(AGGREGATES.get(contender, 64)))

    def close(self):
        for guest in self.guests:
            guest.close()
        for tap in self.taps:
            tap.close()
        if self.bridge:
            self.bridge.close()
