/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM and its guest in one process: opens the device, gives it memory,
 * rings and eventfds, and drives the rings as a guest's driver would.
 */
#ifndef KSELFTEST_VMM_H
#define KSELFTEST_VMM_H

#define _GNU_SOURCE	/* unshare() */

#include <dirent.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kselftest/report.h"
#include "kselftest/ring.h"
#include "kselftest/wire.h"

#define VMM_DEVICE	"/dev/kvm-twin"
#define VMM_DEBUGFS	"/sys/kernel/debug/kvm-twin"
#define VMM_HDR		12	/* struct virtio_net_hdr_v1 */
#define VMM_MEM		(16u << 20)
#define VMM_HUGE	(2u << 20)
/* The guest's memory: two adjacent regions, far from our own addresses. */
#define VMM_GPA		0x40000000ull
#define VMM_SPLIT	(VMM_MEM / 2)
/* Where vmm_send() has its frames: one slot for each descriptor. */
#define VMM_SLOT	2048

#define BIT64(n)	(1ull << (n))
#define VMM_BASIC	(BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MRG_RXBUF))
#define VMM_EVENT_IDX	BIT64(VIRTIO_RING_F_EVENT_IDX)
#define VMM_INDIRECT	BIT64(VIRTIO_RING_F_INDIRECT_DESC)

enum { RX, TX };

struct vmm {
	int		dev;
	unsigned int	nr;	/* which of this process's twins */
	uint64_t	features;
	uint8_t		*mem;
	struct ring	q[2];
};

static const char *vmm_device = VMM_DEVICE;

/* Returns 0 or a negative errno. */
static inline int vmm_ioctl(int dev, unsigned long cmd, const void *arg)
{
	return ioctl(dev, cmd, arg) < 0 ? -errno : 0;
}

static inline uint64_t vmm_gpa(const struct vmm *vmm, const void *p)
{
	return VMM_GPA + ((const uint8_t *)p - vmm->mem);
}

static inline int vmm_set_mem(struct vmm *vmm)
{
	struct {
		uint32_t			nregions;
		uint32_t			padding;
		struct vhost_memory_region	r[2];
	} table = {
		.nregions = 2,
		.r = {
			{ VMM_GPA, VMM_SPLIT, (uintptr_t)vmm->mem, 0 },
			{ VMM_GPA + VMM_SPLIT, VMM_MEM - VMM_SPLIT,
			  (uintptr_t)vmm->mem + VMM_SPLIT, 0 },
		},
	};

	return vmm_ioctl(vmm->dev, VHOST_SET_MEM_TABLE, &table);
}

static inline int vmm_set_fd(struct vmm *vmm, unsigned long cmd, int q, int fd)
{
	struct vhost_vring_file file = { .index = q, .fd = fd };

	return vmm_ioctl(vmm->dev, cmd, &file);
}

static inline int vmm_set_state(struct vmm *vmm, unsigned long cmd, int q,
				unsigned int num)
{
	struct vhost_vring_state state = { .index = q, .num = num };

	return vmm_ioctl(vmm->dev, cmd, &state);
}

static inline int vmm_get_base(struct vmm *vmm, int q)
{
	struct vhost_vring_state state = { .index = q };
	int err = vmm_ioctl(vmm->dev, VHOST_GET_VRING_BASE, &state);

	return err ? err : (int)state.num;
}

static inline struct vhost_vring_addr vmm_addr(struct vmm *vmm, int q)
{
	struct ring *ring = &vmm->q[q];

	return (struct vhost_vring_addr) {
		.index			= q,
		.desc_user_addr		= (uintptr_t)ring->desc,
		.avail_user_addr	= (uintptr_t)ring->avail,
		.used_user_addr		= (uintptr_t)ring->used,
	};
}

/* All of a queue but its backend. */
static inline int vmm_set_ring(struct vmm *vmm, int q)
{
	struct vhost_vring_addr addr = vmm_addr(vmm, q);
	struct ring *ring = &vmm->q[q];

	ring->event_idx = vmm->features & VMM_EVENT_IDX;
	return vmm_set_state(vmm, VHOST_SET_VRING_NUM, q, ring->num) ?:
	       vmm_set_state(vmm, VHOST_SET_VRING_BASE, q, ring->used_idx) ?:
	       vmm_ioctl(vmm->dev, VHOST_SET_VRING_ADDR, &addr) ?:
	       vmm_set_fd(vmm, VHOST_SET_VRING_KICK, q, ring->kick) ?:
	       vmm_set_fd(vmm, VHOST_SET_VRING_CALL, q, ring->call) ?:
	       vmm_set_fd(vmm, VHOST_SET_VRING_ERR, q, ring->err);
}

static inline int vmm_set_features(struct vmm *vmm)
{
	return vmm_ioctl(vmm->dev, VHOST_SET_FEATURES, &vmm->features);
}

/* All but owner and backend, in QEMU's order. */
static inline int vmm_configure(struct vmm *vmm)
{
	return vmm_set_features(vmm) ?: vmm_set_mem(vmm) ?:
	       vmm_set_ring(vmm, RX) ?: vmm_set_ring(vmm, TX);
}

static inline int vmm_backend(struct vmm *vmm, int q, int fd)
{
	return vmm_set_fd(vmm, VHOST_NET_SET_BACKEND, q, fd);
}

static inline int vmm_start(struct vmm *vmm, int tap)
{
	return vmm_backend(vmm, RX, tap) ?: vmm_backend(vmm, TX, tap);
}

static inline int vmm_stop(struct vmm *vmm)
{
	return vmm_backend(vmm, RX, -1) ?: vmm_backend(vmm, TX, -1);
}

static inline void vmm_set_up(struct vmm *vmm, int dev, uint8_t *mem,
			      uint64_t features, unsigned int num)
{
	vmm->features = features;
	vmm->nr = 0;
	vmm->dev = dev;
	vmm->mem = mem;
	ring_open(&vmm->q[RX], num);
	ring_open(&vmm->q[TX], num);
}

static inline int vmm_open_device(void)
{
	int dev = open(vmm_device, O_RDWR | O_CLOEXEC);

	must(dev >= 0);
	return dev;
}

static inline uint8_t *vmm_new_memory(void)
{
	uint8_t *mem = mmap(NULL, VMM_MEM, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED);
	return mem;
}

/* In which huge pages have their place. */
static inline uint8_t *vmm_new_huge_memory(void)
{
	uintptr_t mem = (uintptr_t)mmap(NULL, VMM_MEM + VMM_HUGE,
					PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must((void *)mem != MAP_FAILED);
	return (void *)((mem + VMM_HUGE - 1) & ~(uintptr_t)(VMM_HUGE - 1));
}

/* The device opened, with VMM_MEM bytes of memory and rings of one's own. */
static inline void vmm_open_on(struct vmm *vmm, uint64_t features,
			       unsigned int num, uint8_t *mem)
{
	vmm_set_up(vmm, vmm_open_device(), mem, features, num);
}

/* The process's own part: memory and rings, for a device that is open. */
static inline void vmm_adopt(struct vmm *vmm, int dev, uint64_t features,
			     unsigned int num)
{
	vmm_set_up(vmm, dev, vmm_new_memory(), features, num);
}

static inline void vmm_open(struct vmm *vmm, uint64_t features,
			    unsigned int num)
{
	vmm_set_up(vmm, vmm_open_device(), vmm_new_memory(), features, num);
}

static inline void vmm_close(struct vmm *vmm)
{
	close(vmm->dev);
	munmap(vmm->mem, VMM_MEM);
	ring_close(&vmm->q[RX]);
	ring_close(&vmm->q[TX]);
}

/* The owner's part: all of it, in QEMU's order. */
static inline void vmm_go(struct vmm *vmm, struct wire *wire)
{
	must(!vmm_ioctl(vmm->dev, VHOST_SET_OWNER, NULL));
	must(!vmm_configure(vmm));
	must(!vmm_start(vmm, wire->tap));
}

/* A VMM whose guest's driver is up. */
static inline void vmm_run(struct vmm *vmm, struct wire *wire,
			   uint64_t features, unsigned int num)
{
	vmm_open(vmm, features, num);
	vmm_go(vmm, wire);
}

/* A queue is stopped, its ring laid out anew from @base, and started. */
static inline int vmm_restart_queue(struct vmm *vmm, int q, int tap,
				    uint16_t base)
{
	int err = vmm_backend(vmm, q, -1);

	if (err)
		return err;
	ring_reset(&vmm->q[q], base);
	ring_drain_event(vmm->q[q].call);
	ring_drain_event(vmm->q[q].err);
	return vmm_set_ring(vmm, q) ?: vmm_backend(vmm, q, tap);
}

static inline uint8_t *vmm_slot(struct vmm *vmm, unsigned int n)
{
	return vmm->mem + n * VMM_SLOT;
}

/* Add a frame of at most a slot's size, with an empty header, as one chain. */
static inline int vmm_add_frame(struct vmm *vmm, const void *frame, size_t len)
{
	struct ring *ring = &vmm->q[TX];
	uint8_t *slot = vmm_slot(vmm, ring->free);
	struct seg seg = { vmm_gpa(vmm, slot), VMM_HDR + len, 0 };

	must(VMM_HDR + len <= VMM_SLOT);
	memset(slot, 0, VMM_HDR);
	memcpy(slot + VMM_HDR, frame, len);
	return ring_add(ring, &seg, 1);
}

/* A buffer of the RX queue, one slot at most, filled with 0xa5. */
static inline int vmm_add_buffer(struct vmm *vmm, uint32_t len)
{
	struct ring *ring = &vmm->q[RX];
	uint8_t *slot = vmm_slot(vmm, RING_MAX + ring->free);
	struct seg seg = { vmm_gpa(vmm, slot), len, VRING_DESC_F_WRITE };

	must(len <= VMM_SLOT);
	memset(slot, 0xa5, VMM_SLOT);
	return ring_add(ring, &seg, 1);
}

static inline const uint8_t *vmm_buffer(struct vmm *vmm, int head)
{
	return vmm_slot(vmm, RING_MAX + head);
}

/* One frame out, from the guest to the wire, and its chain back. */
static inline bool vmm_try_tx(struct vmm *vmm, struct wire *wire, size_t len,
			      uint32_t seed)
{
	static uint8_t frame[VMM_SLOT];

	wire_fill(frame, len, seed);
	if (vmm_add_frame(vmm, frame, len) < 0)
		return because("the TX ring is full");
	ring_kick(&vmm->q[TX]);
	return wire_expect(wire, frame, len) &&
	       ring_reap_n(&vmm->q[TX], 1, 5000);
}

/* One frame in, from the wire into a buffer that holds all of it. */
static inline bool vmm_try_rx(struct vmm *vmm, struct wire *wire, size_t len,
			      uint32_t seed)
{
	static uint8_t frame[VMM_SLOT];
	uint32_t used;
	int head;

	wire_fill(frame, len, seed);
	if (vmm_add_buffer(vmm, VMM_SLOT) < 0)
		return because("the RX ring is full");
	ring_kick(&vmm->q[RX]);
	if (!wire_send(wire, frame, len) || !ring_wait(&vmm->q[RX], 5000))
		return false;
	head = ring_reap(&vmm->q[RX], &used);
	if (head < 0 || !equal(used, VMM_HDR + len, "used length"))
		return false;
	return !memcmp(vmm_buffer(vmm, head) + VMM_HDR, frame, len) ||
	       because("a frame of %zu bytes came in changed", len);
}

/* Both ways. */
static inline bool vmm_works(struct vmm *vmm, struct wire *wire)
{
	return vmm_try_tx(vmm, wire, 100, 1) && vmm_try_rx(vmm, wire, 100, 2);
}

/* New rings, nothing left over from before, and both ways open. */
static inline bool vmm_starts_again(struct vmm *vmm, struct wire *wire)
{
	int q;

	for (q = RX; q <= TX; q++) {
		ring_reset(&vmm->q[q], 0);
		ring_drain_event(vmm->q[q].call);
	}
	wire_drain(wire);
	if (vmm_configure(vmm) || vmm_start(vmm, wire->tap))
		return because("it does not start again");
	return vmm_works(vmm, wire);
}

static inline bool vmm_begin_anew(struct vmm *vmm, struct wire *wire)
{
	if (vmm_stop(vmm))
		return because("it does not stop");
	return vmm_starts_again(vmm, wire);
}

/* One frame out, to wherever it goes, and its chain back. */
static inline bool vmm_send_blindly(struct vmm *vmm)
{
	uint8_t frame[100];

	wire_fill(frame, sizeof(frame), 1);
	if (vmm_add_frame(vmm, frame, sizeof(frame)) < 0)
		return because("the TX ring is full");
	ring_publish(&vmm->q[TX]);
	ring_signal(vmm->q[TX].kick);
	return ring_reap_n(&vmm->q[TX], 1, 5000);
}

static inline FILE *vmm_debugfs(const struct vmm *vmm, const char *file,
				const char *mode)
{
	char path[128];

	snprintf(path, sizeof(path), VMM_DEBUGFS "/%d-%u/%s", getpid(), vmm->nr,
		 file);
	return fopen(path, mode);
}

static inline bool vmm_has_counters(void)
{
	return !strcmp(vmm_device, VMM_DEVICE);
}

/* A counter's value, or -1 if there is no such counter. */
static inline long long vmm_counter(const struct vmm *vmm, int q,
				    const char *name)
{
	FILE *file = vmm_debugfs(vmm, q == RX ? "rx0" : "tx0", "r");
	long long value = -1, v;
	char key[64];

	if (!file)
		return -1;
	while (fscanf(file, "%63[^:]: %lld\n", key, &v) == 2)
		if (!strcmp(key, name))
			value = v;
	fclose(file);
	return value;
}

/* The first number by that name in the twin's state, that is, mostly of rx0; or -1. */
static inline long long vmm_state(const struct vmm *vmm, const char *name)
{
	FILE *file = vmm_debugfs(vmm, "state", "r");
	char word[64];
	long long value = -1;
	size_t n = strlen(name);

	while (file && value < 0 && fscanf(file, "%63s", word) == 1)
		if (!strncmp(word, name, n) && word[n] == '=')
			value = atoll(word + n + 1);
	if (file)
		fclose(file);
	return value;
}

/* Is a counter what it should be?  Other devices have no counters. */
static inline bool vmm_counted(const struct vmm *vmm, int q, const char *name,
			       long long expected)
{
	return !vmm_has_counters() ||
	       equal(vmm_counter(vmm, q, name), expected, name);
}

/* Wait for a counter that no event tells of. */
static inline bool vmm_wait_counter(const struct vmm *vmm, int q,
				    const char *name, long long least)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (vmm_counter(vmm, q, name) >= least)
			return true;
		poll(NULL, 0, 10);
	}
	return because("%s: expected at least %lld, got %lld", name, least,
		       vmm_counter(vmm, q, name));
}

/* How many twins there are, whoever owns them. */
static inline unsigned int vmm_twins(void)
{
	DIR *dir = opendir(VMM_DEBUGFS);
	struct dirent *entry;
	unsigned int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* The last references go with the task works of threads that are exiting. */
static inline bool vmm_no_twin_left(void)
{
	unsigned int tries;

	for (tries = 0; vmm_twins() && tries < 1000; tries++)
		poll(NULL, 0, 10);
	return equal(vmm_twins(), 0, "twins");
}

/* All kicks are accounted for, whoever served them. */
static inline bool vmm_kicks_add_up(const struct vmm *vmm, int q)
{
	return equal(vmm_counter(vmm, q, "kicks_inline") +
		     vmm_counter(vmm, q, "kicks_worker") +
		     vmm_counter(vmm, q, "kicks_softirq") +
		     vmm_counter(vmm, q, "kicks_merged"),
		     vmm_counter(vmm, q, "kicks"), "kicks");
}

static inline bool vmm_try_policy(const struct vmm *vmm, const char *policy)
{
	FILE *file = vmm_debugfs(vmm, "policy", "w");
	bool good;

	if (!file)
		return false;
	good = fputs(policy, file) >= 0;
	return !fclose(file) && good;
}

/* Where nothing is served inline, in softirq is what comes nearest. */
static inline bool vmm_set_policy(const struct vmm *vmm, const char *policy)
{
	return vmm_try_policy(vmm, policy) ||
	       (errno == EOPNOTSUPP && vmm_try_policy(vmm, "softirq"));
}

/* What each program begins with; it may be told another device. */
static inline void vmm_begin(int argc, char **argv)
{
	if (argc > 1)
		vmm_device = argv[1];
	report_begin();
	wire_namespace();
	note("device %s", vmm_device);
}

#endif /* KSELFTEST_VMM_H */
