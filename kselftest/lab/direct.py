#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A macvtap's frames go to the NIC's driver directly, but where somebody on the same NIC
is meant, or the host's operator has a say in what is sent."""
import argparse
import errno
import socket

from host import DEBUGFS, read, write
from lab import (Guest, Macvtap, Tap, counters, insmod, ip, receive, run, twins,
                 wait_until)
from lowers import Lower
from net import PING, carrier
from traffic import transfer
from xdp import DRIVER, DROP, GENERIC, PASS, Xdp

PEER, GUEST, SIBLING, DEAF = '10.9.0.1', '10.9.0.2', '10.9.0.3', '10.9.0.4'
MAC = '52:54:00:00:02:07'
NETNS = 'sibling'
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SIZES = 600
BYTES = 8 << 20
# For the shaper: bits a second, slower than any guest, and what it lets wait.
RATE, LIMIT = '5mbit', 1 << 20
BURSTS, FRAMES, SIZE = 20, 100, 1000


class Surroundings:
    """A guest on a macvtap, a peer at the end of the NIC's wire, and a macvlan of the
    host's own on the same NIC, in a namespace of its own."""

    def __init__(self, kind):
        self.below = Lower(kind, PEER + '/24')
        self.lower, self.peer = self.below.name, self.below.peer
        self.port = Macvtap(self.lower)
        self.guest = Guest(tap=self.port)
        run(f'ip netns add {NETNS}')
        ip(f'link add link {self.lower} name sib0 address {MAC} type macvlan mode bridge')
        ip(f'link set sib0 netns {NETNS}')
        ip(f'addr add {SIBLING}/24 dev sib0', NETNS)
        ip('link set sib0 up', NETNS)
        self.echo = receive(self.peer, 'udp-echo 7000')

    def __enter__(self):
        self.guest.wait_boot()
        self.guest.ifup(GUEST + '/24')
        self.peer.wait_carrier()
        return self

    def __exit__(self, *_):
        self.guest.shutdown()
        self.echo.stop()
        run(f'ip netns del {NETNS}')
        self.port.close()
        self.below.close()

    def tx(self):
        return counters(twins()[0], 'tx0')

    def moved(self, action):
        """(frames, of these direct, what action() returned)."""
        before = self.tx()
        result = action()
        after = self.tx()
        return (after['packets'] - before['packets'],
                after['packets_direct'] - before['packets_direct'], result)

    def sweep(self):
        """Datagrams of many sizes to the peer and back; are all as they were?"""
        text = self.guest.probe(f'udp-sweep {PEER} 7000 1 1400 {1400 // SIZES} 8',
                                check=False)
        return 'lost 0' in text and 'changed 0' in text

    def sibling(self):
        return self.guest.ping(SIBLING)

    def is_cut_off(self, addr=PEER):
        """No answer comes; for when none is expected, as that takes the time."""
        return ' 0 received' in self.guest.sh(f'{PING} -n -c 3 -i 0.2 -W 1 {addr}',
                                              check=False)


def mostly(direct, frames):
    """All but what asks for an address, and what found the NIC busy."""
    return frames * 0.9 <= direct <= frames


def check_direct(tap, at):
    frames, direct, good = at.moved(at.sweep)
    tap.ok(good and frames >= SIZES, 'datagrams of all sizes come back as they were',
           frames)
    tap.ok(mostly(direct, frames), 'the frames are handed to the NIC\'s driver',
           f'{direct} of {frames}')
    frames, direct, _ = at.moved(lambda: transfer(
        tap, f'a stream of {BYTES} bytes arrives unchanged', at.guest, at.peer, PEER,
        7001, BYTES))
    tap.ok(mostly(direct, frames), 'of a stream with offloads, too',
           f'{direct} of {frames}')


def check_aggregated(tap, at):
    """Of a guest that does not have segmentation offloaded a NIC that can segment gets big
    frames, and the wire the guest's."""
    segments = 'tcp-segmentation-offload: on' in run(f'ethtool -k {at.lower}')
    for offload in ('tso off', 'tx off'):
        at.guest.sh(f'ethtool -K eth0 {offload}')
        before = at.tx()['packets_aggregated']
        frames, direct, _ = at.moved(lambda: transfer(
            tap, f'{BYTES} bytes arrive unchanged with {offload}', at.guest, at.peer,
            PEER, 7002, BYTES))
        aggregated = at.tx()['packets_aggregated'] - before
        tap.ok(mostly(direct, frames) and frames > BYTES // 1500,
               f'the NIC\'s driver has them all, with {offload}', f'{direct} of {frames}')
        if segments:
            tap.ok(frames // 2 < aggregated < frames, 'most as parts of bigger frames',
                   f'{aggregated} of {frames}')
        else:
            tap.equal(aggregated, 0, 'as they are, for a NIC that does not segment')
        tap.note(f'{aggregated} of {frames} frames were put together')
    at.guest.sh('ethtool -K eth0 tx on tso on')


def check_path(tap, at):
    """The operator may have all frames take the long way."""
    path = f'{DEBUGFS}/{twins()[0]}/path'
    tap.equal(read(path), 'tx0: direct\n', 'frames are direct unless told otherwise')
    write(path, 'qdisc')
    frames, direct, good = at.moved(at.sweep)
    tap.ok(good and not direct, 'through the queueing disciplines none is direct', direct)
    frames, direct, good = at.moved(at.sibling)
    tap.ok(good and not direct, 'nor to a macvlan on the same NIC', direct)
    tap.equal(read(path), 'tx0: qdisc\n', 'what was set is shown')
    for word in ('none', '', 'direct qdisc'):
        try:
            write(path, word + '\n')
            tap.ok(False, f'{word!r} is refused')
        except OSError as error:
            tap.equal(error.errno, errno.EINVAL, f'{word!r} is refused')
    write(path, 'direct')
    frames, direct, good = at.moved(at.sweep)
    tap.ok(good and mostly(direct, frames), 'they are direct again',
           f'{direct} of {frames}')


def check_seen(tap, at):
    """What tcpdump and ip -s show is as it was."""
    mac = bytes.fromhex(at.port.mac.replace(':', ''))
    # With nothing left to do for the NIC: who makes checksums counts bytes, too.
    at.guest.sh('ethtool -K eth0 tx off')
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                       socket.htons(ETH_P_ALL)) as capture:
        capture.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        capture.bind((at.lower, ETH_P_ALL))
        capture.setblocking(False)
        before, bytes_before = statistics(at.port.name), statistics(at.port.name, 'bytes')
        twin_before = at.tx()['bytes']
        frames, _, good = at.moved(at.sweep)
        sent = at.tx()['bytes'] - twin_before
        seen = 0
        try:
            while True:
                seen += capture.recv(64)[6:12] == mac
        except BlockingIOError:
            pass
    tap.ok(good and seen >= frames, 'who listens on the NIC sees the frames',
           f'{seen} of {frames}')
    counted = statistics(at.port.name) - before
    tap.ok(abs(counted - frames) <= 3, 'the macvtap counts them', f'{counted}, {frames}')
    at.guest.sh('ethtool -K eth0 tx on tso on')
    counted = statistics(at.port.name, 'bytes') - bytes_before
    tap.ok(abs(counted - sent) <= 1000, 'and their bytes', f'{counted}, {sent}')


def statistics(name, what='packets'):
    """What a device says it has sent."""
    return int(read(f'/sys/class/net/{name}/statistics/tx_{what}'))


def check_neighbours(tap, at):
    tap.ok(at.sibling(), 'a macvlan on the same NIC is reached')
    before = statistics(at.lower)
    frames, direct, good = at.moved(at.sibling)
    tap.ok(good and direct <= 2 < frames, 'not by the driver', f'{direct} of {frames}')
    tap.ok(statistics(at.lower) - before <= 6, 'nor by the wire')

    other = MAC[:-1] + '8'
    at.guest.sh(f'arp -s {SIBLING} {other}')
    tap.ok(at.is_cut_off(SIBLING), 'what is for an address that nobody has is lost')
    ip(f'link set sib0 address {other}', NETNS)
    tap.ok(at.sibling(), 'it is reached when it has that address')
    at.guest.sh(f'arp -d {SIBLING}')
    ip(f'link set sib0 address {MAC}', NETNS)
    at.guest.sh('ip neigh flush dev eth0')
    tap.ok(at.sibling(), 'and when it has the old one')

    ip(f'link set {at.port.name} type macvtap mode private')
    frames, direct, good = at.moved(lambda: at.is_cut_off(SIBLING))
    tap.ok(good and frames and direct == frames, 'not in private mode',
           f'{direct} of {frames} directly')
    ip(f'link set {at.port.name} type macvtap mode bridge')
    tap.ok(at.sibling(), 'in bridge mode again')


def check_deaf(tap, at):
    """A macvtap that nobody reads fills up, and no more."""
    with Macvtap(at.lower, 'macvtap9', mac='52:54:00:00:02:99'):
        at.guest.sh(f'arp -s {DEAF} 52:54:00:00:02:99')
        at.guest.probe(f'udp-burst {DEAF} 9 20 100 {SIZE} 0')
        tap.ok(at.guest.ping(PEER), 'a neighbour that takes nothing stops nobody')
        at.guest.sh(f'arp -d {DEAF}')


def check_hooks(tap, at):
    """What the operator has put before the NIC is in force."""
    for name, dev in (('the NIC', at.lower), ('the macvtap', at.port.name)):
        run(f'tc qdisc add dev {dev} clsact')
        run(f'tc filter add dev {dev} egress matchall action drop')
        frames, direct, good = at.moved(at.is_cut_off)
        tap.ok(good and frames and not direct, f'a filter of {name} drops all', direct)
        run(f'tc qdisc del dev {dev} clsact')
        tap.ok(at.guest.ping(PEER), 'and is taken away')
        run('nft add table netdev t')
        run(f'nft add chain netdev t c "{{ type filter hook egress device {dev} '
            'priority 0; policy drop; }"')
        frames, direct, good = at.moved(at.is_cut_off)
        tap.ok(good and frames and not direct, f'a chain of {name} drops all', direct)
        run('nft delete table netdev t')
        tap.ok(at.guest.ping(PEER), 'and is taken away')


def check_dropped_below(tap, at):
    """What a device on top of another drops at once was not sent."""
    run(f'tc qdisc add dev {at.below.nic} clsact')
    run(f'tc filter add dev {at.below.nic} egress matchall action drop')
    first = at.tx()['packets']
    before = statistics(at.port.name), statistics(at.port.name, 'dropped')
    frames, direct, good = at.moved(at.is_cut_off)
    sent = statistics(at.port.name) - before[0]
    dropped = statistics(at.port.name, 'dropped') - before[1]
    # The guest may send one between two of these looks.
    most = at.tx()['packets'] - first
    tap.ok(good and frames, 'a filter below drops all')
    tap.ok(frames <= dropped <= most and not sent and not direct,
           'the macvtap counts them as dropped',
           f'of {frames} to {most} {dropped} dropped, {sent} sent, {direct} direct')
    run(f'tc qdisc del dev {at.below.nic} clsact')
    tap.ok(at.guest.ping(PEER), 'and is taken away')


def check_xdp(tap, at):
    """Programs of the NIC, wherever they run, see what the guest is to receive."""
    for name, mode in (('before the driver', GENERIC), ('in the driver', DRIVER)):
        try:
            with Xdp(at.lower, DROP, mode):
                tap.ok(at.is_cut_off(), f'a program {name} drops all')
            with Xdp(at.lower, PASS, mode):
                tap.ok(at.guest.ping(PEER), f'a program {name} lets all pass')
                tap.ok(at.sibling(), 'also between macvlans')
        except OSError as error:
            tap.skip(f'a program {name}', f'{at.lower}: {error.strerror}')
        at.peer.wait_carrier()
        tap.ok(at.guest.ping(PEER), 'without it all is as before')


def send_shaped(tap, at, dev):
    """A guest that is faster than a device loses nothing in the host.  Returns how many
    of its frames were direct."""
    before = at.tx()['no_room']
    run(f'tc qdisc add dev {dev} root tbf rate {RATE} burst 20000 limit {LIMIT}')
    sink = receive(at.peer, f'udp-sink 7002 {BURSTS * FRAMES} 20')
    frames, direct, _ = at.moved(lambda: at.guest.probe(
        f'udp-burst {PEER} 7002 {BURSTS} {FRAMES} {SIZE} 0'))
    report = sink.wait(check=False)
    shown = run(f'tc -s qdisc show dev {dev}')
    waited = at.tx()['no_room'] - before
    tap.ok(f'received {BURSTS * FRAMES} of' in report and 'changed 0' in report,
           f'{BURSTS * FRAMES} datagrams arrive through a shaper', report + shown)
    tap.ok('dropped 0' in shown, 'it drops none', shown)
    tap.ok(waited, 'the guest has had to wait', at.tx())
    tap.note(f'{frames} frames, no_room {waited}')
    run(f'tc qdisc del dev {dev} root')
    return direct


def check_shaped(tap, at):
    tap.equal(send_shaped(tap, at, at.lower), 0, 'none is sent past it')
    frames, direct, good = at.moved(at.sweep)
    tap.ok(good and mostly(direct, frames), 'without it they are direct again',
           f'{direct} of {frames}')
    # Out of sight of whoever looks at the device that the macvtap is on.
    if at.below.nic != at.lower:
        direct = send_shaped(tap, at, at.below.nic)
        tap.ok(mostly(direct, BURSTS * FRAMES), 'to the device above it they are direct',
               direct)


def check_link(tap, at):
    for name, dev in (('the NIC', at.lower), ('the macvtap', at.port.name)):
        ip(f'link set {dev} down')
        tap.ok(at.is_cut_off(), f'{name} that is down sends nothing')
        ip(f'link set {dev} up')
        wait_until(lambda: carrier(at.lower), 30, 'the carrier')
        at.peer.wait_carrier()
        tap.ok(at.guest.ping(PEER), 'it sends when it is up')


def check_gone(tap, at):
    """The device goes under a guest that sends."""
    job = at.guest.spawn(f'exec probe udp-burst {PEER} 9 1000000 10 500 1000')
    before = at.tx()['packets']
    wait_until(lambda: at.tx()['packets'] > before + 100, 30, 'frames')
    ip(f'link del {at.port.name}')
    wait_until(lambda: at.tx()['drop_no_device'] > 100, 30, 'frames that are dropped')
    job.stop()
    tap.equal(at.guest.sh('echo alive').strip(), 'alive',
              'a guest lives on without its macvtap')
    tap.note(f'dropped: {at.tx()["drop_no_device"]}')


def main(tap, kind):
    insmod()
    run('modprobe -a macvlan sch_tbf cls_matchall')
    with Surroundings(kind) as at:
        tap.ok(at.guest.ping(PEER), 'over a macvtap the guest reaches the peer')
        check_direct(tap, at)
        check_aggregated(tap, at)
        check_path(tap, at)
        check_seen(tap, at)
        check_neighbours(tap, at)
        check_deaf(tap, at)
        check_hooks(tap, at)
        if at.below.nic != at.lower:
            check_dropped_below(tap, at)
        check_xdp(tap, at)
        check_shaped(tap, at)
        check_link(tap, at)
        lost = {name: value for name, value in at.tx().items()
                if value and name.startswith(('drop_', 'ring_error'))}
        tap.equal(lost, {}, 'no drop and no error is counted')
        check_gone(tap, at)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--over', choices=('nic', 'vlan', 'bond', 'veth'), default='nic',
                        help='what the macvtap is on')
    over = parser.parse_args().over
    Tap.main(lambda tap: main(tap, over))
