// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callers apart from each other: who may open the device, who may do what with
 * one that was opened by another, and whose memory a twin reaches.  What
 * vhost-net says to the same calls is the oracle.
 */
#include "kselftest/states.h"
#include "kselftest/others.h"
#include "kselftest/busy.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define NUM		64
/* Where memory lies that two processes have at the same address. */
#define SECRET_AT	((void *)0x200000000000ull)
#define SECRET_SIZE	0x10000
#define SECRET_GPA	0x10000000ull

/* A field that is left out is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static struct vmm vmm;

/* Who may open what */

static int open_device(int unused)
{
	(void)unused;
	become_nobody();
	return open(vmm_device, O_RDWR) < 0 ? errno : 0;
}

static int open_device_elsewhere(int unused)
{
	(void)unused;
	become_root_elsewhere();
	return open(vmm_device, O_RDWR) < 0 ? errno : 0;
}

static bool node_is_roots(void)
{
	struct stat st;

	must(!stat(vmm_device, &st));
	return equal(S_ISCHR(st.st_mode), 1, "a character device") &&
	       equal(st.st_mode & 07777, 0660, "mode") &&
	       equal(st.st_uid, 0, "user") && equal(st.st_gid, 0, "group");
}

/* Fails at the first way in that is open. */
static int read_debugfs(int unused)
{
	static const char * const paths[] = {
		VMM_DEBUGFS "/summary", VMM_DEBUGFS,
	};
	char path[128];
	unsigned int i;

	(void)unused;
	snprintf(path, sizeof(path), VMM_DEBUGFS "/%d-0/tx0", getppid());
	become_root_elsewhere();
	for (i = 0; i < COUNT(paths); i++)
		if (open(paths[i], O_RDONLY) >= 0 || errno != EACCES)
			return 1 + i;
	if (open(path, O_RDONLY) >= 0 || errno != EACCES)
		return 11;
	if (!mount("debugfs", "/tmp", "debugfs", 0, NULL) || errno != EPERM)
		return 12;
	return 0;
}

/* What another process may do with a device that has an owner */

#define STATE(n)	(&(const struct vhost_vring_state){ 0, n })
#define FD(n)		(&(const struct vhost_vring_file){ 0, n })
#define ADDR()		(&(const struct vhost_vring_addr){ 0 })
#define U64(n)		(&(const uint64_t){ n })

/* @ours: vhost-net grants it, at any time (Documentation/uapi.rst) */
static const struct call {
	const char	*name;
	unsigned long	cmd;
	int		expected;
	const void	*arg;
	bool		ours;
} calls[] = {
	{ "GET_FEATURES", VHOST_GET_FEATURES, 0, U64(0) },
	{ "GET_BACKEND_FEATURES", VHOST_GET_BACKEND_FEATURES, 0, U64(0) },
	{ "SET_OWNER", VHOST_SET_OWNER, EBUSY, NULL },
	{ "RESET_OWNER", VHOST_RESET_OWNER, EPERM, NULL },
	{ "SET_FEATURES, others", VHOST_SET_FEATURES, EBUSY, U64(0), true },
	{ "SET_MEM_TABLE", VHOST_SET_MEM_TABLE, EPERM, U64(0) },
	{ "SET_LOG_BASE", VHOST_SET_LOG_BASE, EPERM, U64(0) },
	{ "SET_LOG_FD", VHOST_SET_LOG_FD, EPERM, U64(0) },
	{ "SET_VRING_NUM", VHOST_SET_VRING_NUM, EPERM, STATE(64) },
	{ "SET_VRING_BASE", VHOST_SET_VRING_BASE, EPERM, STATE(0) },
	{ "GET_VRING_BASE", VHOST_GET_VRING_BASE, EPERM, STATE(0) },
	{ "SET_VRING_ADDR", VHOST_SET_VRING_ADDR, EPERM, ADDR() },
	{ "SET_VRING_KICK", VHOST_SET_VRING_KICK, EPERM, FD(-1) },
	{ "SET_VRING_CALL", VHOST_SET_VRING_CALL, EPERM, FD(-1) },
	{ "SET_VRING_ERR", VHOST_SET_VRING_ERR, EPERM, FD(-1) },
	{ "SET_VRING_BUSYLOOP_TIMEOUT", VHOST_SET_VRING_BUSYLOOP_TIMEOUT, EPERM,
	  STATE(0) },
	{ "GET_VRING_BUSYLOOP_TIMEOUT", VHOST_GET_VRING_BUSYLOOP_TIMEOUT, EPERM,
	  STATE(0) },
	{ "NET_SET_BACKEND", VHOST_NET_SET_BACKEND, EPERM, FD(-1) },
};

static const struct call *current_call;

static int make_call(int dev)
{
	uint8_t argument[128] __attribute__((aligned(8))) = { };
	const void *arg = current_call->arg;

	if (arg) {
		memcpy(argument, arg, _IOC_SIZE(current_call->cmd));
		arg = argument;
	}
	return -vmm_ioctl(dev, current_call->cmd, arg);
}

static int call_as_nobody(int socket)
{
	int dev = receive_fd(socket);

	become_nobody();
	return make_call(dev);
}

static int call_as_root_elsewhere(int socket)
{
	int dev = receive_fd(socket);

	become_root_elsewhere();
	return make_call(dev);
}

/* The other process gets the device through a socket. */
static bool refused_on(const char *device, int (*caller)(int))
{
	int ends[2], got;
	bool good;

	vmm_device = device;
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	send_fd(ends[0], vmm.dev);
	got = in_child(caller, ends[1]);
	close(ends[0]);
	close(ends[1]);
	good = equal(got, current_call->expected, device) &&
	       vmm_works(&vmm, &wire);
	vmm_close(&vmm);
	return good;
}

static void calls_by_others(const char *device, bool has_oracle)
{
	unsigned int i;
	bool good;

	for (i = 0; i < COUNT(calls); i++) {
		current_call = &calls[i];
		good = refused_on(device, call_as_nobody) &&
		       refused_on(device, call_as_root_elsewhere);
		if (has_oracle && !calls[i].ours)
			good = refused_on(ORACLE, call_as_nobody) && good;
		vmm_device = device;
		claim(good, "%s by one that is not the owner: %s", calls[i].name,
		      calls[i].expected ? strerror(calls[i].expected) : "granted");
	}
}

/* What one may do that was handed what it needs, as libvirt does */

static bool owns_and_works(int dev, struct wire *w)
{
	bool good;

	vmm_adopt(&vmm, dev, VMM_BASIC, NUM);
	good = !vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL) &&
	       !vmm_configure(&vmm) && !vmm_start(&vmm, w->tap) &&
	       vmm_works(&vmm, w);
	vmm_close(&vmm);
	return good;
}

static int work_as_nobody(int socket)
{
	int dev = receive_fd(socket);

	become_nobody();
	return !owns_and_works(dev, &wire);
}

/* On a tap that has the name of ours, in another namespace. */
static int work_elsewhere(int socket)
{
	int dev = receive_fd(socket);
	struct wire other;

	become_root_elsewhere();
	wire_no_ipv6();
	wire_open(&other, wire.name, VMM_HDR);
	return !owns_and_works(dev, &other);
}

static bool handed_to(int (*other)(int))
{
	int ends[2], dev = open(vmm_device, O_RDWR | O_CLOEXEC), got;

	must(dev >= 0);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	send_fd(ends[0], dev);
	close(dev);
	got = in_child(other, ends[1]);
	close(ends[0]);
	close(ends[1]);
	return equal(got, 0, "end of the other process") && wire_silent(&wire, 0);
}

/* What else is left of a device */

/* An owner that becomes another program, with the device and its kick. */
static int exec_as_owner(int unused)
{
	uint8_t frame[100];
	char dev[16], kick[16];

	(void)unused;
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	must(vmm_works(&vmm, &wire));
	wire_fill(frame, sizeof(frame), 1);
	must(vmm_add_frame(&vmm, frame, sizeof(frame)) >= 0);
	ring_publish(&vmm.q[TX]);
	must(!fcntl(vmm.dev, F_SETFD, 0) && !fcntl(vmm.q[TX].kick, F_SETFD, 0));
	sprintf(dev, "%d", vmm.dev);
	sprintf(kick, "%d", vmm.q[TX].kick);
	execl("/proc/self/exe", "isolation", "executed", dev, kick, NULL);
	return 100;
}

/* That program.  It is not the owner, as vhost has it, and its kick is nobody's. */
static int executed(int dev, int kick)
{
	unsigned int i;

	for (i = 0; i < COUNT(calls); i++) {
		current_call = &calls[i];
		if (!calls[i].ours && make_call(dev) != calls[i].expected)
			return 1 + i;
	}
	ring_signal(kick);
	return 0;
}

static bool exec_ends_ownership(void)
{
	return equal(in_child(exec_as_owner, -1), 0, "end of the program") &&
	       wire_silent(&wire, 100);
}

/* A device that is in a socket when its owner dies, as is that socket itself. */
static int die_with_fd_in_flight(int unused)
{
	int ends[2];

	(void)unused;
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	must(vmm_works(&vmm, &wire));
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	send_fd(ends[0], vmm.dev);
	send_fd(ends[0], ends[1]);
	send_fd(ends[1], ends[0]);
	close(vmm.dev);
	return kill(getpid(), SIGKILL);
}

/* The kernel looks for such sockets when others are closed. */
static void collect_sockets(void)
{
	int ends[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	send_fd(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static bool fd_in_flight(void)
{
	unsigned int tries;

	if (!equal(in_child(die_with_fd_in_flight, -1), 256 + SIGKILL, "its end"))
		return false;
	for (tries = 0; tries < 1000 && vmm_twins(); tries++) {
		collect_sockets();
		poll(NULL, 0, 10);
	}
	return equal(vmm_twins(), 0, "twins");
}

/* Whose memory */

static uint8_t *const secret = SECRET_AT;

static void map_secret(uint32_t seed)
{
	must(mmap(secret, SECRET_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == secret);
	wire_fill(secret, SECRET_SIZE, seed);
}

static bool secret_is(uint32_t seed)
{
	static uint8_t same[SECRET_SIZE];

	wire_fill(same, sizeof(same), seed);
	return !memcmp(secret, same, sizeof(same)) || because("it was written to");
}

static int set_mem_and_secret(void)
{
	struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r[2];
	} table = { 2, 0, {
		{ VMM_GPA, VMM_MEM, (uintptr_t)vmm.mem, 0 },
		{ SECRET_GPA, SECRET_SIZE, (uintptr_t)secret, 0 },
	} };

	return vmm_ioctl(vmm.dev, VHOST_SET_MEM_TABLE, &table);
}

/* 100 bytes of what is at that address, as a frame. */
static bool sends_secret(void)
{
	struct seg segs[] = {
		{ vmm_gpa(&vmm, vmm_slot(&vmm, NUM)), VMM_HDR, 0 },
		{ SECRET_GPA, 100, 0 },
	};

	must(ring_add(&vmm.q[TX], segs, 2) >= 0);
	ring_kick(&vmm.q[TX]);
	return ring_reap_n(&vmm.q[TX], 1, 5000);
}

static bool receives_into_secret(void)
{
	struct seg seg = { SECRET_GPA, 2000, VRING_DESC_F_WRITE };
	uint8_t frame[100];

	wire_fill(frame, sizeof(frame), 4);
	must(ring_add(&vmm.q[RX], &seg, 1) >= 0);
	ring_kick(&vmm.q[RX]);
	return wire_send(&wire, frame, sizeof(frame)) &&
	       ring_reap_n(&vmm.q[RX], 1, 5000) &&
	       !memcmp(secret + VMM_HDR, frame, sizeof(frame));
}

/* Nothing at that address, and then something of our own. */
static int use_secret(int unused)
{
	uint8_t mine[100];

	(void)unused;
	must(!munmap(secret, SECRET_SIZE));
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	must(!set_mem_and_secret());
	if (!sends_secret() || !wire_silent(&wire, 50))
		return 1;
	map_secret(3);
	wire_fill(mine, sizeof(mine), 3);
	if (!sends_secret() || !wire_expect(&wire, mine, sizeof(mine)))
		return 2;
	return receives_into_secret() ? 0 : 3;
}

static bool memory_is_apart(void)
{
	bool good;

	map_secret(2);
	good = equal(in_child(use_secret, -1), 0, "end of the other process") &&
	       secret_is(2);
	must(!munmap(secret, SECRET_SIZE));
	return good;
}

/* BUGCLASSES G2: processes with two twins each, on wires of their own. */

enum { PROCESSES = 4, FRAMES = 2000 };

static struct wire wires[2 * PROCESSES];

static int be_two(int first)
{
	static struct busy busy[2];
	static struct vmm two[2];
	unsigned int i;
	bool good = true;

	for (i = 0; i < 2; i++) {
		vmm_run(&two[i], &wires[first + i], VMM_BASIC, NUM * 4);
		busy_start(&busy[i], &two[i], &wires[first + i], true);
	}
	for (i = 0; i < 2; i++) {
		good = busy_wait(&busy[i], FRAMES) && good;
		good = busy_stop(&busy[i]) && busy[i].delivered && good;
	}
	if (!good)
		note("wires %d and %d: %s", first, first + 1, report.why);
	return !good;
}

static bool strangers_never_meet(void)
{
	unsigned int i;
	int status, bad = 0;
	char name[16];

	for (i = 0; i < COUNT(wires); i++) {
		sprintf(name, "stranger%u", i);
		wire_open(&wires[i], name, VMM_HDR);
	}
	for (i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		must(pid >= 0);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(be_two(2 * i));
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		must(wait(&status) > 0);
		bad += !!status;
	}
	for (i = 0; i < COUNT(wires); i++)
		wire_close(&wires[i]);
	return equal(bad, 0, "processes that came across another's frames");
}

static void all(const char *device, bool has_oracle)
{
	if (vmm_has_counters())
		claim(node_is_roots(), "the node is root's, 0660");
	claim(equal(in_child(open_device, -1), EACCES, "errno"),
	      "nobody can't open it");
	claim(equal(in_child(open_device_elsewhere, -1), EACCES, "errno"),
	      "nor can root of another user namespace");
	calls_by_others(device, has_oracle);
	if (vmm_has_counters()) {
		vmm_run(&vmm, &wire, VMM_BASIC, NUM);
		claim(equal(in_child(read_debugfs, -1), 0, "way"),
		      "counters are root's to read");
		vmm_close(&vmm);
	}
	claim(handed_to(work_as_nobody),
	      "nobody may own a device that it was handed, with a tap");
	claim(handed_to(work_elsewhere),
	      "so may root of another user namespace, with a tap of its own");
	claim(exec_ends_ownership(), "a program that an owner executes is no owner");
	if (vmm_has_counters())
		claim(fd_in_flight(), "a device that is left in a socket goes");
	claim(memory_is_apart(), "a twin reaches its owner's memory alone");
	claim(strangers_never_meet(),
	      "%d twins of %d processes: %d frames of each, none strays",
	      2 * PROCESSES, PROCESSES, FRAMES);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "executed"))
		return executed(atoi(argv[2]), atoi(argv[3]));
	vmm_begin(argc, argv);
	/* As udev has it. */
	must(!chmod("/dev/net/tun", 0666));
	wire_open(&wire, "wire0", VMM_HDR);
	all(vmm_device, !access(ORACLE, F_OK));
	wire_close(&wire);
	return report_end();
}
