#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each ioctl of /dev/kvm-twin refuses bad input with the errno that vhost-net
gives for it, in any order, and the next valid call works."""
from lab import Tap, insmod, run
from vmm import check_gone, relay


def main(tap):
    run('modprobe -a vhost_net tun tap')
    insmod('')
    relay(tap, 'ioctl')
    relay(tap, 'values')
    relay(tap, 'sequences')
    check_gone(tap)


Tap.main(main)
