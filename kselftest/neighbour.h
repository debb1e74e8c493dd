/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A neighbour: another twin of the process, with a wire of its own and a thread
 * that sends a frame each way whenever one is due, and checks it.
 */
#ifndef KSELFTEST_NEIGHBOUR_H
#define KSELFTEST_NEIGHBOUR_H

#include "kselftest/verdicts.h"
#include "kselftest/vmm.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

static struct {
	pthread_t	thread;
	struct vmm	vmm;
	struct wire	wire;
	sem_t		due;
	bool		quit;
	unsigned long	exchanged;
} neighbour;

static struct verdict undisturbed = {
	.name = "a neighbour's frames arrive meanwhile, none lost and none changed" };

static void *be_neighbour(void *unused)
{
	unsigned long n;
	bool good;

	(void)unused;
	for (n = 0; ; n++) {
		sem_wait(&neighbour.due);
		if (__atomic_load_n(&neighbour.quit, __ATOMIC_ACQUIRE))
			return NULL;
		good = vmm_try_tx(&neighbour.vmm, &neighbour.wire, 60 + n % 1400, n) &&
		       vmm_try_rx(&neighbour.vmm, &neighbour.wire, 60 + n % 1300, n);
		verdict(&undisturbed, good, "frame %lu: %s", n, report.why);
		neighbour.exchanged++;
	}
}

static inline void neighbour_open(void)
{
	wire_open(&neighbour.wire, "wire1", VMM_HDR);
	vmm_run(&neighbour.vmm, &neighbour.wire, VMM_BASIC, 64);
	neighbour.vmm.nr = 1;
	must(!sem_init(&neighbour.due, 0, 0));
	must(!pthread_create(&neighbour.thread, NULL, be_neighbour, NULL));
}

static inline void neighbour_close(unsigned long frames)
{
	struct timespec tick = { .tv_nsec = 10000000 };
	int left = 1;

	while (left > 0) {
		must(!sem_getvalue(&neighbour.due, &left));
		nanosleep(&tick, NULL);
	}
	__atomic_store_n(&neighbour.quit, true, __ATOMIC_RELEASE);
	sem_post(&neighbour.due);
	must(!pthread_join(neighbour.thread, NULL));
	verdict_claim(&undisturbed);
	claim(equal(neighbour.exchanged, frames, "frames") &&
	      vmm_counted(&neighbour.vmm, TX, "packets", frames) &&
	      vmm_counted(&neighbour.vmm, RX, "packets", frames),
	      "the neighbour's frames are all of those counted for it");
	vmm_close(&neighbour.vmm);
	wire_close(&neighbour.wire);
}

#endif /* KSELFTEST_NEIGHBOUR_H */
