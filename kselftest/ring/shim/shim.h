/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as the engine sees it: a process whose memory is the areas that
 * were mapped here, and nothing else.  Tests watch each access, count it, and
 * may change what it gives.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <linux/types.h>

#define SHIM_NEVER	(~0UL)

enum shim_event {
	SHIM_READ,
	SHIM_WRITE,
	SHIM_MB,
	SHIM_RMB,
	SHIM_WMB,
};

/**
 * struct shim - what is known of the accesses, and what is done to them
 * @reads:	reads since shim_forget()
 * @writes:	writes, likewise
 * @most:	how often the byte that was read most often was read
 * @faults:	accesses outside of the areas
 * @flip_at:	number of the read (from 0) to be altered, or SHIM_NEVER
 * @flip_bit:	the bit that is changed; beyond the value's last one: all bits
 * @flipped:	out: where the altered value was read, NULL if there was none
 * @flipped_len: out: its bytes
 * @accesses:	reads and writes since shim_forget(), whatever came of them
 * @fail_at:	number of the access (from 0) that fails, or SHIM_NEVER
 * @failed:	out: who made it, NULL if there was none
 * @on_event:	told of each access and barrier before it happens, or NULL
 * @on_store:	takes a write over, if it likes (returns true), or NULL
 * @distance:	how far behind the process's address the kernel has a page
 * @pinned:	pages that are held
 * @dirtied:	pages that were made dirty, ever
 * @mapped:	mappings by vmap() that are there
 * @no_memory:	there is none to be allocated
 * @no_space:	nothing can be mapped
 * @on_pin:	told of each page before it is held; false: it can't be.  Or NULL
 */
struct shim {
	unsigned long	reads;
	unsigned long	writes;
	unsigned int	most;
	unsigned long	faults;
	unsigned long	flip_at;
	unsigned int	flip_bit;
	const void	*flipped;
	size_t		flipped_len;
	unsigned long	accesses;
	unsigned long	fail_at;
	const void	*failed;
	void		(*on_event)(enum shim_event event, const void *addr);
	bool		(*on_store)(void *to, const void *from, size_t len);
	long		distance;
	unsigned long	pinned;
	unsigned long	dirtied;
	unsigned long	mapped;
	bool		no_memory;
	bool		no_space;
	bool		(*on_pin)(const void *page);
};

extern struct shim shim;

void shim_map(void *base, size_t len);
void shim_unmap(void *base);
bool shim_reachable(const void *addr, size_t len);
void shim_forget(void);
void shim_flip(void *value, size_t len, unsigned int bit);
void shim_barrier(enum shim_event event);

#endif
