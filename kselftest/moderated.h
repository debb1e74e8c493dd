/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TX queue's kick moderation, as debugfs has it, and a guest that sends without pause.
 */
#ifndef KSELFTEST_MODERATED_H
#define KSELFTEST_MODERATED_H

#include "kselftest/vmm.h"

#define MODERATED_LEN	64
#define MODERATED_ROUND	8	/* frames: more than are needed for going on */

/* Frames that are numbered, and how many of them were posted and have come out. */
struct moderated {
	struct vmm	*vmm;
	struct wire	*wire;
	uint32_t	posted;
	uint32_t	seen;
};

static inline bool moderated_configure(const struct vmm *vmm, const char *words)
{
	FILE *file = vmm_debugfs(vmm, "moderation", "w");
	bool good;

	must(file);
	good = fputs(words, file) >= 0;
	return !fclose(file) && good;
}

static inline bool moderated_is_active(const struct vmm *vmm)
{
	FILE *file = vmm_debugfs(vmm, "moderation", "r");
	int active = -1;

	must(file);
	must(fscanf(file, "tx0: interval_us=%*u kicks=%*u active=%d", &active) == 1);
	fclose(file);
	return active;
}

static inline bool moderated_ends(const struct vmm *vmm)
{
	unsigned int tries;

	for (tries = 0; tries < 1000 && moderated_is_active(vmm); tries++)
		poll(NULL, 0, 10);
	return !moderated_is_active(vmm) || because("it is moderated for ever");
}

static inline void moderated_post(struct moderated *m)
{
	uint8_t frame[MODERATED_LEN];

	wire_fill(frame, MODERATED_LEN, m->posted++);
	must(vmm_add_frame(m->vmm, frame, MODERATED_LEN) >= 0);
}

/* All that was posted comes out, in order, and its chains come back. */
static inline bool moderated_arrives(struct moderated *m)
{
	unsigned int n = m->posted - m->seen;
	uint8_t frame[MODERATED_LEN];

	for (; m->seen != m->posted; m->seen++) {
		wire_fill(frame, MODERATED_LEN, m->seen);
		if (!wire_expect(m->wire, frame, MODERATED_LEN))
			return because("frame %u", m->seen);
	}
	return ring_reap_n(&m->vmm->q[TX], n, 5000);
}

/* Kicks come until they are too many. */
static inline bool moderated_begins(struct moderated *m)
{
	unsigned int tries, i;

	for (tries = 0; tries < 100 && !moderated_is_active(m->vmm); tries++) {
		for (i = 0; i < MODERATED_ROUND; i++) {
			moderated_post(m);
			ring_kick(&m->vmm->q[TX]);
		}
		if (!moderated_arrives(m))
			return false;
	}
	return moderated_is_active(m->vmm) || because("it is not moderated");
}

/* Frames that no kick tells of. */
static inline bool moderated_post_round(struct moderated *m)
{
	unsigned int i;

	for (i = 0; i < MODERATED_ROUND; i++)
		moderated_post(m);
	return !ring_kick(&m->vmm->q[TX]) || because("a kick is wanted");
}

static inline bool moderated_goes_on(struct moderated *m, unsigned int rounds)
{
	while (rounds--)
		if (!moderated_post_round(m) || !moderated_arrives(m))
			return false;
	return true;
}

#endif /* KSELFTEST_MODERATED_H */
