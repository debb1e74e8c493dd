# SPDX-License-Identifier: GPL-2.0-only
"""Two runs beside each other: what has changed, and whether that is more than
the windows of one run differ among themselves."""
from dataclasses import dataclass

from cells import Cell, Figure
from table import render, value_of

HEADINGS = ['', 'host\nbefore', '\nafter', '\nchange ', 'overhead\nbefore',
            '\nafter', '\nchange ', 'exits\nbefore', '\nafter', '\nchange ',
            'switches\nbefore', '\nafter', '\nchange ']
LEGEND = '''\
Per unit of work, medians over the windows.  * the change is larger than the
spreads of both runs together.'''
SHOWN = 12      # of what is beyond the limit


@dataclass(frozen=True)
class Change:
    """A figure in both runs."""
    before: Figure | None
    after: Figure | None

    def percent(self):
        """None if it is unknown in either; of zero, any change is endless."""
        if self.before is None or self.after is None:
            return None
        by = self.after.value - self.before.value
        if by == 0:
            return 0.0
        if self.before.value == 0:
            return float('inf') if by > 0 else float('-inf')
        return 100 * by / abs(self.before.value)

    def beyond_spread(self):
        return self.percent() is not None and \
            abs(self.after.value - self.before.value) > \
            self.before.spread + self.after.spread

    def vanished(self):
        """Known in one of the runs only."""
        return (self.before is None) != (self.after is None)

    def texts(self):
        change = self.percent()
        share = '-' if change is None else f'{change:+.1f}%'
        return [value_of(self.before), value_of(self.after),
                share + ('*' if self.beyond_spread() else ' ')]


class Pair:
    """A cell of both runs, by its key."""

    def __init__(self, key, before, after):
        self.name = '  '.join(str(part) for part in key[:3])
        if key[3] != 1:
            self.name += f', {key[3]} guests'
        ours, theirs = before.cells[key], after.cells[key]
        self.host = Change(ours.host(), theirs.host())
        self.overhead = Change(before.overhead(ours), after.overhead(theirs))
        self.exits = Change(ours.event('exits'), theirs.event('exits'))
        self.switches = Change(ours.event('switches'), theirs.event('switches'))

    def row(self):
        return [self.name, *self.host.texts(), *self.overhead.texts(),
                *self.exits.texts(), *self.switches.texts()]

    def judged(self):
        return {'host': self.host, 'overhead': self.overhead}


def keys_of(results, wanted):
    return [key for key in results.cells if wanted(key[0])]


def only_in(name, keys, others):
    return [f'only in {name}: {"  ".join(map(str, key))}'
            for key in keys if key not in others]


def largest(pairs):
    """The last line: the largest change of overhead."""
    known = [p for p in pairs if p.overhead.percent() is not None]
    if not known:
        return 'largest change of overhead: none is known in both runs'
    pair = max(known, key=lambda p: abs(p.overhead.percent()))
    before, after, change = pair.overhead.texts()
    return f'largest change of overhead: {pair.name}: {before} -> {after}, {change}'


def beyond(pairs, limit):
    """What differs by more than limit percent, the worst first; what is known
    in one run only is worse than anything."""
    found = []
    for pair in pairs:
        for what, change in pair.judged().items():
            share = change.percent()
            if change.vanished():
                found.append((float('inf'), f'{pair.name}: {what} is known in one '
                                            'run only'))
            elif share is not None and abs(share) > limit:
                before, after, text = change.texts()
                found.append((abs(share), f'{pair.name}: {what} {before} -> '
                                          f'{after}, {text}'))
    return [text for _, text in sorted(found, key=lambda f: f[0], reverse=True)]


def judge(pairs, missing, limit):
    """True if both runs agree within limit percent; prints what does not."""
    worst = beyond(pairs, limit)
    for text in worst[:SHOWN]:
        print(f'beyond {limit:g}%: {text}')
    if len(worst) > SHOWN:
        print(f'and {len(worst) - SHOWN} more')
    if not pairs:
        print('no cell is in both runs')
    elif not worst:
        print(f'all {len(pairs)} cells in both runs agree within {limit:g}%')
    return bool(pairs) and not worst and not missing


def main(before, after, wanted, within):
    """Print the changes; the exit code is 1 if they are beyond within."""
    ours, theirs = keys_of(before, wanted), keys_of(after, wanted)
    missing = only_in('BEFORE', ours, theirs) + only_in('AFTER', theirs, ours)
    pairs = [Pair(key, before, after) for key in ours if key in theirs]
    print(render(HEADINGS, [pair.row() for pair in pairs]), LEGEND,
          *missing, sep='\n')
    good = within is None or judge(pairs, missing, within)
    print(largest(pairs).rstrip())
    return 0 if good else 1
