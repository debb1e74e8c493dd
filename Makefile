# SPDX-License-Identifier: GPL-2.0-only
# Thin: the module's own makefile is Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build

modules modules_install clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

install: modules_install
	depmod $$(cat $(KDIR)/include/config/kernel.release)

demo check:
	scripts/$@

.DEFAULT_GOAL := modules
.PHONY: modules modules_install install clean demo check
