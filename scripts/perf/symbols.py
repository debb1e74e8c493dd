# SPDX-License-Identifier: GPL-2.0-only
"""Which symbol, and which part of the system, an address of a kernel is in.

Modules are parts by name.  The kernel itself has no such borders in kallsyms,
but its text lies in the order it was linked in, folder by folder: a symbol
belongs where the nearest symbol of the table ANCHORS belongs.
"""
from bisect import bisect_right

MODULES = {
    'kvm': 'kvm', 'kvm_amd': 'kvm', 'irqbypass': 'kvm',
    'vhost': 'vhost', 'vhost_net': 'vhost', 'vhost_iotlb': 'vhost',
    'kvm_twin': 'kvm-twin',
    'tun': 'tap', 'tap': 'tap', 'macvtap': 'tap', 'macvlan': 'tap',
    'bridge': 'bridge', 'stp': 'bridge', 'llc': 'bridge',
    'e1000e': 'nic', 'pktgen': 'generator',
}

# Well-known symbols by the folder that they are linked with; what a kernel
# does not have is left out.
ANCHORS = {
    'entry': '''asm_common_interrupt asm_exc_page_fault do_syscall_64
        irqentry_enter irqentry_exit error_entry syscall_exit_to_user_mode
        common_interrupt sysvec_apic_timer_interrupt''',
    'arch': '''__switch_to read_tsc native_apic_msr_eoi x2apic_send_IPI
        native_read_msr native_write_msr native_apic_mem_eoi fpu_swap_kvm_fpstate
        lapic_next_deadline''',
    'task': '''copy_process panic handle_softirqs do_softirq irq_exit_rcu
        tasklet_action_common queue_work_on kthread_create_on_node
        task_work_add task_work_run get_signal''',
    'sched': '''try_to_wake_up update_load_avg do_idle enqueue_task_fair
        set_next_entity finish_wait prepare_to_wait schedule preempt_schedule
        schedule_timeout default_idle acpi_idle_do_entry __wake_up''',
    'sync': '''mutex_lock down_read __mutex_init __down_write queued_spin_lock_slowpath
        _raw_spin_lock _raw_spin_unlock_irqrestore call_rcu rcu_core
        rcu_note_context_switch synchronize_srcu''',
    'irq': '''__handle_irq_event_percpu handle_irq_event handle_edge_irq
        irq_domain_create_hierarchy irq_chip_ack_parent''',
    'dma': 'dma_map_phys dma_map_page_attrs dma_unmap_page_attrs',
    'time': '''run_timer_softirq hrtimer_interrupt ktime_get tick_nohz_idle_enter
        clockevents_program_event timekeeping_advance tick_nohz_handler''',
    'kernel': 'futex_wait smp_call_function_single perf_event_task_tick bpf_prog_put',
    'mm': '''handle_mm_fault kmem_cache_free kmem_cache_alloc kmem_cache_alloc_noprof
        __alloc_pages __alloc_frozen_pages_noprof alloc_pages_mpol free_unref_page
        filemap_read vmalloc get_user_pages_fast mem_cgroup_charge''',
    'fs': '''vfs_read vfs_write ksys_read fput do_sys_poll do_select eventfd_write
        eventfd_read ep_poll io_submit_one ext4_readpage proc_reg_read''',
    'security': '''security_file_permission apparmor_socket_sendmsg
        security_socket_sendmsg''',
    'block': 'blk_mq_run_hw_queue submit_bio io_uring_setup',
    'copy': '''iov_iter_revert _copy_from_iter _copy_to_iter iov_iter_advance
        rep_movs_alternative copy_user_enhanced_fast_string memcpy memset
        clear_page_erms csum_partial''',
    'drivers': '''pci_read_config_byte tty_write virtqueue_add_sgs iommu_map
        pci_msi_unmask_irq usb_submit_urb cpuidle_enter cpuidle_enter_state
        menu_select add_interrupt_randomness''',
    'net': '''sock_sendmsg __sys_sendto skb_release_data __dev_queue_xmit
        nf_hook_slow ip_output tcp_sendmsg_locked tcp_rcv_established udp_sendmsg
        fib_table_lookup unix_stream_sendmsg ipv6_rcv packet_rcv
        __netif_receive_skb_core napi_gro_receive''',
    'lib': '''rb_insert_color strlen timerqueue_add vsnprintf find_next_bit
        _find_next_bit timerqueue_del sprintf''',
}

# What to print as one; the rest of the kernel is 'other'.
PARTS = {
    'entry': 'arch', 'arch': 'arch', 'irq': 'arch', 'task': 'arch',
    'sched': 'sched', 'sync': 'sync', 'time': 'time', 'mm': 'mm', 'copy': 'copy',
    'fs': 'vfs', 'net': 'net', 'dma': 'nic', 'lib': 'other', 'drivers': 'other',
    'security': 'other', 'block': 'other', 'kernel': 'other',
}

# Waiting for another processor, and be it to have done with a timer.  How long
# that takes an emulated one depends on what else the machine does, and not on
# what is compared.
SPINNING = {'native_queued_spin_lock_slowpath', 'osq_lock', 'mutex_spin_on_owner',
            'rwsem_spin_on_owner', 'csd_lock_wait', 'queued_read_lock_slowpath',
            'queued_write_lock_slowpath', 'timer_delete_sync',
            '__timer_delete_sync', '__try_to_del_timer_sync'}


class Symbols:
    """Text symbols of a kernel and its modules, by its kallsyms."""

    def __init__(self, kallsyms):
        rows = {}
        for line in kallsyms.splitlines():
            address, kind, name, *module = line.split()
            if kind in 'tTwW':
                rows[int(address, 16)] = (name, module[0][1:-1] if module else '')
        self.addresses = sorted(rows)
        self.names = [rows[address] for address in self.addresses]
        self._place_anchors()
        self._known = {}

    def _place_anchors(self):
        by_name = {name: address for address, (name, module)
                   in zip(self.addresses, self.names) if not module}
        found = sorted((by_name[name], PARTS[folder])
                       for folder, names in ANCHORS.items()
                       for name in names.split() if name in by_name)
        self.anchors = [address for address, _ in found]
        self.parts = [part for _, part in found]

    def _nearest(self, address):
        at = bisect_right(self.anchors, address)
        near = [i for i in (at - 1, at) if 0 <= i < len(self.anchors)]
        return self.parts[min(near, key=lambda i: abs(self.anchors[i] - address))]

    def _look_up(self, pc):
        at = bisect_right(self.addresses, pc) - 1
        if at < 0:
            return '?', 'other'
        name, module = self.names[at]
        start = self.addresses[at]
        if name in SPINNING:
            part = 'spin'
        else:
            part = MODULES.get(module, 'other') if module else self._nearest(start)
        return name, part

    def find(self, pc):
        """(symbol, part) of an address."""
        if pc not in self._known:
            self._known[pc] = self._look_up(pc)
        return self._known[pc]


class Modules:
    """A guest's modules, by lines of its /proc/modules: no kallsyms is kept of
    a guest, and its kernel is one part."""

    def __init__(self, lines):
        rows = sorted((int(line.split()[5], 16), line.split()[0])
                      for line in lines.splitlines())
        self.addresses = [address for address, _ in rows]
        self.names = [name for _, name in rows]

    def part(self, pc):
        at = bisect_right(self.addresses, pc) - 1
        name = self.names[at] if at >= 0 else ''
        return 'generator' if MODULES.get(name) == 'generator' else 'kernel'
