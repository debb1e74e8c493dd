# SPDX-License-Identifier: GPL-2.0-only
"""What scripts/bench has measured, as figures.

A cell is one contender at one work, over one net, with so many guests.  It has
windows, and a window has counts: units of work done, instructions by component,
events, exits by reason.  A figure is a count per unit: its median over the
windows, and its spread.
"""
import json
import re
import statistics
from dataclasses import dataclass

NATIVE = 'native'
VHOST = 'vhost-net'
FIRST = [NATIVE, VHOST, 'qemu']
# Components that are no cost of moving frames: the traffic generator's own
# instructions, the timer ticks of an emulated CPU that is slow (ticks.py), and
# what it spins while another one is slow (symbols.py).
LEFT_OUT = ('generator', 'ticks', 'spin')
FORMAT = 1


@dataclass(frozen=True)
class Figure:
    """A median, and how far the windows are from it, in the same unit."""
    value: float
    spread: float = 0.0

    @classmethod
    def of(cls, values):
        """Half the distance between the quartiles; of fewer than five values,
        half that between the ends."""
        values = sorted(values)
        low, high = values[0], values[-1]
        if len(values) >= 5:
            low, _, high = statistics.quantiles(values, method='inclusive')
        return cls(statistics.median(values), (high - low) / 2)

    def percent(self):
        """The spread as a share of the median; None of a median of zero."""
        return 100 * self.spread / abs(self.value) if self.value else None


def less(figure, base):
    """The difference.  The spreads add up: they are of different runs."""
    if figure is None or base is None:
        return None
    return Figure(figure.value - base.value, figure.spread + base.spread)


def ratio(figure, base):
    """How many times base; None where that says nothing."""
    if figure is None or base is None or base.value <= 0:
        return None
    return figure.value / base.value


def instructions(window, mode):
    """What was executed in a mode, 'host' or 'guest', without LEFT_OUT."""
    return sum(count for part, count in window.get(mode, {}).items()
               if part not in LEFT_OUT)


def all_instructions(window):
    return instructions(window, 'host') + instructions(window, 'guest')


def event_count(window, name):
    """None if it has not been counted."""
    events = window.get('events', {})
    if name == 'exits' and name not in events and 'exits' in window:
        return sum(window['exits'].values())
    return events.get(name)


class Cell:
    """One contender at one work."""

    def __init__(self, raw):
        self.work = raw['work']
        self.title = raw.get('title', self.work)
        self.unit = raw.get('unit', 'unit')
        self.bytes = raw.get('bytes')
        self.net = raw['net']
        self.contender = raw['contender']
        self.guests = raw.get('guests', 1)
        # Frames of a generator that spins while its ring is full, and with it
        # the guest's driver: only what the host executes is a frame's cost.
        self.generated = raw.get('generated', False)
        # A window in which nothing was done has no cost per unit.
        self.windows = [w for w in raw['windows'] if w['units'] > 0]
        self.counted = set(self.names_in('events'))

    @property
    def key(self):
        return self.work, self.net, self.contender, self.guests

    @property
    def is_native(self):
        return self.contender == NATIVE

    def per_unit(self, count):
        """The figure of what count(window) says; None if it says None of all
        windows, or if there are none."""
        counts = [(count(w), w['units']) for w in self.windows]
        if all(n is None for n, _ in counts):
            return None
        return Figure.of([(n or 0) / units for n, units in counts])

    def host(self):
        return self.per_unit(lambda w: instructions(w, 'host'))

    def guest(self):
        return self.per_unit(lambda w: instructions(w, 'guest'))

    def total(self):
        return self.per_unit(all_instructions)

    def event(self, name):
        """Zero if it did not occur here, but in some cell of the run."""
        missing = 0 if name in self.counted else None

        def count(window):
            times = event_count(window, name)
            return missing if times is None else times
        return self.per_unit(count)

    def count_in(self, group, name):
        """Of one component of 'host' or 'guest', or of one reason of 'exits'."""
        return self.per_unit(lambda w: w.get(group, {}).get(name))

    def names_in(self, group):
        """The components, or reasons, that occur."""
        return unique(name for w in self.windows for name in w.get(group, {}))


def unique(items):
    """Each once, in order of appearance."""
    return list(dict.fromkeys(items))


def in_order(contenders):
    """native, vhost-net, qemu, then the others as they come."""
    contenders = unique(contenders)
    return ([c for c in FIRST if c in contenders] +
            [c for c in contenders if c not in FIRST])


class Results:
    """All cells of a run, and what can be said of a cell beside others."""

    def __init__(self, raw):
        if raw.get('format') != FORMAT:
            raise ValueError(f'format {raw.get("format")!r}, not {FORMAT}')
        self.made = raw.get('made', {})
        self.ring = raw.get('ring')
        self.cells = {}
        for cell in map(Cell, raw['cells']):
            self.cells[cell.key] = cell
        counted = set().union(*(c.counted for c in self.cells.values()))
        for cell in self.cells.values():
            cell.counted = counted

    @classmethod
    def read(cls, path):
        with open(path, encoding='utf-8') as file:
            return cls(json.load(file))

    def works(self):
        return unique(cell.work for cell in self.cells.values())

    def contenders(self):
        return in_order(cell.contender for cell in self.cells.values())

    def of_work(self, work):
        """The cells of a work: the native ones, then by net, number of guests
        and contender."""
        cells = [c for c in self.cells.values() if c.work == work]
        order = in_order(c.contender for c in cells)
        nets = unique(c.net for c in cells)
        return sorted(cells, key=lambda c: (not c.is_native, nets.index(c.net),
                                            c.guests, order.index(c.contender)))

    def natives(self, work):
        return [c for c in self.of_work(work) if c.is_native]

    def groups(self, work):
        """What compares with each other: (net, number of guests, cells)."""
        cells = [c for c in self.of_work(work) if not c.is_native]
        return [(net, guests, [c for c in cells if (c.net, c.guests) == (net, guests)])
                for net, guests in unique((c.net, c.guests) for c in cells)]

    def native(self, cell):
        """The same work done by the host itself, once: its cost is no matter of
        the net, nor of how many guests share the work.  Works that differ in
        that end in the number ('guests-4'), and the base is that of one."""
        alone = re.sub(f'-{cell.guests}$', '-1', cell.work)
        for work in (cell.work, alone):
            for native in self.natives(work):
                if native.windows:
                    return native
        return None

    def vhost(self, cell):
        return self.cells.get((cell.work, cell.net, VHOST, cell.guests))

    def _beyond_native(self, cell, figure):
        base = self.native(cell)
        if base is None or cell.is_native:
            return None
        return less(figure(cell), figure(base))

    def overhead(self, cell):
        """Virtualization overhead: what host and guest execute beyond what the
        host alone does for the same work; of a generator's frames, what the
        host executes, for there is no stack in the guest to set against
        native's."""
        return self._beyond_native(cell, Cell.host if cell.generated else Cell.total)

    def host_overhead(self, cell):
        """The host's part of it."""
        return self._beyond_native(cell, Cell.host)

    def share(self, cell):
        """CPU-scaled throughput: at equal CPU, percent of native's."""
        base = self.native(cell)
        times = ratio(base and base.total(), cell.total())
        return None if times is None else 100 * times

    def beside_vhost(self, cell, figure):
        """figure(cell) as a multiple of vhost-net's; None of native."""
        base = self.vhost(cell)
        if base is None or cell.is_native:
            return None
        return ratio(figure(cell), figure(base))
