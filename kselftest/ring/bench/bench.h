/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two halves of the bench know of each other.  The contenders are
 * compiled as kernel code, with the kernel's headers; all else is a program
 * like any other.  So there are only plain C types here.
 */
#ifndef RING_BENCH_H
#define RING_BENCH_H

#define BENCH_NUM	256	/* descriptors in a ring */
#define BENCH_MAX_SEGS	16	/* more than any chain here has */
#define BENCH_MAX_BATCH	32

struct iovec;

struct bench_region {
	unsigned long long	start;
	unsigned long long	last;
	unsigned long		addr;
};

/**
 * struct bench_ring - a ring with event index and indirect tables
 * @num:	descriptors
 * @desc:	descriptor table; packed: descriptor ring
 * @avail:	driver area
 * @used:	device area
 * @regions:	the guest's memory
 * @nr_regions:	how many there are
 */
struct bench_ring {
	unsigned int			num;
	void				*desc;
	void				*avail;
	void				*used;
	const struct bench_region	*regions;
	unsigned int			nr_regions;
};

/* Told of each chain while the contenders are checked; NULL while timed. */
typedef void (*bench_see)(unsigned int head, const struct iovec *out,
			  unsigned int nr_out, const struct iovec *in,
			  unsigned int nr_in);

/**
 * struct bench_contender - one implementation of the device side
 * @name:	as it stands in the tables
 * @packed:	its ring is a packed one
 * @start:	take up a ring that was never used; 0 if well
 * @drain:	take so many chains, give each back with bench_used_len() as
 *		its length, and publish and decide on calling the driver once
 *		for every so many (which divide the former); 0 if well
 */
struct bench_contender {
	const char	*name;
	_Bool		packed;
	int		(*start)(const struct bench_ring *ring);
	int		(*drain)(unsigned int chains, unsigned int batch,
				 bench_see see);
};

extern const struct bench_contender bench_twin;
extern const struct bench_contender bench_packed;
extern const struct bench_contender bench_vringh;
extern const struct bench_contender bench_vhost;

/* Decisions to call the driver. */
extern unsigned long bench_calls;

static inline unsigned int bench_used_len(unsigned int head)
{
	return head + 1;
}

/* patch.c: one place where the kernel adapts its code to the processor. */
struct bench_patch {
	unsigned char		*at;
	unsigned int		len;
	const unsigned char	*with;
	unsigned int		with_len;
};

struct bench_cpu {
	_Bool	erms;
	_Bool	fsrm;
};

/* Set by the linker: where code is. */
extern char __executable_start[], etext[];

/* Go through them all; those that @cpu wants are given to @apply. */
void bench_patches(const struct bench_cpu *cpu,
		   void (*apply)(const struct bench_patch *patch));

#endif
