// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that vanish or become others while they are handed over (BUGCLASSES C1),
 * and eventfds that nobody else has any more (C4).
 *
 *	vanishing [-s SEED] [DEVICE]
 */
#include "kselftest/vmm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define NUM	256
#define LEN	64
#define RACES	4000
#define EACH	50	/* races to be won, and to be lost, at least */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct vmm vmm;
static struct wire wire;
static unsigned int seed = 1;

/* C1: what a file descriptor stands for changes while it is handed over. */

static int number = -1;		/* of the descriptor */
static int files[10], nr_files;
static atomic_bool done;

static void add_file(int fd)
{
	must(fd >= 0);
	files[nr_files++] = fd;
}

static void gather_files(struct wire *other)
{
	int ends[2];

	must(!pipe(ends));
	add_file(wire.tap);
	add_file(eventfd(0, EFD_NONBLOCK));
	add_file(other->tap);
	add_file(eventfd(0, EFD_NONBLOCK));
	add_file(open("/dev/null", O_RDWR));
	add_file(socket(AF_INET, SOCK_DGRAM, 0));
	add_file(memfd_create("file", 0));
	add_file(epoll_create1(0));
	add_file(ends[0]);
	add_file(open(vmm_device, O_RDWR));
	/* High enough that nobody else is given it while it is closed. */
	number = fcntl(files[0], F_DUPFD, 500);
	must(number >= 500);
}

static void *change_file(void *unused)
{
	unsigned int state = seed, which;

	(void)unused;
	while (!atomic_load(&done)) {
		which = rand_r(&state) % (nr_files + 2);
		if (which < (unsigned int)nr_files)
			must(dup2(files[which], number) == number);
		else
			close(number);
	}
	return NULL;
}

static const struct race {
	const char	*name;
	unsigned long	cmd;
	int		errors[4];
} races[] = {
	{ "a backend", VHOST_NET_SET_BACKEND, { EBADF, ENOTSOCK, EINVAL, ESOCKTNOSUPPORT } },
	{ "a kick eventfd", VHOST_SET_VRING_KICK, { EBADF, EINVAL } },
	{ "a call eventfd", VHOST_SET_VRING_CALL, { EBADF, EINVAL } },
	{ "an error eventfd", VHOST_SET_VRING_ERR, { EBADF, EINVAL } },
};

static bool expected(const struct race *race, int err)
{
	unsigned int i;

	for (i = 0; i < COUNT(race->errors); i++)
		if (err == race->errors[i])
			return true;
	return because("%s: errno %d", race->name, err);
}

static bool hand_over(const struct race *race)
{
	unsigned int i, taken = 0, refused = 0;
	int q, err;

	for (i = 0; i < RACES || taken < EACH || refused < EACH; i++) {
		if (i == 100 * RACES)
			return because("there was hardly a race");
		q = i / 2 % 2;
		err = -vmm_set_fd(&vmm, race->cmd, q, number);
		if (err && !expected(race, err))
			return false;
		*(err ? &refused : &taken) += 1;
		if (i % 16 == 0)
			must(!vmm_set_fd(&vmm, race->cmd, q, -1));
	}
	note("%s: %u times taken, %u refused", race->name, taken, refused);
	return true;
}

static bool raced_for(const struct race *race)
{
	pthread_t thread;
	bool good;

	atomic_store(&done, false);
	must(!pthread_create(&thread, NULL, change_file, NULL));
	good = hand_over(race);
	atomic_store(&done, true);
	must(!pthread_join(thread, NULL));
	return vmm_begin_anew(&vmm, &wire) && good;
}

/* The descriptor of a device itself becomes that of another one. */
static void *change_device(void *arg)
{
	struct wire *other = arg;
	struct vmm fresh;

	vmm_open(&fresh, VMM_BASIC, NUM);
	while (!atomic_load(&done)) {
		vmm_go(&fresh, other);
		must(dup2(fresh.dev, number) == number);
		close(fresh.dev);
		fresh.dev = open(vmm_device, O_RDWR | O_CLOEXEC);
		must(fresh.dev >= 0);
	}
	vmm_close(&fresh);
	return NULL;
}

/* Whichever it is, and whoever closes it: the call ends in one or in none. */
static bool device_raced_for(struct wire *other)
{
	struct vmm seen = vmm;
	unsigned int i;
	pthread_t thread;

	seen.dev = number;
	atomic_store(&done, false);
	must(!pthread_create(&thread, NULL, change_device, other));
	for (i = 0; i < RACES; i++) {
		vmm_backend(&seen, i % 2, -1);
		vmm_set_mem(&seen);
		vmm_get_base(&seen, i % 2);
		vmm_set_fd(&seen, VHOST_SET_VRING_KICK, TX, vmm.q[TX].kick);
		vmm_backend(&seen, i % 2, other->tap);
	}
	atomic_store(&done, true);
	must(!pthread_join(thread, NULL));
	close(number);
	return vmm_begin_anew(&vmm, &wire);
}

static void descriptors(void)
{
	struct wire other;
	unsigned int i;

	wire_open(&other, "wire1", VMM_HDR);
	gather_files(&other);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	for (i = 0; i < COUNT(races); i++)
		claim(raced_for(&races[i]),
		      "%s may become another file while it is set", races[i].name);
	claim(device_raced_for(&other),
	      "a device may be closed in the middle of its ioctls");
	vmm_close(&vmm);
	for (i = 1; i < (unsigned int)nr_files; i++)
		close(files[i]);
	close(other.sock);
}

/* C4: nobody but the twin has the eventfds any more. */

static bool eventfds_closed(void)
{
	struct ring *tx = &vmm.q[TX], *rx = &vmm.q[RX];
	uint8_t frame[LEN];

	/* A pump that the start has asked for may still be to come: not any more. */
	if (!vmm_works(&vmm, &wire))
		return false;
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_ERR, TX, tx->err));
	close(tx->kick);
	close(tx->call);
	close(tx->err);
	wire_fill(frame, LEN, 7);
	must(vmm_add_frame(&vmm, frame, LEN) >= 0);
	ring_publish(tx);
	if (!vmm_try_rx(&vmm, &wire, LEN, 1) || !wire_silent(&wire, 0))
		return because("the other queue");
	tx->kick = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, TX, tx->kick));
	if (!wire_expect(&wire, frame, LEN))
		return because("a new kick");
	tx->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	tx->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, tx->call));
	must(!vmm_set_fd(&vmm, VHOST_SET_VRING_ERR, TX, tx->err));
	return ring_reap_n(tx, 1, 5000) && ring_has_used(rx) == false &&
	       vmm_works(&vmm, &wire);
}

static atomic_int current_kick;

static void *kick_what_there_is(void *unused)
{
	uint64_t one = 1;

	(void)unused;
	while (!atomic_load(&done))
		if (write(atomic_load(&current_kick), &one, sizeof(one)) < 0)
			must(errno == EBADF);
	return NULL;
}

/* Each is closed by us while it is kicked, and then by the twin. */
static bool eventfds_come_and_go(void)
{
	struct ring *tx = &vmm.q[TX];
	pthread_t thread;
	unsigned int i;
	bool good = true;
	int old;

	atomic_store(&done, false);
	atomic_store(&current_kick, tx->kick);
	must(!pthread_create(&thread, NULL, kick_what_there_is, NULL));
	for (i = 0; i < 500 && good; i++) {
		old = tx->kick;
		tx->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		must(tx->kick >= 0);
		atomic_store(&current_kick, tx->kick);
		if (i & 1)
			close(old);
		must(!vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, TX, tx->kick));
		if (!(i & 1))
			close(old);
		good = vmm_send_blindly(&vmm);
	}
	atomic_store(&done, true);
	must(!pthread_join(thread, NULL));
	return vmm_begin_anew(&vmm, &wire) && good;
}

static void eventfds(void)
{
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	claim(eventfds_closed(), "eventfds that only the twin has left do no harm");
	claim(eventfds_come_and_go(), "a kick eventfd may be closed under a storm");
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:")) != -1) {
		if (option != 's')
			return 2;
		seed = atoi(optarg);
	}
	vmm_begin(argc - optind + 1, argv + optind - 1);
	note("seed %u", seed);
	wire_open(&wire, "wire0", VMM_HDR);
	descriptors();
	eventfds();
	return report_end();
}
