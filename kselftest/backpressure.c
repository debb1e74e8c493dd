// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap with a small send buffer whose frames leave slowly: what it has no
 * room for stays in the ring, and nothing is lost.
 *
 * wire0 -- bridge -- another tap, behind a slow queue
 *
 * A frame counts as sent by wire0 until it has left that queue.
 */
#include "kselftest/vmm.h"

#define FRAMES	400
#define LEN	1000
#define SNDBUF	20000

static struct vmm vmm;
static struct wire wire;
static int sink;

static const char * const setup[] = {
	"ip link add bridge0 type bridge stp_state 0 forward_delay 0",
	"ip link set wire0 master bridge0",
	"ip link set sink0 master bridge0",
	"ip link set bridge0 up",
	"ip link set sink0 up",
	"tc qdisc add dev sink0 root tbf rate 2mbit burst 4000 limit 4000000",
};

static bool make_slow(void)
{
	char command[160];
	unsigned int i;

	sink = wire_open_tap("sink0", VMM_HDR);
	for (i = 0; i < sizeof(setup) / sizeof(setup[0]); i++) {
		snprintf(command, sizeof(command), "%s >/dev/null 2>&1", setup[i]);
		if (system(command)) {
			note("failed: %s", setup[i]);
			return false;
		}
	}
	return true;
}

/* The next frame of ours; the bridge may have some of its own. */
static ssize_t next_frame(uint8_t *frame, size_t size, int timeout_ms)
{
	ssize_t n;

	do {
		if (!ring_poll(sink, timeout_ms))
			return -1;
		n = read(sink, frame, size);
	} while (n < VMM_HDR + ETH_HLEN || frame[VMM_HDR + 12] != WIRE_TYPE >> 8 ||
		 frame[VMM_HDR + 13] != (WIRE_TYPE & 0xff));
	return n;
}

static bool arrives(const uint8_t *frame)
{
	uint8_t got[VMM_HDR + LEN + 1];
	ssize_t n = next_frame(got, sizeof(got), 5000);

	return equal(n, VMM_HDR + LEN, "bytes") &&
	       (!memcmp(got + VMM_HDR, frame, LEN) ||
		because("byte 14: expected %02x, got %02x", frame[14],
			got[VMM_HDR + 14]));
}

/* To one address: copies of a broadcast would not weigh on the tap. */
static void fill(uint8_t *frame, unsigned int seed)
{
	wire_fill(frame, LEN, seed);
	memcpy(frame, "\x02\0\0\0\0\x99", ETH_ALEN);
}

static bool all_arrive(void)
{
	struct ring *ring = &vmm.q[TX];
	unsigned int posted = 0, seen;
	uint8_t frame[LEN], more[2048];

	for (seen = 0; seen < FRAMES; seen++) {
		while (posted < FRAMES && ring->nr_free) {
			fill(frame, posted);
			must(vmm_add_frame(&vmm, frame, LEN) >= 0);
			posted++;
		}
		ring_kick(ring);
		fill(frame, seen);
		if (!arrives(frame))
			return because("frame %u of %u", seen, posted);
		while (ring_reap(ring, NULL) >= 0)
			;
	}
	return next_frame(more, sizeof(more), 10) < 0 ||
	       because("a frame came twice");
}

static bool nothing_dropped(void)
{
	static const char * const drops[] = {
		"drop_malformed", "drop_fault", "drop_too_big",
		"drop_no_device", "drop_no_memory", "drop_other",
	};
	unsigned int i;
	bool good = true;

	for (i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
		good = vmm_counted(&vmm, TX, drops[i], 0) && good;
	return vmm_counted(&vmm, TX, "packets", FRAMES) && good;
}

static void with(uint64_t features, const char *name)
{
	vmm_run(&vmm, &wire, VMM_BASIC | features, 256);
	claim(all_arrive(), "a slow wire delivers all frames, in order, %s", name);
	claim(nothing_dropped(), "no frame is counted as dropped, %s", name);
	if (vmm_has_counters())
		claim(vmm_counter(&vmm, TX, "no_room") > 0,
		      "there was no room at times, %s", name);
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	int sndbuf = SNDBUF;

	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	if (!make_slow()) {
		skip("a slow wire", "bridge or tbf is missing");
		return report_end();
	}
	must(!ioctl(wire.tap, TUNSETSNDBUF, &sndbuf));
	with(0, "plain");
	with(VMM_EVENT_IDX, "with event index");
	wire_close(&wire);
	close(sink);
	return report_end();
}
