#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest on the fast twin, and a shell in the lab host to look around with.

In the shell, 'guest COMMAND' runs a command in the guest.
"""
import os
import socket
import subprocess
import sys
import threading

from lab import Error, Guest, Outside, default_device, twins

PEER, GUEST = '10.9.0.1', '10.9.0.2'
SOCKET = '/run/guest.sock'
BIN = '/run/lab-bin'

HELP = '''
You are root in the lab host; the module is loaded, and a guest runs:

  guest ping -c 3 {peer}       a command in the guest ({guest})
  ip netns exec peer bash          the outside world ({peer})
  cat /sys/kernel/debug/kvm-twin/summary
  cat /sys/kernel/debug/kvm-twin/{twin}/tx0
  echo worker >/sys/kernel/debug/kvm-twin/{twin}/policy
  echo 1 >/sys/kernel/tracing/events/kvm_twin/enable
  cat /sys/kernel/tracing/trace_pipe

'exit' ends it all.
'''

CLIENT = f'''#!{sys.executable}
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect({SOCKET!r})
    s.sendall(' '.join(sys.argv[1:]).encode())
    s.shutdown(socket.SHUT_WR)
    while data := s.recv(65536):
        sys.stdout.write(data.decode(errors='replace'))
'''


def serve(guest, server):
    """Run what the command 'guest' is given."""
    while True:
        conn, _ = server.accept()
        with conn:
            command = b''
            while data := conn.recv(65536):
                command += data
            try:
                text = guest.sh(command.decode(), timeout=600, check=False)
            except Error as error:
                text = f'{error}\n'
            conn.sendall(text.encode())


def install_client():
    os.makedirs(BIN, exist_ok=True)
    with open(BIN + '/guest', 'w') as file:
        file.write(CLIENT)
    os.chmod(BIN + '/guest', 0o755)


def interactive(twin):
    with open('/dev/ttyS0', 'r+b', buffering=0) as tty:
        tty.write(HELP.format(peer=PEER, guest=GUEST, twin=twin)
                  .replace('\n', '\r\n').encode())
        subprocess.call(['setsid', '-c', 'bash', '--norc', '-i'], stdin=tty,
                        stdout=tty, stderr=tty, cwd='/root',
                        env={**os.environ, 'PS1': 'lab-host# ', 'TERM': 'xterm',
                             'PATH': BIN + ':' + os.environ['PATH']})


def main():
    install_client()
    with Outside() as net, Guest(device=default_device(), tap=net.tap) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        guest.ping(PEER)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(SOCKET)
            server.listen()
            threading.Thread(target=serve, args=(guest, server),
                             daemon=True).start()
            interactive(twins()[0])
    print('ok 1 the shell has ended\n1..1')


main()
