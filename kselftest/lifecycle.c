// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ends: queues, owners, taps, processes, files.  After an end nothing is
 * touched any more, and whatever is left goes on.
 */
#include "kselftest/vmm.h"
#include "kselftest/proc.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#define NUM	256

static struct vmm vmm;
static struct wire wire;

/* What a device that has stopped must leave alone. */
static uint8_t kept_mem[VMM_MEM], kept_rings[2][3 * RING_PART];

static void keep(void)
{
	memcpy(kept_mem, vmm.mem, VMM_MEM);
	memcpy(kept_rings[RX], vmm.q[RX].area, 3 * RING_PART);
	memcpy(kept_rings[TX], vmm.q[TX].area, 3 * RING_PART);
}

static bool untouched(void)
{
	if (memcmp(kept_mem, vmm.mem, VMM_MEM))
		return because("guest memory was written to");
	if (memcmp(kept_rings[RX], vmm.q[RX].area, 3 * RING_PART))
		return because("the RX ring was written to");
	if (memcmp(kept_rings[TX], vmm.q[TX].area, 3 * RING_PART))
		return because("the TX ring was written to");
	return true;
}

static bool no_calls(int ms)
{
	return (!ring_poll(vmm.q[TX].call, ms) && !ring_poll(vmm.q[RX].call, 0)) ||
	       because("a call came");
}

/* Make work for both queues: chains posted and kicked, frames on the wire. */
static void make_work(unsigned int frames)
{
	uint8_t frame[100];
	unsigned int i;

	wire_fill(frame, sizeof(frame), 1);
	for (i = 0; i < frames; i++) {
		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
		must(vmm_add_buffer(&vmm, 200) >= 0);
		must(wire_send(&wire, frame, sizeof(frame)));
	}
	ring_publish(&vmm.q[RX]);
	ring_publish(&vmm.q[TX]);
	ring_signal(vmm.q[RX].kick);
	ring_signal(vmm.q[TX].kick);
}

static void drain_calls(void)
{
	ring_drain_event(vmm.q[RX].call);
	ring_drain_event(vmm.q[TX].call);
}

/* BUGCLASSES D5: work comes after the stop. */
static bool nothing_after_stop(void)
{
	if (vmm_stop(&vmm))
		return because("it does not stop");
	drain_calls();
	make_work(10);
	keep();
	return no_calls(100) && wire_silent(&wire, 0) && untouched() &&
	       vmm_starts_again(&vmm, &wire);
}

/* The stop comes in the middle of work. */
static bool stop_under_way(void)
{
	unsigned int i;

	for (i = 0; i < 50; i++) {
		make_work(60);
		if (vmm_stop(&vmm))
			return because("it does not stop");
		drain_calls();
		keep();
		if (!no_calls(5) || !untouched() || !vmm_starts_again(&vmm, &wire))
			return because("round %u", i);
	}
	return true;
}

/* Frames that the device has taken from the tap, but had no buffers for. */
static bool frames_survive_stop(void)
{
	long long before = vmm_counter(&vmm, RX, "no_buffers");
	uint8_t frame[100];
	unsigned int i;
	int head;

	for (i = 0; i < 40; i++) {
		wire_fill(frame, sizeof(frame), i);
		must(wire_send(&wire, frame, sizeof(frame)));
	}
	if (vmm_has_counters() &&
	    !vmm_wait_counter(&vmm, RX, "no_buffers", before + 1))
		return false;
	if (vmm_restart_queue(&vmm, RX, wire.tap, 0))
		return because("RX does not start again");
	for (i = 0; i < 40; i++)
		must(vmm_add_buffer(&vmm, 200) >= 0);
	ring_kick(&vmm.q[RX]);
	for (i = 0; i < 40; i++) {
		wire_fill(frame, sizeof(frame), i);
		if (!ring_wait(&vmm.q[RX], 5000))
			return because("frame %u", i);
		head = ring_reap(&vmm.q[RX], NULL);
		if (head < 0 || memcmp(vmm_buffer(&vmm, head) + VMM_HDR, frame,
				       sizeof(frame)))
			return because("frame %u is another", i);
	}
	return vmm_works(&vmm, &wire);
}

/*
 * The tap is full again when the device gives back what it has taken: what the
 * tap has no room for is lost, and counted.
 */
static bool lost_by_stop_is_counted(void)
{
	enum { SENT = 40, TAKEN = 4 };
	long long before = vmm_counter(&vmm, RX, "no_buffers");
	long long lost = vmm_counter(&vmm, RX, "drop_stopped");
	long long dropped = proc_dropped("wire0");
	uint8_t frame[100];
	unsigned int i, got = 0, refused = 0;

	must(!system("ip link set wire0 txqueuelen 8"));
	wire_fill(frame, sizeof(frame), 1);
	for (i = 0; i < SENT; i++) {
		/* The device takes some before the tap is full. */
		if (i == TAKEN && !vmm_wait_counter(&vmm, RX, "no_buffers", before + 1))
			return false;
		if (send(wire.sock, frame, sizeof(frame), 0) < 0) {
			must(errno == ENOBUFS);
			refused++;
		}
	}
	if (vmm_restart_queue(&vmm, RX, wire.tap, 0))
		return because("RX does not start again");
	lost = vmm_counter(&vmm, RX, "drop_stopped") - lost;
	for (i = 0; i < SENT; i++)
		must(vmm_add_buffer(&vmm, 200) >= 0);
	ring_kick(&vmm.q[RX]);
	while (got + lost + refused + proc_dropped("wire0") - dropped < SENT) {
		if (!ring_wait(&vmm.q[RX], 5000))
			return because("%u came in, %lld were lost", got, lost);
		must(ring_reap(&vmm.q[RX], NULL) >= 0);
		got++;
	}
	must(!system("ip link set wire0 txqueuelen 1000"));
	return (lost > 0 || because("none was lost")) && vmm_works(&vmm, &wire);
}

static bool reset_under_way(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		make_work(60);
		if (vmm_ioctl(vmm.dev, VHOST_RESET_OWNER, NULL))
			return because("RESET_OWNER fails");
		drain_calls();
		keep();
		if (!no_calls(5) || !untouched() ||
		    vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL) || !vmm_starts_again(&vmm, &wire))
			return because("round %u", i);
	}
	return true;
}

static bool close_under_way(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		make_work(60);
		close(vmm.dev);
		drain_calls();
		keep();
		if (!no_calls(5) || !untouched())
			return because("round %u", i);
		vmm.dev = open(vmm_device, O_RDWR | O_CLOEXEC);
		must(vmm.dev >= 0);
		must(!vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL));
		if (!vmm_starts_again(&vmm, &wire))
			return because("round %u", i);
	}
	return true;
}

/* The owner of a file that we have open, too: sends and receives until killed. */
static void be_owner(int ready)
{
	uint8_t frame[100];
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	vmm_go(&vmm, &wire);
	for (i = 0;; i++) {
		if (vmm.q[RX].nr_free)
			vmm_add_buffer(&vmm, 200);
		ring_kick(&vmm.q[RX]);
		while (ring_reap(&vmm.q[RX], NULL) >= 0)
			;
		wire_fill(frame, sizeof(frame), i);
		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
		ring_kick(&vmm.q[TX]);
		must(ring_reap_n(&vmm.q[TX], 1, 5000));
		if (i == 50)
			must(write(ready, "", 1) == 1);
	}
}

/* BUGCLASSES C7: the owner dies, its file lives on with us. */
static bool owner_killed(void)
{
	uint8_t frame[100], byte;
	int ends[2], status;
	unsigned int i;
	char path[64];
	pid_t pid;

	vmm_open(&vmm, VMM_BASIC, NUM);
	must(!pipe(ends));
	pid = fork();
	must(pid >= 0);
	if (!pid)
		be_owner(ends[1]);
	must(read(ends[0], &byte, 1) == 1);
	wire_fill(frame, sizeof(frame), 1);
	for (i = 0; i < 50; i++)
		must(wire_send(&wire, frame, sizeof(frame)));
	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0) == pid);
	for (i = 0; i < 50; i++)
		must(wire_send(&wire, frame, sizeof(frame)));
	ring_signal(vmm.q[RX].kick);
	ring_signal(vmm.q[TX].kick);
	if (!equal(-vmm_set_mem(&vmm), EPERM, "a call by another process") ||
	    !equal(-vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL), EBUSY,
		   "SET_OWNER when the owner is dead"))
		return false;
	vmm_close(&vmm);
	close(ends[0]);
	close(ends[1]);
	snprintf(path, sizeof(path), VMM_DEBUGFS "/%d-0", pid);
	wire_drain(&wire);
	return access(path, F_OK) || because("its twin is there still");
}

static bool works_after_killed_owners(void)
{
	unsigned int i;
	bool good;

	for (i = 0; i < 20; i++)
		if (!owner_killed())
			return because("round %u", i);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	good = vmm_works(&vmm, &wire);
	vmm_close(&vmm);
	return good;
}

/* A process that has inherited all of it, and does nothing. */
static bool forks_in_a_loop(void)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < 50; i++) {
		pid = fork();
		must(pid >= 0);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
		}
		if (!vmm_works(&vmm, &wire))
			because("round %u", i);
		kill(pid, SIGKILL);
		must(waitpid(pid, NULL, 0) == pid);
		if (report.why[0] || !vmm_works(&vmm, &wire))
			return false;
	}
	return true;
}

/* The twin keeps the tap: the VMM's own fd may be closed. */
static bool tap_fd_closed(struct wire *other)
{
	if (vmm_stop(&vmm) || vmm_start(&vmm, other->tap))
		return because("it does not start on another tap");
	close(other->tap);
	return vmm_works(&vmm, other);
}

/* The tap's device goes: frames are dropped, and counted as such. */
static bool tap_deleted(struct wire *other)
{
	long long before = vmm_counter(&vmm, TX, "drop_no_device");
	unsigned int i;

	shell("ip link del %s", other->name);
	for (i = 0; i < 10; i++) {
		uint8_t frame[100] = { };

		must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
		ring_kick(&vmm.q[TX]);
		if (!ring_reap_n(&vmm.q[TX], 1, 5000))
			return because("frame %u", i);
	}
	return vmm_counted(&vmm, TX, "drop_no_device", before + 10);
}

static bool tap_replaced(void)
{
	if (vmm_stop(&vmm) || vmm_start(&vmm, wire.tap))
		return because("it does not start on the first tap again");
	return vmm_works(&vmm, &wire);
}

/* Each open of the device is a twin of its own. */
static bool two_at_once(struct wire *other)
{
	struct vmm second;
	long long first_tx = vmm_counter(&vmm, TX, "packets");
	unsigned int i;
	bool good = true;

	vmm_run(&second, other, VMM_BASIC, NUM);
	second.nr = 1;
	for (i = 0; i < 20 && good; i++)
		good = vmm_works(&second, other);
	good = good && vmm_counted(&vmm, TX, "packets", first_tx) &&
	       vmm_counted(&second, TX, "packets", 20) &&
	       vmm_counted(&second, RX, "packets", 20) && vmm_works(&vmm, &wire);
	vmm_close(&second);
	return good && vmm_works(&vmm, &wire);
}

static bool opened_again_and_again(void)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		vmm_run(&vmm, &wire, VMM_BASIC, NUM);
		if (!vmm_works(&vmm, &wire))
			return because("round %u", i);
		vmm_close(&vmm);
	}
	return true;
}

static void nothing(int number)
{
	(void)number;
}

/* VMMs have timers: QEMU's took SET_OWNER's EINTR for the end. */
static bool owner_is_signalled(void)
{
	static const struct itimerval often = { { 0, 300 }, { 0, 300 } }, never;
	struct sigaction action = { .sa_handler = nothing };
	unsigned int i;
	int dev, err = 0;

	must(!sigaction(SIGALRM, &action, NULL));
	must(!setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < 500 && !err; i++) {
		dev = open(vmm_device, O_RDWR | O_CLOEXEC);
		if (dev < 0 && errno == EINTR)
			continue;
		must(dev >= 0);
		err = vmm_ioctl(dev, VHOST_SET_OWNER, NULL);
		close(dev);
	}
	must(!setitimer(ITIMER_REAL, &never, NULL));
	return equal(err, 0, "SET_OWNER");
}

static void queues(void)
{
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(frames_survive_stop(), "frames that wait for buffers survive a stop");
	if (lower_wanted())
		skip("those that the tap has no room for are counted",
		     "how many have come to a macvtap is not known");
	else if (vmm_has_counters())
		claim(lost_by_stop_is_counted(),
		      "those that the tap has no room for are counted");
	claim(nothing_after_stop(), "after a stop nothing is touched or signalled");
	claim(stop_under_way(), "nor after a stop under traffic");
	claim(reset_under_way(), "nor after RESET_OWNER under traffic");
	claim(close_under_way(), "nor after a close under traffic");
	claim(forks_in_a_loop(), "a VMM may fork");
	vmm_close(&vmm);
}

static void taps(void)
{
	struct wire other;

	wire_open(&other, "wire1", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(two_at_once(&other), "two twins of a process are apart");
	claim(tap_fd_closed(&other), "a tap whose fd is closed goes on");
	claim(tap_deleted(&other), "frames to a tap that is gone are counted");
	claim(tap_replaced(), "another tap heals that");
	vmm_close(&vmm);
	close(other.sock);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	queues();
	taps();
	claim(works_after_killed_owners(), "an owner may be killed under traffic");
	claim(opened_again_and_again(), "the device opens again and again");
	claim(owner_is_signalled(), "an owner may be signalled all the time");
	wire_close(&wire);
	return report_end();
}
