# SPDX-License-Identifier: GPL-2.0-only
"""XDP programs that pass or drop all, loaded without a compiler: two instructions."""
import ctypes
import os
import socket
import struct

SYS_BPF = 321
BPF_PROG_LOAD, BPF_LINK_CREATE = 5, 28
BPF_PROG_TYPE_XDP, BPF_XDP = 6, 37
DROP, PASS = 1, 2
GENERIC, DRIVER = 1 << 1, 1 << 2
# r0 = verdict; exit
CODE = '<BBhiBBhi'
MOV, EXIT = 0xb7, 0x95

libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attr):
    buf = ctypes.create_string_buffer(attr, 128)
    fd = libc.syscall(SYS_BPF, command, buf, len(buf))
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


class Xdp:
    """A program that gives all frames that a device receives one verdict, as long as the
    with statement lasts.  OSError if the device has no such mode."""

    def __init__(self, device, verdict, mode):
        code = ctypes.create_string_buffer(
            struct.pack(CODE, MOV, 0, 0, verdict, EXIT, 0, 0, 0), 16)
        name = ctypes.create_string_buffer(b'GPL')
        program = _bpf(BPF_PROG_LOAD, struct.pack(
            '<IIQQ', BPF_PROG_TYPE_XDP, 2, ctypes.addressof(code),
            ctypes.addressof(name)))
        try:
            self.link = _bpf(BPF_LINK_CREATE, struct.pack(
                '<IIII', program, socket.if_nametoindex(device), BPF_XDP, mode))
        finally:
            os.close(program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.link)
