// SPDX-License-Identifier: GPL-2.0-only
/* memory.c once more, for access sections. */
#include "virtio-fastpath/access_soft.h"

#include "virtio-fastpath/memory.c"
