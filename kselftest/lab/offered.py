#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a frame costs in kicks and how long it takes to the wire, against how many are
offered, by each contender: for scripts/bench's picture of kick moderation.  One line of
JSON for each point is printed."""
import subprocess

from lab import Tap, insmod, run

CONTENDERS = (('/dev/vhost-net', ''), ('/dev/kvm-twin', 'inline'),
              ('/dev/kvm-twin', 'worker'), ('/dev/kvm-twin', 'adaptive'))


def main(tap):
    run('modprobe -a vhost_net tun')
    # Who posts frames here runs in the lab host itself, ten times as fast as a guest.
    insmod('moderation_us=200')
    for device, policy in CONTENDERS:
        done = subprocess.run(['/out/offered', device] + [policy] * bool(policy),
                              text=True, stdout=subprocess.PIPE)
        points = [line[2:] for line in done.stdout.splitlines()
                  if line.startswith('# {')]
        for point in points:
            tap.note(point)
        tap.ok(done.returncode == 0 and len(points) == 10,
               f'{device}, {policy or "its own way"}: each pace was measured',
               done.stdout)


if __name__ == '__main__':
    Tap.main(main)
