// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-twin: the fast twin of a guest's virtio-net NIC.
 *
 * A guest's kicks are served in host kernel context, by the thread that
 * kicked; everything that is not hot stays with the device model in
 * userspace.  Documentation/overview.rst follows one packet each way.
 */
#include <linux/module.h>

#include "kvm-twin/twin.h"

static char *policy = "adaptive";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "who serves a new queue: inline, worker, softirq or adaptive");

module_param_named(direct, ktwin_default_direct, bool, 0444);
MODULE_PARM_DESC(direct, "hand frames of a new queue on a macvtap to the NIC's driver");
module_param_named(moderation_us, ktwin_moderation_us, uint, 0444);
MODULE_PARM_DESC(moderation_us, "adaptive: how often a new queue that is busy is looked at");
module_param_named(moderation_kicks, ktwin_moderation_kicks, uint, 0444);
MODULE_PARM_DESC(moderation_kicks, "adaptive: so many kicks in that time are many");
module_param_named(aggregate, nshim_most_aggregated, uint, 0644);
MODULE_PARM_DESC(aggregate, "most frames of a TCP stream that a NIC is handed as one");
module_param_named(join, nshim_most_joined, uint, 0644);
MODULE_PARM_DESC(join, "most datagrams that a guest of a macvtap receives as one frame");
module_param_named(expand_acks, nshim_expand_acks, bool, 0644);
MODULE_PARM_DESC(expand_acks, "acknowledge what was received as one by segments");

static int __init ktwin_init(void)
{
	int ret;

	ret = ktwin_policy_parse(policy);
	if (ret < 0) {
		pr_err("kvm_twin: no such policy: %s\n", policy);
		return ret;
	}
	ktwin_default_policy = ret;
	if (!ktwin_moderation_ok(ktwin_moderation_us, ktwin_moderation_kicks)) {
		pr_err("kvm_twin: no such moderation: %u us, %u kicks\n",
		       ktwin_moderation_us, ktwin_moderation_kicks);
		return -ERANGE;
	}
	if (!ktwin_executor_has_inline() && ret != KTWIN_WORKER) {
		pr_info("kvm_twin: built without task_work_add(): kicks are served in softirq\n");
		if (ret == KTWIN_INLINE)
			ktwin_default_policy = KTWIN_SOFTIRQ;
	}

	ret = nshim_init();
	if (ret)
		return ret;
	ret = ktwin_softirq_init();
	if (ret)
		goto err_nshim;
	ktwin_debugfs_init();
	ret = ktwin_chardev_register();
	if (ret)
		goto err_debugfs;
	return 0;

err_debugfs:
	ktwin_debugfs_exit();
	ktwin_softirq_exit();
err_nshim:
	nshim_exit();
	return ret;
}

/*
 * The module can't be removed while the device is open, and an open file is
 * what every callback, task work and worker of a twin hangs on: nothing of
 * ours is left to wait for.
 */
static void __exit ktwin_exit(void)
{
	ktwin_chardev_unregister();
	ktwin_debugfs_exit();
	ktwin_softirq_exit();
	nshim_exit();
}

module_init(ktwin_init);
module_exit(ktwin_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("In-kernel twin of a guest's virtio-net NIC, run in the context of its kicks");
