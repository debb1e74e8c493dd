// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two guests on one NIC that send each other frames of all lengths: they come in order,
 * at once where that can be and later where it can't, whatever is missing, and whoever
 * comes and goes.
 */
#include "kselftest/ends.h"

#include <pthread.h>

#define STREAM		400
#define PIECE		256	/* bytes of a small buffer */
#define PIECES		48
#define LONG		3000	/* bytes of a frame that takes more than a sender gives */

/* Frames that are taken, that do not fit a page, and that nobody takes but the core. */
static uint32_t length_of(unsigned int i)
{
	return i % 7 == 3 ? 9000 + i : i % 5 == 1 ? 60 : 100 + i;
}

static bool in_order(unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < n; i += 16) {
		for (j = i; j < i + 16; j++)
			ends_add_number(&ends[0], &ends[1], j, length_of(j));
		if (!ends_flush(&ends[0], 16))
			return false;
		for (j = i; j < i + 16; j++)
			if (!ends_comes(&ends[1], j, length_of(j)))
				return false;
	}
	return true;
}

/* Of more than there are buffers for, the rest waits, and keeps its order. */
static bool waits(void)
{
	unsigned int i;

	for (i = 0; i < ENDS_BUFFERS + 20; i++)
		ends_add_number(&ends[0], &ends[1], i, 100);
	if (!ends_flush(&ends[0], i))
		return false;
	for (i = 0; i < ENDS_BUFFERS + 20; i++)
		if (!ends_comes(&ends[1], i, 100))
			return false;
	return in_order(64);
}

/* The next frames, whose buffers are not posted before all are there; nobody is told. */
static bool all_come(unsigned int first, unsigned int n)
{
	uint8_t *at[ENDS_BUFFERS];
	unsigned int i;
	uint32_t used;

	for (i = 0; i < n; i++) {
		at[i] = ends_take(&ends[1], &used);
		if (!at[i] || !ends_is_number(&ends[1], at[i], first + i, 100))
			return because("frame %u is missing, or another", first + i);
	}
	for (i = 0; i < n; i++)
		ends_post_at(&ends[1], at[i]);
	return true;
}

/* There are buffers again, though nobody has told: what waits is not overtaken. */
static bool behind_what_waits(void)
{
	long long before = vmm_counter(&ends[1].vmm, RX, "no_buffers");
	unsigned int i;

	for (i = 0; i < ENDS_BUFFERS + 1; i++)
		ends_add_number(&ends[0], &ends[1], i, 100);
	if (!ends_flush(&ends[0], i) ||
	    !vmm_wait_counter(&ends[1].vmm, RX, "no_buffers", before + 1) ||
	    !all_come(0, ENDS_BUFFERS))
		return false;
	ends_add_number(&ends[0], &ends[1], i, 100);
	if (!ends_flush(&ends[0], 1))
		return false;
	ring_kick(&ends[1].vmm.q[RX]);
	return ends_comes(&ends[1], i - 1, 100) && ends_comes(&ends[1], i, 100);
}

/* Small buffers */

static bool comes_in_pieces(unsigned int number)
{
	static uint8_t whole[2 * LONG];
	struct virtio_net_hdr_mrg_rxbuf *hdr = (void *)whole;
	unsigned int len = 0, n = 0;
	uint32_t used;
	uint8_t *at;

	for (; len < VMM_HDR + LONG; len += used, n++) {
		at = ends_take(&ends[1], &used);
		if (!at || used > PIECE)
			return because("%u of %u bytes", len, VMM_HDR + LONG);
		memcpy(whole + len, at, used);
	}
	return equal(hdr->num_buffers, n, "num_buffers") &&
	       equal(len, VMM_HDR + LONG, "bytes") &&
	       (ends_is_number(&ends[1], whole, number, LONG) || because("it has changed"));
}

static bool send_in_pieces(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		ends_add_number(&ends[0], &ends[1], i, LONG);
	if (!ends_flush(&ends[0], n))
		return false;
	for (i = first; i < first + n; i++)
		if (!comes_in_pieces(i))
			return false;
	return true;
}

/*
 * Of two one is taken; the next, for which the sender would pay as well, goes the other way.
 * Both may do so: who has received the frame before may not be done.
 */
static bool in_pieces(void)
{
	struct end *end = &ends[1];
	unsigned int tries, i;
	long long taken = 0;
	bool good = true;

	for (tries = 0; good && !taken && tries < 20; tries++) {
		must(!vmm_restart_queue(&end->vmm, RX, end->wire.tap, 0));
		for (i = 0; i < PIECES; i++)
			ends_post_part(end, ends_buffer_of(end, 0) + i * PIECE, PIECE);
		ring_kick(&end->vmm.q[RX]);
		good = send_in_pieces(0, 1);
		taken = ends_taken();
		good = good && send_in_pieces(1, 2);
		taken = ends_taken() - taken;
	}
	must(!vmm_restart_queue(&end->vmm, RX, end->wire.tap, 0));
	ends_post_all(end);
	return good && equal(taken, 1, "frames taken");
}

static bool by_worker(void)
{
	long long before;
	bool good;

	if (!vmm_set_policy(&ends[1].vmm, "worker"))
		return false;
	before = ends_taken();
	good = in_order(64) && equal(ends_taken() - before, 0, "frames taken");
	return vmm_set_policy(&ends[1].vmm, "softirq") && good;
}

/* Memory that is missing */

static bool without_buffers(void)
{
	unsigned int i;

	must(!madvise(ends_buffer_of(&ends[1], 0), ENDS_BUFFERS * ENDS_BUFFER, MADV_DONTNEED));
	if (!in_order(64))
		return false;
	/* None was lost on the way. */
	for (i = 0; i < ENDS_BUFFERS; i++)
		ends_add_number(&ends[0], &ends[1], i, 100);
	if (!ends_flush(&ends[0], i) || !all_come(0, i))
		return false;
	ring_kick(&ends[1].vmm.q[RX]);
	return in_order(64);
}

/* A page of a long frame is not there: it is dropped, and what follows comes. */
static bool without_page(size_t page)
{
	long long before = vmm_counter(&ends[0].vmm, TX, "drop_fault");
	uint8_t *at;
	bool good;

	ends_add_number(&ends[0], &ends[1], 1, 40000);
	at = ends_place_of(&ends[0], ends[0].sent - 1);
	must(!mprotect(at + page, 4096, PROT_NONE));
	ends_add_number(&ends[0], &ends[1], 2, 100);
	good = ends_flush(&ends[0], 2) && ends_comes(&ends[1], 2, 100) &&
	       equal(vmm_counter(&ends[0].vmm, TX, "drop_fault") - before, 1, "drop_fault");
	must(!mprotect(at + page, 4096, PROT_READ | PROT_WRITE));
	return good && in_order(64);
}

/* Both at once */

static void *send_and_take(void *arg)
{
	unsigned int me = (uintptr_t)arg, i;
	struct end *end = &ends[me], *other = &ends[!me];

	for (i = 0; i < STREAM; i++) {
		ends_add_number(end, other, i, length_of(i));
		if (!ends_flush(end, 1) || !ends_comes(end, i, length_of(i)))
			return "a frame is missing";
	}
	return NULL;
}

static bool both_ways(void)
{
	pthread_t threads[2];
	void *why[2];
	unsigned int i;

	for (i = 0; i < 2; i++)
		must(!pthread_create(&threads[i], NULL, send_and_take, (void *)(uintptr_t)i));
	for (i = 0; i < 2; i++)
		must(!pthread_join(threads[i], &why[i]));
	return (!why[0] && !why[1]) || because("%s", (char *)(why[0] ?: why[1]));
}

/* The other one goes, and comes again, under what it is sent. */

static bool ended;

static void *send_on(void *unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; !__atomic_load_n(&ended, __ATOMIC_ACQUIRE); i++) {
		ends_add_number(&ends[0], &ends[1], i, length_of(i));
		if (!ends_flush(&ends[0], 1))
			return "a chain does not come back";
	}
	return NULL;
}

static bool comes_and_goes(void)
{
	struct end *end = &ends[1];
	pthread_t thread;
	void *why;
	unsigned int i;
	bool good = true;

	must(!pthread_create(&thread, NULL, send_on, NULL));
	for (i = 0; good && i < 60; i++) {
		poll(NULL, 0, i % 3);
		good = !vmm_restart_queue(&end->vmm, RX, end->wire.tap, 0);
		ends_post_all(end);
	}
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	must(!pthread_join(thread, &why));
	return good && (!why || because("%s", (char *)why));
}

static void all(void)
{
	claim(in_order(64), "frames come at once");
	claim(ends_taken() > 0, "and were taken");
	claim(waits(), "what finds no buffer waits, in order");
	claim(behind_what_waits(), "and is not overtaken");
	claim(in_pieces(), "what takes many buffers tells how many");
	claim(by_worker(), "a queue of the worker's is served by it");
	claim(without_buffers(), "buffers that are missing are found");
	claim(without_page(0) && without_page(20480),
	      "a frame of which a page is missing is dropped, alone");
	claim(both_ways(), "both ways at once");
	claim(comes_and_goes(), "a queue goes and comes under it");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!lower_wanted() || !vmm_has_counters()) {
		skip("frames come in order", "not of this device, or not on a tap");
		return report_end();
	}
	ends_open();
	all();
	ends_close();
	return report_end();
}
