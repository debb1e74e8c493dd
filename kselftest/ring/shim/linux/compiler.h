/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

/* A guest's table may lie at any address, which the machine is to bear. */
#define shim_anywhere(x)	\
	((volatile struct { __typeof__(x) v; } __attribute__((packed)) *)&(x))

#define READ_ONCE(x)		(shim_anywhere(x)->v)
#define WRITE_ONCE(x, val)	(shim_anywhere(x)->v = (val))

#endif
