/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains are shorter than in the module, so that all of them can be looked at. */
#ifndef PROVE_LINUX_UIO_H
#define PROVE_LINUX_UIO_H

#include <linux/types.h>

#define UIO_MAXIOV	PROVE_SEGS

struct iovec {
	void	*iov_base;
	size_t	iov_len;
};

#endif
