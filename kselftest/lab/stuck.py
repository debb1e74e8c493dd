# SPDX-License-Identifier: GPL-2.0-only
"""What can be seen from outside of a guest that no longer answers: where its
CPUs are, what QEMU's threads wait for, and what its twins have counted."""
import re
import time

from host import DEBUGFS, counters, twins

PAUSE = 2

# Words of a guest's kernel that has come across something that was spoilt.  One that
# had no processor for long says 'soft lockup', too, and 'default' is no fault.
SPOILT = re.compile(r'panic|BUG: (?!soft lockup)|Oops|\bfault')


def _read(path):
    try:
        with open(path, errors='replace') as file:
            return file.read()
    except OSError as error:
        return f'({error.strerror})'


def _ticks(task):
    """State, and ticks spent in programs and in the kernel; a guest's are
    among the former."""
    fields = _read(task + '/stat').rpartition(')')[2].split()
    return f'{fields[0]} {fields[11]}+{fields[12]}' if len(fields) > 12 else 'gone'


def _thread(pid, tid):
    task = f'/proc/{pid}/task/{tid}'
    stack = ' '.join(line.split()[1].split('+')[0]
                     for line in _read(task + '/stack').splitlines() if line)
    return f'{tid} {_read(task + "/comm").strip()}: {_ticks(task)}, in {stack or "user"}'


def _cpus(guest):
    """Each CPU of the guest, by QEMU; that needs a main loop which is alive."""
    text = guest.qmp('human-monitor-command', timeout=10,
                     command_line='info registers -a')
    return re.findall(r'CPU#\d+|RIP=\w+ RFL=\w+|HLT=\d', text)


def _code(guest):
    """What the first CPU of the guest executes, with its registers, its stack and
    where its modules are."""
    return '\n'.join(guest.qmp('human-monitor-command', timeout=10, command_line=line)
                     for line in ('info registers', 'x /12i $pc-16', 'x /48gx $sp',
                                  'info lapic', 'info irq'))


def _counted(twin):
    return {queue: {name: number for name, number in numbers.items() if number}
            for queue, numbers in counters(twin).items()}


def _attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:          # whatever it is, the rest is told
        return f'({type(error).__name__}: {error})'


def describe(guest):
    """Twice, so that what moves can be told from what does not."""
    lines = []
    for turn in range(2):
        time.sleep(PAUSE * turn)
        lines += [_thread(guest.pid, tid) for tid in guest.threads()]
        lines.append(f'guest: {_attempt(_cpus, guest)}')
        lines += [f'{twin}: {_attempt(_counted, twin)}' for twin in twins()]
    lines.append(_attempt(_code, guest))
    return '\n'.join(lines)


def _stopped(guest):
    """Has QEMU stopped each queue of its twins?"""
    lines = [line for twin in twins() if twin.startswith(f'{guest.pid}-')
             for line in _read(f'{DEBUGFS}/{twin}/state').splitlines()
             if re.match(r'[rt]x\d+:', line)]
    return all(line.split()[1] == 'stopped' for line in lines)


def is_sound(guest, description, console):
    """Is all well with a guest that does not answer, but for that?  So it is if
    QEMU's main loop is alive and says that the guest runs, if none of its threads
    was seen in the module, and if the guest's kernel has not come across anything
    that was spoilt.  Its console is not our business: kicks, calls and frames are
    not needed to answer there."""
    status = _attempt(guest.qmp, 'query-status', 10)
    return (isinstance(status, dict) and status['status'] == 'running' and
            'ktwin_' not in description and not SPOILT.search(console))


def is_not_ours(guest, description, console):
    """Has the module, by all that can be seen, no part in it that a guest does not
    boot?  So it is if QEMU has stopped the twins besides, as it does at a reset."""
    return is_sound(guest, description, console) and _stopped(guest)
