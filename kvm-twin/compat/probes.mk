# SPDX-License-Identifier: GPL-2.0-only
# What a version number does not tell for certain, since distributions patch
# their kernels: looked up in the headers and symbols that we build against.

probe = $(if $(shell grep -sw $(1) $(2)),-D$(3))

# Exported by Debian's kernels, not by mainline's.  TASK_WORK=n builds without
# it, as on a kernel that lacks it.
ifneq ($(TASK_WORK),n)
ccflags-y += $(call probe,task_work_add,$(objtree)/Module.symvers,KTWIN_HAVE_TASK_WORK)
endif

compat-if-tun := $(srctree)/include/linux/if_tun.h
ccflags-y += $(call probe,tun_xdp_hdr,$(compat-if-tun),COMPAT_HAVE_TUN_XDP_HDR)
ccflags-y += $(call probe,tun_wake_queue,$(compat-if-tun),COMPAT_HAVE_TUN_WAKE_QUEUE)
ccflags-y += $(call probe,dev_nit_active_rcu,$(srctree)/include/linux/netdevice.h,$\
	COMPAT_HAVE_DEV_NIT_ACTIVE_RCU)
ccflags-y += $(call probe,defer_list,$(srctree)/include/net/sch_generic.h,$\
	COMPAT_HAVE_QDISC_DEFER_LIST)
