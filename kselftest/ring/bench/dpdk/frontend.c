// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front end of the vhost-user protocol, written from QEMU's description of it
 * (docs/interop/vhost-user.rst): what a VMM says until a guest's queues run.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kselftest/ring/bench/dpdk/side.h"

enum request {
	GET_FEATURES	= 1,
	SET_FEATURES	= 2,
	SET_OWNER	= 3,
	SET_MEM_TABLE	= 5,
	SET_VRING_NUM	= 8,
	SET_VRING_ADDR	= 9,
	SET_VRING_BASE	= 10,
	SET_VRING_KICK	= 12,
	SET_VRING_CALL	= 13,
};

enum {
	VERSION	= 1,
	QUEUES	= 2,
	NO_FD	= 1 << 8,
};

struct message {
	uint32_t	request;
	uint32_t	flags;
	uint32_t	size;
	union {
		uint64_t	u64;
		struct {
			uint32_t	index;
			uint32_t	value;
		} state;
		struct {
			uint32_t	index;
			uint32_t	flags;
			uint64_t	desc;
			uint64_t	used;
			uint64_t	avail;
			uint64_t	log;
		} addr;
		struct {
			uint32_t	regions;
			uint32_t	padding;
			uint64_t	gpa;
			uint64_t	size;
			uint64_t	user;
			uint64_t	offset;
		} mem;
	};
} __attribute__((packed));

#define HEAD	(3 * sizeof(uint32_t))

static int sock = -1;
static int events[2 * QUEUES];

static void say(struct message *message, enum request request, size_t size,
		int fd)
{
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { message, HEAD + size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	message->request = request;
	message->flags = VERSION;
	message->size = size;
	if (fd >= 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	}
	if (sendmsg(sock, &msg, 0) != (ssize_t)iov.iov_len)
		err(1, "vhost-user request %d", request);
}

static void say_u64(enum request request, uint64_t value, int fd)
{
	struct message message = { .u64 = value };

	say(&message, request, sizeof(value), fd);
}

static void say_state(enum request request, unsigned int queue, uint32_t value)
{
	struct message message = { .state = { queue, value } };

	say(&message, request, sizeof(message.state), -1);
}

static uint64_t ask_features(void)
{
	struct message message = { 0 };

	say(&message, GET_FEATURES, 0, -1);
	if (recv(sock, &message, HEAD + 8, MSG_WAITALL) != (ssize_t)HEAD + 8)
		err(1, "vhost-user features");
	return message.u64;
}

/* The transmit queue is the second; the first one only has to be there. */
static void start_queue(const struct sender *sender, unsigned int queue)
{
	uint64_t at = (uint64_t)sender->ram + (queue ? 0 : OTHER_AT);
	struct message message = { .addr = {
		.index = queue,
		.desc = at + DESC_AT,
		.avail = at + AVAIL_AT,
		.used = at + USED_AT,
	} };

	say_state(SET_VRING_NUM, queue, NUM);
	say_state(SET_VRING_BASE, queue, sender->work->packed ? 0x80008000 : 0);
	say(&message, SET_VRING_ADDR, sizeof(message.addr), -1);
	events[2 * queue] = eventfd(0, 0);
	events[2 * queue + 1] = eventfd(0, 0);
	say_u64(SET_VRING_CALL, queue, events[2 * queue]);
	say_u64(SET_VRING_KICK, queue, events[2 * queue + 1]);
}

void frontend_connect(const char *path, const struct sender *sender,
		      uint64_t features)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct message message = { .mem = {
		.regions = 1,
		.gpa = GPA,
		.size = RAM_SIZE,
		.user = (uint64_t)sender->ram,
	} };
	uint64_t offered;

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&name, sizeof(name)))
		err(1, "%s", path);
	say(&(struct message) { 0 }, SET_OWNER, 0, -1);
	offered = ask_features();
	if (features & ~offered)
		errx(1, "not offered: %#llx", (unsigned long long)(features & ~offered));
	say_u64(SET_FEATURES, features, -1);
	say(&message, SET_MEM_TABLE, sizeof(message.mem), sender->fd);
	start_queue(sender, 0);
	start_queue(sender, 1);
}

void frontend_close(void)
{
	unsigned int i;

	close(sock);
	for (i = 0; i < 2 * QUEUES; i++)
		close(events[i]);
}
