// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each ioctl refuses bad input with the errno that vhost-net gives for it, and
 * the next valid call works.
 *
 * Each case (ioctl_cases.h, and those made up here) runs on a device freshly
 * opened: on ours, and on /dev/vhost-net as the oracle where there is one.
 * Both must give the expected errno, but for differences with a reason.
 */
#include "kselftest/ioctl_cases.h"

static bool has_oracle;
static uint8_t argument[64 << 10];

/* Devices */

static struct vhost_vring_addr changed(struct vmm *vmm, const struct change *c)
{
	struct vhost_vring_addr addr = vmm_addr(vmm, 0);
	/* The flags are the second half of the first 8 bytes; the first is 0. */
	uint8_t *field = (uint8_t *)&addr + (c->field & ~7ul);
	uint64_t value;

	memcpy(&value, field, sizeof(value));
	value = c->add ? value + c->value : c->value;
	memcpy(field, &value, sizeof(value));
	return addr;
}

static size_t size_of(unsigned long cmd)
{
	return cmd == VHOST_SET_MEM_TABLE ? sizeof(struct table) :
					    _IOC_SIZE(cmd);
}

static const void *prepare(struct vmm *vmm, const struct test *test)
{
	struct vhost_vring_file *file = (void *)argument;
	struct vhost_vring_addr addr;

	if (test->raw || !(test->arg || test->addr))
		return test->arg;
	if (test->addr) {
		addr = changed(vmm, test->addr);
		memcpy(argument, &addr, sizeof(addr));
	} else {
		memcpy(argument, test->arg, size_of(test->cmd));
	}
	if (test->cmd == VHOST_NET_SET_BACKEND && file->fd == -2)
		file->fd = wire.tap;
	return argument;
}

/* All over again, from whatever the case has left; and a frame goes out. */
static bool next_valid_call_works(struct vmm *vmm)
{
	int err = vmm_ioctl(vmm->dev, VHOST_SET_OWNER, NULL);

	if (err == -EBUSY)
		err = vmm_ioctl(vmm->dev, VHOST_RESET_OWNER, NULL) ?:
		      vmm_ioctl(vmm->dev, VHOST_SET_OWNER, NULL);
	if (!equal(-err, 0, "then: owner") ||
	    !equal(-vmm_configure(vmm), 0, "then: configuration") ||
	    !equal(-vmm_start(vmm, wire.tap), 0, "then: start"))
		return false;
	return vmm_try_tx(vmm, &wire, 60, 1) &&
	       equal(-vmm_stop(vmm), 0, "then: stop");
}

/* A case's call leaves what was set before intact: it can go on from there. */
static bool goes_on(struct vmm *vmm, const struct test *test)
{
	int err = 0;

	if (test->cmd == VHOST_RESET_OWNER || test->state < READY)
		return true;
	if (test->state == RUNNING)
		err = vmm_stop(vmm);
	else if (test->cmd == VHOST_NET_SET_BACKEND && !test->expected)
		err = vmm_stop(vmm);
	err = err ?: vmm_configure(vmm) ?: vmm_start(vmm, wire.tap) ?:
	      vmm_stop(vmm);
	return equal(-err, 0, "then: a start and a stop");
}

static bool run_on(const char *device, const struct test *test, int expected)
{
	struct vhost_vring_addr addr;
	const void *arg;
	struct vmm vmm;
	bool good;
	int got;

	vmm_device = device;
	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, test->state);
	if (test->prior) {
		addr = changed(&vmm, test->prior);
		must(!vmm_ioctl(vmm.dev, VHOST_SET_VRING_ADDR, &addr));
	}
	arg = prepare(&vmm, test);
	got = test->child ? by_child(vmm.dev, test->cmd, arg) :
			    vmm_ioctl(vmm.dev, test->cmd, arg);
	good = equal(-got, expected, device);
	if (strcmp(device, ORACLE)) {
		good = goes_on(&vmm, test) && good;
		good = next_valid_call_works(&vmm) && good;
	}
	vmm_close(&vmm);
	return good;
}

static void run(const struct test *test)
{
	bool good = run_on(VMM_DEVICE, test, test->expected);

	if (has_oracle)
		good = run_on(ORACLE, test, test->differs ? test->vhost :
				      test->expected) && good;
	claim(good, "%s%s%s%s", test->name, test->differs ? " (" : "",
	      test->differs ?: "", test->differs ? ")" : "");
}

/* Cases made up from lists */

static void wrong_queues(void)
{
	static const uint32_t indices[] = { 2, 3, 1u << 31, ~0u };
	char name[80];
	unsigned int i, k;
	struct test test;
	uint32_t arg[16];

	for (i = 0; i < COUNT(calls); i++) {
		if (!calls[i].queue)
			continue;
		for (k = 0; k < COUNT(indices); k++) {
			memcpy(arg, calls[i].arg, size_of(calls[i].cmd));
			arg[0] = indices[k];
			snprintf(name, sizeof(name), "%s: no queue %u",
				 calls[i].name, indices[k]);
			test = (struct test) { name, READY, calls[i].cmd, arg,
					       ENOBUFS };
			run(&test);
		}
	}
}

static void wrong_callers(void)
{
	char name[80];
	unsigned int i;
	struct test test;

	for (i = 0; i < COUNT(calls); i++) {
		test = (struct test) { name, FRESH, calls[i].cmd, calls[i].arg,
				       calls[i].anybody ? 0 : EPERM };
		snprintf(name, sizeof(name), "%s before there is an owner",
			 calls[i].name);
		run(&test);
		test.state = READY;
		test.child = true;
		snprintf(name, sizeof(name), "%s by another process",
			 calls[i].name);
		run(&test);
		if (calls[i].anybody)
			continue;
		test.state = RUNNING;
		snprintf(name, sizeof(name), "%s by another process, running",
			 calls[i].name);
		run(&test);
	}
}

static void wrong_pointers(void)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct {
		const char	*name;
		const void	*p;
	} pointers[] = {
		{ "null", NULL },
		{ "not mapped", page + 4096 },
		{ "partly mapped", page + 4096 - 4 },
		{ "the kernel's", (void *)(uintptr_t)KERNEL },
	};
	char name[80];
	unsigned int i, k;
	struct test test;

	must(page != MAP_FAILED && !munmap(page + 4096, 4096));
	for (i = 0; i < COUNT(calls); i++) {
		if (calls[i].no_arg)
			continue;
		for (k = 0; k < COUNT(pointers); k++) {
			snprintf(name, sizeof(name), "%s: argument %s",
				 calls[i].name, pointers[k].name);
			memset(page, 0, 4096);
			test = (struct test) { name, READY, calls[i].cmd,
					       pointers[k].p, EFAULT, .raw = true };
			run(&test);
		}
	}
	munmap(page, 4096);
}

/* Reads and writes of an argument that can't be written. */
static void read_only_arguments(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct test test = { "GET_VRING_BASE: argument read-only", READY,
			     VHOST_GET_VRING_BASE, page, EFAULT, .raw = true };

	must(page != MAP_FAILED);
	run(&test);
	test.name = "GET_VRING_BUSYLOOP_TIMEOUT: argument read-only";
	test.cmd = VHOST_GET_VRING_BUSYLOOP_TIMEOUT;
	run(&test);
	test.name = "GET_FEATURES: argument read-only";
	test.cmd = VHOST_GET_FEATURES;
	run(&test);
	munmap(page, 4096);
}

/* Kinds of file, and what an eventfd's and a backend's slot say to them. */
struct kind {
	const char	*name;
	int		fd;
	int		event;
	int		backend;
	const char	*differs;
};

static void one_kind(const struct kind *kind, enum state state)
{
	static const struct {
		const char	*name;
		unsigned long	cmd;
	} slots[] = {
		{ "SET_VRING_KICK", VHOST_SET_VRING_KICK },
		{ "SET_VRING_CALL", VHOST_SET_VRING_CALL },
		{ "SET_VRING_ERR", VHOST_SET_VRING_ERR },
		{ "NET_SET_BACKEND", VHOST_NET_SET_BACKEND },
	};
	struct vhost_vring_file file = { .index = 1, .fd = kind->fd };
	struct test test = { .state = state, .arg = &file, .raw = true };
	char name[80];
	unsigned int i;

	test.name = name;
	for (i = 0; i < COUNT(slots); i++) {
		snprintf(name, sizeof(name), "%s: %s%s", slots[i].name,
			 kind->name, state == RUNNING ? ", running" : "");
		test.cmd = slots[i].cmd;
		test.expected = kind->event;
		if (test.cmd == VHOST_NET_SET_BACKEND) {
			test.expected = kind->backend;
			test.differs = kind->differs;
		}
		run(&test);
	}
}

static int packet_socket(void)
{
	struct sockaddr_ll addr = {
		.sll_family	= AF_PACKET,
		.sll_protocol	= htons(WIRE_TYPE),
		.sll_ifindex	= wire.index,
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return fd;
}

static void wrong_files(void)
{
	int ends[2], closed = dup2(0, 1000), err = pipe(ends);
	struct kind kinds[] = {
		{ "a closed fd", closed, EBADF, ENOTSOCK, NULL },
		{ "fd -2", -2, EBADF, ENOTSOCK, NULL },
		{ "a huge fd", INT_MAX, EBADF, ENOTSOCK, NULL },
		{ "a regular file", open("/proc/self/exe", O_RDONLY), EINVAL,
		  ENOTSOCK, NULL },
		{ "a pipe", ends[0], EINVAL, ENOTSOCK, NULL },
		{ "a socket", socket(AF_INET, SOCK_DGRAM, 0), EINVAL, ENOTSOCK,
		  NULL },
		{ "a packet socket", packet_socket(), EINVAL, ENOTSOCK,
		  "packet sockets are not offered" },
		{ "a tap with no device", open("/dev/net/tun", O_RDWR), EINVAL,
		  EINVAL, NULL },
		{ "the device", open(VMM_DEVICE, O_RDWR), EINVAL, ENOTSOCK, NULL },
		{ "a tap", wire.tap, EINVAL, 0, NULL },
		{ "an eventfd", eventfd(0, 0), 0, ENOTSOCK, NULL },
		{ "nothing", -1, 0, 0, NULL },
	};
	unsigned int i;

	must(!err && closed >= 0);
	close(closed);
	for (i = 0; i < COUNT(kinds); i++) {
		one_kind(&kinds[i], READY);
		one_kind(&kinds[i], RUNNING);
	}
	for (i = 3; i < COUNT(kinds); i++)
		if (kinds[i].fd >= 0 && kinds[i].fd != wire.tap)
			close(kinds[i].fd);
	close(ends[1]);
}

/* Memory tables of many regions. */
static void many_regions(void)
{
	static struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r[512];
	} table;
	struct test test = { NULL, OWNED, VHOST_SET_MEM_TABLE, &table,
			     .raw = true };
	unsigned int i;

	for (i = 0; i < 512; i++)
		table.r[i] = (struct vhost_memory_region) {
			i * 8192ull, 4096, NOWHERE + i * 4096, 0 };
	table.nregions = 64;
	test.name = "memory table: 64 regions are legal";
	run(&test);
	table.nregions = 512;
	test.name = "memory table: 512 regions are legal";
	test.differs = MORE_REGIONS;
	test.vhost = E2BIG;
	run(&test);
}

/* What newer kernels have, and older clients and devices do not know. */
static void newer_ioctls(void)
{
	static const struct {
		const char	*name;
		unsigned long	cmd;
	} newer[] = {
		{ "GET_FEATURES_ARRAY", _IOR(VHOST_VIRTIO, 0x83, uint64_t) },
		{ "SET_FEATURES_ARRAY", _IOW(VHOST_VIRTIO, 0x83, uint64_t) },
		{ "NEW_WORKER", _IOR(VHOST_VIRTIO, 0x08, uint32_t) },
		{ "FREE_WORKER", _IOW(VHOST_VIRTIO, 0x09, uint32_t) },
		{ "ATTACH_VRING_WORKER", _IOW(VHOST_VIRTIO, 0x15, uint64_t) },
		{ "GET_VRING_WORKER", _IOWR(VHOST_VIRTIO, 0x16, uint64_t) },
	};
	unsigned int i;
	struct test test;
	int got;

	for (i = 0; i < COUNT(newer); i++) {
		struct vmm vmm;

		test = (struct test) { newer[i].name, OWNED, newer[i].cmd,
				       U64(0), ENOTTY };
		vmm_device = ORACLE;
		got = -ENOTTY;
		if (has_oracle) {
			vmm_open(&vmm, VMM_BASIC, 256);
			enter(&vmm, OWNED);
			got = vmm_ioctl(vmm.dev, newer[i].cmd,
					prepare(&vmm, &test));
			vmm_close(&vmm);
		}
		if (got == -ENOTTY)
			run(&test);
		else
			skip(newer[i].name, "vhost of this kernel has it");
	}
}

int main(int argc, char **argv)
{
	unsigned int i;

	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	has_oracle = !access(ORACLE, R_OK | W_OK);
	if (!has_oracle)
		note("there is no %s: the table is the only oracle", ORACLE);
	for (i = 0; i < COUNT(tests); i++)
		run(&tests[i]);
	wrong_queues();
	wrong_callers();
	wrong_pointers();
	read_only_arguments();
	wrong_files();
	many_regions();
	newer_ioctls();
	wire_close(&wire);
	return report_end();
}
