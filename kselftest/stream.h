/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream of checked frames into slots of guest memory: each comes once, in its turn
 * and unchanged, to where the process sees the slot that was posted for it.
 *
 * Another thread may take slots that are not posted, and do with them as it likes; or
 * have the stream pause, with all that was sent received.
 */
#ifndef KSELFTEST_STREAM_H
#define KSELFTEST_STREAM_H

#include "kselftest/vmm.h"
#include "kselftest/frames.h"

#include <pthread.h>
#include <stdatomic.h>

#define STREAM_PAGE	4096u
#define STREAM_SLOT	(2 * STREAM_PAGE)	/* a buffer may lie in both */
#define STREAM_SLOTS	512
#define STREAM_AT	(4u << 20)	/* behind vmm.h's slots */
#define STREAM_LEN	(STREAM_SLOTS * STREAM_SLOT)
#define STREAM_NUM	256	/* the ring's size */
#define STREAM_POSTED	192
#define STREAM_BURST	24
#define STREAM_BUF	2048
#define STREAM_LONG	6000	/* needs three buffers */
#define STREAM_BLANK	0xa5

enum stream_state { STREAM_FREE, STREAM_IS_POSTED, STREAM_TAKEN };

/**
 * struct stream - one stream
 * @lock: of @state
 * @running: held for each burst
 * @waiting: who wants a pause
 * @slot: the slot of each head
 * @at: where in memory its buffer is
 * @blank: it was filled with STREAM_BLANK all over
 * @posted: how many are
 * @random: of this thread
 * @seq: the next frame's number
 * @bursts: how many have passed
 */
struct stream {
	struct vmm		*vmm;
	struct wire		*wire;
	pthread_mutex_t		lock;
	pthread_mutex_t		running;
	atomic_int		waiting;
	enum stream_state	state[STREAM_SLOTS];
	uint16_t		slot[RING_MAX];
	uint32_t		at[RING_MAX];
	bool			blank[RING_MAX];
	unsigned int		posted;
	uint64_t		random;
	uint32_t		seq;
	atomic_uint		bursts;
};

static inline uint8_t *stream_mem(const struct stream *s)
{
	return s->vmm->mem + STREAM_AT;
}

/* Take any free slot.  Returns its number; there are more than are ever posted. */
static inline unsigned int stream_take(struct stream *s, uint64_t *random,
				       enum stream_state state)
{
	unsigned int slot;

	pthread_mutex_lock(&s->lock);
	do {
		slot = frames_random(random) % STREAM_SLOTS;
	} while (s->state[slot] != STREAM_FREE);
	s->state[slot] = state;
	pthread_mutex_unlock(&s->lock);
	return slot;
}

static inline void stream_give(struct stream *s, unsigned int slot)
{
	pthread_mutex_lock(&s->lock);
	s->state[slot] = STREAM_FREE;
	pthread_mutex_unlock(&s->lock);
}

/* Nothing is under way until stream_go_on(). */
static inline void stream_pause(struct stream *s)
{
	atomic_fetch_add(&s->waiting, 1);
	pthread_mutex_lock(&s->running);
}

static inline void stream_go_on(struct stream *s)
{
	pthread_mutex_unlock(&s->running);
	atomic_fetch_sub(&s->waiting, 1);
}

/* Every other buffer is untouched by us before the device comes. */
static inline void stream_post_one(struct stream *s)
{
	unsigned int slot = stream_take(s, &s->random, STREAM_IS_POSTED);
	uint32_t offset = frames_random(&s->random) % (STREAM_SLOT - STREAM_BUF + 1);
	uint8_t *mem = stream_mem(s) + slot * STREAM_SLOT;
	struct seg seg = { vmm_gpa(s->vmm, mem + offset), STREAM_BUF,
			   VRING_DESC_F_WRITE };
	bool blank = frames_random(&s->random) & 1;
	int head;

	if (blank)
		memset(mem, STREAM_BLANK, STREAM_SLOT);
	head = ring_add(&s->vmm->q[RX], &seg, 1);
	must(head >= 0);
	s->slot[head] = slot;
	s->at[head] = STREAM_AT + slot * STREAM_SLOT + offset;
	s->blank[head] = blank;
	s->posted++;
}

static inline void stream_post(struct stream *s)
{
	while (s->posted < STREAM_POSTED)
		stream_post_one(s);
	ring_kick(&s->vmm->q[RX]);
}

static inline bool stream_is_blank(const uint8_t *from, const uint8_t *to)
{
	for (; from < to; from++)
		if (*from != STREAM_BLANK)
			return false;
	return true;
}

/* The next buffer, at most @size bytes of it to @to.  Returns its used length, or -1. */
static inline ssize_t stream_reap(struct stream *s, uint8_t *to, size_t size)
{
	struct ring *ring = &s->vmm->q[RX];
	uint8_t *slot, *buf;
	uint32_t used;
	int head;

	if (!ring_wait(ring, 10000))
		return -1;
	head = ring_reap(ring, &used);
	if (head < 0)
		return -1;
	s->posted--;
	if (used > size) {
		because("used length %u, at most %zu are left", used, size);
		return -1;
	}
	buf = s->vmm->mem + s->at[head];
	slot = stream_mem(s) + s->slot[head] * STREAM_SLOT;
	memcpy(to, buf, used);
	if (s->blank[head] && (!stream_is_blank(slot, buf) ||
			       !stream_is_blank(buf + used, slot + STREAM_SLOT))) {
		because("bytes around a buffer have changed");
		return -1;
	}
	stream_give(s, s->slot[head]);
	return used;
}

static inline bool stream_expect(struct stream *s, const uint8_t *frame, size_t len)
{
	static uint8_t got[VMM_HDR + STREAM_LONG];
	const struct virtio_net_hdr_v1 *hdr = (void *)got;
	unsigned int heads = 0;
	size_t total = 0, i;
	ssize_t used;

	while (total < VMM_HDR + len) {
		used = stream_reap(s, got + total, VMM_HDR + len - total);
		if (used <= 0)
			return because("frame %u, %zu bytes, %u buffers seen", s->seq, len,
				       heads);
		total += used;
		heads++;
	}
	if (!equal(hdr->num_buffers, heads, "num_buffers"))
		return because("frame %u, %zu bytes", s->seq, len);
	for (i = 0; i < len; i++)
		if (got[VMM_HDR + i] != frame[i])
			return because("frame %u, byte %zu of %zu: expected %02x, got %02x",
				       s->seq, i, len, frame[i], got[VMM_HDR + i]);
	return true;
}

static inline bool stream_burst(struct stream *s)
{
	unsigned int n = 1 + frames_random(&s->random) % STREAM_BURST, i;
	static uint8_t frame[STREAM_LONG];
	size_t len[STREAM_BURST];

	for (i = 0; i < n; i++) {
		len[i] = 60 + frames_random(&s->random) %
			 (frames_random(&s->random) % 8 ? 1455 : STREAM_LONG - 59);
		wire_fill(frame, len[i], s->seq + i);
		if (!wire_send(s->wire, frame, len[i]))
			return false;
	}
	for (i = 0; i < n; i++) {
		wire_fill(frame, len[i], s->seq);
		if (!stream_expect(s, frame, len[i]))
			return false;
		s->seq++;
	}
	stream_post(s);
	return true;
}

/* One burst, after whoever wants a pause has had it. */
static inline bool stream_next(struct stream *s)
{
	bool good;

	while (atomic_load(&s->waiting))
		sched_yield();
	pthread_mutex_lock(&s->running);
	good = stream_burst(s);
	pthread_mutex_unlock(&s->running);
	atomic_fetch_add(&s->bursts, 1);
	return good;
}

/* The ring is empty: as it is with a queue that starts. */
static inline void stream_begin(struct stream *s, struct vmm *vmm, struct wire *wire,
				uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->vmm = vmm;
	s->wire = wire;
	s->random = seed * 2 + 1;
	must(!pthread_mutex_init(&s->lock, NULL));
	must(!pthread_mutex_init(&s->running, NULL));
	stream_post(s);
}

#endif /* KSELFTEST_STREAM_H */
