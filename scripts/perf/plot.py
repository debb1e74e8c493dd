#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of what scripts/bench has measured, as SVG and PNG.

    plot.py FILE FOLDER

parts-WORK      cost per unit by component, a bar for each contender
size-tx, -rx    cost per frame against the frame's size
guests-WORK     cost per frame against the number of guests

It needs matplotlib (Debian: python3-matplotlib); without, it says so and that
is all.  The same file always makes the same pictures.
"""
import itertools
import os
import re
import sys

from cells import LEFT_OUT, NATIVE, Cell, Results, unique

SYSTEM_PYTHON = '/usr/bin/python3'

# Paul Tol's muted scheme and the colours of Okabe and Ito: both can be told
# apart by the colour-blind.  A component that is not named here takes a spare.
PARTS = {
    'kvm': '#332288', 'vhost': '#CC6677', 'kvm-twin': '#117733', 'tap': '#DDCC77',
    'bridge': '#999933', 'nic': '#88CCEE', 'net': '#44AA99', 'sched': '#AA4499',
    'user': '#882255', 'entry': '#E69F00', 'copy': '#D55E00', 'mm': '#56B4E9',
}
SPARE = ['#0072B2', '#CC79A7', '#F0E442', '#009E73']
OTHER, OTHER_COLOUR = 'other', '#999999'
GUEST, GUEST_COLOUR = 'guest', '#E4E4E4'
# A component that is nowhere more than this share of a bar is one of the others.
SMALL = 0.03

LEFT = 0.09         # where the axes begin, as a share of the width
COLUMNS = 8         # of a legend

LINES = {
    NATIVE: ('#000000', 'o'), 'vhost-net': ('#D55E00', 's'),
    'qemu': ('#0072B2', 'D'), 'inline': ('#009E73', 'o'), 'worker': ('#CC79A7', '^'),
    'softirq': ('#E69F00', 'v'), 'adaptive': ('#56B4E9', 'P'),
}
SPARE_LINES = [('#882255', 'X'), ('#999933', '*')]
YLABELS = ['host and guest', 'overhead: less native']

STYLE = {
    'font.family': 'DejaVu Sans', 'font.size': 9, 'axes.titlesize': 9.5,
    'axes.titlelocation': 'left', 'axes.spines.top': False,
    'axes.spines.right': False, 'axes.edgecolor': '#444444', 'axes.grid': True,
    'axes.axisbelow': True, 'grid.color': '#DDDDDD', 'grid.linewidth': 0.6,
    'hatch.color': '#AAAAAA', 'hatch.linewidth': 0.6, 'legend.frameon': False,
    'figure.dpi': 100, 'savefig.dpi': 160, 'svg.hashsalt': 'kvm-twin',
}


def load_matplotlib():
    """matplotlib.pyplot, or None.  Debian's is seen by Debian's python only,
    which need not be the one that runs this."""
    try:
        import matplotlib
    except ImportError:
        if os.path.exists(SYSTEM_PYTHON) and 'PLOT_AGAIN' not in os.environ:
            os.environ['PLOT_AGAIN'] = '1'
            os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON] + sys.argv)
        return None
    matplotlib.use('Agg')
    matplotlib.rcParams.update(STYLE)
    from matplotlib import pyplot
    return pyplot


def one_line_svg(path):
    """The licence in the second line, as in every file of the repository, and
    no line that ends in a space."""
    with open(path, encoding='utf-8') as file:
        head, rest = file.read().split('\n', 1)
    with open(path, 'w', encoding='utf-8') as file:
        print(head, '<!-- SPDX-License-Identifier: GPL-2.0-only -->',
              ' '.join(rest.split()), sep='\n', file=file)


def save(pyplot, figure, folder, name):
    path = os.path.join(folder, name)
    figure.savefig(path + '.svg', metadata={'Date': None}, bbox_inches='tight')
    figure.savefig(path + '.png', metadata={'Software': None}, bbox_inches='tight')
    one_line_svg(path + '.svg')
    pyplot.close(figure)
    print(f'{path}.svg {path}.png')


def per(unit):
    return f'instructions per {unit}, emulated (TCG)'


def amount(value, _=None):
    """A cost as a label, or as a tick's."""
    if abs(value) >= 1e6:
        return f'{value / 1e6:.3g}M'
    return f'{value:,.0f}'


def headline(figure, left, top, title, measured):
    """What is shown, and below it what was measured; top is in inches from
    the figure's upper edge."""
    height = figure.get_figheight()
    figure.text(left, 1 + (top + 0.2) / height, title, fontweight='bold',
                fontsize=11, va='bottom')
    figure.text(left, 1 + top / height, measured, fontsize=9, va='bottom')


def log_ticks(axis, values):
    """Only these, as they are."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
    axis.set_major_locator(FixedLocator(values))
    axis.set_major_formatter(FixedFormatter([f'{v:,}' for v in values]))
    axis.set_minor_locator(NullLocator())


class Components:
    """What is drawn of a bar, and in which colour: the same in all pictures."""

    def __init__(self, results):
        cells = [c for c in results.cells.values() if c.windows]
        self.shares = {}
        for cell in cells:
            whole = cell.total().value or 1
            for name in cell.names_in('host'):
                share = cell.count_in('host', name).value / whole
                self.shares[name] = max(share, self.shares.get(name, 0))
        shown = {n for n, share in self.shares.items()
                 if share >= SMALL and n not in (*LEFT_OUT, OTHER)}
        known = [n for n in PARTS if n in shown]
        unknown = sorted(shown - set(PARTS))
        self.names = known + unknown[:len(SPARE)]
        self.colours = {**PARTS, **dict(zip(unknown, SPARE)), OTHER: OTHER_COLOUR,
                        GUEST: GUEST_COLOUR}

    def of(self, cell):
        """{name: cost}, the host's components, the others, the guest."""
        parts = {}
        for name in self.names:
            figure = cell.count_in('host', name)
            parts[name] = figure.value if figure else 0
        parts[OTHER] = max(0, cell.host().value - sum(parts.values()))
        parts[GUEST] = cell.guest().value
        return parts


def light(colour):
    """Is black to be read on it?"""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140


def draw_bar(axes, row, cell, components, room):
    """One contender; what is wide enough bears its name.  Room is the whole
    axis, of which a letter takes so much."""
    left = 0
    for name, cost in components.of(cell).items():
        colour = components.colours[name]
        axes.barh(row, cost, 0.72, left, color=colour, edgecolor='white',
                  linewidth=0.5, hatch='////' if name == GUEST else None)
        if cost > room * 0.0105 * (len(name) + 0.5):
            axes.text(left + cost / 2, row, name, ha='center', va='center',
                      fontsize=7.5, color='black' if light(colour) else 'white')
        left += cost
    return left


def bar_label(results, cell, length):
    ratio = results.beside_vhost(cell, results.overhead)
    if ratio is None or cell.contender == 'vhost-net':
        return amount(length)
    return f'{amount(length)}  (overhead {ratio:.2f} × vhost-net\'s)'


def draw_bars(axes, results, cells, components, room):
    for row, cell in enumerate(cells):
        length = draw_bar(axes, row, cell, components, room)
        axes.text(length + room * 0.008, row, bar_label(results, cell, length),
                  va='center', fontsize=8)
    axes.set_yticks(range(len(cells)), [c.contender for c in cells])
    axes.invert_yaxis()
    axes.grid(axis='y', visible=False)
    axes.tick_params(axis='y', length=0)
    axes.set_xlim(0, room * 1.3)
    axes.xaxis.set_major_formatter(amount)


def legend_of(figure, components, drawn, top):
    from matplotlib.patches import Patch
    names = [n for n in [*components.names, OTHER, GUEST] if n in drawn]
    patches = [Patch(facecolor=components.colours[n], edgecolor='white', label=n,
                     hatch='////' if n == GUEST else None) for n in names]
    figure.legend(handles=patches, loc='lower left', ncol=min(COLUMNS, len(names)),
                  bbox_to_anchor=(LEFT, top), fontsize=8, handlelength=1.3,
                  columnspacing=1.4, borderaxespad=0)


def plot_parts(pyplot, results, components, work, folder):
    """Where a contender's instructions go, one picture for each work."""
    native = [c for c in results.natives(work) if c.windows][:1]
    groups = [(f'over {net}' + (f', {guests} guests' if guests > 1 else ''),
               native + [c for c in cells if c.windows])
              for net, guests, cells in results.groups(work)]
    groups = [group for group in groups if group[1]]
    if not groups:
        return
    rows = [len(cells) for _, cells in groups]
    height = 0.33 * sum(rows) + 0.62 * len(rows) + 0.5
    figure, grid = pyplot.subplots(
        len(groups), 1, figsize=(8.6, height), sharex=True, squeeze=False,
        gridspec_kw={'height_ratios': rows, 'hspace': 0.3, 'left': LEFT,
                     'right': 0.99, 'bottom': 0.5 / height,
                     'top': 1 - 0.3 / height})
    room = max(c.total().value for _, cells in groups for c in cells)
    drawn = set()
    for axes, (title, cells) in zip(grid[:, 0], groups):
        draw_bars(axes, results, cells, components, room)
        axes.set_title(title)
        drawn |= {n for c in cells for n, v in components.of(c).items() if v}
    first = groups[0][1][-1]
    legend_of(figure, components, drawn, 1 - 0.04 / height)
    headline(figure, LEFT, 0.42 if len(drawn) > COLUMNS else 0.22,
             f'{work}: {first.title}', per(first.unit))
    save(pyplot, figure, folder, f'parts-{work}')


class Series:
    """Points of one contender."""

    def __init__(self, name, points, line):
        self.name = name
        self.points = sorted(points)
        self.colour, self.marker = line


def lines_of(results):
    """Each contender's colour and marker, the same in all pictures."""
    unknown = [c for c in results.contenders() if c not in LINES]
    return {**LINES, **dict(zip(unknown, itertools.cycle(SPARE_LINES)))}


def spread_out(places, gap):
    """Places moved apart as little as need be: each at least gap above the one
    before."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [places[i] for i in order]
    for _ in range(100):
        for i in range(len(moved) - 1):
            short = gap - (moved[i + 1] - moved[i])
            if short > 1e-9:
                moved[i] -= short / 2
                moved[i + 1] += short / 2
    return {i: place for i, place in zip(order, moved)}


def name_lines(axes, series):
    """Each line bears its name at its end."""
    ends = [axes.transData.transform((s.points[-1][0], s.points[-1][1]))[1]
            for s in series]
    bottom, top = axes.bbox.y0, axes.bbox.y1
    places = spread_out([(y - bottom) / (top - bottom) for y in ends],
                        13 / (top - bottom))
    for i, s in enumerate(series):
        axes.annotate(s.name, xy=(1.015, places[i]), xycoords='axes fraction',
                      color=s.colour, va='center', fontsize=8.5,
                      annotation_clip=False)


def draw_lines(axes, series):
    for s in series:
        x, y, spread = zip(*s.points)
        axes.errorbar(x, y, yerr=spread, color=s.colour, marker=s.marker,
                      markersize=4.5, linewidth=1.4, capsize=2,
                      linestyle='--' if s.name == NATIVE else '-')


def scale_y(axes, series):
    """From zero, or by powers of ten if it spans much."""
    from matplotlib.ticker import LogLocator, NullFormatter
    values = [y for s in series for _, y, _ in s.points]
    if min(values) > 0 and max(values) / min(values) > 12:
        axes.set_yscale('log')
        axes.set_ylim(min(values) / 1.5, max(values) * 1.5)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(min(0, min(values) * 1.15), max(values) * 1.08)
    axes.yaxis.set_major_formatter(amount)


def plot_grid(pyplot, panels, ticks, xlabel, titles, path):
    """panels[row][column] is (title, series); lines over a logarithmic x."""
    rows, columns = len(panels), len(panels[0])
    figure, grid = pyplot.subplots(rows, columns, squeeze=False, sharex=True,
                                   figsize=(4.3 * columns, 2.7 * rows + 0.4),
                                   gridspec_kw={'wspace': 0.42, 'hspace': 0.22})
    for row, ylabel in enumerate(YLABELS[:rows]):
        for column, (name, series) in enumerate(panels[row]):
            axes = grid[row, column]
            axes.set_xscale('log')
            axes.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
            log_ticks(axes.xaxis, ticks)
            if series:
                draw_lines(axes, series)
                scale_y(axes, series)
                name_lines(axes, series)
            if row == 0:
                axes.set_title(name)
            if row == rows - 1:
                axes.set_xlabel(xlabel)
            if column == 0:
                axes.set_ylabel(ylabel)
    headline(figure, 0.125, 0.3 - 0.12 * figure.get_figheight(), *titles)
    save(pyplot, figure, *path)


def point(x, figure):
    return (x, figure.value, figure.spread)


def series_of(results, cells, x_of, figure):
    """A line for each contender that figure() is known of."""
    styles, points = lines_of(results), {}
    for cell in cells:
        value = figure(cell)
        if value is not None:
            points.setdefault(cell.contender, []).append(point(x_of(cell), value))
    return [Series(name, points[name], styles[name])
            for name in results.contenders() if name in points]


def two_rows(results, cells, natives, x_of):
    """Panels: the whole cost above, the overhead below; a column for each net."""
    nets = unique(c.net for c in cells)
    by_net = [(net, [c for c in cells if c.net == net]) for net in nets]
    cost = [(f'over {net}', series_of(results, natives + own, x_of, Cell.total))
            for net, own in by_net]
    over = [(f'over {net}', series_of(results, own, x_of, results.overhead))
            for net, own in by_net]
    return [cost, over] if any(series for _, series in over) else [cost]


def plot_size(pyplot, results, way, name, folder):
    """Cost against the frame's size: the works tx-N or rx-N."""
    works = [w for w in results.works() if re.fullmatch(way + r'-\d+k?', w)]
    cells = [c for w in works for c in results.of_work(w) if c.bytes]
    own = [c for c in cells if not c.is_native]
    sizes = sorted({c.bytes for c in own})
    if len(sizes) < 2:
        return
    panels = two_rows(results, own, [c for c in cells if c.is_native],
                      lambda cell: cell.bytes)
    plot_grid(pyplot, panels, sizes, 'bytes in a frame, or in a send',
              (name, per('frame, or per send')), (folder, f'size-{way}'))


def plot_guests(pyplot, results, family, folder):
    """Cost against the number of guests: the works guests-..., which may have
    the number in their name."""
    works = [w for w in results.works()
             if any(family_of(c) == family for c in results.of_work(w))]
    cells = [c for w in works for c in results.of_work(w) if not c.is_native]
    counts = sorted({c.guests for c in cells})
    if len(counts) < 2:
        return
    base = results.native(cells[0])
    panels = two_rows(results, cells, [], lambda cell: cell.guests)
    if base:
        line = [(n, base.total().value, base.total().spread) for n in counts]
        for _, series in panels[0]:
            series.insert(0, Series(NATIVE, line, LINES[NATIVE]))
    plot_grid(pyplot, panels, counts, 'guests that work at the same time',
              ('Several guests on one NIC', per(cells[0].unit)), (folder, family))


def family_of(cell):
    """The work without the number of guests; None if it is none of these."""
    if not cell.work.startswith('guests'):
        return None
    return re.sub(f'-{cell.guests}$', '', cell.work)


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    pyplot = load_matplotlib()
    if pyplot is None:
        print('plot: no matplotlib (Debian: python3-matplotlib), so no pictures')
        return 0
    results, folder = Results.read(argv[0]), argv[1]
    os.makedirs(folder, exist_ok=True)
    components = Components(results)
    for work in results.works():
        plot_parts(pyplot, results, components, work, folder)
    plot_size(pyplot, results, 'tx', 'Transmit, frames of different size', folder)
    plot_size(pyplot, results, 'rx', 'Receive, frames of different size', folder)
    for family in unique(map(family_of, results.cells.values())):
        if family:
            plot_guests(pyplot, results, family, folder)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
