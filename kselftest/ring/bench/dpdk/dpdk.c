// SPDX-License-Identifier: GPL-2.0-only
/* DPDK's vhost library, as a switch on top of it uses it. */
#include <err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_version.h>
#include <rte_vhost.h>

#include "kselftest/ring/bench/dpdk/side.h"

enum {
	TX_QUEUE	= 1,
	POOL		= 4095,
	CACHE		= 256,
	LIMIT		= 10,		/* seconds to wait for the library's thread */
};

static struct rte_mempool *pool;
static char path[64];
/* Set by the library's own thread. */
static atomic_int vid = -1;

static int came(int id)
{
	rte_vhost_enable_guest_notification(id, TX_QUEUE, 0);
	vid = id;
	return 0;
}

static void went(int id)
{
	(void)id;
	vid = -1;
}

static const struct rte_vhost_device_ops ops = {
	.new_device	= came,
	.destroy_device	= went,
};

void dpdk_init(void)
{
	char words[][16] = { "bench", "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
			     "--no-telemetry", "--log-level=4", "-l", "0" };
	char *args[sizeof(words) / sizeof(words[0])];
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		args[i] = words[i];
	if (rte_eal_init(i, args) < 0)
		errx(1, "DPDK does not start");
	pool = rte_pktmbuf_pool_create("frames", POOL, CACHE, 0,
				       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool)
		errx(1, "no buffers for DPDK");
}

static void wait_until(bool there)
{
	time_t end = time(NULL) + LIMIT;

	while ((vid >= 0) != there) {
		if (time(NULL) > end)
			errx(1, "DPDK's device did not %s", there ? "come" : "go");
		usleep(1000);
	}
}

void dpdk_start(const struct sender *sender)
{
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1 |
		1ULL << VIRTIO_NET_F_MRG_RXBUF |
		1ULL << VIRTIO_RING_F_EVENT_IDX |
		1ULL << VIRTIO_RING_F_INDIRECT_DESC;

	if (sender->work->packed)
		features |= 1ULL << VIRTIO_F_RING_PACKED;
	snprintf(path, sizeof(path), "/tmp/ring-bench-%d.sock", getpid());
	/* Offloads stay in the mbuf, as they stay in our header. */
	if (rte_vhost_driver_register(path, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) ||
	    rte_vhost_driver_callback_register(path, &ops) ||
	    rte_vhost_driver_start(path))
		errx(1, "DPDK's vhost does not start");
	frontend_connect(path, sender, features);
	wait_until(true);
}

void dpdk_stop(void)
{
	frontend_close();
	wait_until(false);
	rte_vhost_driver_unregister(path);
}

uint64_t dpdk_take(void)
{
	struct rte_mbuf *frames[BATCH];
	unsigned int i, n, all = 0;
	uint64_t sum = 0;

	while (all < NUM) {
		n = rte_vhost_dequeue_burst(vid, TX_QUEUE, pool, frames, BATCH);
		if (!n)
			errx(1, "DPDK takes no more after %u frames", all);
		for (i = 0; i < n; i++)
			sum += rte_pktmbuf_pkt_len(frames[i]) +
			       *rte_pktmbuf_mtod(frames[i], uint8_t *);
		rte_pktmbuf_free_bulk(frames, n);
		all += n;
	}
	return sum;
}

const char *dpdk_version(void)
{
	return rte_version();
}
