# SPDX-License-Identifier: ISC
# The tests on a real Xen, in QEMU's emulation. XENLAB keeps the fetched packages and the host made of them.
#: make test-xen [XEN=boot]   boots Xen in QEMU with the image as a guest

XENLAB ?= $(O)/xen
XEN_FAULT_OBJECTS := $(filter-out %/firewall/main.c.o,$(call guest_o,$(GUEST_SRC) $(GUEST_ASM))) $(O)/guest/tests/xen/fault_main.c.o
inc_tests/xen := $(inc_qubes-integration/xen)

# A guest of its own: the platform, and a main that does what must not be possible.
$(O)/fault.elf: $(XEN_FAULT_OBJECTS) tender/guest/postern.ld
	$(call say,LD(guest),$@)
	$(Q)$(CC) -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--gc-sections \
		-Wl,-T,tender/guest/postern.ld -o $@ $(filter %.o,$^) $(BEARSSL)

.PHONY: test-xen test-xen-load
test-xen: $(O)/postern.elf $(O)/fault.elf
	$(Q)mkdir -p $(XENLAB)
	$(Q)tests/xen/boot.py -g $(O)/fault.elf $(XENLAB) $(O)/postern.elf $(XEN)

#: make test-xen-load   64 clients, 60 000 flows, 8 times 1000 rules in a 32 MiB guest: minutes, on a quiet machine
test-xen-load:
	$(Q)$(MAKE) test-xen XEN=load
