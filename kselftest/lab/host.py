# SPDX-License-Identifier: GPL-2.0-only
"""The lab host: commands, waiting, the module, counters and snapshots."""
import os
import select
import shlex
import subprocess
import time

DEVICE = '/dev/kvm-twin'
DEBUGFS = '/sys/kernel/debug/kvm-twin'
# Built by scripts/lab/build; logs written here outlive a failed run.
OUT = os.environ.get('LAB_OUT', '/out')
PROBE = OUT + '/probe'

# Programs started by spawn() that have not been waited for.
RAN = []


class Error(Exception):
    """Something in the lab did not work; the message says what."""


class Unanswered(Error):
    """A guest has not answered although it runs, and nobody has a part in it."""


def words(command):
    return command if isinstance(command, (list, tuple)) else shlex.split(command)


def run(command, timeout=120, check=True, netns=None):
    """Run a command (a string, split like the shell does, or a list of words)
    and return what it printed, stdout and stderr both."""
    argv = list(words(command))
    if netns:
        argv = ['ip', 'netns', 'exec', netns] + argv
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout)
    except subprocess.TimeoutExpired as late:
        raise Error(f'{argv} took more than {timeout} s: {late.output}') from None
    text = done.stdout.decode(errors='replace')
    if check and done.returncode:
        raise Error(f'{argv} ended with {done.returncode}: {text}')
    return text


class Spawned:
    """A program in the background.

    wait(timeout, check=True) -> its output;  wait_for(text) waits until the
    output holds the text;  stop() ends it;  output() what there is so far.
    """
    count = 0

    def __init__(self, command, netns=None, log=None):
        Spawned.count += 1
        self.argv = list(words(command))
        self.netns = netns
        self.log = log or f'/tmp/spawned-{os.getpid()}-{Spawned.count}'
        argv = ['ip', 'netns', 'exec', netns] if netns else []
        with open(self.log, 'wb') as file:
            self.process = subprocess.Popen(argv + self.argv, stdout=file,
                                            stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL)
        RAN.append(self)

    def output(self):
        with open(self.log, errors='replace') as file:
            return file.read()

    def wait_for(self, text, timeout=30):
        wait_until(lambda: text in self.output() or self.process.poll() is not None,
                   timeout, f'{text!r} from {self.argv}')
        if text not in self.output():
            raise Error(f'{self.argv} ended without {text!r}: {self.output()}')
        return self

    def _ended(self, timeout):
        """Wait for its end without looking again and again, which would be
        seen where instructions are counted."""
        fd = os.pidfd_open(self.process.pid)
        try:
            return select.select([fd], [], [], timeout)[0]
        finally:
            os.close(fd)

    def wait(self, timeout=120, check=True):
        try:
            if not self._ended(timeout):
                raise Error(f'{self.argv} took more than {timeout} s: '
                            + self.output())
            code = self.process.wait()
        finally:
            self.stop()
        if check and code:
            raise Error(f'{self.argv} ended with {code}: {self.output()}')
        return self.output()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self in RAN:
            RAN.remove(self)


def spawn(command, netns=None):
    """Start a command in the background: a Spawned."""
    return Spawned(command, netns)


def wait_until(cond, timeout, what, interval=0.05):
    """Wait until cond() is true and return its value; Error after timeout s."""
    end = time.monotonic() + timeout
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Error(f'waited {timeout} s for {what}')
        time.sleep(interval)


# An emulated processor takes some 30 to 40 times as long for a frame as a real one, and
# the module's timer is to see as many.
LAB_TIME = 'moderation_us=2000'
# With which parameters the module was loaded.
LOADED = '/run/kvm_twin.parameters'


def _loaded_with():
    try:
        with open(LOADED, encoding='ascii') as file:
            return file.read()
    except FileNotFoundError:
        return None


def insmod(params=LAB_TIME):
    """Load the module from /out (and what it needs), again if the last test has loaded
    it with other parameters; True if it is there."""
    if os.path.isdir('/sys/module/kvm_twin'):
        if _loaded_with() == params:
            return True
        rmmod()
    if not os.path.exists(OUT + '/kvm_twin.ko'):
        return False
    run('modprobe -a tun tap macvtap vhost_iotlb')
    run(f'insmod {OUT}/kvm_twin.ko {params}')
    write(LOADED, params)
    return True


def rmmod():
    """Unload the module; an error when something still holds it."""
    if os.path.isdir('/sys/module/kvm_twin'):
        run('rmmod kvm_twin')


def default_device():
    """The device under test: ours if there is one, else vhost-net's."""
    return DEVICE if insmod() else '/dev/vhost-net'


def host_ctxt():
    """Context switches of the lab host since its boot."""
    with open('/proc/stat') as file:
        for line in file:
            if line.startswith('ctxt '):
                return int(line.split()[1])


def twins():
    """Names of the twins there are ('<vmm pid>-<n>')."""
    if not os.path.isdir(DEBUGFS):
        return []
    return sorted(name for name in os.listdir(DEBUGFS)
                  if os.path.isdir(f'{DEBUGFS}/{name}'))


def acked(twin):
    """Numbers of the feature bits that a twin was told of."""
    with open(f'{DEBUGFS}/{twin}/features') as file:
        value = int(file.read().split('acked:')[1], 0)
    return {bit for bit in range(64) if value >> bit & 1}


def counters(twin, queue=None):
    """A twin's counters: {'tx0': {name: number}, ...}, or one queue's."""
    def read(name):
        with open(f'{DEBUGFS}/{twin}/{name}') as file:
            pairs = (line.split(':', 1) for line in file if ':' in line)
            return {key.strip(): int(value.split()[0], 0) for key, value in pairs}

    if queue:
        return read(queue)
    return {name: read(name) for name in sorted(os.listdir(f'{DEBUGFS}/{twin}'))
            if name[:2] in ('tx', 'rx') and name[2:].isdigit()}


def read(path):
    with open(path, encoding='ascii') as file:
        return file.read()


def write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def set_policy(policy):
    """Switch all queues of all twins, as an operator would."""
    for twin in twins():
        write(f'{DEBUGFS}/{twin}/policy', policy)


def _drop_caches():
    os.sync()
    write('/proc/sys/vm/drop_caches', '3')


def meminfo(settle=True):
    """/proc/meminfo in bytes, with page and dentry caches dropped first."""
    if settle:
        _drop_caches()
    with open('/proc/meminfo') as file:
        pairs = (line.split(':', 1) for line in file)
        return {key: int(value.split()[0]) * 1024 for key, value in pairs}


def cpu_lists():
    """Bytes of free pages on the per-CPU lists, which MemFree leaves out; newer
    kernels let each grow to tens of megabytes."""
    with open('/proc/zoneinfo') as file:
        return os.sysconf('SC_PAGESIZE') * sum(
            int(line.split()[1]) for line in file
            if line.split()[:1] == ['count:'])


def slab(settle=True):
    """{cache: objects in use}, with the droppable ones dropped first."""
    if settle:
        _drop_caches()
    with open('/proc/slabinfo') as file:
        rows = [line.split() for line in file if not line.startswith(('#', 'slabinfo'))]
    return {row[0]: int(row[1]) for row in rows}
