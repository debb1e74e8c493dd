// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was set comes back, and what is offered can be set: on our device, and
 * on /dev/vhost-net where there is one.
 */
#include "kselftest/states.h"

static bool features_are(const char *device, uint64_t *offered)
{
	struct vmm vmm;
	unsigned int i;
	uint64_t bit;
	bool good = true;
	int err;

	vmm_device = device;
	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, OWNED);
	must(!vmm_ioctl(vmm.dev, VHOST_GET_FEATURES, offered));
	for (i = 0; i < 64; i++) {
		bit = BIT64(i);
		err = vmm_ioctl(vmm.dev, VHOST_SET_FEATURES, &bit);
		if (err != (*offered & bit ? 0 : -EOPNOTSUPP))
			good = because("%s: bit %u: %d", device, i, -err);
	}
	vmm_close(&vmm);
	return good;
}

/*
 * Of what vhost-net offers we lack only what is known to be missing; and what
 * we have beyond is known, too.
 */
static void features(void)
{
	uint64_t ours, vhosts, missing = BIT64(VIRTIO_F_NOTIFY_ON_EMPTY) |
		BIT64(VIRTIO_F_ACCESS_PLATFORM);
	/* No vhost-net has the first, older ones lack the others. */
	uint64_t more = BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER) |
			BIT64(VIRTIO_F_RING_RESET);

	claim(features_are(VMM_DEVICE, &ours),
	      "just those features can be set that are offered");
	claim(!(ours & missing) || because("0x%llx", (long long)(ours & missing)),
	      "no feature is offered that is not implemented");
	if (access(ORACLE, R_OK | W_OK))
		return;
	claim(features_are(ORACLE, &vhosts), "so it is with vhost-net");
	claim((ours | missing) == (vhosts | missing | more) ||
	      because("ours 0x%llx, vhost's 0x%llx", (long long)ours,
		      (long long)vhosts),
	      "all other features of vhost-net are offered");
}

static bool bases_come_back(void)
{
	static const uint16_t bases[] = { 0, 1, 255, 256, 32768, 65535 };
	struct vmm vmm;
	unsigned int i;
	bool good = true;

	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, READY);
	for (i = 0; i < COUNT(bases); i++) {
		must(!vmm_set_state(&vmm, VHOST_SET_VRING_BASE, RX, bases[i]));
		must(!vmm_set_state(&vmm, VHOST_SET_VRING_BASE, TX, ~bases[i] & 0xffff));
		good = equal(vmm_get_base(&vmm, RX), bases[i], "RX") && good;
		good = equal(vmm_get_base(&vmm, TX), ~bases[i] & 0xffff, "TX") && good;
	}
	vmm_close(&vmm);
	return good;
}

/* Virtio 1.3, section 2.8: any size, and a base of two positions. */
static bool packed_sizes(void)
{
	static const struct {
		unsigned int	num;
		int		err;
	} sizes[] = {
		{ 1, 0 }, { 3, 0 }, { 100, 0 }, { 32767, 0 }, { 32768, 0 },
		{ 0, -EINVAL }, { 32769, -EINVAL }, { 65536, -EINVAL },
	};
	struct vmm vmm;
	unsigned int i;
	bool good = true;

	vmm_open(&vmm, VMM_BASIC | BIT64(VIRTIO_F_RING_PACKED), 256);
	enter(&vmm, READY);
	for (i = 0; i < COUNT(sizes); i++)
		good = equal(vmm_set_state(&vmm, VHOST_SET_VRING_NUM, RX,
					   sizes[i].num),
			     sizes[i].err, "size") && good;
	vmm_close(&vmm);
	return good;
}

static bool packed_bases(void)
{
	static const struct {
		unsigned int	base;
		unsigned int	then;
		int		err;	/* of the start */
	} bases[] = {
		{ 0x80008000, 0x80008000, 0 }, { 0x80ff80ff, 0x80ff80ff, 0 },
		{ 0x00050005, 0x00050005, 0 }, { 0x00008000, 0x80008000, 0 },
		{ 0x81008100, 0x81008100, -EFAULT },
		{ 0x80058000, 0x80058000, -EFAULT },
	};
	struct vmm vmm;
	unsigned int i;
	bool good = true;

	for (i = 0; i < COUNT(bases); i++) {
		vmm_open(&vmm, VMM_BASIC | BIT64(VIRTIO_F_RING_PACKED), 256);
		enter(&vmm, READY);
		good = equal(vmm_set_state(&vmm, VHOST_SET_VRING_BASE, TX,
					   bases[i].base), 0, "base") &&
		       equal(vmm_get_base(&vmm, TX), (int)bases[i].base, "then") &&
		       equal(vmm_backend(&vmm, TX, wire.tap), bases[i].err,
			     "start") &&
		       equal(vmm_get_base(&vmm, TX), (int)bases[i].then,
			     "started") && good;
		vmm_close(&vmm);
	}
	return good;
}

/* The format is chosen last, and the size is none of it. */
static bool size_of_other_format(void)
{
	struct vmm vmm;
	bool good;

	vmm_open(&vmm, VMM_BASIC | BIT64(VIRTIO_F_RING_PACKED), 256);
	enter(&vmm, READY);
	must(!vmm_set_state(&vmm, VHOST_SET_VRING_NUM, TX, 100));
	vmm.features = VMM_BASIC;
	must(!vmm_set_features(&vmm));
	good = equal(vmm_backend(&vmm, TX, wire.tap), -EINVAL, "start") &&
	       equal(vmm_set_state(&vmm, VHOST_SET_VRING_BASE, TX, 0x80008000),
		     -EINVAL, "base") &&
	       !vmm_set_ring(&vmm, TX) && !vmm_start(&vmm, wire.tap) &&
	       vmm_works(&vmm, &wire);
	vmm_close(&vmm);
	return good;
}

static int get_busyloop(struct vmm *vmm, int q)
{
	struct vhost_vring_state state = { .index = q, .num = 77 };

	must(!vmm_ioctl(vmm->dev, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state));
	return equal(state.index, q, "index") ? (int)state.num : -1;
}

static bool busyloop_comes_back(void)
{
	struct vmm vmm;
	bool good;

	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, READY);
	good = equal(get_busyloop(&vmm, RX), 0, "at first");
	must(!vmm_set_state(&vmm, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, RX, 50));
	must(!vmm_set_state(&vmm, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, TX, 60));
	good = equal(get_busyloop(&vmm, RX), 50, "RX") &&
	       equal(get_busyloop(&vmm, TX), 60, "TX") && good;
	vmm_close(&vmm);
	return good;
}

/* Where a queue that ran was stopped, it can be started again. */
static bool base_follows_the_ring(void)
{
	struct vmm vmm;
	unsigned int i;
	bool good = true;

	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, RUNNING);
	for (i = 0; i < 300 && good; i++)
		good = vmm_try_tx(&vmm, &wire, 60, i);
	good = good && equal(-vmm_stop(&vmm), 0, "stop") &&
	       equal(vmm_get_base(&vmm, TX), 300, "base") &&
	       equal(-vmm_start(&vmm, wire.tap), 0, "start") &&
	       vmm_try_tx(&vmm, &wire, 60, i) &&
	       equal(vmm_get_base(&vmm, TX), 301, "base while running");
	vmm_close(&vmm);
	return good;
}

/* An owner that is gone by RESET_OWNER may be followed by another process. */
static bool another_owner(void)
{
	struct vmm vmm;
	bool good;

	vmm_open(&vmm, VMM_BASIC, 256);
	enter(&vmm, RUNNING);
	must(!vmm_ioctl(vmm.dev, VHOST_RESET_OWNER, NULL));
	good = equal(vmm_set_mem(&vmm), -EPERM, "after RESET_OWNER") &&
	       equal(by_child(vmm.dev, VHOST_SET_OWNER, NULL), 0,
		     "SET_OWNER by a child") &&
	       equal(vmm_set_mem(&vmm), -EPERM, "while the child owns it") &&
	       equal(vmm_ioctl(vmm.dev, VHOST_SET_OWNER, NULL), -EBUSY,
		     "SET_OWNER while the child owns it");
	vmm_close(&vmm);
	return good;
}

static void values(const char *device)
{
	uint64_t backend = 77;
	struct vmm vmm;

	vmm_device = device;
	claim(bases_come_back(), "%s: GET_VRING_BASE gives what was set", device);
	claim(base_follows_the_ring(), "%s: GET_VRING_BASE follows the ring",
	      device);
	claim(busyloop_comes_back(), "%s: a busy loop's time comes back", device);
	claim(another_owner(), "%s: owners come and go", device);
	if (!vmm_has_counters())
		return;
	vmm_open(&vmm, VMM_BASIC, 256);
	must(!vmm_ioctl(vmm.dev, VHOST_GET_BACKEND_FEATURES, &backend));
	claim(equal(backend, 0, "backend features"),
	      "no backend features are offered");
	vmm_close(&vmm);
}

int main(int argc, char **argv)
{
	vmm_begin(argc, argv);
	wire_open(&wire, "wire0", VMM_HDR);
	features();
	values(VMM_DEVICE);
	claim(packed_sizes(), "a packed ring may have any size to 32768");
	claim(packed_bases(), "a packed ring's base is two positions");
	claim(size_of_other_format(),
	      "a size that is none of the format is refused at the start");
	if (!access(ORACLE, R_OK | W_OK))
		values(ORACLE);
	wire_close(&wire);
	return report_end();
}
