// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kicks that no thread of the owner's makes: another process's, which can't reach the
 * owner's memory.  They are served in softirq, in that process's time; what can't be sent
 * there is sent in order by the worker; and what is sent is what the memory holds, not
 * what it held.
 */
#include "kselftest/vmm.h"
#include "kselftest/cpus.h"

#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LEN	200
#define ROUNDS	200
#define LATE	(ROUNDS / 10)	/* what may be so, until all pages are known */
#define BIG	20000		/* bytes: not in softirq */
#define AT	0x400000	/* in memory: where big frames are */
#define TABLE	0x500000	/* and a page with nothing but an indirect table */
#define NUM	256
#define MANY	200		/* more than a poll is given, all in the ring at a time */

static struct vmm vmm;
static struct wire wire;
static uint8_t frame[BIG];

/*
 * The process that kicks, and how it is told to, and tells: by memory alone, as a system
 * call may end with softirqs, too.
 */
static pid_t kicker;
static struct talk {
	atomic_uint	told;
	atomic_uint	done;
	atomic_uint	late;	/* frames that had not left when a kick was over */
	atomic_uint	left;	/* kicks that the kicker's CPU was taken away in */
	atomic_bool	over;
} *talk;

static long switches(void)
{
	struct rusage usage;

	must(!getrusage(RUSAGE_SELF, &usage));
	return usage.ru_nivcsw + usage.ru_nvcsw;
}

static void kick_when_told(pid_t parent)
{
	long before;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(vmm.dev);
	while (!atomic_load(&talk->over)) {
		if (atomic_load(&talk->told) == atomic_load(&talk->done))
			continue;
		before = switches();
		ring_signal(vmm.q[TX].kick);
		if (switches() != before)
			atomic_fetch_add(&talk->left, 1);
		if (recv(wire.sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
			atomic_fetch_add(&talk->late, 1);
		atomic_fetch_add(&talk->done, 1);
	}
	_exit(0);
}

/* Before the memory is anybody's: a fork changes what is mapped. */
static void open_kicker(void)
{
	pid_t parent = getpid();

	talk = mmap(NULL, sizeof(*talk), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(talk != MAP_FAILED);
	kicker = fork();
	must(kicker >= 0);
	if (!kicker)
		kick_when_told(parent);
}

static void close_kicker(void)
{
	int status;

	atomic_store(&talk->over, true);
	must(waitpid(kicker, &status, 0) == kicker && !status);
	munmap(talk, sizeof(*talk));
}

/* At return its kick is over. */
static void kick(void)
{
	ring_publish(&vmm.q[TX]);
	atomic_fetch_add(&talk->told, 1);
	while (atomic_load(&talk->told) != atomic_load(&talk->done))
		;
}

static void post(unsigned int i)
{
	wire_fill(frame, LEN, i);
	must(vmm_add_frame(&vmm, frame, LEN) >= 0);
}

/* Header and frame are named by a table, which no buffer lies beside. */
static void post_table(unsigned int i)
{
	struct vring_desc *table = (void *)(vmm.mem + TABLE);
	struct seg seg = { VMM_GPA + TABLE, 2 * sizeof(*table), VRING_DESC_F_INDIRECT };
	uint8_t *slot = vmm_slot(&vmm, vmm.q[TX].free);

	wire_fill(frame, LEN, i);
	memset(slot, 0, VMM_HDR);
	memcpy(slot + VMM_HDR, frame, LEN);
	table[0] = (struct vring_desc) { vmm_gpa(&vmm, slot), VMM_HDR,
					 VRING_DESC_F_NEXT, 1 };
	table[1] = (struct vring_desc) { vmm_gpa(&vmm, slot + VMM_HDR), LEN, 0, 0 };
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
}

/* One that the tap takes by itself, which sleeps. */
static void post_big(unsigned int i)
{
	struct seg seg = { VMM_GPA + AT, VMM_HDR + BIG, 0 };

	wire_fill(frame, BIG, i);
	memset(vmm.mem + AT, 0, VMM_HDR);
	memcpy(vmm.mem + AT + VMM_HDR, frame, BIG);
	must(ring_add(&vmm.q[TX], &seg, 1) >= 0);
}

static bool leaves(unsigned int i, size_t len)
{
	wire_fill(frame, len, i);
	return wire_expect(&wire, frame, len) || because("frame %u", i);
}

static bool grows(const char *name, long long before, long long least)
{
	long long now = vmm_counter(&vmm, TX, name) - before;

	return now >= least || because("%s: %lld instead of %lld", name, now, least);
}

/* The frame has left when the kick is over. */
static bool at_once(void (*post_one)(unsigned int i))
{
	long long kicks = vmm_counter(&vmm, TX, "kicks_softirq");
	long long packets = vmm_counter(&vmm, TX, "packets_softirq");
	unsigned int i, late, left;

	atomic_store(&talk->late, 0);
	atomic_store(&talk->left, 0);
	for (i = 0; i < ROUNDS; i++) {
		post_one(i);
		kick();
		if (!leaves(i, LEN) || !ring_reap_n(&vmm.q[TX], 1, 5000))
			return false;
	}
	late = atomic_load(&talk->late);
	left = atomic_load(&talk->left);
	note("%u of %u frames left later than their kicks; in %u somebody else ran", late,
	     ROUNDS, left);
	return (late <= LATE || because("too many were late")) &&
	       (left < ROUNDS / 2 || cpus_are_realtime() ||
		because("somebody was woken for each kick")) &&
	       grows("kicks_softirq", kicks, ROUNDS - LATE) &&
	       grows("packets_softirq", packets, ROUNDS - LATE);
}

static bool in_order(void)
{
	long long deferred = vmm_counter(&vmm, TX, "deferred");
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		post(3 * i);
		post_big(3 * i + 1);
		post(3 * i + 2);
		kick();
		if (!leaves(3 * i, LEN) || !leaves(3 * i + 1, BIG) ||
		    !leaves(3 * i + 2, LEN) || !ring_reap_n(&vmm.q[TX], 3, 5000))
			return false;
	}
	return grows("deferred", deferred, 1);
}

static bool many_leave(void)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		post(i);
	kick();
	for (i = 0; i < MANY; i++)
		if (!leaves(i, LEN))
			return false;
	return ring_reap_n(&vmm.q[TX], MANY, 5000);
}

/* What a poll can't do in its time is the worker's, once all pages are known. */
static bool many(void)
{
	long long overflows = vmm_counter(&vmm, TX, "overflows");
	unsigned int tries;

	for (tries = 0; tries < 10; tries++)
		if (!many_leave())
			return false;
	return grows("overflows", overflows, 1);
}

static void drop_memory(void)
{
	must(!madvise(vmm.mem, VMM_SPLIT, MADV_DONTNEED));
}

static void map_other(void)
{
	must(mmap(vmm.mem, VMM_SPLIT, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == vmm.mem);
}

/* The old pages stay as they are, elsewhere. */
static void move_away(void)
{
	static void *old = MAP_FAILED;

	if (old != MAP_FAILED)
		munmap(old, VMM_SPLIT);
	old = mremap(vmm.mem, VMM_SPLIT, VMM_SPLIT, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		     NULL);
	must(old != MAP_FAILED);
}

static bool is_what_memory_holds(void (*change)(void))
{
	long long drops = vmm_counter(&vmm, TX, "stlb_drops");
	long long packets = vmm_counter(&vmm, TX, "packets_softirq");
	unsigned int i, k;

	for (i = 0; i < ROUNDS; i++) {
		change();
		/* The first has the page learnt. */
		for (k = 0; k < 3; k++) {
			post(3 * i + k);
			kick();
			if (!leaves(3 * i + k, LEN) ||
			    !ring_reap_n(&vmm.q[TX], 1, 5000))
				return false;
		}
	}
	return grows("stlb_drops", drops, ROUNDS / 2) &&
	       grows("packets_softirq", packets, ROUNDS / 2);
}

static void with(uint64_t features, const char *policy, const char *name)
{
	vmm_open(&vmm, VMM_BASIC | VMM_INDIRECT | features, NUM);
	open_kicker();
	vmm_go(&vmm, &wire);
	must(vmm_set_policy(&vmm, policy));
	claim(at_once(post), "a frame leaves at once, %s, %s", policy, name);
	claim(at_once(post_table), "and so one in a table, %s, %s", policy, name);
	claim(many(), "more than a poll's share is sent, in order, %s, %s", policy, name);
	claim(in_order(), "what softirq can't do is done in order, %s, %s", policy, name);
	claim(is_what_memory_holds(drop_memory), "memory that is dropped, %s, %s", policy,
	      name);
	claim(is_what_memory_holds(map_other), "memory that is mapped anew, %s, %s", policy,
	      name);
	claim(is_what_memory_holds(move_away), "memory that is moved away, %s, %s", policy,
	      name);
	claim(vmm_kicks_add_up(&vmm, TX), "kicks add up, %s, %s", policy, name);
	close_kicker();
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	if (!vmm_has_counters()) {
		skip("kicks served in softirq", "of kvm-twin alone");
		return report_end();
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		skip("kicks served in softirq", "there is one CPU alone");
		return report_end();
	}
	if (cpus_are_realtime())
		skip("nobody is woken for a kick", "softirqs have threads here");
	wire_open(&wire, "wire0", VMM_HDR);
	with(0, "softirq", "plain");
	with(VMM_EVENT_IDX, "softirq", "with event index");
	with(VMM_EVENT_IDX, "adaptive", "with event index");
	wire_close(&wire);
	return report_end();
}
