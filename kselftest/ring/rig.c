// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "kselftest/ring/rig.h"

static void map_all(struct rig *rig)
{
	struct drv *drv = &rig->drv;

	shim_map(drv->desc, drv_desc_size(drv->num));
	shim_map(drv->avail, drv_avail_size(drv->num));
	shim_map(drv->used, drv_used_size(drv->num));
	shim_map(rig->ram, RIG_RAM);
}

void rig_init(struct rig *rig, unsigned int num, unsigned int flags, u16 base)
{
	struct drv *drv = &rig->drv;

	memset(rig, 0, sizeof(*rig));
	drv_init(drv, num, flags & RIG_EVENT_IDX, base);
	rig->ram = calloc(1, RIG_RAM);
	map_all(rig);
	rig_region(rig, RIG_GPA, RIG_GPA + RIG_RAM - 1, 0);
	rig->chain.iov = rig->iov;
	rig->chain.max = VFP_MAX_SEGS;
	rig->ring = (struct vfp_ring) {
		.cache = &rig->cache,
		.num = num,
		.desc = (void *)drv->desc,
		.avail = (void *)drv->avail,
		.used = (void *)drv->used,
		.event_idx = flags & RIG_EVENT_IDX,
		.indirect = flags & RIG_INDIRECT,
	};
	vfp_ring_set_mem(&rig->ring, &rig->mem);
	vfp_ring_set_base(&rig->ring, base);
	expect_eq(vfp_ring_start(&rig->ring), 0);
}

void rig_exit(struct rig *rig)
{
	shim_unmap(rig->drv.desc);
	shim_unmap(rig->drv.avail);
	shim_unmap(rig->drv.used);
	shim_unmap(rig->ram);
	drv_exit(&rig->drv);
	free(rig->ram);
}

void rig_init_packed(struct rig *rig, unsigned int num, unsigned int flags,
		     unsigned int index, bool wrap)
{
	struct pdrv *drv = &rig->pdrv;
	u32 pos = index | wrap << 15;

	memset(rig, 0, sizeof(*rig));
	pdrv_init(drv, num, flags & RIG_EVENT_IDX, index, wrap);
	rig->ram = calloc(1, RIG_RAM);
	shim_map(drv->ring, pdrv_ring_size(num));
	shim_map(drv->driver_event, PDRV_EVENT_SIZE);
	shim_map(drv->device_event, PDRV_EVENT_SIZE);
	shim_map(rig->ram, RIG_RAM);
	rig_region(rig, RIG_GPA, RIG_GPA + RIG_RAM - 1, 0);
	rig->chain.iov = rig->iov;
	rig->chain.max = VFP_MAX_SEGS;
	rig->ring = (struct vfp_ring) {
		.cache = &rig->cache,
		.num = num,
		.packed = true,
		.packed_desc = (void *)drv->ring,
		.driver_event = (void *)drv->driver_event,
		.device_event = (void *)drv->device_event,
		.event_idx = flags & RIG_EVENT_IDX,
		.indirect = flags & RIG_INDIRECT,
	};
	vfp_ring_set_mem(&rig->ring, &rig->mem);
	vfp_ring_set_base(&rig->ring, pos | pos << 16);
	expect_eq(vfp_ring_start(&rig->ring), 0);
}

void rig_exit_packed(struct rig *rig)
{
	shim_unmap(rig->pdrv.ring);
	shim_unmap(rig->pdrv.driver_event);
	shim_unmap(rig->pdrv.device_event);
	shim_unmap(rig->ram);
	pdrv_exit(&rig->pdrv);
	free(rig->ram);
}

void rig_no_regions(struct rig *rig)
{
	rig->mem.nmaps = 0;
	vfp_ring_set_mem(&rig->ring, &rig->mem);
}

void rig_region(struct rig *rig, u64 start, u64 last, u64 offset)
{
	if (rig->mem.nmaps == SHIM_MAX_MAPS)
		abort();
	rig->mem.maps[rig->mem.nmaps++] = (struct vhost_iotlb_map) {
		.start = start,
		.last = last,
		.addr = (unsigned long)rig->ram + offset,
	};
}

int rig_pop(struct rig *rig)
{
	shim_forget();
	return vfp_ring_pop(&rig->ring, &rig->chain);
}

void rig_desc(struct rig *rig, unsigned int i, u64 addr, u32 len, u16 flags,
	      u16 next)
{
	drv_put_desc(rig->drv.desc, i, addr, len, flags, next);
}

void rig_table(struct rig *rig, unsigned int i, u64 addr, u32 len, u16 flags,
	       u16 next)
{
	drv_put_desc(rig->ram + RIG_TABLE, i, addr, len, flags, next);
}

void rig_offer(struct rig *rig, u16 head)
{
	drv_offer(&rig->drv, head);
	drv_publish(&rig->drv);
}

static void start_again(struct rig *rig)
{
	vfp_ring_set_base(&rig->ring, rig->drv.offered);
	expect_eq(vfp_ring_start(&rig->ring), 0);
}

/* Afterwards the ring is as if the chain had never been. */
void rig_expect_fault(struct rig *rig, enum vfp_fault want, const char *file,
		      int line)
{
	u16 before = rig->ring.last_avail;
	int ret = rig_pop(rig);
	int want_ret = want ? -EIO : 1;
	u16 want_taken = want ? 0 : 1;

	if (ret != want_ret)
		tap_differ(file, line, "vfp_ring_pop()", ret, want_ret);
	if (rig->ring.fault != want)
		tap_differ(file, line, "ring.fault", rig->ring.fault, want);
	if ((u16)(rig->ring.last_avail - before) != want_taken)
		tap_differ(file, line, "chains taken",
			   (u16)(rig->ring.last_avail - before), want_taken);
	if (shim.writes)
		tap_differ(file, line, "writes by pop", shim.writes, 0);
	start_again(rig);
}

size_t rig_gather(const struct vfp_chain *chain, u8 *buf, size_t max)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < chain->nr_out; i++) {
		const struct iovec *seg = &chain->iov[i];

		if (seg->iov_len > max - len)
			break;
		if (copy_from_user(buf + len, seg->iov_base, seg->iov_len))
			break;
		len += seg->iov_len;
	}
	return len;
}

size_t rig_scatter(const struct vfp_chain *chain, const u8 *buf, size_t len)
{
	const struct iovec *seg = chain->iov + chain->nr_out;
	size_t n, done = 0;
	unsigned int i;

	for (i = 0; i < chain->nr_in && done < len; i++, seg++) {
		n = seg->iov_len < len - done ? seg->iov_len : len - done;
		if (copy_to_user(seg->iov_base, buf + done, n))
			break;
		done += n;
	}
	return done;
}

int rig_push_packed(struct rig *rig, u32 len)
{
	struct vfp_used used = {
		.id = rig->chain.id,
		.slots = rig->chain.slots,
		.len = len,
	};

	return vfp_ring_push(&rig->ring, &used, 1);
}

bool rig_comes_back(struct rig *rig, u16 id, u32 len)
{
	u16 got_id = ~0, flags = 0;
	u32 got_len = ~0;

	if (!pdrv_take(&rig->pdrv, &got_id, &got_len, &flags))
		return false;
	expect_eq(got_id, id);
	/* The length of what was not written to is reserved. */
	expect_eq(!!(flags & DRV_F_WRITE), !!len);
	expect(!len || got_len == len);
	return true;
}

void rig_bufs(unsigned int i, unsigned int n, struct drv_buf *bufs)
{
	unsigned int k;

	for (k = 0; k < n; k++)
		bufs[k] = (struct drv_buf) { RIG_GPA + 64 * i + k, i + 1, false };
}

void rig_expect_chain(struct rig *rig, unsigned int i, unsigned int n)
{
	unsigned int k;

	expect_eq(rig_pop(rig), 1);
	expect_eq(rig->chain.nr_out, n);
	for (k = 0; k < n && !tap_failed(); k++) {
		expect_eq(rig->iov[k].iov_base, rig->ram + 64 * i + k);
		expect_eq(rig->iov[k].iov_len, i + 1);
	}
}
