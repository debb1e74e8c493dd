/* SPDX-License-Identifier: GPL-2.0-only */
/* No more than the kernel's: on x86 the last two are for the compiler alone. */
#ifndef STRESS_ASM_BARRIER_H
#define STRESS_ASM_BARRIER_H

#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

#endif
