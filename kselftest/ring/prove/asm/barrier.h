/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PROVE_ASM_BARRIER_H
#define PROVE_ASM_BARRIER_H

#define smp_mb()	do { } while (0)
#define smp_rmb()	do { } while (0)
#define smp_wmb()	do { } while (0)

#endif
