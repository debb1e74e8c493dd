/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_ASM_BARRIER_H
#define SHIM_ASM_BARRIER_H

#include "kselftest/ring/shim/shim.h"

#define smp_mb()	shim_barrier(SHIM_MB)
#define smp_rmb()	shim_barrier(SHIM_RMB)
#define smp_wmb()	shim_barrier(SHIM_WMB)

#endif
