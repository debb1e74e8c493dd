#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py and plot.py on a file made by hand, whose answers are known."""
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from types import SimpleNamespace
from xml.dom import minidom

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
sys.path.append(os.path.join(TOP, 'kselftest', 'lab'))
sys.dont_write_bytecode = True

import model
import report
from cells import Cell, Figure, Results
from tap import Tap
from ticks import Ticks

UNITS = 100


def window(host, guest=None, events=None, exits=None, units=UNITS):
    """A window in which each unit cost so much."""
    def times(counts):
        return {name: n * UNITS for name, n in (counts or {}).items()}
    return {'units': units, 'seconds': 1.0, 'host': times(host),
            'guest': times(guest), 'events': times(events), 'exits': times(exits)}


def cell(work, net, contender, windows, guests=1):
    return {'work': work, 'title': 'by hand', 'unit': 'frame', 'bytes': 60,
            'net': net, 'contender': contender, 'guests': guests,
            'windows': windows}


NATIVE = {'net': 600, 'nic': 400, 'generator': 5000, 'ticks': 300}
VHOST = {'net': 2000, 'kvm': 1000, 'generator': 70}
INLINE = {'net': 1500, 'kvm': 500}
GUEST = {'kernel': 1900, 'user': 100, 'generator': 7000}


def by_hand():
    """native 1000; vhost-net 3000 + 2000, so 4000 beyond; inline 2000 + 2000,
    so 3000 beyond."""
    vhost = window(VHOST, GUEST, {'exits': 2, 'ipis': 1}, {'npf': 1.5, 'io': 0.5})
    inline = window(INLINE, GUEST, {'exits': 3}, {'npf': 3})
    return {'format': 1, 'made': {'kernel': '7.3', 'quick': 'true'}, 'cells': [
        cell('tx-60', 'bridge', 'inline', [inline] * 5),
        cell('tx-60', 'bridge', 'vhost-net', [vhost] * 5),
        cell('tx-60', 'nic', 'native', [window(NATIVE)] * 5),
        cell('no-native', 'bridge', 'vhost-net', [vhost] * 5),
        cell('no-native', 'bridge', 'inline', [inline] * 5),
        cell('no-vhost', 'nic', 'native', [window(NATIVE)] * 5),
        cell('no-vhost', 'bridge', 'inline', [inline] * 5),
        cell('no-units', 'bridge', 'inline', [window(INLINE, units=0)] * 5),
        cell('guests-1', 'nic', 'native', [window(NATIVE)] * 5),
        cell('guests-4', 'bridge', 'inline', [inline] * 5, guests=4),
        cell('guests-8', 'bridge', 'inline', [inline] * 5, guests=8),
    ]}


def get(results, work='tx-60', net='bridge', contender='inline', guests=1):
    return results.cells[work, net, contender, guests]


def output(files, *options):
    """(exit code, what report.py prints) for these contents of files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, content in enumerate(files):
            paths.append(os.path.join(folder, f'{number}.json'))
            with open(paths[-1], 'w', encoding='utf-8') as file:
                json.dump(content, file)
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            code = report.main([*options, *paths])
        return code, text.getvalue()


def row_of(text, name, section=''):
    """The words of the first row of that name after the section's begin."""
    rows = text[text.index(section):].splitlines()
    return next((row.split() for row in rows if row.split()[:1] == [name]), None)


def changed(change):
    """The file after change(window) of every window of inline at tx-60."""
    raw = json.loads(json.dumps(by_hand()))     # no window is another one, too
    for made in raw['cells']:
        if (made['work'], made['contender']) == ('tx-60', 'inline'):
            for number, one in enumerate(made['windows']):
                change(number, one)
    return raw


def more_host(percent):
    """Of inline's 2000 host instructions a frame at tx-60."""
    def change(_, one):
        one['host']['net'] += 20 * UNITS * percent
    return changed(change)


def test_figures(tap):
    figure = Figure.of([102, 98, 100, 99, 101])
    tap.equal((figure.value, figure.spread, figure.percent()), (100, 1, 1),
              'a figure is the median, with half the distance of the quartiles')
    tap.equal(Figure.of([90, 100, 110]), Figure(100, 10),
              'of few windows the spread is half the distance of the ends')
    tap.equal(Figure.of([99, 100, 100, 100, 900]).value, 100,
              'a window that went astray moves no figure')


def test_definitions(tap):
    results = Results(by_hand())
    native, vhost, inline = (get(results, net=net, contender=contender)
                             for net, contender in (('nic', 'native'),
                                                    ('bridge', 'vhost-net'),
                                                    ('bridge', 'inline')))
    tap.equal((native.host().value, vhost.host().value, vhost.guest().value),
              (1000, 3000, 2000),
              'the generator and ticks are left out, in the host and in the guest')
    tap.equal((results.overhead(vhost).value, results.overhead(inline).value),
              (4000, 3000), 'overhead is host and guest, less native')
    tap.equal(results.host_overhead(inline).value, 1000,
              'the host\'s part of it is host, less native\'s host')
    tap.equal(results.overhead(native), None, 'native has no overhead')
    inline.generated = True
    tap.equal(results.overhead(inline).value, 1000,
              'of generated frames the overhead is the host\'s part')
    inline.generated = False
    tap.equal((results.share(native), results.share(vhost)), (100, 20),
              'the share of native is native\'s instructions over all')
    tap.equal((results.beside_vhost(inline, results.overhead),
               results.beside_vhost(inline, Cell.host)), (3 / 4, 2 / 3),
              'a ratio to vhost-net is of the same figure, work and net')
    tap.equal([results.overhead(get(results, f'guests-{n}', guests=n)).value
               for n in (4, 8)], [3000, 3000],
              'several guests are compared with one native')
    tap.equal((vhost.event('exits').value, vhost.count_in('exits', 'npf').value,
               native.event('exits').value, vhost.event('kicks')),
              (2, 1.5, 0, None),
              'an event that is missing is zero if any cell has it, else unknown')
    tap.equal([c.contender for c in results.of_work('tx-60')],
              ['native', 'vhost-net', 'inline'],
              'native comes first, then vhost-net, in whatever order they are')


def test_spread_of_a_difference(tap):
    raw = by_hand()
    for made, name in ((raw['cells'][0], 'net'), (raw['cells'][2], 'nic')):
        made['windows'] = [window({name: n}) for n in (980, 990, 1000, 1010, 1020)]
    results = Results(raw)
    tap.equal(results.overhead(get(results)).spread, 20,
              'the spread of an overhead is that of both cells together')


def test_table(tap):
    code, text = output([by_hand()])
    tap.equal(code, 0, 'a file in which cells are missing is reported')
    tap.equal(row_of(text, 'inline', 'tx-60:')[1:],
              ['2,000', '±0.0%', '2,000', '3.00', '-', '-', '0', '-', '-', '-',
               '3,000', '±0.0%', '1,000', '0.75', '0.67', '25%', '4.15k..8.91k'],
              'a row has counts first and the model last')
    tap.equal(row_of(text, 'inline', 'no-native:')[-6:-1],
              ['-', '-', '-', '0.67', '-'], 'without native there is no overhead')
    tap.equal(row_of(text, 'inline', 'no-vhost:')[-7:-1],
              ['3,000', '±0.0%', '1,000', '-', '-', '25%'],
              'without vhost-net there is no ratio to it')
    tap.equal(set(row_of(text, 'inline', 'no-units:')[1:]), {'-'},
              'a cell in which nothing was done has no figures')
    parts = 'Instructions by component, tx-60'
    tap.equal((row_of(text, 'host', parts)[1:], row_of(text, '(host', parts)),
              (['net', '600', '2,000', '1,500'],
               ['(host', 'generator)', '5,000', '70.0', '-']),
              'components are beside each other, the generator by itself')
    tap.equal(row_of(text, 'host,', parts)[-3:], ['1,000', '3,000', '2,000'],
              'and are followed by their sum')
    tap.equal(row_of(text, 'npf', 'Exits by reason, tx-60'), ['npf', '1.50', '3.00'],
              'exits are listed by reason')
    widest = max(map(len, output([by_hand()], '--brief')[1].splitlines()))
    tap.ok(widest <= 150, 'the table fits into 150 columns', widest)


def test_options(tap):
    _, text = output([by_hand()], '--brief', '--work', 'guests-*')
    tap.equal([w in text for w in ('guests-4:', 'tx-60:', 'by component')],
              [True, False, False], '--brief is the table alone, --work a choice')
    tap.equal(output([by_hand()], '--work', 'nothing')[0], 2,
              'a pattern without a match is an error')
    tap.equal(output([{**by_hand(), 'format': 2}])[0], 2,
              'another format is refused')
    _, text = output([by_hand()], '--rst', '--work', 'tx-60')
    tap.ok('.. table:: tx-60' in text and row_of(text, 'inline')[1] == '2,000',
           '--rst is a table in reStructuredText', text)


def compare(before, after, *options):
    return output([before, after], *options, '--compare')


def test_compare(tap):
    code, text = compare(by_hand(), more_host(10))
    row = next(line for line in text.splitlines()
               if line.startswith('tx-60  bridge  inline')).split()
    tap.equal(row[3:9], ['2,000', '2,200', '+10.0%*', '3,000', '3,200', '+6.7%*'],
              'a comparison has both runs and the change')
    tap.equal(code, 0, 'without --within a change is no failure')
    tap.equal(text.splitlines()[-1], 'largest change of overhead: tx-60  bridge  '
              'inline: 3,000 -> 3,200, +6.7%*',
              'the last line is the largest change of overhead')

    def noise(number, one):
        one['host']['net'] += (number - 1) * 20 * UNITS
    text = compare(by_hand(), changed(noise))[1]
    tap.equal(text.splitlines()[-1][-7:], ', +0.7%',
              'a change within the spread is not marked')


def test_within(tap):
    for percent, limit, expected in ((2, 3, 0), (4, 3, 1), (-4, 3, 1), (4, 5, 0)):
        code, text = compare(by_hand(), more_host(percent), '--within', str(limit))
        tap.equal(code, expected, f'{percent:+}% of host instructions is '
                  f'{"beyond" if expected else "within"} {limit}%')
    text = compare(by_hand(), more_host(4), '--within', '3')[1]
    tap.ok('beyond 3%: tx-60  bridge  inline: host 2,000 -> 2,080, +4.0%' in text,
           'the cell that is beyond is named', text)

    def busier_guest(_, one):
        one['guest']['kernel'] += 150 * UNITS
    tap.equal(compare(by_hand(), changed(busier_guest), '--within', '3')[0], 1,
              'overhead alone may be beyond, too')
    fewer = by_hand()
    del fewer['cells'][0]
    tap.equal((compare(by_hand(), fewer, '--within', '3')[0],
               compare(fewer, by_hand(), '--within', '3')[0],
               compare(fewer, by_hand())[0]), (1, 1, 0),
              'a cell of one run only is beyond any limit')
    none = {**by_hand(), 'cells': []}
    tap.equal(compare(none, none, '--within', '3')[0], 1,
              'runs without a common cell do not agree')


def pictures(folder):
    """What plot.py says, and {name: content} of what it makes."""
    path = os.path.join(folder, 'file.json')
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(by_hand(), file)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'plot.py')
    out = os.path.join(folder, 'out')
    done = subprocess.run([sys.executable, program, path, out], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    made = {}
    for name in sorted(os.listdir(out)) if os.path.isdir(out) else []:
        with open(os.path.join(out, name), 'rb') as file:
            made[name] = file.read()
    return done, made


def test_plot(tap):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        done, first = pictures(one)
        claim = 'the pictures of a file are always the same'
        if 'no matplotlib' in done.stdout:
            tap.equal(done.returncode, 0, 'no matplotlib is no failure')
            tap.skip(claim, 'no matplotlib')
            return
        tap.ok(done.returncode == 0 and {'parts-tx-60.svg', 'parts-tx-60.png',
                                         'guests.svg'} <= set(first),
               'there are pictures of a file in which cells are missing',
               done.stdout)
        tap.ok(first == pictures(two)[1], claim)
        for name, content in first.items():
            if name.endswith('.svg'):
                minidom.parseString(content)
        tap.ok(True, 'what is written as SVG is XML')


def test_model(tap):
    made = window({'net': 1000, 'generator': 9000}, {'kernel': 950},
                  {'exits': 1, 'switches': 2, 'ticks': 50})
    low, high = (end / UNITS for end in model.cycles(made))
    extra = model.EXTRA
    tap.equal((round(low), round(high)),
              (round(1950 / 1.95 + extra['exits'][0] + 2 * extra['switches'][0]),
               round(1950 / 0.85 + extra['exits'][1] + 2 * extra['switches'][1])),
              'the model\'s cycles are instructions by IPC, and the extras; '
              'no generator, no ticks')
    with open(os.path.join(TOP, 'Documentation', 'cost-model.rst'),
              encoding='utf-8') as file:
        text = file.read()
    rows = dict(re.findall(r'^``(\w+)``\s+([\d.,]+ +[\d.,]+)', text, re.M))
    written = {name: tuple(float(n.replace(',', '')) for n in ends.split())
               for name, ends in rows.items()}
    tap.equal(written, {'IPC': model.IPC, **extra},
              'cost-model.rst has the model\'s constants')


def test_ticks(tap):
    def spun(ticks, guest_ticks, time, kvm=0):
        return SimpleNamespace(host={'time': time, 'kvm': kvm, 'user': guest_ticks},
                               events={'ticks': ticks, 'guest_ticks': guest_ticks})
    native = [spun(10, 0, 10 * each) for each in (100, 100, 100, 100, 90000)]
    guests = [spun(10, 5, 1000, 5 * each) for each in (70, 70, 70, 1)]
    ticks = Ticks(native, guests)
    tap.equal((ticks.host['time'], ticks.guest['kvm']), (100, 70),
              'one window with waits does not make a tick dear')
    work = spun(3, 2, 1000, 500)
    ticks.take_out(work)
    tap.equal((work.host['time'], work.host['kvm'], work.host['ticks']),
              (700, 360, 300 + 140 + 2), 'a window is less its ticks')


def main(tap):
    test_figures(tap)
    test_ticks(tap)
    test_definitions(tap)
    test_spread_of_a_difference(tap)
    test_table(tap)
    test_options(tap)
    test_compare(tap)
    test_within(tap)
    test_plot(tap)
    test_model(tap)


if __name__ == '__main__':
    Tap.main(main)
