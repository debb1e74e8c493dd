// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds of the engine for every guest: any value at every read, any access
 * that fails, any state of the ring that the engine can have come to.  Checked
 * by CBMC, which ./prove runs; bounds and pointers are its own checks.
 */
#include <string.h>

#include "virtio-fastpath/memory.h"

#define claim(cond)	__CPROVER_assert(cond, #cond)
#define assume(cond)	__CPROVER_assume(cond)

u16 nondet_u16(void);

static struct vhost_iotlb_map region;

struct vhost_iotlb_map *vhost_iotlb_itree_first(struct vhost_iotlb *iotlb,
						u64 start, u64 last)
{
	(void)iotlb;
	if (nondet_bool())
		return NULL;
	region.start = nondet_u64();
	region.last = nondet_u64();
	region.addr = nondet_u64();
	assume(region.start <= start && last <= region.last);
	return &region;
}

unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	u8 *bytes = to;
	unsigned long i;

	(void)from;
	for (i = 0; i < n; i++)
		bytes[i] = nondet_u64();
	return nondet_bool() ? n : 0;
}

static struct vfp_cache cache;

static void any_ring(struct vfp_ring *ring, bool packed)
{
	memset(ring, 0, sizeof(*ring));
	ring->packed = packed;
	ring->num = nondet_u64();
	assume(ring->num && ring->num <= PROVE_NUM);
	assume(packed || !(ring->num & (ring->num - 1)));
	ring->event_idx = nondet_bool();
	ring->indirect = nondet_bool();
	ring->in_order = nondet_bool();
	ring->cache = &cache;
	ring->mem = (struct vhost_iotlb *)1;
	vfp_ring_set_base(ring, (u32)nondet_u64());
	assume(!vfp_ring_start(ring));
}

/* What is decided on calls and kicks, and where used entries go. */
static void gives(bool packed)
{
	struct vfp_used used[2];
	struct vfp_ring ring;
	int ret;

	any_ring(&ring, packed);
	used[0] = (struct vfp_used) { nondet_u16(), nondet_u16(), nondet_u64() };
	used[1] = (struct vfp_used) { nondet_u16(), nondet_u16(), nondet_u64() };
	/* As they were popped: no more than the ring has. */
	assume(used[0].slots && used[1].slots &&
	       used[0].slots + used[1].slots <= ring.num);
	ret = vfp_ring_push(&ring, used, 1 + nondet_bool());
	claim(ret == 0 || (ret == -EIO && ring.next_used == ring.used_idx));
	claim(!packed || (ring.next_used & 0x7fff) < ring.num);
	if (ret)
		return;
	ret = vfp_ring_publish(&ring);
	claim(ret == 1 || ret == -EIO);
	claim(ret < 0 || ring.used_idx == ring.next_used);
	if (ret == 1)
		claim(vfp_ring_need_call(&ring) || ring.called_valid ||
		      !ring.event_idx);
	ret = vfp_ring_notify_on(&ring);
	claim(ret == 0 || ret == 1 || ret == -EIO);
	ret = vfp_ring_notify_off(&ring);
	claim(ret == 0 || ret == -EIO);
}

void split_gives(void)	{ gives(false); }
void packed_gives(void)	{ gives(true); }
