// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any order of calls is safe: every sequence of them up to a length, on a
 * device freshly opened, gets the errnos that vhost-net gives for it.
 *
 * sequences [LENGTH]: 3 unless told otherwise.  Then those that begin with
 * SET_OWNER and are one longer, for without it there is little but EPERM; and
 * what may follow when all is set.
 */
#include "kselftest/states.h"

#include <time.h>

enum {
	OWNER, RESET, FEATURES, MEM, NUM, BASE, ADDR, KICK, CALL, START, STOP,
	NR_CALLS
};

#define LONGEST	5

static const char * const names[NR_CALLS] = {
	"SET_OWNER", "RESET_OWNER", "SET_FEATURES", "MEM_TABLE", "NUM", "BASE",
	"ADDR", "KICK", "CALL", "BACKEND tap", "BACKEND -1",
};

static struct vmm vmm;
static const int *prefix;
static unsigned int prefix_length, length, differing;

static int call(int which)
{
	struct vhost_vring_addr addr = vmm_addr(&vmm, TX);

	switch (which) {
	case OWNER:
		return vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL);
	case RESET:
		return vmm_ioctl(vmm.dev, VHOST_RESET_OWNER, NULL);
	case FEATURES:
		return vmm_set_features(&vmm);
	case MEM:
		return vmm_set_mem(&vmm);
	case NUM:
		return vmm_set_state(&vmm, VHOST_SET_VRING_NUM, TX, 256);
	case BASE:
		return vmm_set_state(&vmm, VHOST_SET_VRING_BASE, TX, 0);
	case ADDR:
		return vmm_ioctl(vmm.dev, VHOST_SET_VRING_ADDR, &addr);
	case KICK:
		return vmm_set_fd(&vmm, VHOST_SET_VRING_KICK, TX, vmm.q[TX].kick);
	case CALL:
		return vmm_set_fd(&vmm, VHOST_SET_VRING_CALL, TX, vmm.q[TX].call);
	case START:
		return vmm_backend(&vmm, TX, wire.tap);
	case STOP:
		return vmm_backend(&vmm, TX, -1);
	default:
		abort();
	}
}

/* Do it on one device, and note what each call said. */
static void play(const char *device, const int *sequence, int *errnos)
{
	unsigned int i;

	vmm.dev = open(device, O_RDWR | O_CLOEXEC);
	must(vmm.dev >= 0);
	for (i = 0; i < prefix_length; i++)
		must(!call(prefix[i]));
	for (i = 0; i < length; i++)
		errnos[i] = -call(sequence[i]);
	close(vmm.dev);
}

/* vhost-net lets features change under a running queue; we do not. */
static bool differs_on_purpose(int which, int ours, int vhosts)
{
	return which == FEATURES && ours == EBUSY && !vhosts;
}

static void show(const int *sequence, const int *ours, const int *vhosts)
{
	char text[256];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < length; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s=%d/%d",
				i ? ", " : "", names[sequence[i]], ours[i],
				vhosts[i]);
	note("ours/vhost-net's: %s", text);
}

static void compare(const int *sequence)
{
	int ours[LONGEST], vhosts[LONGEST];
	unsigned int i;

	play(VMM_DEVICE, sequence, ours);
	play(ORACLE, sequence, vhosts);
	for (i = 0; i < length; i++) {
		if (ours[i] == vhosts[i] ||
		    differs_on_purpose(sequence[i], ours[i], vhosts[i]))
			continue;
		if (differing++ < 20)
			show(sequence, ours, vhosts);
		return;
	}
}

/* Count through all sequences of a length. */
static unsigned int compare_all(void)
{
	int sequence[LONGEST] = { 0 };
	unsigned int count = 0, i;

	do {
		compare(sequence);
		count++;
		if (!(count % 100))
			alarm(REPORT_LIMIT);
		for (i = 0; i < length && ++sequence[i] == NR_CALLS; i++)
			sequence[i] = 0;
	} while (i < length);
	return count;
}

static void try_all(const char *after)
{
	struct timespec start, end;
	unsigned int count;

	differing = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	count = compare_all();
	clock_gettime(CLOCK_MONOTONIC, &end);
	claim(equal(differing, 0, "sequences that differ"),
	      "all %u sequences of %u calls%s get vhost-net's errnos", count,
	      length, after);
	note("%ld s", (long)(end.tv_sec - start.tv_sec));
}

int main(int argc, char **argv)
{
	static const int ready[] = {
		OWNER, FEATURES, MEM, NUM, BASE, ADDR, KICK, CALL,
	};
	unsigned int longest = argc > 1 ? atoi(argv[1]) : 3;

	report_begin();
	wire_namespace();
	must(longest >= 1 && longest <= LONGEST);
	if (access(ORACLE, R_OK | W_OK)) {
		skip("sequences of calls", "there is no " ORACLE);
		return report_end();
	}
	wire_open(&wire, "wire0", VMM_HDR);
	vmm_open(&vmm, VMM_BASIC, 256);
	close(vmm.dev);
	for (length = 1; length <= longest; length++)
		try_all("");
	prefix = ready;
	prefix_length = 1;
	length = longest;
	try_all(" after SET_OWNER");
	prefix_length = COUNT(ready);
	length = longest - 1;
	try_all(" when all is set");
	wire_close(&wire);
	return report_end();
}
