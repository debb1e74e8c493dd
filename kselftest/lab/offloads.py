#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each combination of offloads that a guest's driver can be told: streams, datagrams,
many datagrams in one, and fragments come to the peer and back as they were, by IPv4 and
IPv6; in a VLAN of the guest's own, or put together by the host's NIC, if so wanted.  The
peer's NIC neither looks at checksums nor puts frames together, so that what is wrong on
the wire is found by the peer's kernel."""
import argparse
import re

from host import OUT, read, write
from lab import Guest, Macvtap, Outside, Tap, counters, insmod, ip, twins, wait_until
from lowers import Lower
from net import join_datagrams, moderate

PORT = 7005
PEER, GUEST = '10.9.0.1', '10.9.0.2'
PEER6, GUEST6 = 'fd09::1', 'fd09::2'
VLAN, ID = 'tagged', 9
# Microseconds for which a NIC waits for more; by default a frame is mostly alone with it.
MODERATION, USUAL = 5000, 3
BURSTS = 10
JOIN = '/sys/module/kvm_twin/parameters/join'
# As 'ethtool -k' has them; with all of them there are 2^8 combinations.
FEATURES = ('rx-checksumming', 'tx-checksumming', 'scatter-gather',
            'tcp-segmentation-offload', 'generic-segmentation-offload',
            'generic-receive-offload', 'rx-gro-hw', 'tx-udp-segmentation')


class Surroundings:
    """A guest, and a peer that finds each mistake.

    over: tap (with a bridge), nic, vlan, bond or veth
    tagged: whether frames have a VLAN's tag
    joined: whether the host's NIC puts datagrams together, too
    """

    def __init__(self, over, tagged, joined):
        self.tagged, self.joined = tagged, joined
        # The NIC drops a frame of full size that has two tags.
        self.mtu = 1496 if over == 'vlan' else 1500
        if over == 'tap':
            self.below = Outside(peer=PEER + '/24')
            self.port = self.below.tap
        else:
            self.below = Lower(over, PEER + '/24')
            self.port = Macvtap(self.below.name)
        self.peer = self.below.peer
        self.peer.run(f'ethtool -K {self.peer.nic} rx off gro off')
        if joined:
            join_datagrams(self.below.nic, 'on')
            moderate(self.below.nic, self.peer, MODERATION)
        if tagged:
            self.peer.tag(VLAN, ID)
            ip(f'link set {VLAN} mtu {self.mtu}', self.peer.netns)
        ip(f'addr add {PEER6}/64 dev {self.peer.dev} nodad', self.peer.netns)
        self.echoes = self.peer.spawn(f'{OUT}/echoes serve {PORT}').wait_for('ready')
        self.guest = Guest(tap=self.port)

    def __enter__(self):
        self.guest.wait_boot()
        self.guest.ifup(GUEST + '/24')
        dev = self._tag() if self.tagged else 'eth0'
        self.guest.sh(f'echo 0 >/proc/sys/net/ipv6/conf/{dev}/accept_dad; '
                      f'ip -6 addr add {GUEST6}/64 dev {dev}')
        self.peer.wait_carrier()
        wait_until(lambda: self.guest.ping(PEER), 60, 'the peer')
        wait_until(lambda: self.guest.ping(PEER6), 60, 'the peer by IPv6')
        return self

    def _tag(self):
        self.guest.sh(f'ip addr del {GUEST}/24 dev eth0 && '
                      f'ip link add link eth0 name {VLAN} type vlan id {ID} && '
                      f'ip link set {VLAN} mtu {self.mtu} && '
                      f'ip addr add {GUEST}/24 dev {VLAN} && ip link set {VLAN} up')
        return VLAN

    def __exit__(self, *_):
        self.guest.shutdown()
        self.echoes.stop()
        # The next test finds both NICs as this one did.
        if self.joined:
            join_datagrams(self.below.nic, 'off')
            moderate(self.below.nic, self.peer, USUAL)
        self.peer.run(f'ethtool -K {self.peer.nic} rx on gro on')
        if self.port is not getattr(self.below, 'tap', None):
            self.port.close()
        self.below.close()


def changeable(guest):
    """Which of FEATURES are not fixed, and those that are on."""
    text = guest.sh('ethtool -k eth0')
    found = dict(re.findall(r'^([a-z0-9-]+): (on|off)(?! \[fixed\])', text, re.M))
    names = [name for name in FEATURES if name in found]
    return names, {name for name in names if found[name] == 'on'}


def all_sets(names):
    """All subsets, each but for one member the one before."""
    members = set()
    yield set(members)
    for step in range(1, 1 << len(names)):
        members ^= {names[(step & -step).bit_length() - 1]}
        yield set(members)


def few_sets(names):
    """None, each alone, all but each, and all."""
    yield set()
    for name in names:
        yield {name}
    for name in names:
        yield set(names) - {name}
    yield set(names)


def exchange(at):
    """What went wrong, or nothing."""
    wrong = []
    for addr in (PEER, PEER6):
        text = at.guest.sh(f'echoes exchange {addr} {PORT}', check=False)
        if text.strip() != 'unchanged':
            wrong.append(f'{addr}: {text.strip()}')
    return ', '.join(wrong)


def bad_checksums(run):
    """How many frames with a wrong checksum a kernel has seen."""
    with_v6 = run('cat /proc/net/snmp6')
    lines = run('cat /proc/net/snmp').splitlines()
    count = sum(int(value) for name, value in re.findall(r'(\w+)\s+(\d+)', with_v6)
                if name.endswith('InCsumErrors'))
    for names, values in zip(lines[::2], lines[1::2]):
        pairs = dict(zip(names.split(), values.split()))
        count += int(pairs.get('InCsumErrors', 0))
    return count


def change(guest, now, wanted):
    """What needs another one is noted, and on as soon as that is."""
    words = [f'{name} {"on" if name in wanted else "off"}' for name in now ^ wanted]
    if words:
        guest.sh(f'ethtool -K eth0 {" ".join(words)}', check=False)


def check_all(tap, at, sets):
    names, now = changeable(at.guest)
    tap.note(f'offloads of the guest: {" ".join(names)}')
    tap.ok('tx-checksumming' in names and 'tcp-segmentation-offload' in names,
           'the guest has offloads to choose from', names)
    tap.equal(exchange(at), '', 'all comes back as it was sent, with those it begins with')
    count, bad = 0, {}
    for wanted in sets(names):
        change(at.guest, now, wanted)
        now, count = wanted, count + 1
        wrong = exchange(at)
        if wrong:
            bad[' '.join(sorted(wanted))] = wrong
    tap.equal(bad, {}, f'all comes back as it was sent, with {count} combinations of '
              f'{len(names)}')


def check_counts(tap, at):
    tap.equal(bad_checksums(at.peer.run), 0, 'the peer has seen no wrong checksum')
    tap.equal(bad_checksums(at.guest.sh), 0, 'nor has the guest')
    sums = {}
    for queue in counters(twins()[0]).values():
        for name, value in queue.items():
            sums[name] = sums.get(name, 0) + value
    lost = {name: value for name, value in sums.items()
            if value and name.startswith(('drop_', 'ring_error'))}
    tap.equal(lost, {}, 'no drop and no error is counted')
    tap.ok(sums['csum_packets'] and sums['gso_packets'], 'there were offloads', sums)
    tap.note(f'{sums["packets"]} frames, checksums of {sums["csum_packets"]} and segments '
             f'of {sums["gso_packets"]} to be made')


def check_joined(tap, at):
    """Some of what is on the wire is one frame of the guest's, if it takes such."""
    def joined(counter='gso_packets'):
        before = counters(twins()[0])['rx0'][counter]
        for _ in range(BURSTS):
            at.guest.sh(f'echoes datagrams {PEER} {PORT}')
        return counters(twins()[0])['rx0'][counter] - before

    names, now = changeable(at.guest)
    # QEMU has this and GUEST_USO4, GUEST_USO6 all or none.
    if 'tx-udp-segmentation' not in names:
        tap.skip('datagrams come together', 'the guest takes none that are')
        return
    # Without the others the driver declines these, too.
    change(at.guest, now, set(names))
    most = read(JOIN)
    write(JOIN, '1')
    count = joined()
    tap.ok(count, f'datagrams come together from the NIC, in {count} frames')
    join_datagrams(at.below.nic, 'off')
    tap.equal(joined(), 0, 'they come one by one where nobody is to put them together')
    write(JOIN, most)
    if isinstance(at.port, Macvtap):
        count = joined('packets_aggregated')
        tap.ok(count, f'datagrams come together from the twin, {count} of them')


def main(tap, options):
    insmod()
    with Surroundings(options.over, options.tagged, options.joined) as at:
        check_all(tap, at, few_sets if options.few else all_sets)
        check_counts(tap, at)
        if options.joined:
            check_joined(tap, at)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--over', default='nic',
                        choices=('tap', 'nic', 'vlan', 'bond', 'veth'),
                        help='a tap on a bridge, or what the macvtap is on')
    parser.add_argument('--tagged', action='store_true',
                        help='frames with the tag of a VLAN that the guest is in')
    parser.add_argument('--joined', action='store_true',
                        help='the NIC puts datagrams together (rx-udp-gro-forwarding)')
    parser.add_argument('--few', action='store_true',
                        help='none, each alone, all but each, and all')
    arguments = parser.parse_args()
    if arguments.joined and arguments.over == 'veth':
        parser.error('a veth has no interrupts to moderate')
    Tap.main(lambda tap: main(tap, arguments))
