// SPDX-License-Identifier: GPL-2.0-only
/* chain.c once more, for access sections. */
#include "virtio-fastpath/access_soft.h"

#include "virtio-fastpath/chain.c"
