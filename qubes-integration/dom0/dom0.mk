# SPDX-License-Identifier: ISC
# What dom0 of a Qubes host installs. The same sources give the same packages, byte for byte.
#   make qubes SIGN=KEY   also signs, with that key of yours
POSTERN_VERSION ?= 0.1.0
SIGN ?=
QUBES_OUT := $(O)/qubes
DOM0 := qubes-integration/dom0

#: make qubes SIGN=KEY   the rpms for dom0, checked, in $(O)/qubes
.PHONY: qubes qubes-check
qubes: $(O)/postern.elf
	$(call say,RPM,$(QUBES_OUT))
	$(Q)VERSION=$(POSTERN_VERSION) SIGN="$(SIGN)" $(DOM0)/build.sh $(O)/postern.elf $(QUBES_OUT)
	$(Q)$(DOM0)/check.sh $(O)/postern.elf $(QUBES_OUT)

# What needs no rpmbuild: the salt formula, and whether the page explains every line.
qubes-check:
	$(Q)python3 $(DOM0)/check_salt.py $(DOM0)/salt
	$(Q)python3 $(DOM0)/check_apply.py $(DOM0)/salt
	$(Q)python3 $(DOM0)/check_lines.py . $(DOM0)/troubleshooting.md

# The packages are made and looked at with every test: a few seconds.
lint: qubes
