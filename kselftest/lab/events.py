# SPDX-License-Identifier: GPL-2.0-only
"""What may befall a guest under traffic, its surroundings and its host.  Each event
is over when its function returns; that traffic flows again is for the caller to
see (Scene.flows())."""
import ctypes
import glob
import os
import random
import re
import struct

from host import read, write
from lab import (Error, Guest, Outside, Peer, counters, insmod, ip, nics, receive,
                 rmmod, run, set_policy, twins, wait_until)
from net import carrier
from traffic import Traffic, wait_moving

PEER, GUEST = '10.9.0.1', '10.9.0.2'
# Seconds that a guest may take to boot, and anything else to come about: the machine
# below may have other things to do.
BOOT, PATIENCE = 300, 120
PCI_DRIVER = '/sys/bus/pci/drivers/e1000e'
CPU = '/sys/devices/system/cpu/cpu1/online'
KSM = '/sys/kernel/mm/ksm'
# Pages that KSM looks at between two naps of its own; small, as others wait.
KSM_PAGES = 2000
SYS_PIDFD_OPEN, SYS_PROCESS_MADVISE = 434, 440
MADV_PAGEOUT = 21
# Datagrams of each of two senders.
STORM = 2000
libc = ctypes.CDLL(None, use_errno=True)

REBIND = '''
dev=$(basename $(readlink /sys/class/net/eth0/device))
cd /sys/bus/virtio/drivers/virtio_net
i=0
while [ $i -lt %d ]; do
	echo $dev >unbind && echo $dev >bind || exit 1
	i=$((i + 1))
done
ip addr add %s/24 dev eth0; ip link set eth0 up
'''


def reaches(guest, timeout=60):
    """The tap may be full of what came while nobody took it: what is lost
    there is no fault, as long as the way opens."""
    wait_until(lambda: guest.ping(PEER, count=1), timeout, 'the peer to be reached')
    return True


def up(guest, timeout=60):
    guest.ifup(GUEST + '/24')
    reaches(guest, timeout)


def rebind_driver(guest, count):
    guest.sh(REBIND % (count, GUEST), timeout=60 + 10 * count)


class Scene:
    """A guest with two queue pairs under traffic both ways, and what is around it.

    random, device, net, guest; start() gives it another guest, flows() waits until
    frames move both ways.
    """

    def __init__(self, device, seed):
        self.device = device
        self.random = random.Random(seed)
        self.net = Outside(queues=2)
        self.guest = self.traffic = None
        self.frames = 0         # of twins that are gone

    def start(self):
        # An event that failed half way may have left one of them down.
        for name in (self.net.tap.name, self.net.nic):
            ip(f'link set {name} up', check=False)
        self.guest = Guest(device=self.device, tap=self.net.tap, vcpus=2,
                           args=['-device', 'virtio-balloon-pci'])
        self.guest.wait_boot(BOOT)
        self.begin()

    def begin(self):
        """The guest has booted: its NIC up, and traffic."""
        up(self.guest, PATIENCE)
        self.new_traffic()

    def new_traffic(self):
        self.traffic = Traffic(self.guest, self.net.peer, GUEST, PEER)

    def stop_traffic(self):
        if self.traffic:
            self.traffic.stop()
        self.traffic = None

    def lost_guest(self):
        """The guest was killed or reset, and with it its end of the traffic."""
        if self.traffic:
            self.traffic.lost_guest()
        self.traffic = None

    def keep_count(self):
        """The guest goes, and with it the counters."""
        try:
            self.frames += sum(self.counted(queue)['packets'] for queue in ('tx0', 'rx0'))
        except FileNotFoundError:
            pass                # it has gone before

    def drop_guest(self):
        if self.guest:
            self.keep_count()
            self.guest.kill9()
        self.lost_guest()
        self.guest = None
        # The last references go with task works of threads that are exiting.
        wait_until(lambda: not twins(), PATIENCE, 'the twins of the dead to go')

    def counted(self, queue):
        return {'packets': sum(counters(twin, queue)['packets'] for twin in twins())}

    def flows(self):
        reaches(self.guest, PATIENCE)
        for queue in ('tx0', 'rx0'):
            wait_moving(lambda: self.counted(queue), timeout=PATIENCE)

    def close(self):
        self.drop_guest()
        self.net.close()


# -- the guest and its VMM

def kill(scene):
    """QEMU is killed."""
    scene.drop_guest()
    scene.start()


def reset(scene):
    """QMP system_reset."""
    scene.guest.reset(BOOT)
    scene.lost_guest()
    scene.begin()


def rebind(scene):
    """The guest's driver is unbound and bound."""
    rebind_driver(scene.guest, 1 + scene.random.randrange(4))


def pause(scene):
    """QMP stop and cont."""
    scene.guest.qmp('stop')
    scene.guest.qmp('cont')


def link(scene):
    """QMP set_link off and on."""
    for state in (False, True):
        scene.guest.qmp('set_link', name='nic0', up=state)
        wait_until(lambda: scene.guest.sh('cat /sys/class/net/eth0/carrier').strip() ==
                   str(int(state)), PATIENCE, f'the carrier to be {state}')


def channels(scene):
    """ethtool -L: one queue pair, and two again."""
    for number in (1, 2):
        scene.guest.sh(f'ethtool -L eth0 combined {number}')


def rings(scene):
    """ethtool -G: rings of other sizes."""
    rx, tx = (scene.random.choice((64, 128, 256)) for _ in range(2))
    scene.guest.sh(f'ethtool -G eth0 rx {rx} tx {tx}')


def kicks(scene):
    """A storm of small datagrams, each a kick, from both CPUs of the guest."""
    sink = receive(scene.net.peer, f'udp-sink 9009 {2 * STORM} 2')
    send = f'probe udp-burst {PEER} 9009 {STORM} 1 20 0'
    scene.guest.sh(f'{send} & {send}; wait', timeout=BOOT)
    sink.wait(PATIENCE, check=False)


def balloon(scene):
    """The guest's memory shrinks, and grows again."""
    scene.guest.sh('[ -d /sys/module/virtio_balloon ] || '
                   'insmod /modules/virtio_balloon.ko')
    for mib in (scene.guest.mem * 3 // 4, scene.guest.mem):
        scene.guest.qmp('balloon', value=mib << 20)
        wait_until(lambda: scene.guest.qmp('query-balloon')['actual'] == mib << 20,
                   PATIENCE, f'a balloon that leaves {mib} MiB')


# -- the network around it

def tap(scene):
    """The tap's device goes down and up; frames go on being taken meanwhile."""
    ip(f'link set {scene.net.tap.name} down')
    wait_moving(lambda: scene.counted('tx0'), 2, PATIENCE)
    ip(f'link set {scene.net.tap.name} up')


def nic(scene):
    """The host's NIC goes down and up."""
    ip(f'link set {scene.net.nic} down')
    wait_moving(lambda: scene.counted('tx0'), 2, PATIENCE)
    ip(f'link set {scene.net.nic} up')
    wait_until(lambda: carrier(scene.net.nic), PATIENCE, 'the carrier')


def unbind(scene):
    """The host's NIC loses its driver, and is given it again."""
    slot = os.path.basename(os.readlink(f'/sys/class/net/{scene.net.nic}/device'))
    write(PCI_DRIVER + '/unbind', slot)
    wait_moving(lambda: scene.counted('tx0'), 2, PATIENCE)
    write(PCI_DRIVER + '/bind', slot)
    wait_until(lambda: glob.glob(f'/sys/bus/pci/devices/{slot}/net/*'), PATIENCE,
               'the NIC to come back')
    scene.net.nic = os.listdir(f'/sys/bus/pci/devices/{slot}/net')[0]
    scene.net.bridge.add(scene.net.nic)
    wait_until(lambda: carrier(scene.net.nic), PATIENCE, 'the carrier')


def _peer_nic():
    """None while it is on its way from a namespace that is gone."""
    try:
        return nics()[1]
    except Error:
        return None


def peer(scene):
    """The peer's network namespace is deleted, and made anew."""
    scene.stop_traffic()
    scene.net.peer.close()
    scene.net.peer = Peer(PEER + '/24', wait_until(_peer_nic, PATIENCE, 'its NIC'))
    scene.net.peer.wait_carrier(PATIENCE)
    scene.new_traffic()


# -- the host

def module(scene):
    """The module can't be removed while it is in use."""
    text = run('rmmod kvm_twin', check=False)
    if 'in use' not in text or not os.path.isdir('/sys/module/kvm_twin'):
        raise Error(f'rmmod, while in use: {text}')


def reload(scene):
    """QEMU quits, and the module goes at once and comes again."""
    scene.stop_traffic()
    scene.keep_count()
    scene.guest.shutdown(PATIENCE)
    rmmod()
    insmod()
    scene.start()


def policy(scene):
    """All queues under each policy in turn."""
    for name in ('worker', 'inline', 'softirq', 'adaptive'):
        set_policy(name)
        scene.flows()


def cpu(scene):
    """A CPU of the host goes offline, and comes back."""
    write(CPU, '0')
    try:
        scene.flows()
    finally:
        write(CPU, '1')


def compact(scene):
    """Pages are moved to where others of their size are, and caches dropped."""
    for _ in range(3):
        write('/proc/sys/vm/compact_memory', '1')
        write('/proc/sys/vm/drop_caches', '3')


def merge(scene):
    """KSM merges pages of the guest that are alike, and takes them apart again."""
    write(KSM + '/pages_to_scan', str(KSM_PAGES))
    write(KSM + '/run', '1')
    try:
        wait_until(lambda: int(read(KSM + '/pages_sharing')) > 100, PATIENCE,
                   'pages to be merged')
        scene.flows()
    finally:
        write(KSM + '/run', '2')


def _guest_memory(pid, least):
    """The longest mapping of a QEMU."""
    spans = [tuple(int(word, 16) for word in line.split()[0].split('-'))
             for line in read(f'/proc/{pid}/maps').splitlines()]
    start, end = max(spans, key=lambda span: span[1] - span[0])
    if end - start < least:
        raise Error('no mapping is large enough to be the memory of the guest')
    return start, end - start


def _swapped():
    return int(re.search(r'pswpout (\d+)', read('/proc/vmstat'))[1])


def _page_out(guest):
    start, length = _guest_memory(guest.pid, guest.mem << 20)
    vector = struct.pack('QQ', start, length)
    pidfd = libc.syscall(SYS_PIDFD_OPEN, guest.pid, 0)
    done = libc.syscall(SYS_PROCESS_MADVISE, pidfd, vector, ctypes.c_size_t(1),
                        MADV_PAGEOUT, ctypes.c_size_t(0))
    os.close(pidfd)
    return done, os.strerror(ctypes.get_errno())


def pageout(scene):
    """All memory of the guest is paged out to a compressed swap device."""
    run('modprobe zram num_devices=1')
    write('/sys/block/zram0/disksize', '512M')
    run('mkswap /dev/zram0')
    libc.swapon(b'/dev/zram0', 0)
    before = _swapped()
    done, error = _page_out(scene.guest)
    if done < 0 or _swapped() == before:
        raise Error(f'nothing was paged out: {error}')
    scene.flows()
    libc.swapoff(b'/dev/zram0')
    write('/sys/block/zram0/reset', '1')


def have(name):
    """Is that possible in this host?"""
    if name == 'pageout':
        return 'FATAL' not in run('modprobe -n zram', check=False)
    return os.path.exists({'cpu': CPU, 'merge': KSM, 'unbind': PCI_DRIVER}.get(name, '/'))


KINDS = {function.__name__: function for function in (
    kill, reset, rebind, pause, link, channels, rings, kicks, balloon,
    tap, nic, unbind, peer,
    module, reload, policy, cpu, compact, merge, pageout)}
