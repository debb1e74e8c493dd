// SPDX-License-Identifier: GPL-2.0-only
/* ring_packed.c once more, for access sections. */
#include "virtio-fastpath/access_soft.h"

#include "virtio-fastpath/ring_packed.c"
