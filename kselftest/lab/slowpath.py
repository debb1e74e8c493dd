#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What is QEMU's works while traffic runs through the fast twin: MAC, VLAN,
promiscuous mode, MTU, link state, offloads, policies, reboot."""
from lab import (Guest, Outside, Tap, counters, default_device, ip, twins,
                 wait_until)
from traffic import Traffic

PEER, GUEST = '10.9.0.1', '10.9.0.2'


def change_mac(tap, net, guest):
    mac = '52:54:00:00:0f:01'
    guest.sh(f'ip link set eth0 address {mac}')
    tap.ok(guest.ping(PEER), 'after a change of its MAC the guest reaches the peer')
    wait_until(lambda: mac in net.peer.run('ip neigh'), 30, 'the new MAC at the peer')
    tap.ok(True, 'the peer sees the new MAC')


def vlan(tap, net, guest):
    guest.sh('ip link add link eth0 name eth0.7 type vlan id 7 2>&1 || '
             'vconfig add eth0 7')
    guest.sh('ip addr add 10.9.7.2/24 dev eth0.7; ip link set eth0.7 up')
    ip(f'link add link {net.peer.nic} name vlan7 type vlan id 7', net.peer.netns)
    ip('addr add 10.9.7.1/24 dev vlan7', net.peer.netns)
    ip('link set vlan7 up', net.peer.netns)
    tap.ok(guest.ping('10.9.7.1'), 'tagged frames pass both ways')
    guest.sh('ip link del eth0.7')
    ip('link del vlan7', net.peer.netns)


def promiscuous(tap, guest):
    for state in ('on', 'off'):
        guest.sh(f'ip link set eth0 promisc {state}')
        tap.ok(guest.ping(PEER), f'the peer is reached with promisc {state}')
    guest.sh('ifconfig eth0 allmulti; ifconfig eth0 -allmulti')


def mtu(tap, net, guest):
    for value in (1280, 1500):
        guest.sh(f'ip link set eth0 mtu {value}')
        tap.ok(guest.ping(PEER, options='-s 5000'),
               f'large pings pass with an MTU of {value}')


def link(tap, guest):
    guest.qmp('set_link', name='nic0', up=False)
    wait_until(lambda: guest.sh('cat /sys/class/net/eth0/carrier').strip() == '0',
               30, 'the carrier to go')
    tap.ok(not guest.ping(PEER, count=1), 'set_link off: nothing passes')
    guest.qmp('set_link', name='nic0', up=True)
    wait_until(lambda: guest.sh('cat /sys/class/net/eth0/carrier').strip() == '1',
               30, 'the carrier to come back')
    # The guest may yet give up a neighbour that it asked for in vain before.
    wait_until(lambda: guest.ping(PEER), 30, 'the peer to be reached')
    tap.ok(True, 'set_link on: the peer is reached again')


def offloads(tap, guest):
    for state in ('off', 'on'):
        guest.sh(f'ethtool -K eth0 tx {state} sg {state} tso {state} gso {state}',
                 check=False)
        tap.ok(guest.ping(PEER), f'the peer is reached with TX offloads {state}')


def policies(tap, guest):
    name = f'/sys/kernel/debug/kvm-twin/{twins()[0]}/policy'
    for words, queue, counter in (('worker', 'tx0', 'kicks_worker'),
                                  ('tx0 inline', 'tx0', 'kicks_inline'),
                                  ('rx0 softirq', 'rx0', 'packets_softirq')):
        with open(name, 'w') as file:
            file.write(words)
        before = counters(twins()[0], queue)[counter]
        reached = guest.ping(PEER)
        grown = counters(twins()[0], queue)[counter] - before
        tap.ok(reached and grown, f'policy "{words}" takes effect under traffic', grown)


def pause(tap, guest):
    guest.qmp('stop')
    guest.qmp('cont')
    tap.ok(guest.ping(PEER), 'after stop and cont the peer is reached')


def reboot(tap, guest):
    guest.sh('(sleep 0.1; reboot -f) >/dev/null 2>&1 &')
    guest.wait_boot()
    guest.ifup(GUEST + '/24')
    tap.ok(guest.ping(PEER), 'after a reboot by the guest the peer is reached')


def main(tap):
    with Outside() as net, Guest(device=default_device(), tap=net.tap) as guest:
        guest.wait_boot()
        guest.ifup(GUEST + '/24')
        tap.ok(guest.ping(PEER), 'the guest reaches the peer')
        traffic = Traffic(guest, net.peer, GUEST, PEER)
        change_mac(tap, net, guest)
        promiscuous(tap, guest)
        mtu(tap, net, guest)
        offloads(tap, guest)
        if twins():
            policies(tap, guest)
        pause(tap, guest)
        link(tap, guest)
        traffic.stop()
        vlan(tap, net, guest)
        reboot(tap, guest)


Tap.main(main)
