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
from collections import Counter

WORK = 'ticks'


def _mean(windows, count):
    """Host instructions by part for each of what count(window) counts."""
    total = Counter()
    for window in windows:
        total.update(window.host)
    number = sum(count(window) for window in windows)
    return {part: insns / number for part, insns in total.items()} if number else {}


def _less(window, cost, number):
    """The window's parts less number times cost, none below zero."""
    return Counter({part: max(0, insns - number * cost.get(part, 0))
                    for part, insns in window.host.items()})


class Ticks:
    """What a tick costs; native and guests are windows of the work WORK."""

    def __init__(self, native, guests):
        self.host = _mean(native, lambda window: window.events['ticks'])
        # The program that spins is the host's own there.
        self.host.pop('user', None)
        total, number = Counter(), 0
        for window in guests:
            total.update(_less(window, self.host, window.events['ticks']))
            number += window.events['guest_ticks']
        self.guest = {part: insns / number for part, insns in total.items()} \
            if number else {}

    def take_out(self, window):
        """Move the window's ticks to a part of their own."""
        before = sum(window.host.values())
        window.host = _less(window, self.host, window.events['ticks'])
        window.host = _less(window, self.guest, window.events['guest_ticks'])
        window.host['ticks'] = before - sum(window.host.values())
