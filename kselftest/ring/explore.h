/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All interleavings of a device, which is the engine's own code, with a
 * driver, which is a list of steps: at each of the device's accesses the
 * driver may take some.  What the device writes is seen late, and in another
 * order unless a barrier forbids it.
 */
#ifndef RING_EXPLORE_H
#define RING_EXPLORE_H

#include <stdbool.h>

enum explore_step {
	EXPLORE_NONE,		/* it sleeps, or has come to its end */
	EXPLORE_BLIND,		/* it reads nothing that the device writes */
	EXPLORE_SEEING,
};

/**
 * struct explore_driver - the driver's side of a model
 * @next: what kind of step it can take now
 * @step: take it
 * @shares: could a step change what the device reads at @addr?  If not, to
 *	take the step before or after is the same.
 */
struct explore_driver {
	enum explore_step (*next)(void);
	void (*step)(void);
	bool (*shares)(const void *addr);
};

/*
 * Runs @once for each way in which the two can be interleaved, up to @limit
 * runs.  Returns the number of runs; a test that failed ends it.
 */
unsigned long explore(const struct explore_driver *driver, void (*once)(void),
		      unsigned long limit);

/* All that the device has written is out; then the driver goes on alone. */
void explore_settle(void);

#endif
