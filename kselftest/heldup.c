// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kick moderation of a guest whose CPU somebody else has: its ring is looked at all the
 * same, now and then, and it need not kick again when it goes on.  Not so of one that
 * sleeps, nor if another of its threads has a frame to send now and then.
 */
#include "kselftest/moderated.h"
#include "kselftest/cpuhog.h"

#define SLOW	"interval_us=20000 kicks=4"
#define LOOKS	3	/* of the timer, of which two would end it */
#define TRIES	20

static struct vmm vmm;
static struct wire wire;
static struct cpuhog hog;
static struct moderated flow = { .vmm = &vmm, .wire = &wire };
static bool done;
static unsigned long turns;	/* of the guest's thread, while it sends nothing */

/* Does not sleep until it is told to end; nor does it send. */
static void *guest(void *unused)
{
	(void)unused;
	cpus_stay_on(0, CPUHOG_CPU);
	/* If it is not moderated, that is found when it has lost its CPU. */
	must(moderated_begins(&flow) || flow.seen == flow.posted);
	ring_signal(hog.wake);
	while (!cpuhog_is(&done))
		__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool timer_looks(unsigned int times)
{
	return vmm_wait_counter(&vmm, TX, "pumps_timer",
				vmm_counter(&vmm, TX, "pumps_timer") + times);
}

static bool is_kept(void)
{
	return timer_looks(LOOKS) && (moderated_is_active(&vmm) || because("it has ended"));
}

/* Notifications are off, and frames come all the same. */
static bool is_served(void)
{
	return moderated_goes_on(&flow, 1);
}

static void lose_cpu(pthread_t *thread)
{
	done = false;
	cpuhog_start(&hog, eventfd(0, EFD_CLOEXEC));
	must(!pthread_create(thread, NULL, guest, NULL));
	cpuhog_wait(&hog);
}

static void regain_cpu(void)
{
	cpuhog_end(&hog);
	close(hog.wake);
}

static void end_thread(pthread_t thread)
{
	cpuhog_set(&done);
	must(!pthread_join(thread, NULL));
}

/* Another thread, this one, is not to wait as if it did not run either. */
static bool is_told_of(void)
{
	moderated_post(&flow);
	must(!ring_kick(&vmm.q[TX]));
	return moderated_arrives(&flow) && moderated_ends(&vmm);
}

struct result {
	bool	kept;
	bool	served;
	bool	kept_again;
	bool	told_of;
};

static void keeps_on(struct result *result)
{
	result->kept = is_kept();
	result->served = is_served();
	result->kept_again = is_kept();
}

static void is_alone(struct result *result)
{
	result->told_of = is_kept() && is_told_of();
}

/*
 * Who has the CPU by real-time priority loses it after 950 ms of a second, and on a busy
 * machine that is soon: returns whether it did not.
 */
static bool without_cpu(void (*act)(struct result *), struct result *result)
{
	unsigned long before = __atomic_load_n(&turns, __ATOMIC_RELAXED);

	if (!moderated_is_active(&vmm))
		return because("it has ended before the CPU is lost");
	act(result);
	return __atomic_load_n(&turns, __ATOMIC_RELAXED) == before ||
	       because("the CPU is not lost all the time");
}

static bool try_without_cpu(pthread_t *thread, void (*act)(struct result *),
			    struct result *result)
{
	unsigned int tries;

	for (tries = 0; tries < TRIES; tries++) {
		report.why[0] = '\0';
		lose_cpu(thread);
		if (without_cpu(act, result))
			return true;
		regain_cpu();
		end_thread(*thread);
		/* What had to wait comes now. */
		if (!moderated_arrives(&flow))
			return false;
	}
	return false;
}

static void all(void)
{
	struct result result = { };
	pthread_t thread;
	long long kicks;

	cpus_stay_on(0, 0);
	must(moderated_configure(&vmm, SLOW));
	if (!claim(try_without_cpu(&thread, keeps_on, &result), "who is moderated loses its CPU"))
		return;
	kicks = vmm_counter(&vmm, TX, "kicks");
	claim(result.kept, "moderation goes on without the CPU");
	claim(result.served, "what is posted meanwhile comes out");
	claim(result.kept_again, "and it goes on");
	regain_cpu();
	claim(moderated_goes_on(&flow, 3), "with the CPU all goes on");
	claim(equal(vmm_counter(&vmm, TX, "kicks"), kicks, "kicks"), "nobody has kicked");
	end_thread(thread);
	claim(moderated_ends(&vmm), "it ends with the thread");
	if (!claim(try_without_cpu(&thread, is_alone, &result), "the CPU is lost once more"))
		return;
	claim(result.told_of, "a frame of another thread ends it");
	regain_cpu();
	end_thread(thread);
	claim(moderated_arrives(&flow), "all that was posted has come out");
	claim(vmm_works(&vmm, &wire), "afterwards frames pass both ways");
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_EVENT_IDX, 64);
	if (sysconf(_SC_NPROCESSORS_ONLN) <= CPUHOG_CPU)
		skip("all", "there is one CPU alone");
	else if (!vmm_has_counters() || !vmm_try_policy(&vmm, "inline"))
		skip("all", "there is no such policy here");
	else if (cpus_are_realtime())
		skip("all", "who has the CPU is before its softirqs, too");
	else if (vmm_set_policy(&vmm, "adaptive"))
		all();
	vmm_close(&vmm);
	wire_close(&wire);
	return report_end();
}
