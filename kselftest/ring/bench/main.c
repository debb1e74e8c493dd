// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring-bench [-a ACCESSORS] [-t WORDS] [-w WINDOWS] [-n SLICES] [-j FILE]
 * -- check the contenders, time them, print a table; ./run calls it.
 *
 *	-a	what it was built with, where rows in JSON are to say so
 *	-t	only the settings with these words in their name
 *	-w	windows for each setting
 *	-n	slices for each contender in a window
 *	-j	append the rows as JSON objects, one a line
 *
 * In a window the contenders take turns, a slice of it each, so that what slows
 * the machine down slows all of them; their medians in it make its ratio.  What
 * is claimed is the median of the windows' ratios.
 */
#include <alloca.h>
#include <cpuid.h>
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest/ring/bench/guest.h"
#include "kselftest/ring/bench/median.h"

#define MAX_WINDOWS	1000
#define CONTENDERS	4
#define SLICE		4096	/* chains */
#define MAX_SLICES	1000

static const struct bench_contender *const contenders[CONTENDERS] = {
	&bench_twin, &bench_packed, &bench_vringh, &bench_vhost,
};

static const struct setting settings[] = {
	{ "1 descriptor, singly, 1 region", 1, false, 1, 1 },
	{ "1 descriptor, batch of 32, 1 region", 1, false, 32, 1 },
	{ "3 descriptors, singly, 1 region", 3, false, 1, 1 },
	{ "3 descriptors, batch of 32, 1 region", 3, false, 32, 1 },
	{ "table of 3, singly, 1 region", 3, true, 1, 1 },
	{ "table of 3, batch of 32, 1 region", 3, true, 32, 1 },
	{ "1 descriptor, singly, 64 regions", 1, false, 1, 64 },
	{ "1 descriptor, batch of 32, 64 regions", 1, false, 32, 64 },
	{ "3 descriptors, singly, 64 regions", 3, false, 1, 64 },
	{ "3 descriptors, batch of 32, 64 regions", 3, false, 32, 64 },
	{ "table of 3, singly, 64 regions", 3, true, 1, 64 },
	{ "table of 3, batch of 32, 64 regions", 3, true, 32, 64 },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(settings[0]))

struct options {
	const char	*accessors;
	const char	*words;
	unsigned int	windows;
	unsigned int	slices;
	FILE		*json;
};

/* One line of the table. */
struct result {
	double	ns[CONTENDERS];
	double	ratio[CONTENDERS];
	double	spread[CONTENDERS];
};

static bool options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "a:t:w:n:j:")) != -1) {
		switch (option) {
		case 'a':
			o->accessors = optarg;
			break;
		case 't':
			o->words = optarg;
			break;
		case 'w':
			o->windows = atoi(optarg);
			break;
		case 'n':
			o->slices = atoi(optarg);
			break;
		case 'j':
			o->json = fopen(optarg, "a");
			if (!o->json)
				err(1, "%s", optarg);
			break;
		default:
			return false;
		}
	}
	return o->windows && o->windows <= MAX_WINDOWS &&
	       o->slices && o->slices <= MAX_SLICES && optind == argc;
}

/* Where we are, so that we stay there. */
static void pin(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		warn("not pinned to a CPU");
}

static void apply(const struct bench_patch *patch)
{
	uint32_t offset;

	memset(patch->at, 0x90, patch->len);
	memcpy(patch->at, patch->with, patch->with_len);
	if (patch->with_len == 5 && (patch->with[0] & 0xfe) == 0xe8) {
		/* A call or a jump is relative to where it stands. */
		memcpy(&offset, patch->with + 1, sizeof(offset));
		offset += patch->with - patch->at;
		memcpy(patch->at + 1, &offset, sizeof(offset));
	}
}

static void adapt_to_cpu(void)
{
	uintptr_t from = (uintptr_t)__executable_start & ~4095UL;
	unsigned int eax, ebx = 0, ecx, edx = 0;
	struct bench_cpu cpu;

	__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	cpu.erms = ebx & 1 << 9;
	cpu.fsrm = edx & 1 << 4;
	if (mprotect((void *)from, (uintptr_t)etext - from,
		     PROT_READ | PROT_WRITE | PROT_EXEC))
		err(1, "mprotect");
	bench_patches(&cpu, apply);
}

/* What the driver does to offer a full ring again is not in it. */
static double slice(const struct bench_contender *contender,
		    struct guest *guest, unsigned int batch)
{
	unsigned int rounds = SLICE / guest->chains;
	double start, took = 0;

	for (; rounds; rounds--) {
		guest_offer(guest);
		start = now();
		if (contender->drain(guest->chains, batch, NULL))
			errx(1, "%s failed", contender->name);
		took += now() - start;
	}
	return took;
}

/*
 * Where the stack begins is chosen by chance for each process, and costs or
 * gains a contender some percent: loads and stores get into each other's way
 * that are a multiple of 4096 apart.  So each window has it elsewhere.
 */
static double slice_elsewhere(const struct bench_contender *contender,
			      struct guest *guest, unsigned int batch,
			      unsigned int where)
{
	asm volatile("" : : "r" (alloca(16 + where % 256 * 16)) : "memory");
	return slice(contender, guest, batch);
}

/* Nanoseconds a chain: a slice in which the CPU was lost does not count. */
static void window(const struct options *o, const struct setting *setting,
		   struct guest guests[CONTENDERS], double ns[CONTENDERS],
		   unsigned int number)
{
	static double took[CONTENDERS][MAX_SLICES];
	unsigned int i, c;
	double spread;

	for (i = 0; i < o->slices; i++)
		for (c = 0; c < CONTENDERS; c++)
			took[c][i] = slice_elsewhere(contenders[c], &guests[c],
						     setting->batch,
						     number * 101);
	for (c = 0; c < CONTENDERS; c++)
		ns[c] = middle(took[c], o->slices, &spread) / SLICE;
}

static void summarize(unsigned int windows, double ns[][CONTENDERS],
		      struct result *result)
{
	double values[MAX_WINDOWS], spread;
	unsigned int c, w;

	for (c = 0; c < CONTENDERS; c++) {
		for (w = 0; w < windows; w++)
			values[w] = ns[w][c];
		result->ns[c] = middle(values, windows, &spread);
		for (w = 0; w < windows; w++)
			values[w] = ns[w][c] / ns[w][0];
		result->ratio[c] = middle(values, windows, &result->spread[c]);
	}
}

static void measure(const struct options *o, const struct setting *setting,
		    struct result *result)
{
	static double ns[MAX_WINDOWS][CONTENDERS];
	static struct guest guests[CONTENDERS];
	unsigned int c, w;

	for (c = 0; c < CONTENDERS; c++) {
		guest_init(&guests[c], setting, contenders[c]->packed);
		guest_want_no_calls(&guests[c]);
		if (contenders[c]->start(&guests[c].ring))
			errx(1, "%s did not start", contenders[c]->name);
	}
	window(o, setting, guests, ns[0], 0);	/* to warm up */
	for (w = 0; w < o->windows; w++)
		window(o, setting, guests, ns[w], w);
	for (c = 0; c < CONTENDERS; c++)
		guest_exit(&guests[c]);
	summarize(o->windows, ns, result);
}

static void print_head(void)
{
	unsigned int c;

	printf("%-40s %8s", "ns a chain", contenders[0]->name);
	for (c = 1; c < CONTENDERS; c++)
		printf(" | %8s  ratio spread", contenders[c]->name);
	putchar('\n');
}

static void print(const struct setting *setting, const struct result *result)
{
	unsigned int c;

	printf("%-40s %8.2f", setting->name, result->ns[0]);
	for (c = 1; c < CONTENDERS; c++)
		printf(" | %8.2f %6.2f  %4.1f%%", result->ns[c],
		       result->ratio[c], 100 * result->spread[c]);
	putchar('\n');
	fflush(stdout);
}

static void print_json(const struct options *o, const struct setting *setting,
		       const struct result *result)
{
	unsigned int c;

	for (c = 1; c < CONTENDERS; c++)
		fprintf(o->json,
			"{\"what\": \"%s%s%s\", \"ns\": {\"%s\": %.3f, \"%s\": %.3f}, \"ratio\": %.3f, \"spread\": %.3f}\n",
			setting->name, *o->accessors ? ", " : "", o->accessors,
			contenders[0]->name, result->ns[0],
			contenders[c]->name, result->ns[c],
			result->ratio[c], result->spread[c]);
}

static bool is_wanted(const struct options *o, const struct setting *setting)
{
	return strstr(setting->name, o->words);
}

static bool all_right(const struct options *o)
{
	const struct setting *s;
	unsigned int c;
	bool right = true;

	for (s = settings; s < settings + NR_SETTINGS; s++)
		for (c = 0; c < CONTENDERS; c++)
			if (is_wanted(o, s))
				right &= guest_check(contenders[c], s);
	return right;
}

int main(int argc, char **argv)
{
	struct options o = {
		.accessors = "",
		.words = "",
		.windows = 61,
		.slices = 31,
	};
	const struct setting *s;
	struct result result;

	if (!options(&o, argc, argv))
		return 2;
	pin();
	adapt_to_cpu();
	if (!all_right(&o))
		return 1;
	print_head();
	for (s = settings; s < settings + NR_SETTINGS; s++) {
		if (!is_wanted(&o, s))
			continue;
		measure(&o, s, &result);
		print(s, &result);
		if (o.json)
			print_json(&o, s, &result);
	}
	return o.json && fclose(o.json);
}
