/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A modern virtio-pci device driven by a program in the guest, by way of sysfs.  No
 * driver may be bound to it.  Takes root.
 */
#ifndef VDEV_H
#define VDEV_H

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest/lab/words.h"

#define BIT64(n)	(1ull << (n))
#define VDEV_QUEUES	2

/**
 * struct vdev - the device
 * @folder:	its folder in sysfs
 * @config:	its configuration space
 * @common:	its common configuration
 * @selected:	the queue that it was told of last, from 1 on; or 0
 * @bell:	each queue's doorbell, in memory; or
 * @ports:	a file in which they are ports, at the offsets
 * @port:	that stand here
 *
 * A program might use ports itself.  But an emulated SVM refuses that to a guest's, once
 * KVM has loaded its task register.
 */
struct vdev {
	char		folder[64];
	int		config;
	uint8_t		*common;
	unsigned int	selected;
	uint8_t		*bell[VDEV_QUEUES];
	int		ports;
	uint32_t	port[VDEV_QUEUES];
};

static inline uint32_t vdev_config(const struct vdev *dev, unsigned int at,
				   unsigned int size)
{
	uint32_t value = 0;

	if (pread(dev->config, &value, size, at) != (ssize_t)size)
		die("configuration space at %u", at);
	return value;
}

/*
 * CPUID is an exit of its own.  Newer KVM takes what an emulated SVM has left from
 * the last exception for an event of the next exit, which must not be an access to
 * memory then; see NOTIFY in guest.py.
 */
#define VDEV_AFTER_AN_EXIT(instruction, value, at) do {			\
	uint32_t vdev_a = 0, vdev_c = 0;				\
									\
	asm volatile("cpuid\n\t" instruction				\
		     : "+a" (vdev_a), "+c" (vdev_c), "+S" (value)	\
		     : "D" (at) : "rbx", "rdx", "memory");		\
} while (0)

static inline void vdev_put16(const struct vdev *dev, unsigned int at, uint16_t value)
{
	uint64_t v = value;

	VDEV_AFTER_AN_EXIT("movw %%si, (%%rdi)", v, dev->common + at);
}

static inline void vdev_put32(const struct vdev *dev, unsigned int at, uint32_t value)
{
	uint64_t v = value;

	VDEV_AFTER_AN_EXIT("movl %%esi, (%%rdi)", v, dev->common + at);
}

static inline void vdev_put64(const struct vdev *dev, unsigned int at, uint64_t value)
{
	vdev_put32(dev, at, value);
	vdev_put32(dev, at + 4, value >> 32);
}

static inline void vdev_put_status(const struct vdev *dev, uint8_t value)
{
	uint64_t v = value;

	VDEV_AFTER_AN_EXIT("movb %%sil, (%%rdi)", v,
			   dev->common + VIRTIO_PCI_COMMON_STATUS);
}

static inline uint32_t vdev_get32(const struct vdev *dev, unsigned int at)
{
	uint64_t v = 0;

	VDEV_AFTER_AN_EXIT("movl (%%rdi), %%esi", v, dev->common + at);
	return v;
}

static inline uint16_t vdev_get16(const struct vdev *dev, unsigned int at)
{
	uint64_t v = 0;

	VDEV_AFTER_AN_EXIT("movw (%%rdi), %%si", v, dev->common + at);
	return v;
}

static inline uint8_t vdev_status(const struct vdev *dev)
{
	uint64_t v = 0;

	VDEV_AFTER_AN_EXIT("movb (%%rdi), %%sil", v,
			   dev->common + VIRTIO_PCI_COMMON_STATUS);
	return v;
}

static inline void vdev_select(struct vdev *dev, unsigned int q)
{
	if (dev->selected == q + 1)
		return;
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_SELECT, q);
	dev->selected = q + 1;
}

/* Does a capability point to I/O space? */
static inline bool vdev_is_io(const struct vdev *dev, unsigned int cap)
{
	unsigned int bar = vdev_config(dev, cap + VIRTIO_PCI_CAP_BAR, 1);

	return vdev_config(dev, PCI_BASE_ADDRESS_0 + 4 * bar, 4) &
	       PCI_BASE_ADDRESS_SPACE_IO;
}

/* A capability of that type, in I/O space if there is one; or 0. */
static inline unsigned int vdev_find(const struct vdev *dev, uint8_t type)
{
	unsigned int at = vdev_config(dev, PCI_CAPABILITY_LIST, 1), found = 0;

	for (; at; at = vdev_config(dev, at + PCI_CAP_LIST_NEXT, 1)) {
		if (vdev_config(dev, at, 1) != PCI_CAP_ID_VNDR ||
		    vdev_config(dev, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) != type)
			continue;
		found = at;
		if (vdev_is_io(dev, at))
			break;
	}
	return found;
}

/* The file of what a capability points to. */
static inline int vdev_resource(const struct vdev *dev, unsigned int cap)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/resource%u", dev->folder,
		 vdev_config(dev, cap + VIRTIO_PCI_CAP_BAR, 1));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

static inline uint32_t vdev_offset(const struct vdev *dev, unsigned int cap)
{
	return vdev_config(dev, cap + VIRTIO_PCI_CAP_OFFSET, 4);
}

static inline uint8_t *vdev_map(const struct vdev *dev, unsigned int cap)
{
	int fd = vdev_resource(dev, cap);
	struct stat st;
	void *mem;

	if (fstat(fd, &st))
		die("fstat");
	mem = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		die("what capability %u points to", cap);
	close(fd);
	return (uint8_t *)mem + vdev_offset(dev, cap);
}

static inline void vdev_find_bells(struct vdev *dev)
{
	unsigned int cap = vdev_find(dev, VIRTIO_PCI_CAP_NOTIFY_CFG), q, offset;
	uint8_t *bells = NULL;

	if (!cap)
		die("no doorbells");
	if (vdev_is_io(dev, cap))
		dev->ports = vdev_resource(dev, cap);
	else
		bells = vdev_map(dev, cap);
	for (q = 0; q < VDEV_QUEUES; q++) {
		vdev_select(dev, q);
		offset = vdev_get16(dev, VIRTIO_PCI_COMMON_Q_NOFF) *
			 vdev_config(dev, cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		dev->port[q] = vdev_offset(dev, cap) + offset;
		dev->bell[q] = bells ? bells + offset : NULL;
	}
}

static inline void vdev_kick(const struct vdev *dev, uint16_t q)
{
	if (dev->bell[q])
		asm volatile("movw %w0, (%1)"
			     : : "r" (q), "r" (dev->bell[q]) : "memory");
	else if (pwrite(dev->ports, &q, 2, dev->port[q]) != 2)
		die("a port");
}

static inline void vdev_reset(struct vdev *dev)
{
	dev->selected = 0;
	vdev_put_status(dev, 0);
	while (vdev_status(dev))
		;
}

static inline uint64_t vdev_offered(const struct vdev *dev)
{
	uint64_t features;

	vdev_put32(dev, VIRTIO_PCI_COMMON_DFSELECT, 0);
	features = vdev_get32(dev, VIRTIO_PCI_COMMON_DF);
	vdev_put32(dev, VIRTIO_PCI_COMMON_DFSELECT, 1);
	return features | (uint64_t)vdev_get32(dev, VIRTIO_PCI_COMMON_DF) << 32;
}

/* Up to where queues can be set. */
static inline void vdev_begin(struct vdev *dev, uint64_t features)
{
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	vdev_reset(dev);
	vdev_put_status(dev, status);
	vdev_put32(dev, VIRTIO_PCI_COMMON_GFSELECT, 0);
	vdev_put32(dev, VIRTIO_PCI_COMMON_GF, features);
	vdev_put32(dev, VIRTIO_PCI_COMMON_GFSELECT, 1);
	vdev_put32(dev, VIRTIO_PCI_COMMON_GF, features >> 32);
	vdev_put_status(dev, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(vdev_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK))
		die("features 0x%llx are refused", (unsigned long long)features);
}

static inline void vdev_set_queue(struct vdev *dev, unsigned int q, unsigned int num,
				  uint64_t desc, uint64_t avail, uint64_t used)
{
	vdev_select(dev, q);
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_SIZE, num);
	vdev_put64(dev, VIRTIO_PCI_COMMON_Q_DESCLO, desc);
	vdev_put64(dev, VIRTIO_PCI_COMMON_Q_AVAILLO, avail);
	vdev_put64(dev, VIRTIO_PCI_COMMON_Q_USEDLO, used);
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static inline void vdev_go(const struct vdev *dev)
{
	vdev_put_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			     VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

/*
 * Returns when the queue is at rest; its addresses stay.  QEMU has done it all when the
 * write is over.
 */
static inline void vdev_stop_queue(struct vdev *dev, unsigned int q)
{
	vdev_select(dev, q);
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_RESET, 1);
}

static inline void vdev_start_queue(struct vdev *dev, unsigned int q)
{
	vdev_select(dev, q);
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

/* By its address, as in 0000:00:03.0. */
static inline void vdev_open(struct vdev *dev, const char *address)
{
	uint16_t command = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			   PCI_COMMAND_INTX_DISABLE;
	unsigned int cap;
	char path[96];

	snprintf(dev->folder, sizeof(dev->folder), "/sys/bus/pci/devices/%s", address);
	snprintf(path, sizeof(path), "%s/config", dev->folder);
	dev->config = open(path, O_RDWR | O_CLOEXEC);
	if (dev->config < 0 ||
	    pwrite(dev->config, &command, 2, PCI_COMMAND) != 2)
		die("%s", path);
	cap = vdev_find(dev, VIRTIO_PCI_CAP_COMMON_CFG);
	if (!cap)
		die("%s is no modern virtio device", address);
	dev->common = vdev_map(dev, cap);
	vdev_find_bells(dev);
}

#endif
