/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile VMM's twin: opened and set up in some way or other, watched through
 * its eventfds, and through debugfs for when it has come to rest.
 */
#ifndef KSELFTEST_HOSTILE_H
#define KSELFTEST_HOSTILE_H

#include "kselftest/vmm.h"
#include "kselftest/badring.h"
#include "kselftest/clock.h"
#include "kselftest/verdicts.h"

/* All but that of a log, which is the VMM's. */
#define FAULTS	10
#define PACKED	BIT64(VIRTIO_F_RING_PACKED)

/* As they stand in debugfs. */
static const char * const fault_names[FAULTS] = {
	"access", "avail_jump", "head", "next", "loop", "indirect", "order",
	"too_long", "address", "direction",
};

/**
 * struct evil - the twin
 * @vmm:	its device, eventfds and features; rings and memory are others
 * @policy:	of its queues
 * @exact:	what is taken of its TX ring can be counted in chains
 * @tap:	its backend
 * @state:	its file of that name in debugfs
 */
struct evil {
	struct vmm	vmm;
	struct arena	arena;
	struct badring	rings[2];
	const char	*policy;
	bool		exact;
	int		tap;
	int		state;
};

/* What the counters of a queue amount to. */
struct tally {
	long long	packets;
	long long	drops;
	long long	upcalls;
	long long	kicks;
	long long	served;
	long long	faults[FAULTS];
};

struct rest {
	bool		broken;
	unsigned int	used;
};

static inline const char *queue_name(int q)
{
	return q == RX ? "rx0" : "tx0";
}

static inline void tally_line(struct tally *t, const char *key, long long v)
{
	unsigned int i;

	if (!strcmp(key, "packets"))
		t->packets = v;
	else if (!strncmp(key, "drop_", 5))
		t->drops += v;
	else if (!strcmp(key, "upcalls"))
		t->upcalls = v;
	else if (!strcmp(key, "kicks"))
		t->kicks = v;
	else if (!strncmp(key, "kicks_", 6))
		t->served += v;
	for (i = 0; i < FAULTS; i++)
		if (!strncmp(key, "ring_error_", 11) &&
		    !strcmp(key + 11, fault_names[i]))
			t->faults[i] = v;
}

static inline struct tally evil_tally(const struct evil *evil, int q)
{
	FILE *file = vmm_debugfs(&evil->vmm, queue_name(q), "r");
	struct tally tally = { };
	long long value;
	char key[64];

	must(file);
	while (fscanf(file, "%63[^:]: %lld\n", key, &value) == 2)
		tally_line(&tally, key, value);
	fclose(file);
	return tally;
}

/* Is a queue done with all that it was told of?  Waits for a pump to end. */
static inline bool evil_at_rest(const struct evil *evil, int q, struct rest *rest)
{
	char text[512], word[16], *line;
	unsigned int scheduled, moderated;
	ssize_t n = pread(evil->state, text, sizeof(text) - 1, 0);

	must(n > 0);
	text[n] = '\0';
	line = strstr(text, queue_name(q));
	must(line && sscanf(line, "%*s %15s", word) == 1);
	line = strstr(line, "used=");
	must(line && sscanf(line, "used=%u notify=%*s scheduled=%u moderated=%u",
			    &rest->used, &scheduled, &moderated) == 3);
	rest->broken = !strcmp(word, "broken");
	return !scheduled && !moderated;
}

static inline struct rest evil_wait(const struct evil *evil, int q)
{
	double end = clock_now() + 60;
	struct rest rest;

	while (!evil_at_rest(evil, q, &rest)) {
		if (clock_now() > end)
			because("%s does not come to rest", queue_name(q));
		must(clock_now() <= end);
		sched_yield();
	}
	return rest;
}

static inline void evil_kick(const struct evil *evil, int q)
{
	ring_signal(evil->vmm.q[q].kick);
}

/* How often the queue has raised its error since the last time. */
static inline unsigned int evil_errors(const struct evil *evil, int q)
{
	uint64_t count = 0;

	if (read(evil->vmm.q[q].err, &count, sizeof(count)) < 0)
		must(errno == EAGAIN);
	return count;
}

static inline void evil_stop(struct evil *evil, int q)
{
	must(!vmm_backend(&evil->vmm, q, -1));
}

static inline int evil_set_addr(struct evil *evil, int q, const void *desc,
				const void *avail, const void *used)
{
	struct vhost_vring_addr addr = {
		.index			= q,
		.desc_user_addr		= (uintptr_t)desc,
		.avail_user_addr	= (uintptr_t)avail,
		.used_user_addr		= (uintptr_t)used,
	};

	return vmm_ioctl(evil->vmm.dev, VHOST_SET_VRING_ADDR, &addr);
}

static inline int evil_set_addr_sane(struct evil *evil, int q)
{
	struct badring *r = &evil->rings[q];

	return evil_set_addr(evil, q, r->desc, r->avail, r->used);
}

static inline int evil_start(struct evil *evil, int q, uint16_t base)
{
	uint32_t num = evil->rings[q].packed ? base | (uint32_t)base << 16 : base;

	must(!vmm_set_state(&evil->vmm, VHOST_SET_VRING_BASE, q, num));
	return vmm_backend(&evil->vmm, q, evil->tap);
}

static inline void evil_open_device(struct evil *evil)
{
	evil->vmm.dev = open(vmm_device, O_RDWR | O_CLOEXEC);
	must(evil->vmm.dev >= 0);
	must(!vmm_ioctl(evil->vmm.dev, VHOST_SET_OWNER, NULL));
}

static inline void evil_open_state(struct evil *evil)
{
	char path[128];

	snprintf(path, sizeof(path), VMM_DEBUGFS "/%d-%u/state", getpid(),
		 evil->vmm.nr);
	evil->state = open(path, O_RDONLY | O_CLOEXEC);
	must(evil->state >= 0);
}

static inline void evil_close_device(struct evil *evil)
{
	close(evil->state);
	close(evil->vmm.dev);
}

static inline void evil_open(struct evil *evil, int tap)
{
	struct badring *r;
	int q;

	evil->tap = tap;
	arena_open(&evil->arena);
	for (q = RX; q <= TX; q++) {
		evil->vmm.q[q].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		evil->vmm.q[q].call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		evil->vmm.q[q].err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = &evil->rings[q];
		r->arena = &evil->arena;
		r->dir = q == RX ? VRING_DESC_F_WRITE : 0;
		r->desc = arena_page(&evil->arena, ARENA_RING(q) + ARENA_DESC);
		r->avail = arena_page(&evil->arena, ARENA_RING(q) + ARENA_AVAIL);
		r->used = arena_page(&evil->arena, ARENA_RING(q) + ARENA_USED);
	}
	evil_open_device(evil);
	evil_open_state(evil);
}

/* The ring's pages are canaries again, but for the ring. */
static inline void evil_set_ring(struct evil *evil, struct pen *pen, int q)
{
	static const unsigned int split[] = { 1, 2, 4, 8, 16, 64, 256 };
	static const unsigned int packed[] = { 1, 2, 3, 5, 8, 17, 64 };
	struct badring *r = &evil->rings[q];

	pen_fill(pen, r->desc, ARENA_CANARY, ARENA_RING_PAGES * ARENA_PAGE);
	r->packed = evil->vmm.features & PACKED;
	r->event_idx = evil->vmm.features & VMM_EVENT_IDX;
	r->indirect = evil->vmm.features & VMM_INDIRECT;
	r->single = r->packed && evil->exact;
	r->num = r->packed ? packed[pen_below(pen, 7)] : split[pen_below(pen, 7)];
	must(!vmm_set_state(&evil->vmm, VHOST_SET_VRING_NUM, q, r->num));
	must(!evil_set_addr_sane(evil, q));
	must(!vmm_set_fd(&evil->vmm, VHOST_SET_VRING_KICK, q, evil->vmm.q[q].kick));
	must(!vmm_set_fd(&evil->vmm, VHOST_SET_VRING_CALL, q, evil->vmm.q[q].call));
	must(!vmm_set_fd(&evil->vmm, VHOST_SET_VRING_ERR, q, evil->vmm.q[q].err));
}

/* Another kind of ring, sometimes of another twin; both queues are stopped. */
static inline void evil_set_up(struct evil *evil, struct pen *pen)
{
	static const char *const policies[] = { "inline", "worker", "softirq", "adaptive" };
	struct vmm *vmm = &evil->vmm;
	int q;

	if (pen_once_in(pen, 4)) {
		evil_close_device(evil);
		evil_open_device(evil);
		evil_open_state(evil);
	}
	vmm->features = BIT64(VIRTIO_F_VERSION_1);
	if (pen_once_in(pen, 2))
		vmm->features |= PACKED;
	if (pen_once_in(pen, 2))
		vmm->features |= VMM_EVENT_IDX;
	if (pen_once_in(pen, 3))
		vmm->features |= BIT64(VIRTIO_F_IN_ORDER);
	if (!pen_once_in(pen, 8))
		vmm->features |= VMM_INDIRECT;
	if (!pen_once_in(pen, 4))
		vmm->features |= BIT64(VIRTIO_NET_F_MRG_RXBUF);
	evil->policy = policies[pen_below(pen, 4)];
	evil->exact = pen_once_in(pen, 2);
	must(!vmm_set_features(vmm));
	must(!arena_set_mem(&evil->arena, vmm->dev));
	for (q = RX; q <= TX; q++)
		evil_set_ring(evil, pen, q);
	must(vmm_set_policy(vmm, evil->policy));
}

/* What came of the rings, by format and queue. */
struct harvest {
	unsigned long	given[2][2];
	unsigned long	malformed[2][2][FAULTS];
	unsigned long	scribbled;
};

static inline unsigned long harvest_tell(const struct harvest *h, bool packed,
					 int q)
{
	char text[400] = "";
	unsigned long sum = 0;
	unsigned int i, at = 0;

	for (i = 0; i < FAULTS; i++) {
		sum += h->malformed[packed][q][i];
		if (h->malformed[packed][q][i])
			at += snprintf(text + at, sizeof(text) - at, ", %s %lu",
				       fault_names[i], h->malformed[packed][q][i]);
	}
	note("%s %s: %lu rings, %lu malformed%s", packed ? "packed" : "split",
	     q == RX ? "RX" : "TX", h->given[packed][q], sum, text);
	return sum;
}

/*
 * A split ring of ours has too few segments; in a packed one no descriptor is named,
 * and none is taken back unless it is scribbled over at the right moment.
 */
static inline bool can_arise(bool packed, const char *fault)
{
	return packed ? strcmp(fault, "head") && strcmp(fault, "next") &&
			strcmp(fault, "avail_jump") :
			strcmp(fault, "too_long");
}

static inline bool harvest_has_all(const struct harvest *h)
{
	bool good = true;
	unsigned int i, k;

	for (i = 0; i < 4; i++)
		for (k = 0; k < FAULTS; k++)
			if (!h->malformed[i / 2][i % 2][k] &&
			    can_arise(i / 2, fault_names[k]))
				good = because("no %s in %s rings, %s", fault_names[k],
					       i / 2 ? "packed" : "split",
					       queue_name(i % 2));
	return good;
}

#endif /* KSELFTEST_HOSTILE_H */
