/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a program whose guest-physical address is known, and one piece: a huge
 * page.  Takes root.
 */
#ifndef DMA_H
#define DMA_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest/lab/words.h"

#define DMA_SIZE	(2u << 20)

static inline void dma_reserve(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("a huge page");
	close(fd);
}

static inline uint64_t dma_address(const void *at)
{
	const uint64_t size = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)at / size * sizeof(entry)) < 0)
		die("pagemap");
	close(fd);
	/* Bit 63: it is there.  Bits 0 to 54: in which frame. */
	if (!(entry >> 63) || !(entry << 9))
		die("no address: 0x%llx", (unsigned long long)entry);
	return (entry & ((1ull << 55) - 1)) * size;
}

/* DMA_SIZE bytes, and where the device finds them. */
static inline void *dma_open(uint64_t *address)
{
	void *mem;

	dma_reserve();
	mem = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (mem == MAP_FAILED || mlock(mem, DMA_SIZE))
		die("a huge page");
	*address = dma_address(mem);
	return mem;
}

#endif
