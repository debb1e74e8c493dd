/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is busy: one thread drives its rings, both ways, and one only
 * kicks.  Each frame has the mark of its wire, which no other's may have, and a
 * number, and is looked for at the other end.
 *
 * The rings may be detached and attached again in the meantime, from where the
 * device has left them; memory, rings and eventfds stay.
 */
#ifndef KSELFTEST_BUSY_H
#define KSELFTEST_BUSY_H

#include "kselftest/vmm.h"

#include <pthread.h>
#include <stdatomic.h>

#define BUSY_LEN	64
#define BUSY_POSTED	64	/* chains in a ring, at most */

/**
 * struct busy - one busy guest
 * @checking: numbers are looked at; false after another has used the wire
 * @sent: frames posted by the guest
 * @seen: of these, on the wire
 * @fed: frames given to the wire
 * @next: the least number that may come in
 * @delivered: frames that came in
 */
struct busy {
	struct vmm	*vmm;
	struct wire	*wire;
	bool		checking;
	uint32_t	sent;
	uint32_t	seen;
	uint32_t	fed;
	uint32_t	next;
	uint32_t	delivered;
	atomic_bool	done;
	pthread_t	driver;
	pthread_t	kicker;
};

static inline void busy_number(uint8_t *frame, uint32_t n)
{
	wire_fill(frame, BUSY_LEN, 0);
	memcpy(frame + ETH_HLEN, &n, sizeof(n));
}

static inline uint32_t busy_number_of(const uint8_t *frame)
{
	uint32_t n;

	memcpy(&n, frame + ETH_HLEN, sizeof(n));
	return n;
}

static inline void busy_mark(struct busy *busy, uint8_t *frame, uint32_t n)
{
	busy_number(frame, n);
	memcpy(frame + ETH_HLEN + sizeof(n), &busy->wire->index, sizeof(int));
}

static inline bool busy_is_ours(struct busy *busy, const uint8_t *frame)
{
	int mark;

	memcpy(&mark, frame + ETH_HLEN + sizeof(uint32_t), sizeof(mark));
	return equal(mark, busy->wire->index, "mark of a frame");
}

static inline void busy_post(struct busy *busy)
{
	struct ring *tx = &busy->vmm->q[TX], *rx = &busy->vmm->q[RX];
	uint8_t frame[BUSY_LEN];

	while (tx->nr_free > tx->num - BUSY_POSTED) {
		busy_mark(busy, frame, busy->sent++);
		must(vmm_add_frame(busy->vmm, frame, BUSY_LEN) >= 0);
	}
	ring_kick(tx);
	while (rx->nr_free > rx->num - BUSY_POSTED)
		must(vmm_add_buffer(busy->vmm, 200) >= 0);
	ring_kick(rx);
}

/* What the tap has no room for is no loss of ours. */
static inline void busy_feed(struct busy *busy)
{
	uint8_t frame[BUSY_LEN];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		busy_mark(busy, frame, busy->fed++);
		if (send(busy->wire->sock, frame, BUSY_LEN, 0) < 0)
			must(errno == ENOBUFS);
	}
}

/* Calls are wanted, though nobody waits for them. */
static inline void busy_ask_for_calls(struct ring *ring)
{
	if (ring->event_idx)
		*ring_used_event(ring) = ring->used_idx;
}

/* A stop may leave the tap without room for a frame, but it changes no order. */
static inline bool busy_reap_rx(struct busy *busy)
{
	struct ring *rx = &busy->vmm->q[RX];
	const uint8_t *frame;
	uint32_t n, len;
	int head;

	while (ring_has_used(rx)) {
		head = ring_reap(rx, &len);
		if (head < 0)
			return false;
		frame = vmm_buffer(busy->vmm, head) + VMM_HDR;
		n = busy_number_of(frame);
		if (!busy_is_ours(busy, frame))
			return false;
		if (busy->checking && !equal(len, VMM_HDR + BUSY_LEN, "used length"))
			return false;
		if (busy->checking && n < busy->next)
			return because("frame %u came in after %u", n,
				       busy->next - 1);
		busy->next = n + 1;
		busy->delivered++;
	}
	return true;
}

static inline bool busy_reap_tx(struct busy *busy)
{
	struct ring *tx = &busy->vmm->q[TX];

	while (ring_has_used(tx))
		if (ring_reap(tx, NULL) < 0)
			return false;
	return true;
}

/* Each frame leaves once, whatever was detached in the meantime. */
static inline bool busy_look_at_wire(struct busy *busy)
{
	uint8_t frame[BUSY_LEN];

	while (wire_receive(busy->wire, frame, BUSY_LEN, 0) == BUSY_LEN) {
		if (!busy_is_ours(busy, frame))
			return false;
		if (busy->checking && !equal(busy_number_of(frame), busy->seen,
					     "frame on the wire"))
			return false;
		busy->seen++;
	}
	return true;
}

static inline void *busy_drive(void *arg)
{
	struct busy *busy = arg;
	bool good = true;

	while (good && !atomic_load(&busy->done)) {
		busy_post(busy);
		busy_feed(busy);
		good = busy_reap_tx(busy) && busy_reap_rx(busy) &&
		       busy_look_at_wire(busy);
		busy_ask_for_calls(&busy->vmm->q[TX]);
		busy_ask_for_calls(&busy->vmm->q[RX]);
	}
	return (void *)(long)good;
}

static inline void *busy_kick(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->done)) {
		ring_signal(busy->vmm->q[TX].kick);
		ring_signal(busy->vmm->q[RX].kick);
		sched_yield();
	}
	return NULL;
}

static inline void busy_start(struct busy *busy, struct vmm *vmm,
			      struct wire *wire, bool checking)
{
	memset(busy, 0, sizeof(*busy));
	busy->vmm = vmm;
	busy->wire = wire;
	busy->checking = checking;
	must(!pthread_create(&busy->driver, NULL, busy_drive, busy));
	must(!pthread_create(&busy->kicker, NULL, busy_kick, busy));
}

/* Until it has sent @n frames, and one has come in. */
static inline bool busy_wait(struct busy *busy, uint32_t n)
{
	unsigned int tries;

	for (tries = 0; tries < 3000; tries++) {
		if (__atomic_load_n(&busy->sent, __ATOMIC_RELAXED) >= n &&
		    __atomic_load_n(&busy->delivered, __ATOMIC_RELAXED))
			return true;
		poll(NULL, 0, 10);
	}
	return because("%u frames of %u sent, %u came in, in 30 s", busy->sent, n,
		       busy->delivered);
}

/* The queues are attached, and left alone by now: all that was posted leaves. */
static inline bool busy_stop(struct busy *busy)
{
	void *good;

	atomic_store(&busy->done, true);
	must(!pthread_join(busy->driver, &good));
	must(!pthread_join(busy->kicker, NULL));
	if (!good)
		return false;
	ring_signal(busy->vmm->q[TX].kick);
	while (busy->seen < busy->sent) {
		if (!ring_poll(busy->wire->sock, 5000))
			return because("%u frames of %u left", busy->seen,
				       busy->sent);
		if (!busy_look_at_wire(busy))
			return false;
	}
	return true;
}

#endif /* KSELFTEST_BUSY_H */
