// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest/ring/twice.h"

static u8 *process;
static size_t length;

static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	abort();
}

static u8 *map(int fd)
{
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(at != MAP_FAILED, "mmap");
	return at;
}

u8 *twice_map(size_t len)
{
	int fd = memfd_create("twice", 0);

	must(fd >= 0 && !ftruncate(fd, len), "memfd");
	length = len;
	process = map(fd);
	shim.distance = map(fd) - process;
	close(fd);
	shim_map(process, len);
	return process;
}

void twice_unmap(void)
{
	shim_unmap(process);
	munmap(twice_kernel(process), length);
	munmap(process, length);
	shim.distance = 0;
}

void twice_forbid(const void *at, size_t len, bool reads)
{
	must(!mprotect(twice_kernel(at), len, reads ? PROT_NONE : PROT_READ), "mprotect");
}

void twice_hide(bool hidden)
{
	must(!mprotect(process, length, hidden ? PROT_NONE : PROT_READ | PROT_WRITE),
	     "mprotect");
}
