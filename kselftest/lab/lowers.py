# SPDX-License-Identifier: GPL-2.0-only
"""What a macvtap may be on: the lab host's NIC itself, or a device on top of it, each
with its like at the peer's end."""
from lab import Peer, ip, nics

HOST, THERE = 'low0', 'low1'


class Lower:
    """name (a device of the host's), nic (the one that its frames leave by), peer (a Peer
    that it is wired to; its dev has the address), and close().

    kind: nic, vlan, bond or veth
    """

    def __init__(self, kind, addr):
        self.kind, self.addr = kind, addr
        self.nic, there = nics()
        self.name = self.nic if kind == 'nic' else HOST
        make = {'nic': self._nic, 'vlan': self._vlan, 'bond': self._bond,
                'veth': self._veth}
        self.peer = make[kind](there)

    def _nic(self, there):
        return Peer(self.addr, there)

    def _vlan(self, there):
        peer = Peer(self.addr, there)
        peer.tag(THERE, 7)
        ip(f'link add link {self.nic} name {HOST} type vlan id 7')
        ip(f'link set {self.nic} up')
        return peer

    def _bond(self, there):
        ip(f'link add {HOST} type bond mode active-backup miimon 100')
        ip(f'link set {self.nic} down')
        ip(f'link set {self.nic} master {HOST}')
        return Peer(self.addr, there)

    def _veth(self, _):
        ip(f'link add {HOST} type veth peer name {THERE}')
        self.nic = HOST
        return Peer(self.addr, THERE)

    def close(self):
        self.peer.close()
        if self.kind != 'nic':
            ip(f'link del {HOST}')
