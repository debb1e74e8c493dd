#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation and every copy to and from user memory that the module makes is
made to fail: when it is loaded, in each call of a VMM's, and on the way of frames.
Tells which could be made to fail how often, and that it was all of them.

Needs a kernel with fault injection, as the lab's 'kasan' has it.
"""
import argparse
import os

from lab import Tap, insmod, rmmod, run
from host import DEVICE, OUT
from vmm import check_gone, relay
import sites

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OBJECT = OUT + '/kvm_twin.ko'
LIST = '/tmp/sites'
DEBUGFS = '/sys/kernel/debug'
KINDS = ('failslab', 'fail_page_alloc', 'fail_usercopy')
# A probability is of use with those alone that are told to fail (make-it-fail).
AIMED = {'task-filter': 'Y', 'interval': 1, 'space': 0, 'verbose': 0,
         'stacktrace-depth': 32, 'probability': 100}
# By itself it spares what may sleep, and small pages.
SPARED = {'failslab': {'ignore-gfp-wait': 'N', 'cache-filter': 'N'},
          'fail_page_alloc': {'ignore-gfp-wait': 'N', 'ignore-gfp-highmem': 'N',
                              'min-order': 0}}


def put(kind, knobs):
    for name, value in knobs.items():
        with open(f'{DEBUGFS}/{kind}/{name}', 'w') as file:
            file.write(str(value))


def aim():
    for kind in KINDS:
        put(kind, {**SPARED.get(kind, {}), **AIMED})


def rest():
    for kind in KINDS:
        put(kind, {'probability': 0, 'task-filter': 'N', 'require-start': 0,
                   'require-end': 2 ** 64 - 1})


def write_list(ranges):
    with open(LIST, 'w') as file:
        file.writelines(f'{start:x} {end:x}\n' for start, end in ranges)
    if os.path.exists(LIST + '.fired'):
        os.remove(LIST + '.fired')


def fired():
    """{return address: how often something below it has failed}"""
    found = {}
    with open(LIST + '.fired') as file:
        for line in file:
            address, count = line.split()
            address = int(address, 16)
            found[address] = found.get(address, 0) + int(count)
    return found


def initcalls():
    """The kernel's function that calls a module's init: its range."""
    with open('/proc/kallsyms') as file:
        addresses = [(int(line.split()[0], 16), line.split()[2]) for line in file
                     if line.split()[1] in 'tT']
    addresses.sort()
    at = next(i for i, (_, name) in enumerate(addresses)
              if name == 'do_one_initcall')
    start = addresses[at][0]
    return start, next(address for address, _ in addresses[at:] if address > start)


def load(tap):
    """Returns how many faults there were."""
    where = initcalls()
    rmmod()
    write_list([where, where])
    relay(tap, 'failload', DEVICE, LIST, OBJECT)
    return fired().get(where[0], 0)


def tell(tap, can, words, faults):
    never = [site for site in can if not site.faults]
    for site in can:
        tap.note(f'{site.faults:5} {site}')
    tap.note(f'faults {faults}, sites {len(can) - len(never)} of {len(can)}; '
             f'besides {len(words)} words of user memory by get_user() and the like, '
             'which have no fault injection: kselftest/ring fails each access in turn')
    tap.ok(not never, 'each allocation and each copy has failed at least once',
           '\n'.join(f'never: {site}' for site in never))


def main(tap, options):
    if not os.path.isdir(f'{DEBUGFS}/fail_usercopy'):
        tap.skip('each allocation and each copy has failed at least once',
                 'this kernel has no fault injection')
        return
    run('modprobe -a vhost_net tun tap vhost_iotlb')
    can, words, unknown = sites.find(OBJECT, TOP)
    tap.ok(not unknown, 'of each function that the module calls it is known '
           'whether it can fail', '\n'.join(map(str, unknown)))
    aim()
    loading = load(tap)
    insmod()
    whole = sites.locate(can)
    aimed = [site for site in can if site.start and not site.loading]
    write_list([whole] + [(site.start, site.start + 1) for site in aimed])
    for program in options.programs:
        relay(tap, program, DEVICE, LIST)
    rest()
    counts = fired()
    for site in can:
        site.faults = loading if site.loading else counts.get(site.start, 0)
    tell(tap, can, words, loading + sum(counts.values()))
    check_gone(tap)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('programs', nargs='*', default=('failnth', 'failpath'))
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
