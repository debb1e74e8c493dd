# SPDX-License-Identifier: GPL-2.0-only
"""The works of scripts/bench.

Each is a function of the places (guests, or the host itself), of the work and
of how many windows there shall be; the end that is looked at marks them.
"""
from collections import namedtuple

from bench_places import PEER
from net import join_datagrams

PORT = 7777
# What UDP, IPv4 and Ethernet put before the payload.
HEADERS = 42
# A 64 KiB send of whole segments.
BIG = 44 * 1472

PKTGEN = '''
set -e
[ -d /proc/net/pktgen ] || insmod /modules/pktgen.ko
cd /proc/net/pktgen
echo rem_device_all >kpktgend_0
echo add_device {dev} >kpktgend_0
for line in "count {count}" "pkt_size {size}" "clone_skb 0" "delay 0" \\
	"dst 10.9.0.77" "dst_mac {mac}" "udp_dst_min 9" "udp_dst_max 9"; do
	echo "$line" >{dev}
done
'''


def transmit(places, work, laps):
    """The kernel's generator; the peer drops what comes, as it is for an
    address that is not its own.  A program there answers when all has come."""
    place = places[0]
    place.sh(PKTGEN.format(dev=place.dev, count=work.per_lap, size=work.bytes,
                           mac=place.world.mac))
    server = place.world.peer_load(f'rr-server {PORT}').wait_for('ready')
    place.load(f'pktgen {PEER} {PORT} {work.per_lap} {laps}')
    server.stop()


def transmit_flow(places, work, laps):
    place = places[0]
    sink = place.world.peer_load(f'flow-recv {PORT} {payload(work)} 1 0').wait_for('ready')
    place.load(f'flow-send {PEER} {PORT} {payload(work)} {work.per_lap} {laps}')
    sink.stop()


def blast(places, work, laps):
    """Datagrams without end, to a port of the peer's that nobody listens at."""
    places[0].load(f'blast {PEER} 9 {payload(work)} {work.per_lap} {laps}')


def payload(work):
    return work.bytes if work.bytes == BIG else work.bytes - HEADERS


def flow(place, work, laps, start):
    """Datagrams to a place; start(command) has them sent."""
    sink = place.spawn_load(
        f'flow-recv {PORT} {payload(work)} {work.per_lap} {laps}').wait_for('ready')
    start(f'flow-send {place.addr} {PORT} {payload(work)} 1 0')
    sink.wait(60)


def receive_flow(places, work, laps):
    place = places[0]
    flow(place, work, laps, lambda command: place.world.peer_load(command).wait(300))


def stream_out(places, work, laps):
    place = places[0]
    sink = place.world.peer_load(f'stream-recv {PORT} 1 0').wait_for('ready')
    place.load(f'stream-send {PEER} {PORT} {work.per_lap << 10} {laps}')
    sink.wait(60)


def stream_in(places, work, laps):
    place = places[0]
    sink = place.spawn_load(f'stream-recv {PORT} {work.per_lap << 10} {laps}').wait_for('ready')
    place.world.peer_load(f'stream-send {place.addr} {PORT} 1 0').wait(300)
    sink.wait(60)


def joined(function):
    """The same with a host's NIC that puts datagrams together."""
    def with_gro(places, work, laps):
        nic = places[0].world.nic
        join_datagrams(nic, 'on')
        try:
            function(places, work, laps)
        finally:
            join_datagrams(nic, 'off')
    return with_gro


OFFLOADS = 'tx sg tso gso gro rx'


def switch(place, offloads, state):
    words = ' '.join(f'{name} {state}' for name in offloads.split())
    place.sh(f'ethtool -K {place.dev} {words} >/dev/null 2>&1; true')


def plain(function, offloads=OFFLOADS):
    """The same without offloads at the end that is looked at: all, unless told which."""
    def without(places, work, laps):
        switch(places[0], offloads, 'off')
        places[0].world.moderate(work.usecs)        # it may have been reset
        function(places, work, laps)
        switch(places[0], offloads, 'on')
    return without


def rr(flight):
    def requests(places, work, laps):
        place = places[0]
        server = place.world.peer_load(f'rr-server {PORT}').wait_for('ready')
        place.load(f'rr-client {PEER} {PORT} {flight} {work.per_lap} {laps}')
        server.stop()
    return requests


def many(places, work, laps):
    """All guests send at a time; the peer counts and marks."""
    world = places[0].world
    sink = world.peer_load(
        f'flow-recv {PORT} {payload(work)} {work.per_lap} {laps}').wait_for('ready')
    sources = [place.spawn_load(f'flow-send {PEER} {PORT} {payload(work)} 1 0')
               for place in places]
    sink.wait(600)
    for source in sources:
        source.wait(60)


def between(places, work, laps):
    """From one guest to another."""
    source, sink = places
    flow(sink, work, laps, lambda command: source.load(command))


def ticks(places, work, laps):
    """Nothing but timer ticks, so that they can be told from the rest."""
    places[0].load(f'spin {work.per_lap} {laps}')


# Microseconds between two interrupts of a NIC.  Left to itself it holds them back
# by what a real machine takes for a frame, and that the emulated one is a hundred
# times slower at: how many frames an interrupt covers would be the machine's load.
MODERATION = 5000
# To ethtool and the driver this is no time: as the driver has it by default, which
# is hardly at all where everything waits for the next frame.
ADAPTIVE = 3

# guests: how many it takes; per_lap: units in a window; usecs: see above.
Work = namedtuple('Work', 'name title unit bytes per_lap run guests usecs',
                  defaults=[MODERATION])
WORKS = (
    Work('ticks', 'a program that spins', 'million turns', None, 150, ticks, 1),
    Work('tx-60', 'transmit, 60-byte frames (pktgen)', 'frame', 60, 6000, transmit, 1),
    Work('tx-256', 'transmit, 256-byte frames (pktgen)', 'frame', 256, 6000, transmit, 1),
    Work('tx-1514', 'transmit, 1514-byte frames (pktgen)', 'frame', 1514, 6000, transmit, 1),
    Work('udp-60', 'transmit, 60-byte frames (UDP, by a program)', 'frame', 60, 5000, blast, 1),
    Work('tx-64k', 'transmit, 64 KiB GSO (UDP)', '64 KiB', BIG, 100, transmit_flow, 1),
    Work('rx-60', 'receive, 60-byte frames (UDP)', 'frame', 60, 5000, receive_flow, 1),
    Work('rx-256', 'receive, 256-byte frames (UDP)', 'frame', 256, 5000, receive_flow, 1),
    Work('rx-1514', 'receive, 1514-byte frames (UDP)', 'frame', 1514, 5000, receive_flow, 1),
    Work('rx-60-gro', 'receive, 60-byte frames (UDP), put together by the NIC', 'frame', 60, 5000,
         joined(receive_flow), 1),
    Work('rx-1514-gro', 'receive, 1514-byte frames (UDP), put together by the NIC', 'frame', 1514,
         5000, joined(receive_flow), 1),
    Work('rx-64k', 'receive, 64 KiB sends (UDP)', '64 KiB', BIG, 50, receive_flow, 1),
    Work('rr-1', 'request-response, 1 byte', 'transaction', None, 500, rr(1), 1, ADAPTIVE),
    Work('rr-16', 'request-response, 1 byte, 16 in flight', 'transaction', None, 2000, rr(16), 1, ADAPTIVE),
    Work('tcp-tx', 'TCP stream out', 'MiB', None, 24, stream_out, 1),
    Work('tcp-rx', 'TCP stream in', 'MiB', None, 24, stream_in, 1),
    Work('tcp-tx-plain', 'TCP stream out, no offloads', 'MiB', None, 4, plain(stream_out), 1),
    Work('tcp-tx-csum', 'TCP stream out, checksums alone offloaded', 'MiB', None, 4,
         plain(stream_out, 'tso gso'), 1),
    Work('tcp-rx-plain', 'TCP stream in, no offloads', 'MiB', None, 4, plain(stream_in), 1),
    Work('pair', 'guest to guest, 1514-byte frames (UDP)', 'frame', 1514, 2000, between, 2),
    Work('guests-1', 'all of 1 guest transmit 1514-byte frames (UDP)', 'frame', 1514, 3000, many, 1),
    Work('guests-2', 'all of 2 guests transmit', 'frame', 1514, 3000, many, 2),
    Work('guests-4', 'all of 4 guests transmit', 'frame', 1514, 4000, many, 4),
    Work('guests-8', 'all of 8 guests transmit', 'frame', 1514, 4000, many, 8),
)
QUICK = ('ticks', 'tx-60', 'tx-1514', 'rx-1514', 'rr-1', 'tcp-tx', 'tcp-rx')


def chosen(names, quick):
    """The works of these names, or those of a quick run, or all."""
    unknown = set(names) - {work.name for work in WORKS}
    if unknown:
        raise ValueError(f'no such work: {unknown}')
    if names:
        return [work for work in WORKS if work.name in names or work.name == 'ticks']
    return [work for work in WORKS if not quick or work.name in QUICK]
