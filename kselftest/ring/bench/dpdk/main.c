// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring-bench-dpdk [-w WINDOWS] [-n SLICES]  -- the engine and DPDK's vhost library
 * take turns at a guest's frames; ./run builds and calls it.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest/ring/bench/dpdk/side.h"
#include "kselftest/ring/bench/median.h"

enum { ROUNDS = 16, MAX_WINDOWS = 1000, MAX_SLICES = 1000 };

static const struct work works[] = {
	{ "split, 60 bytes", false, false, 60 },
	{ "split, 60 bytes, table of 2", false, true, 60 },
	{ "split, 1514 bytes", false, false, 1514 },
	{ "packed, 60 bytes", true, false, 60 },
	{ "packed, 60 bytes, table of 2", true, true, 60 },
	{ "packed, 1514 bytes", true, false, 1514 },
};

struct side {
	struct sender	sender;
	uint64_t	(*take)(void);
};

/* What it must have seen of a round: see put_frame(). */
static uint64_t right(const struct work *work)
{
	return (uint64_t)NUM * work->bytes + NUM * (NUM - 1) / 2;
}

/* Nanoseconds a frame; the driver's part is not in it. */
static double slice(struct side *side)
{
	double begun, took = 0;
	unsigned int i;
	uint64_t sum;

	for (i = 0; i < ROUNDS; i++) {
		sender_offer(&side->sender);
		begun = now();
		sum = side->take();
		took += now() - begun;
		if (sum != right(side->sender.work) ||
		    !sender_all_back(&side->sender))
			errx(1, "%s: other frames, or not given back",
			     side->sender.work->name);
	}
	return took / ROUNDS / NUM;
}

static void window(struct side sides[2], unsigned int slices, double ns[2])
{
	static double took[2][MAX_SLICES];
	unsigned int i, s;
	double spread;

	for (i = 0; i < slices; i++)
		for (s = 0; s < 2; s++)
			took[s][i] = slice(&sides[s]);
	for (s = 0; s < 2; s++)
		ns[s] = middle(took[s], slices, &spread);
}

static void measure(const struct work *work, unsigned int windows,
		    unsigned int slices)
{
	static double twin[MAX_WINDOWS], other[MAX_WINDOWS], ratio[MAX_WINDOWS];
	static struct side sides[2] = { { .take = twin_take }, { .take = dpdk_take } };
	unsigned int w;
	double ns[2], half, spread, unused;

	sender_init(&sides[0].sender, work);
	sender_init(&sides[1].sender, work);
	twin_start(&sides[0].sender);
	dpdk_start(&sides[1].sender);
	window(sides, slices, ns);		/* to warm up */
	for (w = 0; w < windows; w++) {
		window(sides, slices, ns);
		twin[w] = ns[0];
		other[w] = ns[1];
		ratio[w] = ns[1] / ns[0];
	}
	half = middle(ratio, windows, &spread);
	printf("%-30s %8.2f %8.2f %6.2f  %4.1f%%\n", work->name,
	       middle(twin, windows, &unused), middle(other, windows, &unused),
	       half, 100 * spread);
	fflush(stdout);
	dpdk_stop();
	sender_exit(&sides[0].sender);
	sender_exit(&sides[1].sender);
}

int main(int argc, char **argv)
{
	unsigned int i, windows = 31, slices = 31;
	int option;

	while ((option = getopt(argc, argv, "w:n:")) != -1) {
		if (option == 'w')
			windows = atoi(optarg);
		else if (option == 'n')
			slices = atoi(optarg);
		else
			return 2;
	}
	if (!windows || windows > MAX_WINDOWS || !slices || slices > MAX_SLICES)
		return 2;
	dpdk_init();
	printf("%-30s %8s %8s  ratio spread\n", "ns a frame, batches of 32",
	       "kvm-twin", "dpdk");
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		measure(&works[i], windows, slices);
	return 0;
}
