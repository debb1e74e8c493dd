# SPDX-License-Identifier: GPL-2.0-only
"""The cost model: from counts to a range of cycles.

Instructions are not cycles.  An instruction costs a share of a cycle that
depends on the code (IPC), and some events cost more than their instructions
say.  What is added for an event is only that: pipeline, microcode, TLB and
caches.  The instructions that handle it have been counted where they ran.

The sources of each number, what is measured and what is guessed, are in
Documentation/cost-model.rst.  Change both together.
"""
from cells import all_instructions, event_count

# Instructions per cycle of kernel code that moves data: (low, high).
IPC = (0.85, 1.95)

# Cycles that an event costs beyond its instructions: (low, high).
EXTRA = {
    'exits': (700, 1400),       # out of the guest and in again, in microcode
    'switches': (300, 1550),    # another stack, perhaps another address space
    'wakeups': (500, 6700),     # the woken thread finds its data elsewhere
    'ipis': (1200, 2000),       # sending, and being interrupted, together
    'interrupts': (800, 1600),  # being interrupted, and going back
}


def cycles(window):
    """The cycles of a window, without what is left out: (low, high).

    An event that has not been counted adds nothing.
    """
    count = all_instructions(window)
    low, high = count / IPC[1], count / IPC[0]
    for name, (least, most) in EXTRA.items():
        times = event_count(window, name) or 0
        low += times * least
        high += times * most
    return low, high


def per_unit(cell):
    """The medians of both ends over a cell's windows; None without windows."""
    low = cell.per_unit(lambda window: cycles(window)[0])
    high = cell.per_unit(lambda window: cycles(window)[1])
    return None if low is None else (low.value, high.value)
