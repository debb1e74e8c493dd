#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make of what the counter and the lab left behind in a folder one file of
JSON: for each cell, window by window, what was executed and what happened.

    collect.py FOLDER RESULT.json [NAME=VALUE...]

What happened is counted, too, by what was executed: how often a function was
entered is how often a block at its first address ran.
"""
import json
import os
import statistics
import sys
from collections import Counter, defaultdict

from symbols import Modules, Symbols
from ticks import Ticks, WORK as TICKS

# Functions of the host whose calls are events; of several names the first that
# the kernel has, unless they are joined by '+'.
EVENTS = {
    'switches': '__switch_to',
    'wakeups': 'ttwu_do_activate try_to_wake_up',
    'ipis': 'sysvec_reschedule_ipi+sysvec_call_function_single+sysvec_call_function'
            '+sysvec_irq_work',
    'interrupts': 'common_interrupt',
    'softirqs': 'handle_softirqs __do_softirq',
    'ticks': 'tick_nohz_handler tick_sched_timer',
    'timers': 'sysvec_apic_timer_interrupt',
    'syscalls': 'do_syscall_64',
    'signals': 'eventfd_signal_mask eventfd_signal',
    'wired_calls': 'irqfd_wakeup',
    'other_calls': 'kvm_send_userspace_msi',
    'page_faults': 'exc_page_fault',
    'polls': 'kvm_vcpu_check_block',
}

# AMD's manual, volume 2, appendix C.
EXITS = {
    0x60: 'intr', 0x61: 'nmi', 0x64: 'vintr', 0x72: 'cpuid', 0x75: 'swint',
    0x77: 'pause', 0x78: 'hlt', 0x7b: 'io', 0x7c: 'msr', 0x7f: 'shutdown',
    0x81: 'vmmcall', 0x89: 'wbinvd', 0x8a: 'monitor', 0x8b: 'mwait',
    0x400: 'npf',
}
TOP = 80


class Entries:
    """First addresses of the functions whose calls are events."""

    def __init__(self, symbols):
        by_name = {name: address for address, (name, _)
                   in zip(symbols.addresses, symbols.names)}
        self.events = {}
        for event, names in EVENTS.items():
            wanted = names.split('+') if '+' in names else \
                [name for name in names.split() if name in by_name][:1]
            for name in wanted:
                if name in by_name:
                    self.events[by_name[name]] = event


class Window:
    """What one window held."""

    def __init__(self):
        self.host, self.guest = Counter(), Counter()
        self.events, self.exits = Counter(), Counter()
        self.symbols = Counter()

    def add(self, mode, pc, insns, runs, host, guest, entries):
        if mode == 'k':
            name, part = host.find(pc)
            self.host[part] += insns * runs
            self.symbols[name, part] += insns * runs
            if pc in entries.events:
                self.events[entries.events[pc]] += runs
        elif mode == 'u':
            self.host['user'] += insns * runs
        elif mode == 'K':
            self.guest[guest.part(pc)] += insns * runs
            # The guests' kernel is the host's, at the same addresses.
            if entries.events.get(pc) == 'ticks':
                self.events['guest_ticks'] += runs
        elif mode == 'U':
            self.guest['user'] += insns * runs
        elif mode == 'x':
            self.exits[EXITS.get(pc, hex(pc))] += runs
        else:
            raise ValueError('the counter had no room for all blocks')


def read_laps(path):
    """{lap: seconds since the one before}."""
    seconds, before = {}, None
    with open(path) as file:
        for line in file:
            lap, _, at, *_ = line.split()
            if before is not None:
                seconds[int(lap)] = float(at) - before
            before = float(at)
    return seconds


def read_windows(path, wanted, resolver):
    """{lap: Window} of the laps that are wanted; resolver(lap) says whose
    symbols they are."""
    windows, window = {}, None
    with open(path) as file:
        for line in file:
            mode, pc, insns, *runs = line.split()
            if mode == 'lap':
                lap = int(pc)
                window = windows.setdefault(lap, Window()) if lap in wanted else None
                tables = resolver(lap) if window else None
            elif window:
                window.add(mode, int(pc, 16), int(insns), int(runs[0]), *tables)
    return windows


def window_json(window, units, seconds):
    events = window.events
    events['exits'] = sum(window.exits.values())
    # An eventfd that the kernel signals is a kick or a call.
    events['kicks'] = events.pop('signals', 0) - events.get('wired_calls', 0)
    events['calls'] = events.pop('wired_calls', 0) + events.pop('other_calls', 0)
    return {'units': units, 'seconds': round(seconds, 4),
            'host': dict(window.host), 'guest': dict(window.guest),
            'events': dict(window.events), 'exits': dict(window.exits)}


def top_symbols(windows, units):
    """The host's most expensive functions: instructions a unit, the median."""
    each = defaultdict(list)
    for window in windows:
        for key, insns in window.symbols.items():
            each[key].append(insns / units)
    zero = len(windows)
    rows = [(statistics.median(values + [0] * (zero - len(values))), name, part)
            for (name, part), values in each.items()]
    return [[name, part, round(insns, 1)]
            for insns, name, part in sorted(rows, reverse=True)[:TOP]]


def take_out_ticks(cells, windows):
    """Have each window's timer ticks in a part of their own; what one costs."""
    def spinning(native):
        return [windows[lap] for cell in cells for lap in cell['laps']
                if cell['work'] == TICKS and (cell['contender'] == 'native') == native]

    ticks = Ticks(spinning(True), spinning(False))
    for window in windows.values():
        ticks.take_out(window)
    return {'host': dict(ticks.host), 'guest': dict(ticks.guest)}


def cell_json(cell, windows, seconds):
    mine = [windows[lap] for lap in cell['laps']]
    keys = ('work', 'title', 'unit', 'bytes', 'net', 'contender', 'guests',
            'generated')
    return {**{key: cell.get(key) for key in keys},
            'windows': [window_json(window, cell['units'], seconds[lap])
                        for window, lap in zip(mine, cell['laps'])],
            'symbols': top_symbols(mine, cell['units'])}


def read_file(path):
    with open(path) as file:
        return file.read()


def read_cells(path):
    """The cells that the lab noted; of one that was measured anew the last."""
    cells = map(json.loads, read_file(path).splitlines())
    return list({(cell['work'], cell['net'], cell['contender']): cell
                 for cell in cells}.values())


def convert(folder, made):
    cells = read_cells(folder + '/cells')
    host = Symbols(read_file(folder + '/kallsyms'))
    entries = Entries(host)
    guests = {lap: guest for cell in cells for guest in [Modules(cell['modules'])]
              for lap in cell['laps']}
    windows = read_windows(folder + '/count.blocks', set(guests),
                           lambda lap: (host, guests[lap], entries))
    seconds = read_laps(folder + '/count.laps')
    return {'format': 1, 'made': made, 'tick': take_out_ticks(cells, windows),
            'cells': [cell_json(cell, windows, seconds) for cell in cells
                      if cell['work'] != TICKS]}


def main():
    folder, result, *words = sys.argv[1:]
    made = dict(word.split('=', 1) for word in words)
    results = convert(folder, made)
    if os.path.exists(folder + '/ring.json'):
        results['ring'] = json.loads(read_file(folder + '/ring.json'))
    with open(result, 'w') as file:
        json.dump(results, file, indent=1)


if __name__ == '__main__':
    main()
