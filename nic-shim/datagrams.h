/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * datagrams.c, within nic-shim.
 */
#ifndef NIC_SHIM_DATAGRAMS_H
#define NIC_SHIM_DATAGRAMS_H

#include <linux/skbuff.h>
#include <linux/virtio_net.h>

/**
 * struct nshim_datagrams - frames that can be read as one
 * @n: how many; one may be any frame, and then the rest says nothing
 * @hdr_len: bytes of the headers of each, from Ethernet's to UDP's
 * @gso_size: bytes of payload of each but the last, which may have less
 * @len: bytes of the one frame
 */
struct nshim_datagrams {
	unsigned int n;
	unsigned int hdr_len;
	unsigned int gso_size;
	unsigned int len;
};

void nshim_datagrams_find(void *const *frames, unsigned int most, struct nshim_datagrams *run);
void nshim_datagrams_headers(const struct sk_buff *first, const struct nshim_datagrams *d,
			     struct virtio_net_hdr *hdr, u8 *headers);

#endif /* NIC_SHIM_DATAGRAMS_H */
