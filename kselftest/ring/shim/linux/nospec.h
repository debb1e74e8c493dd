/* SPDX-License-Identifier: GPL-2.0-only */
/* What no processor does here need not be prevented. */
#ifndef SHIM_LINUX_NOSPEC_H
#define SHIM_LINUX_NOSPEC_H

#define array_index_mask_nospec(index, size)	((index) < (size) ? ~0UL : 0UL)
#define array_index_nospec(index, size)		((index) < (size) ? (index) : 0)

#endif
