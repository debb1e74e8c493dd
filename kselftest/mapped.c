// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that a file backs, or that may not be read or written just now: a
 * file has what the device wrote, and an access that fails is counted, or breaks
 * the ring until it is started anew.
 */
#include "kselftest/vmm.h"

#define NUM	64
#define APART	(6u << 20)	/* a part of memory that is mapped otherwise */
#define TABLE	(7u << 20)
#define LEN	600

static struct vmm vmm;
static struct wire wire;

/* A file that was opened to be read alone */

static void map_read_only(const uint8_t *frame)
{
	int fd = memfd_create("rom", MFD_CLOEXEC), ro;
	static const uint8_t header[VMM_HDR];
	char path[64];

	must(fd >= 0);
	must(!ftruncate(fd, RING_PART));
	must(pwrite(fd, header, VMM_HDR, 0) == VMM_HDR);
	must(pwrite(fd, frame, LEN, VMM_HDR) == LEN);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	must(ro >= 0);
	must(mmap(vmm.mem + APART, RING_PART, PROT_READ, MAP_SHARED | MAP_FIXED,
		  ro, 0) == vmm.mem + APART);
	close(ro);
	close(fd);
}

static void offer_part(int q)
{
	struct seg seg = { vmm_gpa(&vmm, vmm.mem + APART), VMM_HDR + LEN,
			   q == RX ? VRING_DESC_F_WRITE : 0 };

	must(ring_add(&vmm.q[q], &seg, 1) >= 0);
	ring_publish(&vmm.q[q]);
}

static bool heals(int q)
{
	if (!equal(-vmm_backend(&vmm, q, -1), 0, "stop"))
		return false;
	wire_drain(&wire);
	return equal(-vmm_restart_queue(&vmm, q, wire.tap, 0), 0, "restart") &&
	       vmm_works(&vmm, &wire);
}

static bool not_written(const uint8_t *frame)
{
	return !memcmp(vmm.mem + APART + VMM_HDR, frame, LEN) ||
	       because("it was written to");
}

static bool from_read_only(const uint8_t *frame)
{
	offer_part(TX);
	ring_signal(vmm.q[TX].kick);
	return wire_expect(&wire, frame, LEN) &&
	       ring_reap_n(&vmm.q[TX], 1, 5000);
}

/* The frame is lost and counted; the buffer stays with the device. */
static bool into_read_only(const uint8_t *frame)
{
	long long before = vmm_counter(&vmm, RX, "drop_fault");
	uint8_t another[LEN];

	wire_fill(another, LEN, 77);
	offer_part(RX);
	ring_signal(vmm.q[RX].kick);
	must(wire_send(&wire, another, LEN));
	if (vmm_has_counters() &&
	    !vmm_wait_counter(&vmm, RX, "drop_fault", before + 1))
		return false;
	return !ring_has_used(&vmm.q[RX]) && not_written(frame) &&
	       vmm_try_tx(&vmm, &wire, 100, 1) && heals(RX);
}

static void read_only(void)
{
	uint8_t frame[LEN];

	wire_fill(frame, LEN, 76);
	vmm_run(&vmm, &wire, VMM_BASIC, NUM);
	map_read_only(frame);
	claim(from_read_only(frame), "a frame leaves from memory that is read-only");
	claim(into_read_only(frame), "none gets into it, which is counted");
	vmm_close(&vmm);
}

/* A file shared, on a disk: BUGCLASSES E2 */

static const char * const make_disk[] = {
	"modprobe -q -a zram ext4",
	"test -e /dev/zram0 && echo 64M >/sys/block/zram0/disksize",
	"busybox mke2fs -F -b 4096 /dev/zram0 >/tmp/mke2fs 2>&1",
	"mkdir -p /tmp/disk",
	"busybox mount -t ext4 /dev/zram0 /tmp/disk",
	NULL
};

static const char * const end_disk[] = {
	"busybox umount /tmp/disk",
	"echo 1 >/sys/block/zram0/reset",
	NULL
};

static void receive_all(unsigned int seed, int *heads)
{
	uint8_t frame[LEN];
	unsigned int i;

	for (i = 0; i < NUM; i++)
		must(vmm_add_buffer(&vmm, VMM_SLOT) >= 0);
	ring_kick(&vmm.q[RX]);
	/* What was written to post them is in the file, and the pages are clean. */
	must(!msync(vmm.mem, VMM_MEM, MS_SYNC));
	for (i = 0; i < NUM; i++) {
		wire_fill(frame, LEN, seed + i);
		must(wire_send(&wire, frame, LEN));
	}
	for (i = 0; i < NUM; i++) {
		must(ring_wait(&vmm.q[RX], 5000));
		heads[i] = ring_reap(&vmm.q[RX], NULL);
		must(heads[i] >= 0);
	}
}

/* What only the page cache had is to be lost, if it was not known to be dirty. */
static void forget_cache(void)
{
	must(!msync(vmm.mem, VMM_MEM, MS_SYNC));
	must(!madvise(vmm.mem, VMM_MEM, MADV_DONTNEED));
	sync();
	wire_write("/proc/sys/vm/drop_caches", "3");
}

static bool file_has(int fd, unsigned int seed, const int *heads)
{
	uint8_t frame[LEN], got[LEN];
	unsigned int i;
	off_t at;

	for (i = 0; i < NUM; i++) {
		wire_fill(frame, LEN, seed + i);
		at = vmm_buffer(&vmm, heads[i]) + VMM_HDR - vmm.mem;
		must(pread(fd, got, LEN, at) == LEN);
		if (memcmp(got, frame, LEN))
			return because("frame %u is not in the file", i);
	}
	return true;
}

/* A page that was written back is clean, and dirty again with the next frame. */
static bool kept_by(int fd, unsigned int rounds)
{
	unsigned int round;
	int heads[NUM];

	for (round = 0; round < rounds; round++) {
		if (round & 1 && vmm_has_counters())
			must(vmm_set_policy(&vmm, "worker"));
		receive_all(round * NUM, heads);
		/* Half of the rounds find pages clean, but mapped. */
		if (round & 2)
			must(!msync(vmm.mem, VMM_MEM, MS_SYNC));
		else
			forget_cache();
		if (!file_has(fd, round * NUM, heads))
			return because("round %u", round);
	}
	return vmm_works(&vmm, &wire);
}

static void run_on_file(int fd)
{
	uint8_t *mem;

	must(fd >= 0);
	must(!ftruncate(fd, VMM_MEM));
	mem = mmap(NULL, VMM_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(mem != MAP_FAILED);
	vmm_open_on(&vmm, VMM_BASIC, NUM, mem);
	vmm_go(&vmm, &wire);
}

static void file_shared(void)
{
	const char *name = "a file on a disk has each frame that came in";
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	run_on_file(fd);
	claim(kept_by(fd, 20), "a file on tmpfs has each frame that came in");
	vmm_close(&vmm);
	close(fd);
	if (!commands(make_disk)) {
		wire_write("/sys/block/zram0/reset", "1");
		skip(name, "no disk could be made");
		return;
	}
	fd = open("/tmp/disk/ram", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	run_on_file(fd);
	claim(kept_by(fd, 40), "%s", name);
	vmm_close(&vmm);
	close(fd);
	must(commands(end_disk));
}

/* Memory that can't be accessed at the moment of a kick: BUGCLASSES E4, A11 */

static uint8_t *part_desc(int q)
{
	return (uint8_t *)vmm.q[q].desc;
}

static uint8_t *part_avail(int q)
{
	return (uint8_t *)vmm.q[q].avail;
}

static uint8_t *part_used(int q)
{
	return (uint8_t *)vmm.q[q].used;
}

static uint8_t *part_buffer(int q)
{
	(void)q;
	return vmm.mem + APART;
}

static uint8_t *part_table(int q)
{
	(void)q;
	return vmm.mem + TABLE;
}

static const struct part {
	const char	*name;
	uint8_t		*(*at)(int q);
	bool		written;	/* to read it is not enough */
	const char	*counter;	/* NULL: a buffer */
} parts[] = {
	{ "descriptors", part_desc, false, "ring_error_access" },
	{ "the avail ring", part_avail, false, "ring_error_access" },
	{ "the used ring", part_used, true, "ring_error_access" },
	{ "an indirect table", part_table, false, "ring_error_address" },
	{ "a buffer", part_buffer, false, NULL },
};

static void offer(int q)
{
	struct vring_desc *table = (void *)(vmm.mem + TABLE);
	struct seg seg = { vmm_gpa(&vmm, table), sizeof(*table),
			   VRING_DESC_F_INDIRECT };

	*table = (struct vring_desc) {
		.addr	= vmm_gpa(&vmm, vmm.mem + APART),
		.len	= VMM_HDR + LEN,
		.flags	= q == RX ? VRING_DESC_F_WRITE : 0,
	};
	must(ring_add(&vmm.q[q], &seg, 1) >= 0);
	ring_publish(&vmm.q[q]);
}

static void come_by(int q)
{
	uint8_t frame[LEN];

	wire_fill(frame, LEN, 78);
	if (q == RX)
		must(wire_send(&wire, frame, LEN));
	ring_signal(vmm.q[q].kick);
}

static bool broke(int q, const char *counter, long long before)
{
	if (!ring_poll(vmm.q[q].err, 5000))
		return because("VRING_ERR is not raised");
	return vmm_counted(&vmm, q, counter, before + 1);
}

static bool dropped(int q, long long before)
{
	return !vmm_has_counters() ||
	       vmm_wait_counter(&vmm, q, "drop_fault", before + 1);
}

static bool refused(const struct part *part, int q, int prot)
{
	const char *counter = part->counter ?: "drop_fault";
	long long before = vmm_counter(&vmm, q, counter);
	uint8_t *at = part->at(q);
	bool good;

	offer(q);
	must(!mprotect(at, 0x1000, prot));
	come_by(q);
	good = part->counter ? broke(q, counter, before) : dropped(q, before);
	good = (q == RX ? vmm_try_tx(&vmm, &wire, 200, 1) :
			  vmm_try_rx(&vmm, &wire, 200, 1)) && good;
	must(!mprotect(at, 0x1000, PROT_READ | PROT_WRITE));
	return heals(q) && good;
}

static bool refused_by_all(const struct part *part, int q, int prot)
{
	static const char * const policies[] = { "inline", "worker", "softirq", "adaptive" };
	unsigned int i;

	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		must(vmm_set_policy(&vmm, policies[i]));
		if (!refused(part, q, prot))
			return because("policy %s", policies[i]);
	}
	return true;
}

static void inaccessible(void)
{
	static const char * const queues[] = { "RX", "TX" };
	const struct part *part;
	unsigned int i;
	int q;

	if (!vmm_has_counters())
		return;
	vmm_run(&vmm, &wire, VMM_BASIC | VMM_INDIRECT, NUM);
	for (q = RX; q <= TX; q++) {
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			part = &parts[i];
			claim(refused_by_all(part, q, PROT_NONE),
			      "%s: %s out of reach, which heals", queues[q],
			      part->name);
			if (part->written || (q == RX && !part->counter))
				claim(refused_by_all(part, q, PROT_READ),
				      "%s: %s read-only, which heals",
				      queues[q], part->name);
		}
	}
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	read_only();
	file_shared();
	inaccessible();
	wire_close(&wire);
	return report_end();
}
