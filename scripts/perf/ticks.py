# SPDX-License-Identifier: GPL-2.0-only
"""Timer ticks, taken out of what is compared.

They come by the clock, and an emulated processor that is slow meets more of
them on the way to the same frame; how slow it is depends on what else the
machine does.  What a tick costs is known from windows in which a program does
nothing but spin: a tick of the host in the native ones, a tick of a guest
(with the exits that it takes) in a guest's, less the host's own in the same
window.  Then each window has the ticks that it met moved to a part of their
own.
"""
import statistics
from collections import Counter

WORK = 'ticks'


def _typical(pairs):
    """Host instructions by part for a tick; pairs are (instructions by part, ticks)
    of a window each.  The median: where a processor was taken away in the middle of
    a tick, the other waits for it in the timekeeping's loops, and one such window
    may hold as much as all others."""
    pairs = [(host, number) for host, number in pairs if number]
    parts = {part for host, _ in pairs for part in host}
    return {part: statistics.median(host.get(part, 0) / number for host, number in pairs)
            for part in parts}


def _less(window, cost, number):
    """The window's parts less number times cost, none below zero."""
    return Counter({part: max(0, insns - number * cost.get(part, 0))
                    for part, insns in window.host.items()})


class Ticks:
    """What a tick costs; native and guests are windows of the work WORK."""

    def __init__(self, native, guests):
        self.host = _typical((window.host, window.events['ticks'])
                             for window in native)
        # The program that spins is the host's own there.
        self.host.pop('user', None)
        self.guest = _typical((_less(window, self.host, window.events['ticks']),
                               window.events['guest_ticks']) for window in guests)

    def take_out(self, window):
        """Move the window's ticks to a part of their own."""
        before = sum(window.host.values())
        window.host = _less(window, self.host, window.events['ticks'])
        window.host = _less(window, self.guest, window.events['guest_ticks'])
        window.host['ticks'] = before - sum(window.host.values())
