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
 * @bell:	each queue's doorbell
 */
struct vdev {
	char		folder[64];
	int		config;
	uint8_t		*common;
	unsigned int	selected;
	uint8_t		*bell[VDEV_QUEUES];
};

static inline uint32_t vdev_config(const struct vdev *dev, unsigned int at,
				   unsigned int size)
{
	uint32_t value = 0;

	if (pread(dev->config, &value, size, at) != (ssize_t)size)
		die("configuration space at %u", at);
	return value;
}

/* Registers.  What was stored before is there before one is written. */

static inline void vdev_put16(const struct vdev *dev, unsigned int at, uint16_t value)
{
	__atomic_store_n((uint16_t *)(dev->common + at), value, __ATOMIC_RELEASE);
}

static inline void vdev_put32(const struct vdev *dev, unsigned int at, uint32_t value)
{
	__atomic_store_n((uint32_t *)(dev->common + at), value, __ATOMIC_RELEASE);
}

static inline void vdev_put64(const struct vdev *dev, unsigned int at, uint64_t value)
{
	vdev_put32(dev, at, value);
	vdev_put32(dev, at + 4, value >> 32);
}

static inline void vdev_put_status(const struct vdev *dev, uint8_t value)
{
	__atomic_store_n(&dev->common[VIRTIO_PCI_COMMON_STATUS], value, __ATOMIC_RELEASE);
}

static inline uint32_t vdev_get32(const struct vdev *dev, unsigned int at)
{
	return __atomic_load_n((uint32_t *)(dev->common + at), __ATOMIC_ACQUIRE);
}

static inline uint16_t vdev_get16(const struct vdev *dev, unsigned int at)
{
	return __atomic_load_n((uint16_t *)(dev->common + at), __ATOMIC_ACQUIRE);
}

static inline uint8_t vdev_status(const struct vdev *dev)
{
	return __atomic_load_n(&dev->common[VIRTIO_PCI_COMMON_STATUS], __ATOMIC_ACQUIRE);
}

static inline void vdev_select(struct vdev *dev, unsigned int q)
{
	if (dev->selected == q + 1)
		return;
	vdev_put16(dev, VIRTIO_PCI_COMMON_Q_SELECT, q);
	dev->selected = q + 1;
}

/* A capability of that type; or 0. */
static inline unsigned int vdev_find(const struct vdev *dev, uint8_t type)
{
	unsigned int at = vdev_config(dev, PCI_CAPABILITY_LIST, 1);

	while (at && (vdev_config(dev, at, 1) != PCI_CAP_ID_VNDR ||
		      vdev_config(dev, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) != type))
		at = vdev_config(dev, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

static inline uint32_t vdev_offset(const struct vdev *dev, unsigned int cap)
{
	return vdev_config(dev, cap + VIRTIO_PCI_CAP_OFFSET, 4);
}

static inline uint8_t *vdev_map(const struct vdev *dev, unsigned int cap)
{
	struct stat st;
	char path[96];
	void *mem;
	int fd;

	snprintf(path, sizeof(path), "%s/resource%u", dev->folder,
		 vdev_config(dev, cap + VIRTIO_PCI_CAP_BAR, 1));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die("%s", path);
	mem = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		die("what capability %u points to", cap);
	close(fd);
	return (uint8_t *)mem + vdev_offset(dev, cap);
}

static inline void vdev_find_bells(struct vdev *dev)
{
	unsigned int cap = vdev_find(dev, VIRTIO_PCI_CAP_NOTIFY_CFG), q, offset;
	uint8_t *bells;

	if (!cap)
		die("no doorbells");
	bells = vdev_map(dev, cap);
	for (q = 0; q < VDEV_QUEUES; q++) {
		vdev_select(dev, q);
		offset = vdev_get16(dev, VIRTIO_PCI_COMMON_Q_NOFF) *
			 vdev_config(dev, cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		dev->bell[q] = bells + offset;
	}
}

static inline void vdev_kick(const struct vdev *dev, uint16_t q)
{
	__atomic_store_n((uint16_t *)dev->bell[q], q, __ATOMIC_RELEASE);
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
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE;
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
