# SPDX-License-Identifier: GPL-2.0-only
"""Numbers and tables as text, for a terminal or as reStructuredText.

A table is a list of headings and a list of rows of strings; a heading may have
several lines.  A row that is one string stands across the table.
"""


def number(value):
    """As few digits as say something."""
    if value is None:
        return '-'
    size = abs(value)
    if size >= 999_999.5:
        return f'{value / 1e6:.2f}M'
    if size >= 99.95:
        return f'{value:,.0f}'
    if size >= 9.995:
        return f'{value:.1f}'
    if size == 0:
        return '0'
    return f'{value:.2f}' if size >= 0.0995 else f'{value:.3f}'


def percent(value, digits=0):
    return '-' if value is None else f'{value:.{digits}f}%'


def times(value):
    return '-' if value is None else f'{value:.2f}'


def value_of(figure):
    """A figure's median alone."""
    return number(figure and figure.value)


def with_spread(figure):
    """A figure's median and its spread, so that both line up."""
    if figure is None:
        return '-' + ' ' * 6
    share = figure.percent()
    spread = '' if share is None else f'±{share:.1f}%' if share < 9.95 else \
        f'±{share:.0f}%'
    return f'{value_of(figure)} {spread:<5}'


def short(value):
    """Three digits, for a number that is not known to more."""
    for size, unit in ((1e6, 'M'), (1e3, 'k'), (1, '')):
        if value >= 0.9995 * size:
            break
    value /= size
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f'{value:.{digits}f}{unit}'


def span(ends):
    return '-' if ends is None else f'{short(ends[0])}..{short(ends[1])}'


def _widths(headings, rows):
    cells = [h.split('\n') for h in headings]
    for row in rows:
        if not isinstance(row, str):
            cells = [column + [text] for column, text in zip(cells, row)]
    return [max(map(len, column)) for column in cells]


def _heading_lines(headings):
    """The headings as rows; a short one stands at the bottom."""
    split = [h.split('\n') for h in headings]
    depth = max(map(len, split))
    return list(zip(*([''] * (depth - len(h)) + h for h in split)))


def render(headings, rows):
    """For a terminal: the first column to the left, the others to the right."""
    widths = _widths(headings, rows)

    def line(cells):
        texts = [cells[0].ljust(widths[0])]
        texts += [c.rjust(w) for c, w in zip(cells[1:], widths[1:])]
        return '  '.join(texts).rstrip()

    lines = [line(cells) for cells in _heading_lines(headings)]
    lines.append('-' * (sum(widths) + 2 * (len(widths) - 1)))
    lines += [row if isinstance(row, str) else line(row) for row in rows]
    return '\n'.join(lines)


def render_rst(title, headings, rows):
    """A simple table.  A dash alone would be a list, and a first column that is
    empty would continue the row above."""
    headings = [' '.join(h.replace('-\n', '-').split()) for h in headings]
    rows = [[text.strip().replace('  ', ' ') for text in row] for row in rows
            if not isinstance(row, str)]
    rows = [['–' if text == '-' else text for text in row] for row in rows]
    widths = _widths(headings, rows)
    rule = ' '.join('=' * width for width in widths)

    def line(cells):
        return ' '.join(c.ljust(w) for c, w in zip(cells, widths)).rstrip()

    body = [rule, line(headings), rule, *map(line, rows), rule]
    return '\n'.join([f'.. table:: {title}', '', *('   ' + text for text in body)])
