# SPDX-License-Identifier: GPL-2.0-only
"""The last VM exits of the lab's guests, by KVM's own tracepoint: what went before when
a triple fault has shut a guest's CPU down, of which nothing else tells."""
import os

INSTANCE = '/sys/kernel/tracing/instances/guests'
EVENT = INSTANCE + '/events/kvm/kvm_exit'
# AMD's VMEXIT_SHUTDOWN.  The trace ends with it.
SHUTDOWN = 0x7f
KIB = 32
LINES = 40


def _write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def watch():
    """Watch the guests that run from now on, those of an earlier call still."""
    if not os.path.isdir(INSTANCE):
        os.mkdir(INSTANCE)
        _write(INSTANCE + '/buffer_size_kb', str(KIB))
        _write(EVENT + '/trigger', f'traceoff if exit_reason == {SHUTDOWN}')
        _write(EVENT + '/enable', '1')
    _write(INSTANCE + '/tracing_on', '1')


def before_shutdown():
    """The last exits if a CPU was shut down since watch(), else None."""
    if not os.path.isdir(INSTANCE):
        return None
    with open(INSTANCE + '/tracing_on', encoding='ascii') as file:
        if file.read().strip() == '1':
            return None
    with open(INSTANCE + '/trace', encoding='utf-8', errors='replace') as file:
        return ''.join(file.readlines()[-LINES:])
