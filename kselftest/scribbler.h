/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that spoils a ring, its tables and a frame's header while the device
 * is at work on them: what is read twice is not twice the same.
 */
#ifndef KSELFTEST_SCRIBBLER_H
#define KSELFTEST_SCRIBBLER_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "kselftest/badring.h"

static struct {
	pthread_t	thread;
	sem_t		go;
	sem_t		rested;
	struct pen	pen;
	struct badring	ring;
	bool		stop;
	bool		quit;
	unsigned long	strokes;
} scribbler;

static inline void scribble_once(struct badring *r, struct pen *pen)
{
	if (r->header && pen_once_in(pen, 4))
		pen_put16(pen, r->header + 2 * pen_below(pen, 6), pen_random(pen));
	else
		bad_spoil(r, pen);
	if (pen_once_in(pen, 4))
		bad_show(r, pen);
}

static void *scribble(void *unused)
{
	(void)unused;
	for (;;) {
		sem_wait(&scribbler.go);
		if (scribbler.quit)
			return NULL;
		while (!__atomic_load_n(&scribbler.stop, __ATOMIC_ACQUIRE)) {
			scribble_once(&scribbler.ring, &scribbler.pen);
			__atomic_fetch_add(&scribbler.strokes, 1, __ATOMIC_RELAXED);
		}
		sem_post(&scribbler.rested);
	}
}

/* Returns when it has begun. */
static inline void scribbler_start(const struct badring *r)
{
	unsigned long strokes = scribbler.strokes;

	scribbler.ring = *r;
	scribbler.stop = false;
	sem_post(&scribbler.go);
	while (__atomic_load_n(&scribbler.strokes, __ATOMIC_RELAXED) == strokes)
		sched_yield();
}

static inline void scribbler_stop(void)
{
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELEASE);
	sem_wait(&scribbler.rested);
}

/* What it may spoil, and where it may have pointed the device, in the regions. */
static inline void scribbler_allow(const struct badring *r, struct arena *arena)
{
	if (r->dir & VRING_DESC_F_WRITE)
		arena_allow_regions(arena);
	arena_allow(arena, bad_table(r, 0), ARENA_BUFFERS);
	arena_allow(arena, r->desc, 16 * r->num);
	arena_allow(arena, r->avail, r->packed ? 4 : 6 + 2 * r->num);
	if (r->header)
		arena_allow(arena, r->header, 12);
}

static inline void scribbler_open(struct arena *arena, uint64_t seed)
{
	scribbler.pen = (struct pen) { arena, seed, false };
	must(!sem_init(&scribbler.go, 0, 0) && !sem_init(&scribbler.rested, 0, 0));
	must(!pthread_create(&scribbler.thread, NULL, scribble, NULL));
}

static inline void scribbler_close(void)
{
	scribbler.quit = true;
	sem_post(&scribbler.go);
	must(!pthread_join(scribbler.thread, NULL));
}

#endif /* KSELFTEST_SCRIBBLER_H */
