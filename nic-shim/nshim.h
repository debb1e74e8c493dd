/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nic-shim: the NIC side of a twin.  This is the one header that other
 * folders include.
 *
 * A port is one queue's attachment to a backend.  Frames cross as iov_iters
 * over guest memory: the virtio-net header that was negotiated, then the
 * frame.  A port's functions are called by one at a time, in process context, with
 * current->mm the mm that the iov_iters belong to; but for what is said to be for
 * softirq, too.
 */
#ifndef NIC_SHIM_NSHIM_H
#define NIC_SHIM_NSHIM_H

#include <linux/types.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <uapi/linux/virtio_net.h>

struct nshim_port;

/* What a frame asks of offloads; for counting. */
#define NSHIM_FRAME_CSUM	BIT(0)
#define NSHIM_FRAME_GSO		BIT(1)

/* What a header asks for: NSHIM_FRAME_*. */
static inline unsigned int nshim_frame_flags(const struct virtio_net_hdr *hdr)
{
	unsigned int flags = 0;

	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		flags |= NSHIM_FRAME_CSUM;
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		flags |= NSHIM_FRAME_GSO;
	return flags;
}

/**
 * struct nshim_gift - a frame for a port's owner that does not come by the backend
 * @hdr: its virtio-net header, little-endian
 * @data: its bytes, or the first of them
 * @len: how many those are
 * @rest: what follows, NULL if nothing; of user memory, which may be missing
 */
struct nshim_gift {
	struct virtio_net_hdr	hdr;
	const void		*data;
	size_t			len;
	struct iov_iter		*rest;
};

/**
 * struct nshim_owner - who is told of a port's events
 * @event: room to send (EPOLLOUT) or a frame to receive (EPOLLIN)
 * @take: have frames for a port copied into the owner's memory at once, in order.  How
 *	many were is returned: none if that is not the owner's port at the moment, if the
 *	backend has others, which come first, or for any reason.
 *	Context: BHs disabled, RCU; not in an access section, and not after detach
 * @direct: may frames go past queueing disciplines that would not delay them?  At any time
 *
 * Context of @event: any, a lock of the backend's held, mostly with IRQs off.  It may
 * come at any time between attach and the end of detach, also for nothing.
 */
struct nshim_owner {
	void (*event)(struct nshim_owner *owner, __poll_t mask);
	unsigned int (*take)(struct nshim_owner *owner, const struct nshim_port *port,
			     const struct nshim_gift *gifts, unsigned int n);
	bool direct;
};

/**
 * struct nshim_flushed - what became of frames that were sent
 * @direct: how many a NIC's driver was handed directly, and has not dropped at once; those
 *	of its queueing discipline and of taps are none
 * @switched: how many another twin was given directly
 * @aggregated: how many were handed on as part of a bigger one
 * @expanded: how many acknowledgments were added
 * @full: lost, as that twin's guest has not received what it was given before
 * @no_device: lost, as the device was gone
 * @no_memory: lost for want of memory
 * @malformed: lost, as their headers do not say how they are to be sent
 */
struct nshim_flushed {
	unsigned int direct;
	unsigned int switched;
	unsigned int aggregated;
	unsigned int expanded;
	unsigned int full;
	unsigned int no_device;
	unsigned int no_memory;
	unsigned int malformed;
};

/**
 * struct nshim_ops - a kind of backend
 * @detach: end it; after this no event comes.  Frames that were received but
 *	not taken go back to the backend; returns how many it had no room for,
 *	which are lost
 * @xmit: send a frame.  The frame is copied: its memory may be reused at
 *	return, but it may leave only with @flush.  Returns NSHIM_FRAME_* flags,
 *	-EAGAIN when there is no room (the frame was not taken), or the error
 *	for which the frame is dropped.  With @wait false also in softirq, if @frame is not
 *	of user memory: then nothing leaves before @flush, and it is -EBUSY if the frame
 *	can't be taken so (it was not)
 * @flush: let the frames go that @xmit has gathered, and tell of all since the last
 *	flush.  Also in softirq
 * @may_send: is there room?  If not, an EPOLLOUT event comes when there is
 * @peek: length in bytes of the next frame with its header, 0 if there is
 *	none (then an EPOLLIN event comes with the next); @flags as for @xmit.  With
 *	@wait false also in softirq, and then -EBUSY if somebody else is at the backend
 * @part: have the first frame alone of what @peek has told of, if it is read from many
 * @recv: take that frame into @to, whose number of buffers is @buffers.  Returns its
 *	length, or the error for which it was dropped; it is gone either way.  Also in
 *	softirq, if @to is not of user memory
 */
struct nshim_ops {
	unsigned int (*detach)(struct nshim_port *port);
	int (*xmit)(struct nshim_port *port, struct iov_iter *frame, bool wait);
	void (*flush)(struct nshim_port *port, struct nshim_flushed *flushed);
	bool (*may_send)(struct nshim_port *port);
	ssize_t (*peek)(struct nshim_port *port, unsigned int *flags, bool wait);
	void (*part)(struct nshim_port *port);
	int (*recv)(struct nshim_port *port, struct iov_iter *to, unsigned int buffers);
};

/**
 * struct nshim_port - what every kind of port begins with
 * @ops: its functions
 * @file: the file that it stands for, for telling whether it is the same
 * @counts_buffers: @ops->recv writes the number of buffers into the header
 * @frames: how many of the backend's frames what @ops->peek has told of is read from
 */
struct nshim_port {
	const struct nshim_ops	*ops;
	struct file		*file;
	bool			counts_buffers;
	unsigned int		frames;
};

/* aggregate.c: most frames of a stream that a NIC is handed as one; at any time */

extern unsigned int nshim_most_aggregated;

/* datagrams.c: most datagrams that a guest receives as one frame; at any time */

extern unsigned int nshim_most_joined;

/* acks.c: whether acknowledgments of aggregates are expanded; at any time */

extern bool nshim_expand_acks;

/* netdev.c */

int nshim_init(void);
void nshim_exit(void);

/* tap.c: any tap or macvtap fd */

struct nshim_port *nshim_tap_attach(int fd, __poll_t events, size_t hdr_len,
				    struct nshim_owner *owner);

#endif /* NIC_SHIM_NSHIM_H */
