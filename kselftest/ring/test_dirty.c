// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: each page of the guest that was written to has its bit set, after the
 * write; and no other.
 */
#include <linux/mm.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/rig.h"
#include "kselftest/ring/tests.h"

/* Two pages of the process; @used is where the guest sees the device area. */
#define LOG_BYTES	(2 * PAGE_SIZE)
#define USED_GPA	0x200ff4ULL
#define DESC_GPA	0x300000ULL
#define MAX_WRITTEN	4096

/* What the engine wrote to the ring, and the bit that tells; see on_event(). */
static struct {
	struct rig	*rig;
	u8		*log;
	u64		written[MAX_WRITTEN];
	unsigned int	n;
} dirty;

static bool is_set(u64 addr)
{
	u64 page = addr / VFP_LOG_PAGE;

	return dirty.log[page / 8] >> page % 8 & 1;
}

static void clear(u64 addr)
{
	u64 page = addr / VFP_LOG_PAGE;

	dirty.log[page / 8] &= ~(1 << page % 8);
}

static unsigned int bits(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < LOG_BYTES; i++)
		n += __builtin_popcount(dirty.log[i]);
	return n;
}

/* Where the guest has what the engine writes to; 0: it is not of the guest. */
static u64 guest_address(const void *at)
{
	const struct rig *rig = dirty.rig;
	const void *descs = rig->ring.packed_desc;

	if (!rig->ring.packed)
		return USED_GPA + (at - (const void *)rig->ring.used);
	if (at >= descs && at < descs + pdrv_ring_size(rig->ring.num))
		return DESC_GPA + (at - descs);
	return USED_GPA + (at - (const void *)rig->ring.device_event);
}

/*
 * The VMM takes the bit away just before the write: so it is set only if it is set
 * afterwards.
 */
static void on_event(enum shim_event event, const void *at)
{
	u64 addr;

	if (event != SHIM_WRITE)
		return;
	addr = guest_address(at);
	clear(addr);
	expect(dirty.n < MAX_WRITTEN);
	dirty.written[dirty.n++] = addr;
}

static void expect_logged(void)
{
	expect(dirty.n);
	while (dirty.n--)
		expect(is_set(dirty.written[dirty.n]));
	dirty.n = 0;
	expect(dirty.rig->ring.logged);
	dirty.rig->ring.logged = false;
}

static void begin(struct rig *rig)
{
	dirty.rig = rig;
	dirty.log = aligned_alloc(PAGE_SIZE, LOG_BYTES);
	memset(dirty.log, 0, LOG_BYTES);
	dirty.n = 0;
	shim_map(dirty.log, LOG_BYTES);
	rig->ring.log = (unsigned long)dirty.log;
	rig->ring.log_addr = USED_GPA;
	rig->ring.log_ring = true;
}

static void end(void)
{
	shim.on_event = NULL;
	shim_unmap(dirty.log);
	free(dirty.log);
}

static void add_region(struct rig *rig, u64 start, u64 len, const void *at)
{
	rig->mem.maps[rig->mem.nmaps++] = (struct vhost_iotlb_map) {
		start, start + len - 1, (unsigned long)at,
	};
}

static void start_packed(struct rig *rig, unsigned int num, unsigned int flags)
{
	rig_init_packed(rig, num, flags, 0, true);
	begin(rig);
	add_region(rig, DESC_GPA, pdrv_ring_size(num), rig->ring.packed_desc);
}

/* Chains come, go back so many at a time, and kicks are turned on and off. */
static void work(struct rig *rig, unsigned int rounds, unsigned int batch)
{
	static const struct drv_buf one = { RIG_GPA, 1, true };
	struct vfp_used used[8];
	unsigned int i, n;
	u16 id, flags;
	u32 len, head;

	shim.on_event = on_event;
	expect_eq(vfp_ring_start(&rig->ring), 0);
	expect_logged();
	for (i = 0; i < rounds && !tap_failed(); i++) {
		for (n = 0; n < batch; n++) {
			if (rig->ring.packed)
				expect(pdrv_send(&rig->pdrv, &one, 1, n));
			else
				expect(drv_send(&rig->drv, &one, 1) >= 0);
			expect_eq(rig_pop(rig), 1);
			used[n] = (struct vfp_used) {
				rig->chain.id, rig->chain.slots, 1,
			};
		}
		expect_eq(vfp_ring_push(&rig->ring, used, batch), 0);
		expect_logged();
		expect_eq(vfp_ring_publish(&rig->ring), 1);
		expect_logged();
		expect(vfp_ring_notify_on(&rig->ring) >= 0);
		expect_eq(vfp_ring_notify_off(&rig->ring), 0);
		expect_logged();
		while (rig->ring.packed ? pdrv_take(&rig->pdrv, &id, &len, &flags) :
		       drv_take(&rig->drv, &head, &len))
			;
	}
	shim.on_event = NULL;
}

static void test_split(void)
{
	unsigned int num, flags, batch;
	struct rig rig;

	for (num = 8; num <= 1024; num *= 2)
		for (flags = 0; flags <= RIG_EVENT_IDX; flags++)
			for (batch = 1; batch <= 8; batch++) {
				tap_case("num %u, flags %u, by %u", num, flags, batch);
				rig_init(&rig, num, flags, 65530);
				begin(&rig);
				work(&rig, 2 * num / batch + 3, batch);
				end();
				rig_exit(&rig);
			}
}

static void test_in_order(void)
{
	struct rig rig;

	rig_init(&rig, 16, 0, 0);
	begin(&rig);
	rig.ring.in_order = true;
	work(&rig, 40, 5);
	end();
	rig_exit(&rig);
	start_packed(&rig, 16, 0);
	rig.ring.in_order = true;
	/* This driver does not know of chains that are given back by another's id. */
	work(&rig, 3, 5);
	end();
	rig_exit_packed(&rig);
}

static void test_packed(void)
{
	unsigned int num, flags, batch;
	struct rig rig;

	for (num = 8; num <= 1000; num = num * 2 + 1)
		for (flags = 0; flags <= RIG_EVENT_IDX; flags++)
			for (batch = 1; batch <= 8; batch++) {
				tap_case("num %u, flags %u, by %u", num, flags, batch);
				start_packed(&rig, num, flags);
				work(&rig, 2 * num / batch + 3, batch);
				end();
				rig_exit_packed(&rig);
			}
}

/* Pages of the guest from @first to @last, and no others, are logged. */
static void expect_pages(u64 first, u64 last)
{
	u64 page;

	for (page = first; page <= last; page++)
		expect(is_set(page * VFP_LOG_PAGE));
	expect_eq(bits(), last - first + 1);
}

static void test_buffers(void)
{
	unsigned int offset, len;
	struct iovec iov[3];
	struct rig rig;

	rig_init(&rig, 8, 0, 0);
	begin(&rig);
	for (offset = 4090; offset < 4100; offset++)
		for (len = 1; len < 9000; len += len < 20 ? 1 : 1021) {
			tap_case("at %u, %u bytes", offset, len);
			memset(dirty.log, 0, LOG_BYTES);
			/* One of no bytes, and more room than was written to. */
			iov[0] = (struct iovec) { rig.ram, 0 };
			iov[1] = (struct iovec) { rig.ram + offset, (len + 1) / 2 };
			iov[2] = (struct iovec) { rig.ram + offset + (len + 1) / 2,
						  65536 };
			expect_eq(vfp_log_buffers(&rig.ring, iov, len), 0);
			expect_pages((RIG_GPA + offset) / VFP_LOG_PAGE,
				     (RIG_GPA + offset + len - 1) / VFP_LOG_PAGE);
		}
	memset(dirty.log, 0, LOG_BYTES);
	expect_eq(vfp_log_buffers(&rig.ring, iov, 0), 0);
	expect_eq(bits(), 0);
	end();
	rig_exit(&rig);
}

/* Two views of the same memory are logged, each; and so is a page of the log's end. */
static void test_regions(void)
{
	const u64 last = LOG_BYTES * 8 / 2 - 1;	/* in the log's first page */
	struct iovec iov;
	struct rig rig;

	rig_init(&rig, 8, 0, 0);
	begin(&rig);
	rig_no_regions(&rig);
	add_region(&rig, last * VFP_LOG_PAGE, 3 * VFP_LOG_PAGE, rig.ram);
	iov = (struct iovec) { rig.ram, 3 * VFP_LOG_PAGE };
	expect_eq(vfp_log_buffers(&rig.ring, &iov, iov.iov_len), 0);
	expect_pages(last, last + 2);
	add_region(&rig, 0x1000, 0x1000, rig.ram + 0x1000);
	iov = (struct iovec) { rig.ram + 0x1fff, 1 };
	memset(dirty.log, 0, LOG_BYTES);
	expect_eq(vfp_log_buffers(&rig.ring, &iov, 1), 0);
	expect_eq(bits(), 2);
	expect(is_set(0x1000) && is_set((last + 1) * VFP_LOG_PAGE));
	end();
	rig_exit(&rig);
}

static void test_off(void)
{
	struct rig rig;

	rig_init(&rig, 8, 0, 0);
	begin(&rig);
	rig.ring.log_ring = false;
	expect(drv_send(&rig.drv, &(struct drv_buf){ RIG_GPA, 1, true }, 1) >= 0);
	expect_eq(rig_pop(&rig), 1);
	expect_eq(rig_push(&rig.ring, rig.chain.id, 1), 0);
	expect_eq(vfp_ring_publish(&rig.ring), 1);
	expect(vfp_ring_notify_on(&rig.ring) >= 0);
	expect_eq(bits(), 0);
	expect(!rig.ring.logged);
	end();
	rig_exit(&rig);
}

static void expect_log_fault(struct rig *rig, int ret, int want)
{
	expect_eq(ret, want);
	expect_eq(rig->ring.fault, VFP_FAULT_LOG);
	rig->ring.fault = VFP_FAULT_NONE;
}

/* What a log that is not there does to each of them: what was written has been. */
static void no_log(struct rig *rig)
{
	struct vfp_used used[2] = { { .id = 0, .slots = 1 }, { .id = 1, .slots = 1 } };
	struct iovec iov = { rig->ram, 1 };
	u16 next = rig->ring.next_used;

	rig->ring.log = 1 << 20;
	expect_log_fault(rig, vfp_ring_start(&rig->ring), -EIO);
	expect_log_fault(rig, vfp_log_buffers(&rig->ring, &iov, 1), -EIO);
	expect_log_fault(rig, vfp_ring_notify_on(&rig->ring), -EIO);
	expect_log_fault(rig, vfp_ring_push(&rig->ring, used, 1), 0);
	expect_log_fault(rig, vfp_ring_push(&rig->ring, used, 2), 0);
	expect_eq(rig->ring.next_used, next + 3);
	rig->ring.log = ~0ULL;	/* there is no address that far behind it */
	expect_log_fault(rig, vfp_ring_publish(&rig->ring), 1);
	expect_eq(rig->ring.used_idx, next + 3);
}

static void test_no_log(void)
{
	struct rig rig;

	rig_init(&rig, 8, 0, 0);
	begin(&rig);
	no_log(&rig);
	rig.ring.log = (unsigned long)dirty.log;
	rig.ring.log_addr = ~0ULL - 2;	/* the used ring would wrap around */
	expect_log_fault(&rig, rig_push(&rig.ring, 0, 0), 0);
	end();
	rig_exit(&rig);
	start_packed(&rig, 8, 0);
	no_log(&rig);
	end();
	rig_exit_packed(&rig);
}

static void test_log_ok(void)
{
	const u64 top = 1ULL << 47;

	expect(vfp_log_ok(0, 0, 1));
	expect(vfp_log_ok(top - 1, 0, 8 * VFP_LOG_PAGE));
	expect(!vfp_log_ok(top - 1, 0, 8 * VFP_LOG_PAGE + 1));
	expect(!vfp_log_ok(top - 1, 8 * VFP_LOG_PAGE, 1));
	expect(!vfp_log_ok(~0ULL, 8 * VFP_LOG_PAGE, 1));
	expect(!vfp_log_ok(0, top * 8 * VFP_LOG_PAGE, 1));
}

const struct test dirty_tests[] = {
	{ "what is written to a used ring is logged afterwards", test_split, NULL },
	{ "so it is where one entry stands for many", test_in_order, NULL },
	{ "what is written to a packed ring is logged afterwards", test_packed, NULL },
	{ "what is written to buffers is logged, and nothing else", test_buffers, NULL },
	{ "so it is in each region that shows it, wherever its bits are", test_regions, NULL },
	{ "a ring that is not to be logged is not", test_off, NULL },
	{ "a log that can't be written to is a fault, and what is written stays",
	  test_no_log, NULL },
	{ "a log that no process can have is refused", test_log_ok, NULL },
	{ },
};
