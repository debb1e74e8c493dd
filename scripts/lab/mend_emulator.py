#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""mend_emulator.py QEMU TO  -- a copy of qemu-system-x86_64 without two flaws that upset
KVM on an emulated SVM.  Prints those that are not found; as of QEMU 11.1 both are there.

(1) target/i386/tcg/system/fpu_helper.c: each CPU that loads the state of its FPU, as at a
switch of tasks, calls cpu_clear_ignne().  That clears IGNNE of the FIRST CPU in hflags2,
by an AND that is not locked, while that CPU's own thread writes to the same word that it is
in a guest with nested paging (HF2_NPT), or that it takes interrupts (HF2_GIF).  If it does so
between the AND's reading and writing, the old word comes back: a host that looks for its
instructions through nested page tables, and is interrupted behind VMRUN; or a guest without
them.  IGNNE is for external interrupts of the FPU, which no kernel here has: the AND is
taken out.

(2) target/i386/tcg/seg_helper.c: when a guest's event has been delivered,
do_interrupt_all() clears the valid bit alone of EVENTINJ, which the next exit has as
EXITINTINFO: with the event's type still.  KVM since 6.14 takes that for an event whose
delivery the exit has cut short, and ends the guest if it is an access to MMIO.  All of it is
cleared.
"""
import re
import struct
import sys

# Each in a function: code, once, and what is put in its place.
FLAWS = (
    # andl $~0x80, disp32(reg) becomes a NOP of ten bytes
    (b'cpu_clear_ignne',
     rb'\x81[\xa0-\xa3\xa5-\xa7].{4}\x7f\xff\xff\xff',
     lambda found: b'\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00'),
    # The constant of andl $0x7fffffff, reg becomes 0
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
            print(f'{name.decode()}() is not as mend_emulator.py knows it')
    with open(sys.argv[2], 'wb') as file:
        file.write(data)


main()
