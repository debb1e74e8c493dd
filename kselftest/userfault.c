// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory whose pages a thread of the VMM brings when they are needed, as in
 * a migration that goes on after the move (BUGCLASSES E4): the device waits for
 * them, and nobody else waits for the device.
 */
#include "kselftest/vmm.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NUM	64
#define PAGE	4096ul
#define FRAMES	200
#define LEN	1000

static struct vmm vmm;
static struct wire wire;
static int uffd = -1;

/* Pages that are away: where, and what is in them. */
struct away {
	uint8_t	*at;
	uint8_t	copy[PAGE];
};

#define MAX_AWAY	64
static struct away away[MAX_AWAY];
static unsigned int nr_away;
static pthread_mutex_t away_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint brought;
/* Faults are noticed, but wait until this is set again. */
static atomic_bool bringing = true;
static atomic_uint noticed;

static void bring(uint8_t *at)
{
	static const uint8_t zeros[PAGE];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)at, .src = (uintptr_t)zeros, .len = PAGE,
	};
	unsigned int i;

	pthread_mutex_lock(&away_lock);
	for (i = 0; i < nr_away; i++) {
		if (away[i].at != at)
			continue;
		copy.src = (uintptr_t)away[i].copy;
		away[i].at = NULL;
	}
	/* Another fault may have had it brought. */
	if (ioctl(uffd, UFFDIO_COPY, &copy))
		must(errno == EEXIST);
	else
		atomic_fetch_add(&brought, 1);
	pthread_mutex_unlock(&away_lock);
}

static void *serve(void *unused)
{
	struct uffd_msg msg;

	for (;;) {
		if (!ring_poll(uffd, -1))
			continue;
		if (read(uffd, &msg, sizeof(msg)) != sizeof(msg)) {
			if (errno == EAGAIN)
				continue;
			return unused;
		}
		atomic_fetch_add(&noticed, 1);
		while (!atomic_load(&bringing))
			poll(NULL, 0, 1);
		bring((void *)(uintptr_t)(msg.arg.pagefault.address &
					  ~(PAGE - 1)));
	}
}

/* Take the page away that @at is in; whoever comes by waits for it. */
static void take_away(const void *at)
{
	uint8_t *page = (void *)((uintptr_t)at & ~(PAGE - 1));
	unsigned int i;

	/* If it is away already it is to come before the lock is held. */
	(void)__atomic_load_n(page, __ATOMIC_RELAXED);
	pthread_mutex_lock(&away_lock);
	for (i = 0; i < nr_away && away[i].at; i++)
		if (away[i].at == page)
			break;
	must(i < MAX_AWAY);
	memcpy(away[i].copy, page, PAGE);
	away[i].at = page;
	if (i == nr_away)
		nr_away++;
	must(!madvise(page, PAGE, MADV_DONTNEED));
	pthread_mutex_unlock(&away_lock);
}

static void take_ring_away(const struct ring *ring)
{
	take_away(ring->desc);
	take_away(ring->avail);
	take_away(ring->used);
}

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		must(!ioctl(fd, UFFDIO_API, &api));
	return fd;
}

static void watch(int fd, void *at, size_t len)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	must(!ioctl(fd, UFFDIO_REGISTER, &reg));
}

/* The buffer is away, and so are the ring's parts, when the device comes. */
static bool out(unsigned int i, bool rings)
{
	struct ring *ring = &vmm.q[TX];
	uint8_t frame[LEN];
	int head;

	wire_fill(frame, LEN, i);
	head = vmm_add_frame(&vmm, frame, LEN);
	must(head >= 0);
	ring_publish(ring);
	take_away(vmm_slot(&vmm, head));
	if (rings)
		take_ring_away(ring);
	ring_signal(ring->kick);
	return wire_expect(&wire, frame, LEN) && ring_reap_n(ring, 1, 5000);
}

static bool in(unsigned int i, bool rings)
{
	struct ring *ring = &vmm.q[RX];
	uint8_t frame[LEN];
	int head;

	wire_fill(frame, LEN, i);
	head = vmm_add_buffer(&vmm, VMM_SLOT);
	must(head >= 0);
	ring_publish(ring);
	take_away(vmm_buffer(&vmm, head));
	if (rings)
		take_ring_away(ring);
	must(wire_send(&wire, frame, LEN));
	if (!ring_reap_n(ring, 1, 5000))
		return false;
	return !memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, LEN) ||
	       because("a frame came in changed");
}

static bool frames_pass(bool rings)
{
	unsigned int i, before = atomic_load(&brought);

	for (i = 0; i < FRAMES; i++) {
		if (i == FRAMES / 2 && vmm_has_counters())
			must(vmm_set_policy(&vmm, "worker"));
		if (!out(i, rings) || !in(i, rings))
			return because("frame %u", i);
	}
	if (vmm_has_counters())
		must(vmm_set_policy(&vmm, "inline"));
	note("%u pages brought", atomic_load(&brought) - before);
	return atomic_load(&brought) - before >= 2 * FRAMES ||
	       because("too few pages had to be brought");
}

/* A queue whose thread waits for a page, and the other. */

/* A kick in any case: the device's wish not to have one may have been dropped. */
static bool plain_out(unsigned int i)
{
	uint8_t frame[100];

	wire_fill(frame, sizeof(frame), i);
	must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	ring_publish(&vmm.q[TX]);
	ring_signal(vmm.q[TX].kick);
	return wire_expect(&wire, frame, sizeof(frame)) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000);
}

static void *kick_and_wait(void *unused)
{
	ring_signal(vmm.q[TX].kick);
	return unused;
}

static bool wait_noticed(unsigned int least)
{
	unsigned int i;

	for (i = 0; i < 500 && atomic_load(&noticed) < least; i++)
		poll(NULL, 0, 10);
	return atomic_load(&noticed) >= least ||
	       because("the device did not come for the page");
}

static bool rx_goes_on(void)
{
	unsigned int i, before = atomic_load(&noticed);
	uint8_t frame[LEN];
	pthread_t thread;
	bool good;
	int head;

	wire_fill(frame, LEN, 1);
	head = vmm_add_frame(&vmm, frame, LEN);
	must(head >= 0);
	ring_publish(&vmm.q[TX]);
	take_away(vmm_slot(&vmm, head));
	atomic_store(&bringing, false);
	must(!pthread_create(&thread, NULL, kick_and_wait, NULL));
	good = wait_noticed(before + 1);
	for (i = 0; i < 20 && good; i++)
		good = vmm_try_rx(&vmm, &wire, 100, i);
	good = good && wire_silent(&wire, 0);
	atomic_store(&bringing, true);
	must(!pthread_join(thread, NULL));
	return good && wire_expect(&wire, frame, LEN) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000);
}

static bool tx_goes_on(void)
{
	unsigned int i, before = atomic_load(&noticed);
	uint8_t frame[LEN];
	bool good;
	int head;

	wire_fill(frame, LEN, 2);
	head = vmm_add_buffer(&vmm, VMM_SLOT);
	must(head >= 0);
	ring_publish(&vmm.q[RX]);
	take_away(vmm_buffer(&vmm, head));
	atomic_store(&bringing, false);
	must(wire_send(&wire, frame, LEN));
	good = wait_noticed(before + 1);
	for (i = 0; i < 20 && good; i++)
		good = plain_out(i);
	good = good && !ring_has_used(&vmm.q[RX]);
	atomic_store(&bringing, true);
	return good && ring_reap_n(&vmm.q[RX], 1, 5000) &&
	       (!memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame, LEN) ||
		because("the frame has changed"));
}

/* A VMM that is killed while the device waits for a page that it won't bring. */

static int told[2];

/* Seen, and left as it is. */
static void *tell(void *fd)
{
	must(ring_poll((intptr_t)fd, -1));
	must(write(told[1], "", 1) == 1);
	return NULL;
}

static void __attribute__((noreturn)) wait_for_ever(bool uffd_first, int q,
						    bool stopping)
{
	struct seg seg = { VMM_GPA, VMM_SLOT, q == RX ? VRING_DESC_F_WRITE : 0 };
	pthread_t thread;
	intptr_t fd = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uffd_first)
		fd = open_uffd();
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	if (!uffd_first)
		fd = open_uffd();
	/* A huge page of the rings' may reach into it. */
	must(!madvise(vmm.mem, VMM_MEM, MADV_DONTNEED));
	watch(fd, vmm.mem, VMM_MEM);
	must(!pthread_create(&thread, NULL, tell, (void *)fd));
	must(ring_add(&vmm.q[q], &seg, 1) >= 0);
	ring_publish(&vmm.q[q]);
	must(write(told[1], "", 1) == 1);
	ring_signal(vmm.q[q].kick);
	if (stopping) {
		must(!pthread_join(thread, NULL));
		vmm_stop(&vmm);
	}
	pause();
	_exit(0);
}

static bool ends(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		poll(NULL, 0, 10);
	}
	return because("it is there still");
}

/* In a call that waits for the device. */
static bool waits(pid_t pid)
{
	char path[32], is = '?';
	unsigned int i;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (i = 0; i < 500 && is != 'D'; i++) {
		file = fopen(path, "r");
		must(file && fscanf(file, "%*d %*s %c", &is) == 1);
		fclose(file);
		poll(NULL, 0, 10);
	}
	return is == 'D' || because("it does not wait, but is '%c'", is);
}

static bool may_be_killed(bool uffd_first, int q, bool stopping)
{
	uint8_t frame[LEN];
	bool good;
	char byte;
	pid_t pid;

	must(!pipe(told));
	pid = fork();
	must(pid >= 0);
	if (!pid)
		wait_for_ever(uffd_first, q, stopping);
	must(read(told[0], &byte, 1) == 1);
	wire_fill(frame, LEN, 3);
	if (q == RX)
		must(wire_send(&wire, frame, LEN));
	good = ring_poll(told[0], 5000) ||
	       because("the device did not come for the page");
	if (stopping)
		good = good && waits(pid);
	kill(pid, SIGKILL);
	good = ends(pid) && good;
	close(told[0]);
	close(told[1]);
	wire_drain(&wire);
	return good;
}

int main(int argc, char **argv)
{
	const char *name = "frames pass where pages are brought";
	static const char * const queues[] = { "RX", "TX" };
	pthread_t thread;
	int q;

	vmm_begin(argc, argv);
	uffd = open_uffd();
	if (uffd < 0) {
		skip(name, "this kernel has no userfaultfd");
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	watch(uffd, vmm.mem, VMM_MEM);
	for (q = RX; q <= TX; q++)
		watch(uffd, vmm.q[q].area, 3 * RING_PART);
	must(!pthread_create(&thread, NULL, serve, NULL));
	claim(frames_pass(false), "%s", name);
	claim(frames_pass(true), "so they do where the rings' are");
	if (vmm_has_counters() && !vmm_try_policy(&vmm, "inline")) {
		skip("a queue goes on while the other waits", "one worker serves both here");
	} else {
		claim(rx_goes_on(), "RX goes on while TX waits for a page");
		claim(tx_goes_on(), "TX goes on while RX waits for a page");
	}
	vmm_close(&vmm);
	for (q = RX; q <= TX; q++) {
		claim(may_be_killed(false, q, false),
		      "a VMM may be killed while %s waits for a page",
		      queues[q]);
		claim(may_be_killed(true, q, false),
		      "so it may if the device is closed first, %s",
		      queues[q]);
	}
	claim(may_be_killed(true, RX, true), "so it may in the middle of a stop");
	wire_close(&wire);
	return report_end();
}
