# SPDX-License-Identifier: GPL-2.0-only
"""Traffic: a stream with known content, and pings that go on while something
else is tested."""
import time

from lab import receive, wait_until
from net import PING


def transfer(tap, name, source, destination, addr, port, count):
    """One TCP stream; both ends agree on every one of count bytes."""
    receiver = receive(destination, f'tcp-recv {port} {count} {port}')
    began = time.monotonic()
    sent = source.probe(f'tcp-send {addr} {port} {count} {port}', check=False)
    report = receiver.wait(check=False)
    tap.ok(f'received {count} bytes' in report and f'sent {count} bytes' in sent,
           name, sent + report)
    tap.note(f'{time.monotonic() - began:.1f} s: {report.strip()}')


class Traffic:
    """Pings both ways, as fast as they are answered, until stop()."""

    def __init__(self, guest, peer, guest_addr, peer_addr):
        self.guest = guest
        self.out = guest.spawn(f'while :; do {PING} -q -c 50 -A -W 1 {peer_addr}; done')
        self.back = peer.spawn(f'ping -q -i 0.005 -s 1000 {guest_addr}')

    def stop(self):
        """End both; the guest must be up, or have been killed or reset."""
        self.back.stop()
        if self.guest.alive():
            self.out.stop()

    def lost_guest(self):
        """The guest was killed or reset: only the peer's end is left."""
        self.back.stop()


def frames(read):
    """What read() counts now; read() returns counters of a queue."""
    return read()['packets']


def wait_moving(read, count=20, timeout=60):
    """Wait until a queue has moved some more frames."""
    start = frames(read)
    wait_until(lambda: frames(read) >= start + count, timeout,
               f'{count} more frames')


def sweep_command(addr, port=7000):
    """For probe: datagrams of every size up to Sweeps.LAST, to an echo and back."""
    return f'udp-sweep {addr} {port} 1 {Sweeps.LAST} 1 {Sweeps.WINDOW}'


class Sweeps:
    """Datagrams of every size up to LAST, from a guest to an echo and back, again
    and again.  Each has the content that belongs to its size, and each is missed:
    what is lost, changed or doubled on the way is counted when all is over.

    stop() -> {'sizes': number of those sent, 'received': ..., 'lost': ...,
    'changed': ..., 'duplicate': ...}
    """
    LAST = 1400
    WINDOW = 8

    def __init__(self, guest, place, addr, port=7000):
        self.guest = guest
        self.echo = receive(place, f'udp-echo {port}')
        self.job = guest.spawn('while [ ! -e /tmp/sweeps-over ]; do '
                               f'probe {sweep_command(addr, port)}; done')

    def stop(self):
        self.guest.sh('touch /tmp/sweeps-over')
        text = self.job.wait(300, check=False)
        self.echo.stop()
        sums = {}
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ['sizes']:
                for name, value in zip(words[::2], words[1::2]):
                    sums[name] = sums.get(name, 0) + int(value)
        return sums
