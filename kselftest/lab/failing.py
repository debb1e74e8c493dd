#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation and every copy to and from user memory that the module makes is
made to fail: when it is loaded, in each call of a VMM's, and on the way of frames.
Tells which could be made to fail how often, and that it was all of them.

Needs a kernel with fault injection, as the lab's 'kasan' has it.
"""
import argparse
import contextlib
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
    # What is below a call of the module's, but is a checker's own.
    checker = text_of('fill_pool', 'kmem_alloc_batch', 'debug_objects_fill_pool',
                      '__debug_object_init', 'debug_object_activate')
    for kind in KINDS:
        put(kind, {'reject-start': checker[0], 'reject-end': checker[1]})
        put(kind, {**SPARED.get(kind, {}), **AIMED})


def rest():
    for kind in KINDS:
        put(kind, {'probability': 0, 'task-filter': 'N', 'require-start': 0,
                   'require-end': 2 ** 64 - 1, 'reject-start': 0, 'reject-end': 0})


@contextlib.contextmanager
def cgroups():
    """Where this process is in a cgroup of each kind.  The worker is moved to that of
    the old kind alone, so that nobody is where it then is."""
    old, new = '/tmp/failing-cgroup', '/sys/fs/cgroup'
    os.mkdir(old)
    run(f'mount -t cgroup -o none,name=failing failing {old}')
    for top in old, new:
        os.mkdir(f'{top}/failing')
        join(f'{top}/failing')
    try:
        yield
    finally:
        for top in old, new:
            join(top)
            os.rmdir(f'{top}/failing')
        run(f'umount {old}')
        os.rmdir(old)


def join(path):
    with open(f'{path}/cgroup.procs', 'w') as file:
        file.write('0')


def write_list(ranges):
    """Ranges of return addresses, and does the call leave for a backend?"""
    with open(LIST, 'w') as file:
        file.writelines(f'{start:x} {end:x} {leaves:d}\n'
                        for start, end, leaves in ranges)
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


def text_of(*names):
    """Where the kernel's functions of these names begin and end, those that there
    are; they lie side by side."""
    with open('/proc/kallsyms') as file:
        words = [line.split() for line in file]
    symbols = sorted((int(word[0], 16), word[2]) for word in words
                     if word[1] in 'tT')
    found = [address for address, name in symbols if name in names]
    if not found:
        return 0, 0
    return found[0], next(at for at, _ in symbols if at > found[-1])


def load(tap):
    """Returns how many faults there were."""
    where = text_of('do_one_initcall')
    rmmod()
    write_list([(*where, False)] * 2)
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
    run('modprobe -a vhost_net tun tap macvtap veth vhost_iotlb')
    can, words, unknown = sites.find(OBJECT, TOP)
    tap.ok(not unknown, 'of each function that the module calls it is known '
           'whether it can fail', '\n'.join(map(str, unknown)))
    aim()
    loading = load(tap)
    insmod('policy=softirq')
    whole = sites.locate(OBJECT, can)
    aimed = [site for site in can if site.start and not site.loading]
    write_list([(*whole, False)] + [(site.start, site.start + 1, site.leaves)
                                    for site in aimed])
    with cgroups():
        for words in options.programs:
            *wire, program = words.split(':')
            os.environ['WIRE'] = wire[0] if wire else 'tap'
            relay(tap, program, DEVICE, LIST)
    rest()
    counts = fired()
    for site in can:
        site.faults = loading if site.loading else counts.get(site.start, 0)
    tell(tap, can, words, loading + sum(counts.values()))
    check_gone(tap)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('programs', nargs='*',
                        default=('failnth', 'failpath', 'macvtap:failpath'),
                        help='each may have a wire of its own before it')
    parsed = parser.parse_args()
    Tap.main(lambda tap: main(tap, parsed))
