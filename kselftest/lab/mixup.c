// SPDX-License-Identifier: GPL-2.0-only
/*
 * What shows the flaws of an emulated processor, if it has them
 * (scripts/lab/mend_emulator.py).  For the first, one CPU enters and leaves a guest, and
 * another one loads the state of its FPU; for the second a guest takes an exception before
 * it does what must be emulated.
 *
 *	mixup leave COUNT	in a guest: leave it COUNT times, by CPUID
 *	mixup load		until SIGTERM
 *	mixup touch FILE COUNT	in a guest: COUNT times touch a page that is not there yet,
 *				and read a device's register (FILE, a resourceN)
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest/lab/words.h"

#define PAGE	4096

static void leave(unsigned long count)
{
	unsigned int a, b, c, d;

	while (count--)
		__cpuid(0, a, b, c, d);
}

static void load(void)
{
	static unsigned char state[512] __attribute__((aligned(16)));

	__asm__ volatile("fxsave %0" : "=m" (state));
	for (;;)
		__asm__ volatile("fxrstor %0" : : "m" (state));
}

static void *map(size_t len, int prot, int flags, int fd)
{
	void *mem = mmap(NULL, len, prot, flags, fd, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

static void touch(const char *path, unsigned long count)
{
	int fd = open(path, O_RDWR);
	unsigned int *device, sum = 0;
	char *page;

	if (fd < 0)
		die("%s", path);
	device = map(PAGE, PROT_READ, MAP_SHARED, fd);
	while (count--) {
		page = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		__atomic_store_n(page, 1, __ATOMIC_RELAXED);
		sum += __atomic_load_n(device, __ATOMIC_RELAXED);
		munmap(page, PAGE);
	}
	printf("%x\n", sum);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "leave"))
		leave(number(argv[2]));
	else if (argc == 2 && !strcmp(argv[1], "load"))
		load();
	else if (argc == 4 && !strcmp(argv[1], "touch"))
		touch(argv[2], number(argv[3]));
	else
		die("mixup leave COUNT | load | touch FILE COUNT");
	return 0;
}
