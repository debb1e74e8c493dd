# SPDX-License-Identifier: GPL-2.0-only
"""Where the module can fail: its calls of what allocates or copies, found in the
very object that runs, each known by its return address."""
import re
import subprocess

MODULE = '/sys/module/kvm_twin'
PLACE = re.compile(r'((?:kvm-twin|virtio-fastpath|nic-shim)/[\w.-]+:\d+)')

# What allocates, or has user memory copied, and can be made to fail.
CAN_FAIL = re.compile(r'''
    _*k[vmz]*alloc\w*|(pcpu_alloc|__alloc_percpu)\w*|v?memdup\w*|_copy_(from|to)_(user|iter)\w*|
    vhost_iotlb_(alloc|add_range)|anon_inode_getfile|kthread_create\w*|
    cgroup_attach_task_all|debugfs_create\w*|single_open|_*page_frag_alloc\w*|
    misc_register|alloc_netdev\w*|mmu_notifier_register|vmap|napi_build_skb|
    alloc_skb_with_frags|skb_copy_datagram_from_iter|copy_page_to_iter|
    register_netdevice_notifier''', re.VERBOSE)
# Single words of user memory: not by fault injection, which knows nothing of them.
WORD = re.compile(r'__(get|put)_user_\w+')
# What does neither, or does it for tracing, which goes on without.  To pin a page fails
# where there is none: of the dirty log, kselftest/logging.c sees to that, and of what
# softirq writes to, kselftest/mapped.c.  What the network core does with a frame that it
# was given is not ours, and it does not tell.
CANNOT = re.compile(r'''
    ip_fast_csum|ip_send_check|csum_\w+|inet_proto_csum_\w+|copy_page_from_iter|
    _*mutex_\w+|_*raw_(spin|read|write)_\w+|_*lock(dep)?_\w+|_*rcu_\w+|debug_\w+|
    _*local_bh_\w+|synchronize_\w+|call_rcu|
    kthread_(queue_work|destroy_worker|use_mm|unuse_mm|flush_work)|wake_up_process|
    vhost_iotlb_(free|itree_\w+)|(un)?pin_user_pages\w*|_*fput\w*|fget|_*task_work_add|
    seq_(printf|read|lseek|puts|write)|single_release|trace_\w+|__trace\w+|perf_\w+|
    bpf_\w+|__SC[TK]_\w+|tracepoint_\w+|_*srcu_\w+|kv?free|kfree_\w+|free_percpu|
    (add|remove)_wait_queue|match_string|iov_iter_\w+|eventfd_\w+|
    page_frag_(free|cache_drain)|_*page_frag_cache_drain|(mod|add)_timer|
    timer_\w+|_*init_timer_key|local_clock\w*|sched_clock\w*|debugfs_remove|
    _*printk|__?mm(drop|put)|mm(drop|put)|(tun|tap)_\w+|str\w+|skip_spaces|
    v?snprintf|send_sig|misc_deregister|kernel_sigaction|flush_signals|
    _find_\w+_bit|__list_\w+|_*ratelimit|__dynamic_pr_debug|__stack_chk_fail|
    __fentry__|__x86_return_thunk|__(ubsan|asan|kasan|sanitizer|kcsan|tsan)\w+|
    __check_object_size|__might_\w+|_*(memset|memcpy|memmove|memcmp)|
    _*cond_resched\w*|_*preempt_\w+|__init_\w+|_*warn\w*|__WARN\w*|
    __copy_overflow|refcount_\w+|cpu_number|noop_llseek|compat_ptr_ioctl|
    check_zeroed_user|vunmap|kv?free_call_rcu|free_netdev|mmu_notifier_unregister|
    hrtimer_\w+|irq_work_(queue|sync)|kstrtouint|(__put|get)_task_struct\w*|
    _*napi_\w+|_*netif_napi_\w+|_*kfree_skb\w*|sk_skb_reason_drop|skb_\w+|_*skb_\w+|
    _*pskb_\w+|netdev_\w+|netif_\w+|_*vlan_get_protocol\w*|__this_cpu_preempt_check|
    net_ratelimit|dev_nit_active\w*|_*dev_queue_xmit\w*|
    validate_xmit_skb_list|unregister_netdevice_notifier|_*consume_skb|
    dev_kfree_skb\w*|_*wake_up\w*|sock_wfree|flow_keys_\w+|might_\w+|_*debug_object\w*|__bad_\w+|__usecs_to_jiffies''',
    re.VERBOSE)
# From guest to guest on one NIC, at once: what fails there is done again by the inlet.
# Copies there are of the kernel's own mappings, or of a frame that kselftest/onenic.c
# has missing.  Where datagrams are put together, kselftest/datagrams.c has a buffer missing.
ELSEWHERE = ('copy_gift', 'copy_rest', 'hand_over_long', 'copy_datagrams')
# Indirect ones: by what stands in the line.
INDIRECT = re.compile(r'->(sendmsg|recvmsg)\(')

SECTION = re.compile(r'Disassembly of section (\S+):')
LABEL = re.compile(r'[0-9a-f]+ <(.+)>:$')
LINE = re.compile(r'\s*([0-9a-f]+):\t(.*)')
RELOCATION = re.compile(r'\s+[0-9a-f]+: R_X86_64_\w+\s+(\S+?)(?:[-+]0x[0-9a-f]+)?$')
# By the load alone they are called.
LOADING = ('ktwin_init', 'nshim_init', 'ktwin_chardev_register', 'ktwin_debugfs_init',
           'ktwin_softirq_init')


class Site:
    """A call: @section and @offset of its return address, @callee, @words: is it
    but a word of user memory; @function and @place, by the debugging information;
    @start in memory."""

    def __init__(self, section, offset, function, callee):
        self.section, self.offset = section, offset
        self.function, self.callee = function, callee
        self.place, self.start, self.faults = '?', None, 0

    def __str__(self):
        return f'{self.place} {self.function}(): {self.callee}'

    @property
    def loading(self):
        return self.function in LOADING

    @property
    def leaves(self):
        return self.callee in ('sendmsg', 'recvmsg')


def _run(*argv, text=None):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True,
                          input=text).stdout


def _calls(path):
    """(section, offset of what follows, function, callee, is it a jump) of each
    call that leaves the module or goes through a pointer."""
    section = function = None
    found, own, waiting = [], set(), None
    for line in _run('objdump', '-dr', '--no-show-raw-insn', path).splitlines():
        if match := SECTION.match(line):
            section = match[1]
        elif match := LABEL.match(line):
            function = match[1]
            own.add(function)
        elif match := RELOCATION.match(line):
            if waiting and not match[1].startswith('.'):
                waiting[2] = match[1]
        elif match := LINE.match(line):
            if waiting:
                found.append((waiting[0], int(match[1], 16), waiting[1],
                              waiting[2], waiting[3]))
            words = match[2].split()
            waiting = None
            if words[:1] == ['call'] or (words[:1] == ['jmp'] and len(words) > 1):
                pointer = words[1].startswith('*')
                waiting = [section, function, '*' if pointer else None,
                           words[0] == 'jmp']
    return [(*call[:3], '*' if 'indirect_thunk' in call[3] else call[3], call[4])
            for call in found if call[3] and call[3] not in own]


def _place(path, sites):
    """Ask the debugging information for lines, the module's own, and the functions
    that they stand in."""
    for section in {site.section for site in sites}:
        some = [site for site in sites if site.section == section]
        text = ''.join(f'{site.offset - 1:x}\n' for site in some)
        lines = _run('addr2line', '-a', '-i', '-f', '-j', section, '-e', path,
                     text=text).splitlines()
        at, own = -1, False
        for address, (name, where) in _frames(lines):
            if address:
                at, own = at + 1, False
            found = PLACE.search(where)
            if found and not own:
                some[at].place, some[at].function, own = found[1], name, True


def _frames(lines):
    """(is it the first of an address, (function, file:line))"""
    first, i = False, 0
    while i < len(lines):
        if lines[i].startswith('0x'):
            first, i = True, i + 1
            continue
        yield first, (lines[i], lines[i + 1])
        first, i = False, i + 2


def _source(site, top):
    name, _, number = site.place.rpartition(':')
    try:
        with open(f'{top}/{name}') as file:
            return file.read().splitlines()[int(number) - 1]
    except (OSError, ValueError, IndexError):
        return ''


def find(path, top):
    """(sites that can fail, words of user memory, calls of what is in no list),
    of the module's object, with its sources below top."""
    calls = [call for call in _calls(path) if not call[0].startswith('.static_call')]
    sites = [Site(*call[:4]) for call in calls if not call[4]]
    _place(path, sites)
    can, words, unknown = [], [], []
    for site in sites:
        if site.callee == '*':
            match = INDIRECT.search(_source(site, top))
            if match:
                site.callee = match[1]
                can.append(site)
        elif site.function in ELSEWHERE:
            continue
        elif CAN_FAIL.fullmatch(site.callee):
            can.append(site)
        elif WORD.fullmatch(site.callee):
            words.append(site)
        elif not CANNOT.fullmatch(site.callee):
            unknown.append(site)
    # Whoever jumps there does not stand on the stack.
    unknown += [Site(*call[:3], 'a jump to ' + call[3]) for call in calls
                if call[4] and (CAN_FAIL.fullmatch(call[3]) or
                                not CANNOT.fullmatch(call[3]) and call[3] != '*')]
    return can, words, unknown


def locate(path, sites):
    """Set where they are in memory; returns where the module's text is there."""
    bases = {}
    for site in sites:
        if site.section in ('.init.text', '.exit.text'):
            continue
        if site.section not in bases:
            with open(f'{MODULE}/sections/{site.section}') as file:
                bases[site.section] = int(file.read(), 0)
        site.start = bases[site.section] + site.offset
    sizes = {words[1]: int(words[2], 16) for words in
             map(str.split, _run('objdump', '-h', path).splitlines())
             if words and words[0].isdigit()}
    return min(bases.values()), max(base + sizes[section]
                                    for section, base in bases.items())
