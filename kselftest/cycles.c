// SPDX-License-Identifier: GPL-2.0-only
/*
 * Twins come and go by the thousand: opened, started, used and closed, or killed
 * with their VMM at any moment.  Each frame is accounted for, and nothing stays.
 *
 *	cycles [-n CYCLES] [-k KILLS] [-s SEED] [DEVICE]
 */
#include "kselftest/vmm.h"
#include "kselftest/busy.h"
#include "kselftest/frames.h"
#include "kselftest/slab.h"

#include <ctype.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NUM		64
#define LEN		BUSY_LEN
#define BURST		32	/* frames each way when a cycle ends, at most */
#define STEPS		150	/* of a VMM that is to be killed, at most */
#define AHEAD		256	/* frames that nobody has taken yet, at most */
#define MOST_KIB	64
/* Before slab is looked at: what is allocated on first use is there then. */
#define WARM_CYCLES	200
#define WARM_KILLS	50

static struct vmm vmm;
static struct wire wire;
static uint8_t *memory;
static uint64_t seed = 1;
static unsigned long cycles_wanted = 2000, kills_wanted = 500;
static unsigned long all_sent, all_fed;
static struct slab_caches caches_before;

/* Of the twin at hand: frames fed to the wire, and seen on it. */
static uint32_t fed, seen;

/* What a VMM that is to be killed has told of itself, and is told of us. */
static struct shared {
	_Atomic uint32_t	step;
	_Atomic uint32_t	received;
	_Atomic uint32_t	seen;
	_Atomic bool		bad;
} *shared;

static unsigned int any(unsigned int below)
{
	return frames_random(&seed) % below;
}

/* Frames are numbered, each way, from 0. */

static bool is_frame(const uint8_t *got, uint32_t n, const char *where)
{
	uint8_t frame[LEN];

	busy_number(frame, n);
	return !memcmp(got, frame, LEN) ||
	       because("%s: expected frame %u, got %u", where, n,
		       busy_number_of(got));
}

static bool look_at_wire(void)
{
	uint8_t frame[LEN];

	while (wire_receive(&wire, frame, LEN, 0) == LEN)
		if (!is_frame(frame, seen++, "on the wire"))
			return false;
	return true;
}

static void feed(void)
{
	uint8_t frame[LEN];

	busy_number(frame, fed++);
	must(wire_send(&wire, frame, LEN));
}

static void post(uint32_t n)
{
	uint8_t frame[LEN];

	busy_number(frame, n);
	must(vmm_add_frame(&vmm, frame, LEN) >= 0);
}

/* What the twin did not take is in the tap, behind what it took. */
static bool look_at_tap(uint32_t taken)
{
	uint8_t got[VMM_HDR + LEN];

	while (read(wire.tap, got, sizeof(got)) == sizeof(got))
		if (!is_frame(got + VMM_HDR, taken++, "in the tap"))
			return false;
	return equal(taken, fed, "frames taken or left in the tap");
}

/* Indices begin at 0, and wrap. */
static uint32_t used(int q, uint32_t near)
{
	return near + (int16_t)(vmm.q[q].used->idx - near);
}

/* When the twin is gone: what it gave back to its guest is what passed. */
static bool accounted(void)
{
	bool good = look_at_wire() &&
		    equal(used(TX, seen), seen, "frames given back, and on the wire") &&
		    look_at_tap(used(RX, fed));

	all_sent += seen;
	all_fed += fed;
	return good;
}

/* The rings outlive the process that owns them, if there is another. */
static void open_rings(uint64_t features)
{
	int q;

	vmm_set_up(&vmm, -1, memory, features, NUM);
	for (q = RX; q <= TX; q++) {
		must(mmap(vmm.q[q].area, 3 * RING_PART, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		     vmm.q[q].area);
		ring_reset(&vmm.q[q], 0);
	}
	fed = 0;
	seen = 0;
}

static void close_rings(void)
{
	ring_close(&vmm.q[RX]);
	ring_close(&vmm.q[TX]);
}

static uint64_t any_features(void)
{
	return VMM_BASIC | (any(2) ? VMM_EVENT_IDX : 0);
}

/* Cycles */

static bool one_each_way(void)
{
	uint32_t len;
	int head;

	post(0);
	ring_kick(&vmm.q[TX]);
	if (!ring_poll(wire.sock, 5000))
		return because("no frame came out");
	if (!look_at_wire() || !ring_reap_n(&vmm.q[TX], 1, 5000))
		return false;
	must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	feed();
	if (!ring_wait(&vmm.q[RX], 5000))
		return because("no frame came in");
	head = ring_reap(&vmm.q[RX], &len);
	return head >= 0 && equal(len, VMM_HDR + LEN, "used length") &&
	       is_frame(vmm_buffer(&vmm, head) + VMM_HDR, 0, "in the guest") &&
	       vmm_counted(&vmm, TX, "packets", 1) &&
	       vmm_counted(&vmm, RX, "packets", 1);
}

/* The end comes in the middle of this. */
static void burst(void)
{
	unsigned int i, frames = any(BURST + 1), buffers = any(BURST + 1);

	for (i = 0; i < buffers; i++)
		must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	for (i = 0; i < frames; i++) {
		post(1 + i);
		feed();
	}
	ring_kick(&vmm.q[TX]);
}

/* A stop, a reset or nothing, and the close. */
static void end(unsigned int how)
{
	if (how == 0)
		must(!vmm_stop(&vmm));
	if (how == 1)
		must(!vmm_ioctl(vmm.dev, VHOST_RESET_OWNER, NULL));
	close(vmm.dev);
}

static bool cycle(void)
{
	bool good;

	open_rings(any_features());
	vmm.dev = vmm_open_device();
	vmm_go(&vmm, &wire);
	if (vmm_has_counters() && any(4) == 0)
		must(vmm_set_policy(&vmm, "worker"));
	good = one_each_way();
	burst();
	end(any(3));
	good = accounted() && good;
	close_rings();
	return good;
}

/* Kills */

static void step(void)
{
	atomic_fetch_add(&shared->step, 1);
}

static void reap_rx(void)
{
	int head;

	while ((head = ring_reap(&vmm.q[RX], NULL)) >= 0) {
		if (!is_frame(vmm_buffer(&vmm, head) + VMM_HDR, shared->received,
			      "in the guest"))
			shared->bad = true;
		shared->received++;
	}
}

/* Traffic for as long as it lives; at most what the wire's socket has room for. */
static void drive(void)
{
	struct ring *tx = &vmm.q[TX], *rx = &vmm.q[RX];
	uint32_t posted = 0;

	for (;;) {
		while (ring_reap(tx, NULL) >= 0)
			;
		reap_rx();
		while (tx->nr_free && posted - shared->seen < 4 * AHEAD)
			post(posted++);
		ring_kick(tx);
		while (rx->nr_free)
			must(vmm_add_buffer(&vmm, 200) >= 0);
		ring_kick(rx);
		busy_ask_for_calls(tx);
		busy_ask_for_calls(rx);
		step();
	}
}

/* A VMM, each step of whose life can be the last. */
static void live(void)
{
	static struct busy busy = { .vmm = &vmm };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	step();
	vmm.dev = vmm_open_device();
	step();
	must(!vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL));
	step();
	must(!vmm_configure(&vmm));
	step();
	must(!vmm_backend(&vmm, RX, wire.tap));
	step();
	must(!vmm_backend(&vmm, TX, wire.tap));
	step();
	must(!pthread_create(&busy.kicker, NULL, busy_kick, &busy));
	drive();
}

/* Traffic from the wire, until the VMM has come to that step of its life. */
static bool wait_for_step(pid_t pid, uint32_t last)
{
	int status;

	while (shared->step < last) {
		if (fed - shared->received < AHEAD)
			feed();
		if (!look_at_wire())
			return false;
		shared->seen = seen;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return because("the VMM has ended by itself: %d", status);
		sched_yield();
	}
	return true;
}

static bool killed(void)
{
	bool good;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	open_rings(any_features());
	pid = fork();
	must(pid >= 0);
	if (!pid)
		live();
	good = wait_for_step(pid, 1 + any(STEPS));
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid || errno == ECHILD);
	/* Kicks that nobody is there for. */
	ring_signal(vmm.q[TX].kick);
	ring_signal(vmm.q[RX].kick);
	if (shared->bad)
		good = because("a frame came in changed");
	good = vmm_no_twin_left() && good;
	good = accounted() && good;
	close_rings();
	return good;
}

/* All of them, each after the other; a long run takes its time. */
static bool repeat(unsigned long n, bool (*once)(void))
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (!once()) {
			wire_drain(&wire);
			return because("number %lu", i);
		}
		if (i % 2000 == 1999)
			note("%lu so far", i + 1);
		alarm(REPORT_LIMIT);
	}
	return true;
}

/* What stays */

static unsigned int count(const char *folder, bool (*is_it)(const char *name))
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	unsigned int n = 0;

	must(dir);
	while ((entry = readdir(dir)))
		n += is_it(entry->d_name);
	closedir(dir);
	return n;
}

static bool is_number(const char *name)
{
	return isdigit(name[0]);
}

static bool is_worker(const char *pid)
{
	return is_number(pid) && proc_name_begins(pid, "ktwin-");
}

static unsigned int files(void)
{
	return count("/proc/self/fd", is_number);
}

static bool no_worker_left(void)
{
	unsigned int tries;

	for (tries = 0; count("/proc", is_worker) && tries < 1000; tries++)
		poll(NULL, 0, 10);
	return equal(count("/proc", is_worker), 0, "worker threads");
}

static void nothing_stays(unsigned int files_before, long long slab_before)
{
	long long grown;

	claim(vmm_no_twin_left(), "no twin is left in debugfs");
	claim(no_worker_left() && equal(files(), files_before, "open files"),
	      "no thread of a twin is left, and no file");
	claim(proc_no_page_pinned(), "no page stays pinned");
	if (!slab_can_tell()) {
		skip("slab is back to where it was", "KASAN keeps what was freed for a while");
		return;
	}
	grown = slab_growth(slab_before, MOST_KIB);
	note("slab has grown by %lld KiB", grown);
	slab_tell(&caches_before);
	claim(grown <= MOST_KIB || because("%lld KiB", grown),
	      "slab has grown by at most %u KiB", MOST_KIB);
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:k:s:")) != -1) {
		if (option == 'n')
			cycles_wanted = strtoul(optarg, NULL, 0);
		else if (option == 'k')
			kills_wanted = strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			exit(2);
	}
	if (optind < argc)
		vmm_device = argv[optind];
}

static void prepare(void)
{
	vmm_begin(1, (char *[]){ "" });
	note("seed %llu", (unsigned long long)seed);
	wire_open(&wire, "wire0", VMM_HDR);
	memory = vmm_new_memory();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED);
}

int main(int argc, char **argv)
{
	unsigned int files_before;
	long long slab_before = 0;

	parse(argc, argv);
	prepare();
	claim(repeat(WARM_CYCLES, cycle) && repeat(WARM_KILLS, killed),
	      "%u cycles and %u kills to warm up", WARM_CYCLES, WARM_KILLS);
	files_before = files();
	if (slab_can_tell()) {
		slab_before = slab_at_rest();
		slab_look(&caches_before);
	}
	claim(repeat(cycles_wanted, cycle),
	      "each frame of %lu cycles has passed, or is in the ring or the tap still",
	      cycles_wanted);
	claim(repeat(kills_wanted, killed),
	      "so it is with %lu VMMs that are killed", kills_wanted);
	note("sum: %lu cycles", WARM_CYCLES + cycles_wanted);
	note("sum: %lu cycles: kills", WARM_KILLS + kills_wanted);
	note("sum: %lu cycles: frames from the guest", all_sent);
	note("sum: %lu cycles: frames to the guest", all_fed);
	nothing_stays(files_before, slab_before);
	wire_close(&wire);
	return report_end();
}
