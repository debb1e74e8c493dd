// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "kselftest/ring/oracle.h"

struct step {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static const struct vhost_iotlb_map *region_of(const struct vhost_iotlb *mem,
					       u64 addr)
{
	unsigned int i;

	for (i = 0; i < mem->nmaps; i++)
		if (addr >= mem->maps[i].start && addr <= mem->maps[i].last)
			return &mem->maps[i];
	return NULL;
}

/* All in 128 bits, where nothing overflows. */
int oracle_translate(const struct vhost_iotlb *mem, u64 addr, u32 len,
		     struct iovec *iov, unsigned int max,
		     enum vfp_fault *fault)
{
	unsigned __int128 at = addr, part, end = (unsigned __int128)addr + len;
	const struct vhost_iotlb_map *map;
	unsigned int n = 0;

	*fault = VFP_FAULT_ADDRESS;
	if (len && end > (unsigned __int128)1 << 64)
		return -EIO;
	while (at < end) {
		if (n == max) {
			*fault = VFP_FAULT_TOO_LONG;
			return -EIO;
		}
		map = region_of(mem, at);
		if (!map)
			return -EIO;
		part = (unsigned __int128)map->last + 1 - at;
		if (part > end - at)
			part = end - at;
		if (mem->bytes)
			part = 1;
		iov[n].iov_base = (void *)(unsigned long)
				  (map->addr + (u64)(at - map->start));
		iov[n++].iov_len = part;
		at += part;
	}
	*fault = VFP_FAULT_NONE;
	return n;
}

static struct step parse(const u8 *desc)
{
	struct step step;

	memcpy(&step, desc, sizeof(step));
	return step;
}

/* A descriptor of a table, byte by byte. */
static bool read_table(const struct rig *rig, u64 addr, unsigned int i,
		       struct step *step)
{
	unsigned __int128 at = (unsigned __int128)addr + 16 * i;
	enum vfp_fault fault;
	struct iovec byte;
	u8 desc[16];
	unsigned int k;

	for (k = 0; k < 16; k++, at++) {
		if (at >> 64 || oracle_translate(&rig->mem, at, 1, &byte, 1,
						 &fault) < 0)
			return false;
		if (!shim_reachable(byte.iov_base, 1))
			return false;
		desc[k] = *(u8 *)byte.iov_base;
	}
	*step = parse(desc);
	return true;
}

static bool add(const struct rig *rig, const struct step *step,
		struct oracle *o)
{
	unsigned int n = o->nr_out + o->nr_in;
	int ret;

	/* What has no bytes has no place in the order, either. */
	o->fault = VFP_FAULT_ORDER;
	if (!(step->flags & DRV_F_WRITE) && o->nr_in)
		return false;
	ret = oracle_translate(&rig->mem, step->addr, step->len, o->iov + n,
			       rig->chain.max - n, &o->fault);
	if (ret < 0)
		return false;
	if (step->flags & DRV_F_WRITE) {
		o->nr_in += ret;
		o->in_len += step->len;
	} else {
		o->nr_out += ret;
		o->out_len += step->len;
	}
	return true;
}

static enum vfp_fault judge_table(const struct rig *rig,
				  const struct step *table)
{
	if (!rig->ring.indirect || !table->len || table->len % 16 ||
	    table->flags & DRV_F_NEXT)
		return VFP_FAULT_INDIRECT;
	if ((unsigned __int128)table->addr + table->len >
	    (unsigned __int128)1 << 64)
		return VFP_FAULT_ADDRESS;
	return VFP_FAULT_NONE;
}

/*
 * The one walk, in the ring or, with @table, in a table of @num descriptors.
 * Tables may be longer than any chain; those of VFP_MAX_SEGS and beyond are
 * cut off there, as the engine says it does.
 */
static void walk(const struct rig *rig, const struct step *table,
		 unsigned int num, u16 head, struct oracle *o)
{
	struct step step;
	unsigned int taken;

	for (taken = 0; taken < num; taken++) {
		o->fault = table ? VFP_FAULT_ADDRESS : VFP_FAULT_RING_ACCESS;
		if (!table && !shim_reachable(rig->drv.desc + 16 * head, 16))
			return;
		if (!table)
			step = parse(rig->drv.desc + 16 * head);
		else if (!read_table(rig, table->addr, head, &step))
			return;
		if (step.flags & DRV_F_INDIRECT) {
			o->fault = table ? VFP_FAULT_INDIRECT :
					   judge_table(rig, &step);
			if (o->fault)
				return;
			num = step.len / 16 < VFP_MAX_SEGS ? step.len / 16 :
							     VFP_MAX_SEGS;
			walk(rig, &step, num, 0, o);
			return;
		}
		if (!add(rig, &step, o))
			return;
		if (!(step.flags & DRV_F_NEXT))
			return;
		o->fault = VFP_FAULT_NEXT;
		head = step.next;
		if (head >= num)
			return;
	}
	o->fault = VFP_FAULT_LOOP;
}

void oracle_walk(const struct rig *rig, u16 head, struct oracle *oracle)
{
	oracle->nr_out = 0;
	oracle->nr_in = 0;
	oracle->out_len = 0;
	oracle->in_len = 0;
	walk(rig, NULL, rig->drv.num, head, oracle);
}

bool oracle_head(const struct rig *rig, u16 *head)
{
	u16 slot = rig->ring.last_avail % rig->drv.num;

	memcpy(head, rig->drv.avail + 4 + 2 * slot, 2);
	return *head < rig->drv.num;
}

/* 2.7.7.2: if the entry that it names is among those that were written. */
bool oracle_event(u16 event, u16 idx, u16 old)
{
	u16 i;

	for (i = old; i != idx; i++)
		if (i == event)
			return true;
	return false;
}

void oracle_compare(const struct rig *rig, const struct oracle *oracle)
{
	const struct vfp_chain *chain = &rig->chain;
	unsigned int i;

	expect_eq(chain->nr_out, oracle->nr_out);
	expect_eq(chain->nr_in, oracle->nr_in);
	expect_eq(chain->out_len, oracle->out_len);
	expect_eq(chain->in_len, oracle->in_len);
	for (i = 0; i < oracle->nr_out + oracle->nr_in && !tap_failed(); i++) {
		expect_eq(chain->iov[i].iov_base, oracle->iov[i].iov_base);
		expect_eq(chain->iov[i].iov_len, oracle->iov[i].iov_len);
	}
}
