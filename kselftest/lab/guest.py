# SPDX-License-Identifier: GPL-2.0-only
"""A guest: stock QEMU with -enable-kvm, and an agent to run commands by.

The agent's end in the guest is scripts/lab/guest-init; see there for what is
said on the channel.
"""
import atexit
import base64
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from host import DEVICE, Error, OUT, Unanswered, wait_until
from exits import before_shutdown, watch
from net import answered
from stuck import describe, is_not_ours, is_sound

# As libvirt has it: else QEMU's main loop is woken by every tick of a timer
# that the guest has long turned its back on.
MACHINE = 'q35,hpet=off'

BACKENDS = {'kvm-twin': DEVICE, 'vhost-net': '/dev/vhost-net', 'qemu': None}


class Late(Error):
    """Nothing came in time."""


class Channel:
    """A unix socket that QEMU connects to, read with deadlines."""

    def __init__(self, path):
        self.path = path
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(1)
        self.conn = None
        self.buffer = b''

    def accept(self, timeout, alive):
        end = time.monotonic() + timeout
        while not select.select([self.server], [], [], 0.2)[0]:
            alive()
            if time.monotonic() > end:
                raise Error(f'nobody connected to {self.path}')
        self.conn, _ = self.server.accept()

    def send(self, data):
        self.conn.sendall(data)

    def _more(self, end, what, alive):
        while not select.select([self.conn], [], [], 1)[0]:
            alive()
            if time.monotonic() > end:
                raise Late(f'no {what} in time; so far: {self.buffer[-500:]!r}')
        data = self.conn.recv(65536)
        if not data:
            alive()
            raise Error(f'{self.path} was closed, waiting for {what}')
        self.buffer += data

    def line(self, end, what, alive):
        while b'\n' not in self.buffer:
            self._more(end, what, alive)
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line

    def exactly(self, count, end, what, alive):
        while len(self.buffer) < count:
            self._more(end, what, alive)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def close(self):
        for sock in (self.conn, self.server):
            if sock:
                sock.close()


class Job:
    """A command in the guest's background: wait(), wait_for(text), output(),
    stop(), all as in host.Spawned."""

    def __init__(self, guest, command, number):
        self.guest = guest
        self.command = command
        self.base = f'/tmp/job-{number}'
        # The exit code is written beside and renamed: seen whole or not at all.
        script = (f'({command}) >{self.base}.log 2>&1; '
                  f'echo $? >{self.base}.part; mv {self.base}.part {self.base}.code')
        text = base64.b64encode(script.encode()).decode()
        guest.sh(f'echo {text} | base64 -d >{self.base}.sh; '
                 f'setsid sh {self.base}.sh >/dev/null 2>&1 </dev/null & '
                 f'echo $! >{self.base}.pid')

    def output(self):
        return self.guest.sh(f'cat {self.base}.log', plain=True)

    def code(self):
        """Exit code, or None while it runs."""
        text = self.guest.sh(f'cat {self.base}.code 2>/dev/null', check=False,
                             plain=True)
        return int(text) if text.strip() else None

    def wait_for(self, text, timeout=30):
        wait_until(lambda: text in self.output() or self.code() is not None,
                   timeout, f'{text!r} from {self.command!r} in {self.guest.name}')
        if text not in self.output():
            raise Error(f'{self.command!r} in {self.guest.name} ended without '
                        f'{text!r}: {self.output()}')
        return self

    def wait(self, timeout=120, check=True):
        wait_until(lambda: self.code() is not None, timeout,
                   f'the end of {self.command!r} in {self.guest.name}', 0.2)
        if check and self.code():
            raise Error(f'{self.command!r} in {self.guest.name} ended with '
                        f'{self.code()}: {self.output()}')
        return self.output()

    def stop(self):
        # setsid made it the leader of its group.
        self.guest.sh(f'kill -9 -$(cat {self.base}.pid) $(cat {self.base}.pid)',
                      check=False)


class Guest:
    """A virtual machine with one virtio-net NIC.

    device       what is opened for vhost, once a queue pair; None: QEMU's own
                 data path.  Left out: what `backend` stands for.
    backend      'kvm-twin', 'vhost-net' or 'qemu'
    tap          a Tapdev or Macvtap; None: no NIC
    netdev_opts  more for -netdev, e.g. 'poll-us=50'
    device_opts  more for -device virtio-net-pci, e.g. 'packed=on,csum=off'
    append       more for the guest's kernel command line
    args         more words for QEMU's command line
    start        False: call start() yourself

    pid, process, name, log (QEMU's messages), console (the guest's kernel log)
    """
    count = 0
    running = []
    # Whether KVM's exits are traced; not where they are counted.
    watched = True

    def __init__(self, device='', tap=None, vcpus=1, queues=None, mem=256,
                 backend='kvm-twin', netdev_opts='', device_opts='', append='',
                 args=(), mac=None, name=None, cpu=None, machine=MACHINE,
                 start=True):
        Guest.count += 1
        self.name = name or f'guest{Guest.count}'
        self.device = BACKENDS[backend] if device == '' else device
        self.tap, self.vcpus, self.mem = tap, vcpus, mem
        self.queues = queues or (tap.queues if tap else 1)
        self.netdev_opts, self.device_opts = netdev_opts, device_opts
        self.append, self.args = append, list(args)
        self.mac = mac or getattr(tap, 'mac', None) or \
            f'52:54:00:00:01:{Guest.count & 255:02x}'
        self.cpu = cpu or os.environ.get('LAB_GUEST_CPU', 'qemu64')
        self.machine = machine
        self.dir = tempfile.mkdtemp(prefix=f'{self.name}-', dir='/tmp')
        self.log = f'{OUT}/{os.path.basename(self.dir)}.qemu'
        # Where its CPUs are whenever they are reset.
        self.resets = f'{self.log}.resets'
        # Written by the byte: not to a share of the runner's.
        self.console = f'{self.dir}/console'
        self.process = self.boot_id = None
        self._number = 0
        self._events = []
        if start:
            self.start()

    # -- the machine ------------------------------------------------------

    def _netdev(self, vhost_fds):
        """Words for the NIC; its tap's and vhost's descriptors are inherited."""
        if not self.tap:
            return []
        fds = self.tap.fds()
        many = 's' if len(fds) > 1 else ''

        def pass_on(name, numbers):
            return f',{name}{many}=' + ':'.join(map(str, numbers))

        netdev = 'tap,id=n0' + pass_on('fd', fds)
        if vhost_fds:
            netdev += ',vhost=on' + pass_on('vhostfd', vhost_fds)
        else:
            netdev += ',vhost=off'
        device = f'virtio-net-pci,id=nic0,netdev=n0,mac={self.mac},romfile='
        if many:
            device += f',mq=on,vectors={2 * len(fds) + 2}'
        return ['-netdev', ','.join(filter(None, [netdev, self.netdev_opts])),
                '-device', ','.join(filter(None, [device, self.device_opts]))]

    def _command(self, vhost_fds):
        # pci= spares seconds of probing the emulated buses for what is not
        # there, each access an exit to QEMU; nokaslr, for stuck.py.
        append = ('console=ttyS0 loglevel=5 rdinit=/init panic=-1 '
                  'tsc=reliable no_timer_check pci=noearly,lastbus=0 nokaslr '
                  + self.append)
        return [
            'qemu-system-x86_64', '-name', self.name, '-enable-kvm',
            '-nodefaults', '-no-user-config', '-display', 'none',
            '-machine', self.machine, '-cpu', self.cpu,
            '-smp', str(self.vcpus), '-m', f'{self.mem}M',
            '-kernel', f'{OUT}/guest.kernel', '-initrd', f'{OUT}/guest.cpio',
            '-append', append,
            '-chardev', f'file,id=console,path={self.console},append=on',
            '-serial', 'chardev:console',
            '-chardev', f'socket,id=qmp,path={self.dir}/qmp',
            '-mon', 'chardev=qmp,mode=control',
            '-chardev', f'socket,id=agent,path={self.dir}/agent',
            '-device', 'virtio-serial-pci',
            '-device', 'virtserialport,chardev=agent,name=agent',
            '-device', 'virtio-rng-pci',
            '-d', 'cpu_reset', '-D', self.resets,
        ] + self._netdev(vhost_fds) + self.args

    def start(self):
        """Start QEMU, with QMP at hand; it does not wait for the guest."""
        if Guest.watched:
            watch()
        vhost_fds = []
        if self.tap and self.device:
            for _ in range(self.queues):
                vhost_fds.append(os.open(self.device, os.O_RDWR | os.O_CLOEXEC))
        self._agent = Channel(f'{self.dir}/agent')
        self._qmp = Channel(f'{self.dir}/qmp')
        passed = vhost_fds + (self.tap.fds() if self.tap else [])
        try:
            with open(self.log, 'wb') as log:
                self.process = subprocess.Popen(
                    self._command(vhost_fds), pass_fds=passed,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        finally:
            # QEMU alone holds them, so that its end is their end.
            for fd in vhost_fds:
                os.close(fd)
        Guest.running.append(self)
        self._qmp.accept(60, self._alive)
        self._agent.accept(60, self._alive)
        self._qmp_line(time.monotonic() + 60, 'greeting')
        self.qmp('qmp_capabilities')

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def _alive(self):
        """Raises with all there is to say when QEMU has ended, or its guest."""
        log = self._tail(self.log, 4000)
        if 'KVM internal error' in log:
            raise Error(f'{self.name} was stopped: {log}')
        if self.alive():
            return
        raise Error(f'QEMU of {self.name} has ended, {self.process.returncode}: '
                    + self._tail(self.log) + self._tail(self.console))

    def _tail(self, path, count=2000):
        try:
            with open(path, errors='replace') as file:
                return file.read()[-count:]
        except FileNotFoundError:
            return ''

    def wait_exit(self, timeout=30):
        """Wait for QEMU's end; its exit code."""
        code = self.process.wait(timeout)
        self._forget()
        return code

    def _forget(self):
        if self in Guest.running:
            Guest.running.remove(self)
        self._qmp.close()
        self._agent.close()
        if self.console.startswith(self.dir) and os.path.exists(self.console):
            kept = f'{OUT}/{os.path.basename(self.dir)}.console'
            self.console = shutil.move(self.console, kept)
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill9(self):
        """SIGKILL to QEMU; returns when it is gone."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.wait_exit()

    def shutdown(self, timeout=30):
        """QMP quit: QEMU takes its leave of vhost in good order."""
        if self.alive():
            try:
                self.qmp('quit', timeout=timeout)
            except (Error, OSError):
                pass        # the answer may be lost with the connection
            try:
                self.wait_exit(timeout)
                return
            except subprocess.TimeoutExpired:
                self.kill9()
                raise Error(f'{self.name} did not quit in {timeout} s') from None
        elif self in Guest.running:
            self.wait_exit()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()

    # -- QMP --------------------------------------------------------------

    def _qmp_line(self, end, what):
        return json.loads(self._qmp.line(end, f'QMP {what}', self._alive))

    def qmp(self, command, timeout=60, **arguments):
        """Run a QMP command and return its value; '_' in names becomes '-'."""
        arguments = {key.replace('_', '-'): value for key, value in arguments.items()}
        self._qmp.send(json.dumps({'execute': command,
                                   'arguments': arguments}).encode() + b'\n')
        end = time.monotonic() + timeout
        while True:
            answer = self._qmp_line(end, f'answer to {command}')
            if 'error' in answer:
                raise Error(f'QMP {command} {arguments}: {answer["error"]}')
            if 'return' in answer:
                return answer['return']
            self._events.append(answer)

    def hmp(self, line):
        """Run a line of the human monitor."""
        return self.qmp('human-monitor-command', command_line=line)

    def event(self, name, timeout=60):
        """Wait for a QMP event, or take the oldest that came already."""
        end = time.monotonic() + timeout
        while True:
            for event in self._events:
                if event.get('event') == name:
                    self._events.remove(event)
                    return event
            self._events.append(self._qmp_line(end, f'event {name}'))

    # -- the agent --------------------------------------------------------

    def _raise_late(self, late, is_excused):
        text, console = describe(self), self._tail(self.console)
        excused = is_excused and is_excused(self, text, console)
        raise (Unanswered if excused else Error)(
            f'{late}\n{console}\n{text}') from None

    def _hello(self, end):
        try:
            return self._agent.line(end, f'boot of {self.name}', self._alive)
        except Late as late:
            self._raise_late(late, is_not_ours)

    def wait_boot(self, timeout=120):
        """Wait until the guest's agent is there; seconds that it took."""
        began = time.monotonic()
        while True:
            line = self._hello(began + timeout)
            # A reset may cut a line in two, so look at its end.
            at = line.rfind(b'hello ')
            boot_id = line[at + 6:].decode(errors='replace').strip()
            if at >= 0 and len(boot_id) == 36 and boot_id != self.boot_id:
                self.boot_id = boot_id
                self._check_never_shut_down()
                self._check_fast()
                return time.monotonic() - began

    def _check_never_shut_down(self):
        """A guest that was shut down while it booted has booted again."""
        exits = before_shutdown() if Guest.watched else None
        if exits:
            raise Error(f'a CPU was shut down while {self.name} booted\n{exits}\n'
                        f'{self._reset_at()}')

    def _check_fast(self):
        """QEMU serves the NIC itself when vhost fails, and goes on: a test
        would then be about the wrong thing."""
        text = self._tail(self.log)
        if 'unable to start vhost' in text:
            raise Error(f'{self.name} runs without {self.device}: {text}')

    def reset(self, timeout=120):
        """QMP system_reset; returns when the guest is up again."""
        self.qmp('system_reset')
        return self.wait_boot(timeout)

    def adopt(self, source):
        """After a migration: go on talking to the agent that `source` had."""
        self.boot_id, self._number = source.boot_id, source._number

    def _raise_rebooted(self, command):
        """A kernel that has come across something that was spoilt says so before it
        restarts.  One whose CPU is shut down has no word: what it did last is told."""
        exits = before_shutdown() if Guest.watched else None
        raise Error(f'{self.name} has rebooted during {command!r}\n'
                    f'{self._tail(self.console)}\n'
                    f'{exits or "no CPU was shut down"}\n{self._reset_at()}')

    def _reset_at(self):
        """Where its CPUs were when they were last reset."""
        return '\n'.join(re.findall(r'CPU Reset.*|[RE]IP=.*|CR0=.*',
                                    self._tail(self.resets, 8000)))

    def _answer(self, end, what, plain):
        try:
            return self._agent.line(end, what, self._alive)
        except Late as late:
            self._raise_late(late, is_sound if plain else None)

    def sh(self, command, timeout=60, check=True, plain=False):
        """Run a shell command in the guest and return its output.  A plain one needs
        nothing but the guest itself: if it hangs, a network that does not work is no
        reason."""
        self._number += 1
        text = base64.b64encode(command.encode()).decode()
        self._agent.send(f'{self._number} {text}\n'.encode())
        end = time.monotonic() + timeout
        what = f'answer of {self.name} to {command!r}'
        while True:
            words = self._answer(end, what, plain).split()
            if words[:1] == [b'hello']:
                self._raise_rebooted(command)
            if words[:1] != [b'done'] or len(words) != 4:
                continue
            output = self._agent.exactly(int(words[3]), end, what, self._alive)
            if int(words[1]) == self._number:
                break
        output = output.decode(errors='replace')
        if check and int(words[2]):
            raise Error(f'{command!r} in {self.name} ended with {int(words[2])}: '
                        + output)
        return output

    run = sh

    def spawn(self, command):
        """Run a shell command in the guest's background: a Job."""
        self._number += 1
        return Job(self, command, self._number)

    def probe_spawn(self, command):
        return self.spawn('exec probe ' + command)

    def probe(self, command, timeout=300, check=True):
        """Run probe in the guest, in the foreground."""
        return self.sh('probe ' + command, timeout, check)

    def ifup(self, addr=None, mac=None, mtu=None, dev='eth0'):
        """Bring the NIC up, with an address ('10.9.0.2/24')."""
        if mac:
            self.sh(f'ip link set {dev} address {mac}')
        if mtu:
            self.sh(f'ip link set {dev} mtu {mtu}')
        if addr:
            self.sh(f'ip addr add {addr} dev {dev}')
        self.sh(f'ip link set {dev} up')

    def ping(self, addr, count=3, options=''):
        """True if so many pings are answered in time."""
        return answered(self.sh, addr, count, options)

    def dmesg(self):
        return self.sh('dmesg')

    def threads(self):
        """Ids of QEMU's threads."""
        return [int(path.rsplit('/', 1)[1])
                for path in glob.glob(f'/proc/{self.pid}/task/*')]


def _stop_all():
    """A test that failed half way leaves no QEMU behind."""
    for guest in list(Guest.running):
        guest.kill9()


atexit.register(_stop_all)
