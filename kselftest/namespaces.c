// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network namespaces that end while a twin has a tap of theirs (BUGCLASSES C8).
 */
#include "kselftest/vmm.h"
#include "kselftest/busy.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NUM	256
#define ROUNDS	6

static struct vmm vmm;
static struct wire wire;
static int home;	/* our own namespace */

/* A process that holds a namespace until it is let go, and nothing of ours. */
static struct space {
	pid_t	pid;
	int	life;
} space;

static void hold_namespace(int ready, int life)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wire_namespace();
	close(vmm.dev);
	close(wire.tap);
	must(write(ready, "", 1) == 1);
	_exit(read(life, &byte, 1));
}

static void space_open(void)
{
	int ready[2], life[2];
	char byte;

	must(!pipe2(ready, O_CLOEXEC) && !pipe2(life, O_CLOEXEC));
	space.pid = fork();
	must(space.pid >= 0);
	if (!space.pid) {
		close(life[1]);
		hold_namespace(ready[1], life[0]);
	}
	close(ready[1]);
	close(life[0]);
	must(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	space.life = life[1];
}

static void space_close(void)
{
	close(space.life);
	must(waitpid(space.pid, NULL, 0) == space.pid);
}

/* Send until a counter has grown: nothing else tells of what has happened. */
static bool send_until(const char *counter)
{
	long long before = vmm_counter(&vmm, TX, counter);
	time_t end = time(NULL) + 30;

	while (time(NULL) < end) {
		if (!vmm_send_blindly(&vmm))
			return false;
		if (!vmm_has_counters() || vmm_counter(&vmm, TX, counter) > before)
			return true;
	}
	return because("%s does not grow", counter);
}

static bool runs_on(struct wire *other)
{
	if (vmm_stop(&vmm) || vmm_start(&vmm, other->tap))
		return because("it does not start");
	return vmm_works(&vmm, other);
}

/* The device leaves for a namespace, and dies there or with it. */
static bool device_moves(struct wire *other, bool deleted)
{
	space_open();
	shell("ip link set %s netns %d", other->name, space.pid);
	/* It arrives there as one that is down, and takes frames all the same. */
	if (!send_until("packets"))
		return because("after the move");
	shell("nsenter -t %d -n ip link set %s up", space.pid, other->name);
	if (!send_until("packets"))
		return because("in the other namespace");
	if (deleted)
		shell("nsenter -t %d -n ip link del %s", space.pid, other->name);
	space_close();
	return send_until("drop_no_device") || because("after its end");
}

static bool device_dies_elsewhere(bool deleted)
{
	struct wire other;
	unsigned int i;
	bool good;

	for (i = 0; i < ROUNDS; i++) {
		wire_open(&other, "wire1", VMM_HDR);
		good = runs_on(&other) && device_moves(&other, deleted);
		wire_close(&other);
		if (!vmm_begin_anew(&vmm, &wire) || !good)
			return because("round %u", i);
	}
	return true;
}

/* Of a pair of devices, ours goes with the namespace that the other is in. */
static void tie_to_space(void)
{
	shell("ip link add pair0 type veth peer name pair1 netns %d", space.pid);
}

static bool space_is_gone(void)
{
	unsigned int tries;

	for (tries = 0; if_nametoindex("pair0") && tries < 3000; tries++)
		poll(NULL, 0, 10);
	return !if_nametoindex("pair0") || because("the namespace is there still");
}

/* A tap of a namespace, with its wire; we are at home again at return. */
static void wire_open_there(struct wire *other)
{
	char path[64];
	int there;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", space.pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	must(there >= 0 && !setns(there, CLONE_NEWNET));
	wire_open(other, "wire1", VMM_HDR);
	must(!setns(home, CLONE_NEWNET));
	close(there);
}

/* Nobody but the twin is left in a namespace: it ends when the twin stops. */
static bool twin_is_last(void)
{
	struct wire other;
	unsigned int i;
	bool good;

	for (i = 0; i < ROUNDS; i++) {
		space_open();
		tie_to_space();
		wire_open_there(&other);
		good = runs_on(&other);
		wire_close(&other);
		space_close();
		good = good && send_until("packets");
		good = good && !vmm_stop(&vmm) && space_is_gone();
		if (!vmm_begin_anew(&vmm, &wire) || !good)
			return because("round %u", i);
	}
	return true;
}

/* An owner in a namespace of its own, busy until it is killed. */
static void live(int ready, int go)
{
	static struct busy busy;
	struct wire mine;
	struct vmm own;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(vmm.dev);
	close(wire.tap);
	close(wire.sock);
	close(home);
	wire_namespace();
	wire_open(&mine, "wire1", VMM_HDR);
	must(write(ready, "", 1) == 1);
	must(read(go, &byte, 1) == 1);
	vmm_run(&own, &mine, VMM_BASIC, NUM);
	busy_start(&busy, &own, &mine, true);
	must(busy_wait(&busy, 500));
	must(write(ready, "", 1) == 1);
	pause();
}

static bool owner_dies(void)
{
	int ready[2], go[2], status;
	char byte;

	must(!pipe2(ready, O_CLOEXEC) && !pipe2(go, O_CLOEXEC));
	space.pid = fork();
	must(space.pid >= 0);
	if (!space.pid)
		live(ready[1], go[0]);
	must(read(ready[0], &byte, 1) == 1);
	tie_to_space();
	must(write(go[1], "", 1) == 1);
	must(read(ready[0], &byte, 1) == 1);
	must(!kill(space.pid, SIGKILL));
	must(waitpid(space.pid, &status, 0) == space.pid);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
	return space_is_gone();
}

static bool owners_die(void)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		if (!owner_dies())
			return because("round %u", i);
	return vmm_begin_anew(&vmm, &wire);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must(home >= 0);
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(device_dies_elsewhere(false),
	      "a tap's device may end with another namespace, under traffic");
	claim(device_dies_elsewhere(true),
	      "or be deleted there, under traffic");
	claim(twin_is_last(), "a namespace ends when the twin lets its tap go");
	claim(owners_die(), "or when the owner in it is killed under traffic");
	vmm_close(&vmm);
	return report_end();
}
