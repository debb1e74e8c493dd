// SPDX-License-Identifier: GPL-2.0-only
/* ring_split.c once more, for access sections. */
#include "virtio-fastpath/access_soft.h"

#include "virtio-fastpath/ring_split.c"
