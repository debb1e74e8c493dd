# SPDX-License-Identifier: GPL-2.0-only
# Thin: the module's own makefile is Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
# Of which kernel the folder is: by its name, or by what it says itself.
release := $(notdir $(patsubst %/build,%,$(filter %/build,$(KDIR))))
release := $(or $(release),$(shell cat $(KDIR)/include/config/kernel.release 2>&1))

modules modules_install clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

install: modules_install
	depmod $(release)

demo check:
	scripts/$@

.DEFAULT_GOAL := modules
.PHONY: modules modules_install install clean demo check
