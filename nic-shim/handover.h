/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * handover.c, within nic-shim.
 */
#ifndef NIC_SHIM_HANDOVER_H
#define NIC_SHIM_HANDOVER_H

#include <linux/types.h>
#include <linux/uio.h>
#include <net/xdp.h>

/* Of a frame that does not fit a page, what is looked at: all headers of TCP. */
#define NSHIM_FRONT	(14 + 40 + 60)

struct nshim_lane;
struct tap_port;
struct virtio_net_hdr;

unsigned int nshim_handover(struct tap_port *tap, const struct nshim_lane *lane,
			    const struct xdp_buff *frames, unsigned int n, bool *behind);
bool nshim_handover_long(struct tap_port *tap, const struct nshim_lane *lane,
			 const struct virtio_net_hdr *hdr, const void *front,
			 struct iov_iter *rest);

#endif /* NIC_SHIM_HANDOVER_H */
