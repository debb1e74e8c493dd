# SPDX-License-Identifier: GPL-2.0-only
"""The network around a guest: taps, macvtaps, bridges, the outside world.

The lab host has two NICs, wired back to back (nics()).  One is the
host's NIC under test; the other is put into a network namespace of its own,
Peer, and so frames between the two really pass a NIC driver twice.
"""
import fcntl
import os
import re
import struct

from host import Error, PROBE, RAN, run, spawn, wait_until

TUNSETIFF = 0x400454ca
TUNSETPERSIST = 0x400454cb
IFF_TAP, IFF_MULTI_QUEUE = 0x0002, 0x0100
IFF_NO_PI, IFF_VNET_HDR = 0x1000, 0x4000

# By its path, for busybox' shell would take its own, and that knows less.
PING = '/bin/ping'
# Seconds that pings may take to be answered.
PATIENCE = 15


def ip(command, netns=None, check=True):
    """Run 'ip COMMAND'."""
    return run('ip ' + command, netns=netns, check=check)


def exists(name):
    return os.path.exists('/sys/class/net/' + name)


def nics():
    """Names of the NICs that are wired back to back: (host's, peer's)."""
    names = []
    for last in ('0a', '0b'):
        for name in os.listdir('/sys/class/net'):
            if not os.path.exists(f'/sys/class/net/{name}/device'):
                continue
            with open(f'/sys/class/net/{name}/address') as file:
                if file.read().strip() == '52:54:00:00:00:' + last:
                    names.append(name)
    if len(names) != 2:
        raise Error(f'expected two NICs, found {names}')
    return tuple(names)


def carrier(name, netns=None):
    return 'LOWER_UP' in ip(f'link show dev {name}', netns)


class _Device:
    """A network device that is gone after close(), or the with statement."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Queues(_Device):
    """A device whose queues are file descriptors that a VMM is given."""

    def fds(self):
        """The descriptors, one a queue pair."""
        return list(self._fds)

    def close(self):
        for fd in self._fds:
            os.close(fd)
        self._fds = []


class Tapdev(_Queues):
    """A tap, made and brought up: fds(), name, addr() and close().

    addr: an address for the host's own end ('10.8.0.1/24').
    """

    def __init__(self, name, queues=1, addr=None):
        self.name = name
        self.queues = queues
        self._fds = []
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        if queues > 1:
            flags |= IFF_MULTI_QUEUE
        for _ in range(queues):
            fd = os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            self._fds.append(fd)
            fcntl.ioctl(fd, TUNSETIFF,
                        struct.pack('16sH22x', name.encode(), flags))
        if addr:
            ip(f'addr add {addr} dev {name}')
        ip(f'link set {name} up')

    def drain(self):
        """Take what waits for a VMM that is no longer there."""
        for fd in self._fds:
            try:
                while True:
                    os.read(fd, 1 << 17)
            except BlockingIOError:
                pass


class Macvtap(_Queues):
    """A macvtap on a lower device: fds(), name, mac and close().

    The guest's NIC must have the same MAC: Guest takes it from here.
    """

    def __init__(self, lower, name='macvtap0', mode='bridge', queues=1,
                 mac='52:54:00:00:02:01'):
        self.name = name
        self.mac = mac
        self.queues = queues
        self._fds = []
        ip(f'link add link {lower} name {name} address {mac} '
           f'numrxqueues {queues} numtxqueues {queues} type macvtap mode {mode}')
        ip(f'link set {lower} up')
        ip(f'link set {name} up')
        with open(f'/sys/class/net/{name}/ifindex') as file:
            node = '/dev/tap' + file.read().strip()
        wait_until(lambda: os.path.exists(node), 10, node)
        for _ in range(queues):
            fd = os.open(node, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            self._fds.append(fd)
            if queues > 1:
                flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE
                fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', b'', flags))

    def close(self):
        super().close()
        if exists(self.name):
            ip(f'link del {self.name}')


class Bridge(_Device):
    """A bridge with the given ports (names), up and forwarding."""

    def __init__(self, name='br0', ports=(), addr=None):
        self.name = name
        ip(f'link add {name} type bridge stp_state 0 forward_delay 0')
        ip(f'link set {name} up')
        for port in ports:
            self.add(port)
        if addr:
            ip(f'addr add {addr} dev {name}')

    def add(self, port):
        ip(f'link set {port} master {self.name}')
        ip(f'link set {port} up')

    def close(self):
        ip(f'link del {self.name}')


class Peer(_Device):
    """The outside world: a network namespace with one NIC in it.

    run(command), spawn(command) and ping(addr) work there.
    """

    def __init__(self, addr='10.9.0.1/24', nic=None, netns='peer'):
        self.nic = self.dev = nic or nics()[1]
        self.netns = netns
        self.addr, self._cidr = addr.split('/')[0], addr
        run(f'ip netns add {netns}')
        ip(f'link set {self.nic} netns {netns}')
        ip('link set lo up', netns)
        ip(f'addr add {addr} dev {self.nic}', netns)
        ip(f'link set {self.nic} up', netns)

    def tag(self, name, number):
        """From now on it has its address on a VLAN of what had it."""
        ip(f'addr del {self._cidr} dev {self.dev}', self.netns)
        ip(f'link add link {self.dev} name {name} type vlan id {number}', self.netns)
        ip(f'addr add {self._cidr} dev {name}', self.netns)
        ip(f'link set {name} up', self.netns)
        self.dev = name

    def wait_carrier(self, timeout=30):
        wait_until(lambda: carrier(self.nic, self.netns), timeout,
                   f'the carrier of {self.nic}')

    def run(self, command, timeout=120, check=True):
        return run(command, timeout, check, self.netns)

    def spawn(self, command):
        return spawn(command, self.netns)

    def probe_spawn(self, command):
        return self.spawn(f'{PROBE} {command}')

    def probe(self, command, timeout=300, check=True):
        """Run probe in the foreground."""
        return self.run(f'{PROBE} {command}', timeout, check)

    def ping(self, addr, count=3, options=''):
        return answered(self.run, addr, count, options)

    def close(self):
        # What still runs there would keep it, and the NIC with it.
        for job in list(RAN):
            if job.netns == self.netns:
                job.stop()
        # A namespace goes with its last socket, and one that still has to tell a guest
        # of its end, which is gone, stays for minutes: the NIC is not left to it.
        ip(f'link set {self.nic} netns {os.getpid()}', self.netns)
        run(f'ip netns del {self.netns}')


def moderate(nic, peer, usecs):
    """How long the host's NIC and a Peer's wait before they interrupt again.
    A NIC that is reset, as by joining a bridge, forgets it, its driver does
    not, and what the driver has already is not set again: so, by way of 0."""
    for value in (0, usecs):
        run(f'ethtool -C {nic} rx-usecs {value}')
        peer.run(f'ethtool -C {peer.nic} rx-usecs {value}')


def join_datagrams(nic, state):
    """Whether what a NIC receives is put together, datagrams, too: 'on' or 'off'."""
    run(f'ethtool -K {nic} rx-udp-gro-forwarding {state}')


class Outside(_Device):
    """The usual surroundings: a bridge with a tap and the host's NIC, and a
    Peer at the other end of the wire.  Members: tap, bridge, peer, nic."""

    def __init__(self, queues=1, peer='10.9.0.1/24', tap='tap0', bridge='br0'):
        self.nic, other = nics()
        self.peer = Peer(peer, other)
        self.tap = Tapdev(tap, queues)
        self.bridge = Bridge(bridge, [tap, self.nic])
        wait_until(lambda: carrier(self.nic), 30, f'the carrier of {self.nic}')
        self.peer.wait_carrier()

    def close(self):
        self.tap.close()
        self.bridge.close()
        self.peer.close()


def answered(command, addr, count, options=''):
    """True if so many pings are answered within PATIENCE s, by command(): run()
    or a guest's sh().

    Without -w, ping gives the last answer a second or twice what the others
    took, and that is not enough on an emulated machine which is busy.  With it,
    more than count may be sent and answered: it goes on while answers are late.
    """
    text = command(f'{PING} -n -c {count} -i 0.2 -w {PATIENCE} {options} {addr}',
                   check=False, timeout=3 * PATIENCE)
    received = re.search(r'(\d+) received', text)
    return received is not None and int(received[1]) >= count


def receive(place, command, port_ready='ready', timeout=30):
    """Start 'probe COMMAND' in the background at a place (a Guest, a Peer, or
    None for the lab host), return when it is listening."""
    if place is None:
        job = spawn(f'{PROBE} {command}')
    else:
        job = place.probe_spawn(command)
    return job.wait_for(port_ready, timeout)
