/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two guests on macvtaps of one NIC, whose frames tell their number.
 */
#ifndef KSELFTEST_ENDS_H
#define KSELFTEST_ENDS_H

#include "kselftest/vmm.h"

#define ENDS_NUM	64
#define ENDS_BUFFERS	32
#define ENDS_BUFFER	(80u << 10)
#define ENDS_SCRATCH	(4u << 20)

struct end {
	struct vmm	vmm;
	struct wire	wire;
	uint8_t		mac[6];
	uint8_t		*at[ENDS_NUM];	/* buffers, by the head of their chain */
	unsigned int	sent;
};

static struct end ends[2];

static inline void ends_post_part(struct end *end, uint8_t *at, uint32_t len)
{
	struct seg seg = { vmm_gpa(&end->vmm, at), len, VRING_DESC_F_WRITE };
	int head = ring_add(&end->vmm.q[RX], &seg, 1);

	must(head >= 0);
	end->at[head] = at;
}

static inline void ends_post_at(struct end *end, uint8_t *at)
{
	ends_post_part(end, at, ENDS_BUFFER);
}

static inline uint8_t *ends_buffer_of(const struct end *end, unsigned int i)
{
	return end->vmm.mem + ENDS_SCRATCH + i * ENDS_BUFFER;
}

static inline void ends_post_all(struct end *end)
{
	unsigned int i;

	for (i = 0; i < ENDS_BUFFERS; i++)
		ends_post_at(end, ends_buffer_of(end, i));
	ring_kick(&end->vmm.q[RX]);
}

static inline void ends_open_one(unsigned int i)
{
	static const char * const words[] = {
		"address 02:00:00:00:00:0a type macvtap mode bridge",
		"address 02:00:00:00:00:0b type macvtap mode bridge",
	};
	static const char * const names[] = { "tap-a", "tap-b" };
	struct end *end = &ends[i];
	int hdr_len = VMM_HDR, sndbuf = INT_MAX;

	memcpy(end->mac, "\2\0\0\0\0\x0a", 6);
	end->mac[5] += i;
	end->wire.tap = lower_open_macvtap("sw-nic", names[i], VMM_HDR, words[i]);
	must(!ioctl(end->wire.tap, TUNSETVNETHDRSZ, &hdr_len));
	must(!ioctl(end->wire.tap, TUNSETSNDBUF, &sndbuf));
	vmm_run(&end->vmm, &end->wire, VMM_BASIC, ENDS_NUM);
	end->vmm.nr = i;
}

static inline void ends_close_one(struct end *end)
{
	vmm_close(&end->vmm);
	close(end->wire.tap);
}

static inline bool ends_set_path(const char *path)
{
	FILE *file = vmm_debugfs(&ends[0].vmm, "path", "w");

	must(file);
	return fputs(path, file) >= 0 && !fclose(file);
}

static inline long long ends_taken(void)
{
	return vmm_counter(&ends[1].vmm, RX, "packets_taken");
}

/* Behind the buffers. */
static inline uint8_t *ends_place_of(const struct end *end, unsigned int i)
{
	return end->vmm.mem + ENDS_SCRATCH + (ENDS_BUFFERS + i % ENDS_NUM) * ENDS_BUFFER;
}

/* A frame in the sender's memory; the next place each time. */
static inline uint8_t *ends_place(struct end *end)
{
	return ends_place_of(end, end->sent++);
}

/* @bytes: header and frame, @len of them. */
static inline void ends_add(struct end *end, uint8_t *bytes, uint32_t len)
{
	struct seg seg = { vmm_gpa(&end->vmm, bytes), len, 0 };

	must(ring_add(&end->vmm.q[TX], &seg, 1) >= 0);
}

/* From one end to the other, a frame that tells its number. */
static inline void ends_add_number(struct end *from, const struct end *to, uint32_t number,
				   uint32_t len)
{
	uint8_t *at = ends_place(from), *frame = at + VMM_HDR;

	memset(at, 0, VMM_HDR);
	wire_fill(frame, len, number);
	memcpy(frame, to->mac, 6);
	memcpy(frame + 6, from->mac, 6);
	memcpy(frame + 14, &number, sizeof(number));
	ends_add(from, at, VMM_HDR + len);
}

static inline bool ends_flush(struct end *end, unsigned int n)
{
	ring_kick(&end->vmm.q[TX]);
	return ring_reap_n(&end->vmm.q[TX], n, 10000);
}

/* The next frame, with its header; its buffer is posted anew by ends_put_back(). */
static inline uint8_t *ends_take(struct end *end, uint32_t *len)
{
	int head;

	if (!ring_wait(&end->vmm.q[RX], 5000))
		return NULL;
	head = ring_reap(&end->vmm.q[RX], len);
	return head < 0 ? NULL : end->at[head];
}

static inline void ends_put_back(struct end *end, uint8_t *at)
{
	ends_post_at(end, at);
	ring_kick(&end->vmm.q[RX]);
}

static inline bool ends_is_number(const struct end *to, const uint8_t *at, uint32_t number,
				  uint32_t len)
{
	static __thread uint8_t frame[WIRE_MAX];

	wire_fill(frame, len, number);
	memcpy(frame, to->mac, 6);
	memcpy(frame + 6, at + VMM_HDR + 6, 6);
	memcpy(frame + 14, &number, sizeof(number));
	return !memcmp(at + VMM_HDR, frame, len);
}

static inline bool ends_comes(struct end *end, uint32_t number, uint32_t len)
{
	uint32_t used;
	uint8_t *at = ends_take(end, &used);
	bool good;

	if (!at)
		return because("frame %u does not come", number);
	good = used == VMM_HDR + len && ends_is_number(end, at, number, len);
	ends_put_back(end, at);
	return good || because("expected frame %u of %u bytes, got %u", number, len, used);
}

static inline void ends_open(void)
{
	lower_open_wire("sw");
	ends_open_one(0);
	ends_open_one(1);
	ends_post_all(&ends[0]);
	ends_post_all(&ends[1]);
}

static inline void ends_close(void)
{
	ends_close_one(&ends[0]);
	ends_close_one(&ends[1]);
	lower_close("sw");
}

#endif /* KSELFTEST_ENDS_H */
