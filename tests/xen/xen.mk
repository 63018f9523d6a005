# SPDX-License-Identifier: ISC
# The tests on a real Xen, in QEMU's emulation. XENLAB keeps the fetched packages and the host made of them.
#: make test-xen [XEN=boot]   boots Xen in QEMU with the image as a guest

XENLAB ?= $(O)/xen

.PHONY: test-xen
test-xen: $(O)/postern.elf
	$(Q)mkdir -p $(XENLAB)
	$(Q)tests/xen/boot.py $(XENLAB) $(O)/postern.elf $(XEN)
