#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tables of what scripts/bench has measured.

    report.py FILE                      all tables
    report.py --brief FILE              only costs and overheads
    report.py --rst FILE                these as reStructuredText
    report.py --compare BEFORE AFTER    what has changed
    ... --within PERCENT                and fail if anything by more than that
    ... --work PATTERN                  of some works only, as 'tx-*'
"""
import argparse
import fnmatch
import signal
import sys

import compare
import model
from cells import LEFT_OUT, Cell, Results, instructions
from table import (number, percent, render, render_rst, span, times, value_of,
                   with_spread)

EVENTS = ['exits', 'switches', 'wakeups', 'ipis', 'interrupts', 'kicks', 'calls']
MAIN = ['', 'host       \ninsns      ', 'guest\ninsns', 'exits',
        'context\nswitch', 'wake-\nups', 'IPIs', 'irqs', 'kicks', 'calls',
        'overhead      ', 'of it\nhost', 'ovhd\n/vhost', 'host\n/vhost',
        '% of\nnative', 'model\'s\ncycles']
YES = ('true', 'yes', '1')
LEGEND = '''\
All figures are per unit of work, the median over the windows; ± is half the
distance between the quartiles, and half that between the ends if there are
fewer than 5 windows.  Instructions are those that an emulator (TCG) executed;
the traffic generator's own, timer ticks and spinning are left out everywhere.

host, guest insns  instructions executed in host mode, in guest mode
exits ... calls    VM exits; context switches, wake-ups, IPIs and interrupts of
                   the host; kicks by the guest and interrupts to it
overhead           host and guest, less what one native host needs for the work;
                   of pktgen's frames the host's part alone, as it spins in the guest
of it host         the host's part: host, less native's host
ovhd/vhost         overhead as a multiple of vhost-net's, over the same net
host/vhost         the same of host instructions
% of native        CPU-scaled throughput: native's instructions / host and guest
model's cycles     a range, by Documentation/cost-model.rst, of host and guest; to
                   compare two, take low with low and high with high
-                  not measured, or nothing to compare with'''


def over(net, guests):
    return f'over {net}' + (f', {guests} guests' if guests != 1 else '')


def main_row(results, cell):
    return [
        cell.contender,
        with_spread(cell.host()),
        value_of(cell.guest()),
        *(value_of(cell.event(name)) for name in EVENTS),
        with_spread(results.overhead(cell)),
        value_of(results.host_overhead(cell)),
        times(results.beside_vhost(cell, results.overhead)),
        times(results.beside_vhost(cell, Cell.host)),
        percent(results.share(cell)),
        span(model.per_unit(cell)),
    ]


def heading(results, work):
    cell = results.of_work(work)[0]
    return f'{work}: {cell.title}, per {cell.unit}'


def main_table(results, works):
    """Costs and overheads of every contender, by work, net and guests."""
    rows = []
    for work in works:
        rows += ['', heading(results, work)]
        rows += [main_row(results, cell) for cell in results.natives(work)]
        for net, guests, cells in results.groups(work):
            rows.append('  ' + over(net, guests))
            rows += [main_row(results, cell) for cell in cells]
    return render(MAIN, rows)


def main_rst(results, works):
    """The same, a table for each work and net."""
    tables = []
    for work in works:
        for net, guests, cells in results.groups(work) or [('nic', 1, [])]:
            tables.append(render_rst(
                f'{heading(results, work)}, {over(net, guests)}',
                ['contender', *MAIN[1:]],
                [main_row(results, c) for c in results.natives(work) + cells]))
    return '\n\n'.join(tables)


def side_by_side(cells, rows):
    """A table with a column for each cell; rows are (name, figure(cell))."""
    return render(['', *(c.contender for c in cells)],
                  [[name] + [value_of(figure(c)) for c in cells]
                   for name, figure in rows])


def largest_first(cells, group, names):
    """Names in group, by the most that any of the cells has of them."""
    def most(name):
        figures = [c.count_in(group, name) for c in cells]
        return max((f.value for f in figures if f), default=0)
    return sorted(names, key=most, reverse=True)


def counted_in(group, name):
    return lambda cell: cell.count_in(group, name)


def parts_of(cells, mode, all_name):
    """The components of a mode, largest first, and what they come to."""
    names = dict.fromkeys(n for c in cells for n in c.names_in(mode))
    parts = largest_first(cells, mode, [n for n in names if n not in LEFT_OUT])
    rows = [(f'{mode} {name}', counted_in(mode, name)) for name in parts]
    rows.append((all_name, lambda c: c.per_unit(lambda w: instructions(w, mode))))
    rows += [(f'({mode} {name})', counted_in(mode, name))
             for name in LEFT_OUT if name in names]
    return rows


def component_table(cells):
    """Where the instructions go."""
    return side_by_side(cells, parts_of(cells, 'host', 'host, in all') +
                        parts_of(cells, 'guest', 'guest, in all'))


def exit_table(cells):
    """Why the guest was left; None if nothing is known of that."""
    reasons = dict.fromkeys(n for c in cells for n in c.names_in('exits'))
    if not reasons:
        return None
    return side_by_side(cells, [(name, counted_in('exits', name)) for name
                                in largest_first(cells, 'exits', reasons)])


def detail(results, work):
    """The tables of one work, by net and number of guests."""
    for net, guests, cells in results.groups(work):
        title = f'{heading(results, work)}, {over(net, guests)}'
        yield f'Instructions by component, {title}\n' + \
            component_table(results.natives(work) + cells)
        exits = exit_table(cells)
        if exits:
            yield f'Exits by reason, {title}\n{exits}'


def ring_table(ring):
    """What ran on the machine itself, without an emulator."""
    names = dict.fromkeys(name for row in ring['rows'] for name in row['ns'])
    headings = ['', *(f'{name}\nns' for name in names), 'ratio']
    return ring['title'] + '\n' + render(headings, [
        [row['what'], *(number(row['ns'].get(name)) for name in names),
         times(row.get('ratio'))] for row in ring['rows']])


def made_by(results):
    """Which run it was."""
    made = dict(results.made)
    quick = ['quick'] if str(made.pop('quick', '')).lower() in YES else []
    return ', '.join([f'{key} {value}' for key, value in made.items()] + quick)


def whole_report(results, works, brief):
    yield made_by(results)
    yield main_table(results, works)
    if not brief:
        for work in works:
            yield from detail(results, work)
        yield 'Parts are medians each, and need not add up to the last digit.'
    if results.ring and not brief:
        yield ring_table(results.ring)
    yield LEGEND


def arguments(argv):
    parser = argparse.ArgumentParser(
        description='Tables of what scripts/bench has measured.')
    parser.add_argument('file', nargs='?')
    parser.add_argument('--compare', nargs=2, metavar=('BEFORE', 'AFTER'))
    parser.add_argument('--within', type=float, metavar='PERCENT',
                        help='with --compare: exit 1 if host instructions or '
                        'overhead of any cell differ by more')
    parser.add_argument('--work', default='*', metavar='PATTERN')
    parser.add_argument('--brief', action='store_true')
    parser.add_argument('--rst', action='store_true')
    args = parser.parse_args(argv)
    if bool(args.file) == bool(args.compare):
        parser.error('one FILE, or --compare BEFORE AFTER')
    if args.within is not None and not args.compare:
        parser.error('--within goes with --compare')
    return args


def main(argv):
    args = arguments(argv)

    def wanted(work):
        return fnmatch.fnmatchcase(work, args.work)

    try:
        files = [Results.read(f) for f in args.compare or [args.file]]
    except (OSError, ValueError, KeyError) as error:
        print(f'report: {error}', file=sys.stderr)
        return 2
    if args.compare:
        return compare.main(*files, wanted, args.within)
    works = [work for work in files[0].works() if wanted(work)]
    if not works:
        print(f'report: no work matches {args.work}', file=sys.stderr)
        return 2
    if args.rst:
        print(main_rst(files[0], works))
    else:
        print('\n\n'.join(whole_report(files[0], works, args.brief)))
    return 0


if __name__ == '__main__':
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)       # as in '... | head'
    sys.exit(main(sys.argv[1:]))
