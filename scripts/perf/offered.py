#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draw what kselftest/lab/offered.py has measured: kicks a frame and the delay of a
frame, against how many frames are offered.

offered.py LOG DIR: DIR/offered.svg and .png, of the lines of JSON in a lab's LOG.
"""
import json
import sys

import plot

RATES = (50, 200, 1000, 5000, 20000, 100000)
# The least that a logarithmic axis shows of what may be none.
NONE = 0.0005


def read(path):
    """{contender: its points}, in the order measured."""
    found = {}
    with open(path, encoding='utf-8') as file:
        for line in file:
            if line.startswith('# {'):
                point = json.loads(line[2:])
                found.setdefault(point['contender'], []).append(point)
    return found


def kicks(points):
    return [(p['rate'], max(p['kicks'] / p['frames'], NONE), 0) for p in points]


def delay(points):
    """The median, and whiskers from a tenth to nine tenths."""
    return [(p['rate'], p['us'][1],
             (max(p['us'][1] - p['us'][0], 0), max(p['us'][2] - p['us'][1], 0)))
            for p in points]


def draw(axes, series):
    for s in series:
        rates, values, spread = zip(*s.points)
        whiskers = list(zip(*spread)) if isinstance(spread[0], tuple) else None
        axes.errorbar(rates, values, yerr=whiskers, color=s.colour, marker=s.marker,
                      markersize=4.5, linewidth=1.4, capsize=2, elinewidth=0.7)
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_xlim(RATES[0] / 1.3, RATES[-1] * 2.5)
    plot.log_ticks(axes.xaxis, RATES)
    plot.name_lines(axes, series)
    axes.set_xlabel('frames a second, as posted')


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    pyplot = plot.load_matplotlib()
    if pyplot is None:
        print('offered: no matplotlib (Debian: python3-matplotlib), so no picture')
        return 0
    found = read(argv[0])
    figure, grid = pyplot.subplots(1, 2, figsize=(10, 3.4), gridspec_kw={'wspace': 0.5})
    for axes, title, values in zip(grid, ('kicks a frame', 'microseconds to the wire'),
                                   (kicks, delay)):
        draw(axes, [plot.Series(name, values(points), plot.LINES[name])
                    for name, points in found.items()])
        axes.set_title(title)
    plot.headline(figure, 0.125, 0.3, 'Frames of 64 bytes at a steady pace',
                  'in the lab host itself, emulated (TCG); whiskers: a tenth to nine tenths')
    plot.save(pyplot, figure, argv[1], 'offered')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
