/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_MINMAX_H
#define SHIM_LINUX_MINMAX_H

#define max_t(type, a, b)						\
({									\
	type max_a = (a), max_b = (b);					\
									\
	max_a > max_b ? max_a : max_b;					\
})

#define min_t(type, a, b)			\
({						\
	type min_a = (a), min_b = (b);		\
						\
	min_a < min_b ? min_a : min_b;		\
})

#define max(a, b)	max_t(__typeof__(a), a, b)

#define swap(a, b)				\
do {						\
	__typeof__(a) swap_a = (a);		\
						\
	(a) = (b);				\
	(b) = swap_a;				\
} while (0)

#define min3(a, b, c)				\
	min_t(__typeof__(a), min_t(__typeof__(a), a, b), c)

#define clamp_t(type, v, low, high)		\
({						\
	type clamp_v = min_t(type, v, high);	\
	type clamp_low = (low);			\
						\
	clamp_v < clamp_low ? clamp_low : clamp_v; \
})

#endif
