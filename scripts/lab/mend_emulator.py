#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""mend_emulator.py QEMU TO  -- a copy of qemu-system-x86_64 without two flaws of its SVM.

Each CPU that loads the state of its FPU calls cpu_clear_ignne() (XRSTOR does, with every
other switch of tasks), which clears a flag of the FIRST CPU, in a word with others, by an
AND that is not locked.  That CPU's own thread writes the word, too: whether it is in a
guest, with nested paging, and whether it takes interrupts (hflags2, HF2_NPT and HF2_GIF).
If it does so between the AND's reading and writing, the old word comes back: a host that
looks for its instructions through nested page tables, and is interrupted behind VMRUN; or
a guest without them.  What is cleared is for the interrupt of an 80287, and never set
here: the AND is taken out.

When a guest's event has been delivered, do_interrupt_all() clears the valid bit alone of
EVENTINJ, which the next exit has as EXITINTINFO: with the event's type still.  KVM since
6.14 takes that for an event whose delivery the exit has cut short, and ends the guest if it
is an access to MMIO.  All of it is cleared.
"""
import re
import struct
import sys

# Each in a function: code, once, and what is put in its place.
FLAWS = (
    # andl $~0x80, disp32(reg): a NOP of the same length
    (b'cpu_clear_ignne',
     rb'\x81[\xa0-\xa3\xa5-\xa7].{4}\x7f\xff\xff\xff',
     lambda found: b'\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00'),
    # andl $0x7fffffff, reg: with 0
    (b'do_interrupt_all',
     rb'(?:\x25|\x81[\xe0-\xe7])\xff\xff\xff\x7f',
     lambda found: found[0][:-4] + bytes(4)),
)

SHT_DYNSYM = 11
PT_LOAD = 1


def table(data, fmt, offset, size, count):
    return [struct.unpack_from(fmt, data, offset + i * size) for i in range(count)]


class Elf:
    """A 64-bit ELF file's dynamic symbols."""

    def __init__(self, data):
        self.data = data
        phoff, shoff = struct.unpack_from('<QQ', data, 32)
        sizes = struct.unpack_from('<HHHH', data, 54)
        self.segments = table(data, '<IIQQQQQQ', phoff, *sizes[:2])
        self.sections = table(data, '<IIQQQQIIQQ', shoff, *sizes[2:])

    def _file_offset(self, address):
        for kind, _, offset, start, _, in_file, *_ in self.segments:
            if kind == PT_LOAD and start <= address < start + in_file:
                return offset + address - start
        raise ValueError(f'{address:#x} is in no segment')

    def find(self, name):
        """(offset in the file, size) of a function; None if there is none."""
        _, _, _, _, where, size, strings, *_ = next(
            each for each in self.sections if each[1] == SHT_DYNSYM)
        names = self.sections[strings][4]
        for nr, *_, value, length in table(self.data, '<IBBHQQ', where, 24, size // 24):
            if self.data[names + nr:names + nr + len(name) + 1] == name + b'\0':
                return self._file_offset(value), length
        return None


def mend(data, name, code, instead):
    """Whether the flaw was there."""
    at = Elf(data).find(name)
    if not at:
        return False
    start, size = at
    function, n = re.subn(code, instead, bytes(data[start:start + size]), flags=re.DOTALL)
    if n != 1:
        return False
    data[start:start + size] = function
    return True


def main():
    with open(sys.argv[1], 'rb') as file:
        data = bytearray(file.read())
    for name, code, instead in FLAWS:
        if not mend(data, name, code, instead):
            print(f'{sys.argv[1]}: {name.decode()}() is not as this script knows it; '
                  'it is taken as it is', file=sys.stderr)
    with open(sys.argv[2], 'wb') as file:
        file.write(data)


main()
