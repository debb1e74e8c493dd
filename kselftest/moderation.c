// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kick moderation: who sends without pause is not kicked for, but looked at by time;
 * nothing is lost when that begins, goes on and ends, whatever happens to who kicked.
 */
#include "kselftest/moderated.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define SLOW	"interval_us=100000 kicks=4"	/* for machines that are slow */
#define FAST	"interval_us=10 kicks=2"
#define QUICK	"interval_us=100 kicks=4"
#define STAY	256	/* megabytes to copy */
#define HALF	1048576	/* bytes that a pipe holds */

static struct vmm vmm;
static struct wire wire;
static struct moderated flow = { .vmm = &vmm, .wire = &wire };
/* What counts kicks and pumps that are served by who kicked, or in its time. */
static const char *kicks_served, *pumps_served;
static bool has_inline;

static void find_served(void)
{
	has_inline = vmm_try_policy(&vmm, "inline");
	kicks_served = has_inline ? "kicks_inline" : "kicks_softirq";
	pumps_served = has_inline ? "pumps_inline" : "pumps_softirq";
}

/* Pumps in nobody's time, or in anybody's. */
static long long others_pumps(void)
{
	return vmm_counter(&vmm, TX, "pumps_worker") +
	       vmm_counter(&vmm, TX, "pumps_softirq");
}

static bool alone(void)
{
	long long served;
	unsigned int i;

	/* The pump of the start is over: who takes the queue's lock has waited for it. */
	if (!vmm_wait_counter(&vmm, TX, "pumps_worker", 1))
		return false;
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_ERR, TX, vmm.q[TX].err));
	served = vmm_counter(&vmm, TX, kicks_served);
	for (i = 0; i < 10; i++) {
		poll(NULL, 0, 1);
		moderated_post(&flow);
		if (!ring_kick(&vmm.q[TX]))
			return because("no kick is wanted");
		if (!moderated_arrives(&flow))
			return false;
	}
	return vmm_counted(&vmm, TX, "moderations", 0) &&
	       vmm_counted(&vmm, TX, kicks_served, served + 10);
}

static bool is_looked_at(void)
{
	long long kicks, timer;

	if (!moderated_begins(&flow))
		return false;
	kicks = vmm_counter(&vmm, TX, "kicks");
	timer = vmm_counter(&vmm, TX, "pumps_timer");
	return moderated_goes_on(&flow, 20) && vmm_counted(&vmm, TX, "kicks", kicks) &&
	       (vmm_counter(&vmm, TX, "pumps_timer") > timer ||
		because("pumps_timer stays at %lld", timer));
}

/* Then the kick is served at once, as before, and one is not many. */
static bool pause_ends_it(void)
{
	long long served, begun;

	if (!moderated_begins(&flow) || !moderated_ends(&vmm))
		return false;
	served = vmm_counter(&vmm, TX, kicks_served);
	begun = vmm_counter(&vmm, TX, "moderations");
	moderated_post(&flow);
	return (ring_kick(&vmm.q[TX]) || because("no kick is wanted")) &&
	       moderated_arrives(&flow) &&
	       vmm_counted(&vmm, TX, kicks_served, served + 1) &&
	       vmm_counted(&vmm, TX, "moderations", begun);
}

/* Who kicked goes on in userspace, as a guest does in its own mode. */
static bool who_runs_pumps(void)
{
	long long worker, served;
	unsigned int round;

	if (!moderated_begins(&flow))
		return false;
	worker = vmm_counter(&vmm, TX, "pumps_worker");
	served = vmm_counter(&vmm, TX, pumps_served);
	for (round = 0; round < 20; round++) {
		if (!moderated_post_round(&flow))
			return false;
		while (!ring_has_used(&vmm.q[TX]))
			;
		if (!moderated_arrives(&flow))
			return false;
	}
	served = vmm_counter(&vmm, TX, pumps_served) - served;
	worker = vmm_counter(&vmm, TX, "pumps_worker") - worker;
	note("of 20 rounds %lld %s, %lld of the worker", served, pumps_served, worker);
	/* Its timer's interrupt may come as it is asleep, in moderated_arrives(). */
	return served >= 15 || because("%s: only %lld of 20", pumps_served, served);
}

static bool who_sleeps_is_not_waited_for(void)
{
	long long before;

	if (!moderated_begins(&flow))
		return false;
	before = others_pumps();
	return moderated_goes_on(&flow, 20) &&
	       (others_pumps() > before || because("others' pumps stay at %lld", before));
}

/*
 * Frames are posted; then a write runs in the kernel for a while, and sleeps there, as the
 * pipe is full.
 */
static void *post_and_sleep(void *pipe)
{
	static const char bytes[2 * HALF];
	unsigned int i;

	for (i = 0; i < 2 * MODERATED_ROUND; i++) {
		moderated_post(&flow);
		ring_kick(&vmm.q[TX]);
	}
	must(write(*(int *)pipe, bytes, sizeof(bytes)) == sizeof(bytes));
	return NULL;
}

static void drain(int fd)
{
	static char bytes[HALF];
	size_t left = 2 * HALF;

	while (left) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		must(n > 0);
		left -= n;
	}
}

/* Who is asked while it runs may go to sleep before it comes to it. */
static bool who_falls_asleep_is_not_waited_for(void)
{
	unsigned int rounds = 50;
	bool good = true;
	pthread_t thread;
	int fds[2];

	must(!pipe(fds) && fcntl(fds[1], F_SETPIPE_SZ, HALF) >= HALF);
	while (good && rounds--) {
		must(!pthread_create(&thread, NULL, post_and_sleep, &fds[1]));
		must(ring_poll(fds[0], 10000));
		good = moderated_arrives(&flow);
		drain(fds[0]);
		must(!pthread_join(thread, NULL));
	}
	close(fds[0]);
	close(fds[1]);
	return good;
}

/*
 * Frames are posted, and then a call takes a second or more in the kernel, without a
 * pause: who is asked meanwhile does not come.
 */
static struct stay {
	atomic_bool	posted;
	atomic_bool	over;
} stay;

static void *post_and_stay(void *unused)
{
	static uint8_t from[1 << 20], to[1 << 20];
	struct iovec local[STAY], remote[STAY];
	unsigned int i;

	(void)unused;
	for (i = 0; i < STAY; i++) {
		local[i] = (struct iovec) { to, sizeof(to) };
		remote[i] = (struct iovec) { from, sizeof(from) };
	}
	for (i = 0; i < 2 * MODERATED_ROUND; i++) {
		moderated_post(&flow);
		ring_kick(&vmm.q[TX]);
	}
	atomic_store(&stay.posted, true);
	must(process_vm_readv(getpid(), local, STAY, remote, STAY, 0) ==
	     (ssize_t)STAY * (ssize_t)sizeof(to));
	atomic_store(&stay.over, true);
	return NULL;
}

/* A stop ends it while somebody who was asked has yet to come; then kicks count again. */
static bool start_forgets(void)
{
	must(!vmm_backend(&vmm, TX, -1));
	must(!vmm_backend(&vmm, TX, wire.tap));
	moderated_post(&flow);
	ring_kick(&vmm.q[TX]);
	return moderated_arrives(&flow);
}

static bool who_stays_away_is_forgotten(void)
{
	unsigned int rounds, tried = 0;
	bool good = true, asked;
	pthread_t thread;
	long long timer;

	for (rounds = 0; good && rounds < 4; rounds++) {
		atomic_store(&stay.posted, false);
		atomic_store(&stay.over, false);
		must(!pthread_create(&thread, NULL, post_and_stay, NULL));
		while (!atomic_load(&stay.posted))
			poll(NULL, 0, 1);
		timer = vmm_counter(&vmm, TX, "pumps_timer");
		do {
			poll(NULL, 0, 1);
			asked = vmm_counter(&vmm, TX, "pumps_timer") > timer;
		} while (!asked && !atomic_load(&stay.over));
		good = start_forgets();
		tried += asked && !atomic_load(&stay.over);
		must(!pthread_join(thread, NULL));
	}
	note("%u of %u times who was asked had yet to come", tried, rounds);
	return good && (!has_inline || tried || because("that was too late each time"));
}

static void *begin(void *good)
{
	*(bool *)good = moderated_begins(&flow);
	return NULL;
}

static bool who_kicked_is_gone(void)
{
	pthread_t thread;
	bool good;

	must(!pthread_create(&thread, NULL, begin, &good));
	must(!pthread_join(thread, NULL));
	/* That may take long enough for it to end. */
	return good && (!moderated_is_active(&vmm) || moderated_goes_on(&flow, 20)) &&
	       moderated_ends(&vmm);
}

/* Then kicks may come as fast as they like. */
static bool policy_ends_it(void)
{
	long long before;
	unsigned int i;

	if (!moderated_begins(&flow) || !vmm_set_policy(&vmm, "softirq") || !moderated_ends(&vmm))
		return false;
	before = vmm_counter(&vmm, TX, "moderations");
	for (i = 0; i < 10 * MODERATED_ROUND; i++) {
		moderated_post(&flow);
		if (!ring_kick(&vmm.q[TX]))
			return because("no kick is wanted");
		if (!moderated_arrives(&flow))
			return false;
	}
	return vmm_counted(&vmm, TX, "moderations", before) &&
	       vmm_set_policy(&vmm, "adaptive");
}

static bool stop_ends_it(void)
{
	if (!moderated_begins(&flow))
		return false;
	must(!vmm_backend(&vmm, TX, -1));
	if (moderated_is_active(&vmm))
		return because("a queue that is stopped is moderated");
	must(!vmm_backend(&vmm, TX, wire.tap));
	return moderated_begins(&flow);
}

/* A ring that is broken is not looked at any more. */
static bool fault_ends_it(void)
{
	struct ring *ring = &vmm.q[TX];
	long long timer;

	if (!moderated_begins(&flow))
		return false;
	ring_offer(ring, ring->num + 1);
	ring_publish(ring);
	ring_signal(ring->kick);
	if (!ring_poll(ring->err, 5000) || !moderated_ends(&vmm))
		return because("the fault is not found");
	timer = vmm_counter(&vmm, TX, "pumps_timer");
	poll(NULL, 0, 300);
	return vmm_counted(&vmm, TX, "pumps_timer", timer);
}

static void close_it(void)
{
	bool good;

	must(!vmm_restart_queue(&vmm, TX, wire.tap, 0));
	wire_drain(&wire);
	flow.seen = flow.posted;
	good = moderated_begins(&flow);
	vmm_close(&vmm);
	claim(good && vmm_no_twin_left(), "a twin may go while it is moderated");
}

static void traffic(uint64_t features, const char *name)
{
	vmm_run(&vmm, &wire, VMM_BASIC | features, 64);
	find_served();
	must(vmm_set_policy(&vmm, "adaptive"));
	must(moderated_configure(&vmm, FAST));
	claim(alone(), "alone, a frame is sent at once, %s", name);
	must(moderated_configure(&vmm, SLOW));
	claim(is_looked_at(), "many kicks in short are no longer wanted, %s", name);
	claim(pause_ends_it(), "a pause ends it, %s", name);
	claim(who_runs_pumps(), "who kicked pumps if it runs, %s", name);
	claim(who_sleeps_is_not_waited_for(), "who sleeps is not waited for, %s", name);
	must(moderated_configure(&vmm, QUICK));
	claim(who_falls_asleep_is_not_waited_for(), "nor is who falls asleep, %s", name);
	must(moderated_configure(&vmm, SLOW));
	claim(who_stays_away_is_forgotten(), "nor who stays away, by a start, %s", name);
	claim(who_kicked_is_gone(), "who kicked may be gone, %s", name);
	claim(policy_ends_it(), "another policy ends it, %s", name);
	claim(stop_ends_it(), "a stop ends it, and it may begin again, %s", name);
	claim(fault_ends_it(), "a fault ends it, %s", name);
	close_it();
}

static void settings(void)
{
	static const char *const bad[] = { "interval_us=9", "interval_us=100001", "kicks=1",
					   "kicks", "interval_us", "frames=1", "kicks=-1",
					   "kicks=4294967296", "kicks=2 interval_us=1" };
	char words[64] = "";
	unsigned int i;
	FILE *file;

	vmm_run(&vmm, &wire, VMM_BASIC, 64);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		claim(!moderated_configure(&vmm, bad[i]), "'%s' is refused", bad[i]);
	claim(moderated_configure(&vmm, "kicks=7") &&
	      moderated_configure(&vmm, "interval_us=123"), "each can be set alone");
	file = vmm_debugfs(&vmm, "moderation", "r");
	must(file && fgets(words, sizeof(words), file));
	fclose(file);
	claim(!strcmp(words, "tx0: interval_us=123 kicks=7 active=0\n") ||
	      because("it is '%s'", words), "what was set is shown");
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!vmm_has_counters()) {
		skip("kick moderation", "of kvm-twin alone");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	settings();
	traffic(0, "plain");
	traffic(VMM_EVENT_IDX, "with event index");
	wire_close(&wire);
	return report_end();
}
