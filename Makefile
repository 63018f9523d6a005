# SPDX-License-Identifier: ISC
# Postern: build, test and demonstrate. `make help` lists the targets.

O ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@echo "  $(1)	$(2)")

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
prefix ?= /usr/local
MODE ?= spt

WARN := -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Werror
DEPS := -MMD -MP
REPRO := -ffile-prefix-map=$(CURDIR)=. -frandom-seed=postern

GUEST_CFLAGS := -std=c11 -O2 -g $(WARN) $(DEPS) $(REPRO) -ffreestanding -fbuiltin -fno-tree-loop-distribute-patterns -fno-pic -fno-pie -mcmodel=small \
	-mgeneral-regs-only -mno-red-zone -fstack-protector-strong -fno-asynchronous-unwind-tables \
	-fcf-protection=none -ffunction-sections -fno-delete-null-pointer-checks
HOST_CFLAGS := -std=c11 -O2 -g $(WARN) $(DEPS) $(REPRO) -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -fPIE \
	-fstack-protector-strong
HOST_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ASAN_CFLAGS := -std=c11 -O1 -g $(WARN) $(DEPS) -D_GNU_SOURCE -DPOSTERN_TEST \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
PLAIN_TEST_CFLAGS := $(HOST_CFLAGS) -DPOSTERN_TEST

# Which folder may include which: the whole of architecture's arrow diagram.
inc_netstack := -iquote netstack
inc_rules := -iquote rules $(inc_netstack)
inc_firewall := -iquote firewall $(inc_rules)
inc_qubes-integration := -iquote qubes-integration $(inc_firewall)
inc_qubes-integration/xen := -iquote qubes-integration/xen -iquote tender $(inc_qubes-integration)
inc_main := $(inc_qubes-integration) -iquote tender
inc_tender/guest := -iquote tender/guest -iquote tender -iquote tender/abi -iquote netstack
inc_tender/host := -iquote tender/host -iquote tender/abi -iquote netstack
inc_qubes-integration/store := -iquote qubes-integration/store
inc_tools := -iquote tools -iquote qubes-integration -iquote qubes-integration/store -iquote tender/abi $(inc_rules)
inc_tests := -iquote tests/unit $(inc_main) -iquote qubes-integration/store -iquote tools -iquote tender/abi \
	-iquote tender/host -iquote tender/guest -iquote qubes-integration/xen

PURE := $(filter-out firewall/main.c,$(wildcard netstack/*.c rules/*.c firewall/*.c))
QUBES := $(wildcard qubes-integration/*.c)
GUEST_SRC := $(PURE) firewall/main.c $(QUBES) $(wildcard tender/guest/*.c qubes-integration/xen/*.c)
GUEST_ASM := $(wildcard tender/guest/*.S qubes-integration/xen/*.S)
TENDER_SRC := $(wildcard tender/host/*.c) netstack/text.c netstack/addr.c netstack/checksum.c netstack/segment.c
STORE_SRC := $(wildcard qubes-integration/store/*.c)
TOOL_SRC := $(wildcard tools/*.c rules/*.c) netstack/text.c netstack/addr.c netstack/arena.c netstack/hash.c netstack/histogram.c \
	netstack/histogram.c

guest_o = $(patsubst %,$(O)/guest/%.o,$(1))
host_o = $(patsubst %,$(O)/host/%.o,$(1))
asan_o = $(patsubst %,$(O)/asan/%.o,$(1))

TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# A test's first line names what it links; @pure stands for the whole pure core.
links = $(patsubst @pure,$(PURE),$(shell sed -n '1s,^/\* links: *\(.*\) \*/,\1,p' $(1)))

PRODUCTS := $(O)/postern.elf $(O)/postern-tender $(O)/postern-store $(O)/postern

.PHONY: all help deps demo test unit asan fuzz-replay lint lab fuzz clean install check
all: $(PRODUCTS)

help:
	@sed -n 's/^#: //p' Makefile qubes-integration/dom0/dom0.mk tests/bench/bench.mk tests/diff/diff.mk tests/xen/xen.mk tests/web/web.mk
#: make            builds $(O)/postern.elf, postern-tender, postern-store, postern
#: make demo       the lab demonstration (MODE=spt or hvt); root
#: make test       every test; root
#: make fuzz T=packet SECONDS=60   fuzzes one parser (clang)
#: make unit | asan | fuzz-replay | lint | lab   parts of the test
#: make install DESTDIR= prefix=/usr/local

deps:
	$(Q)tools/deps

# --- objects -----------------------------------------------------------------
include_of = $(inc_$(if $(filter firewall/main.c,$(1)),main,$(patsubst %/,%,$(dir $(1)))))

$(O)/guest/%.c.o: %.c Makefile
	$(call say,CC(guest),$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) $(call include_of,$<) -c -o $@ $<

$(O)/guest/%.S.o: %.S Makefile
	$(call say,AS(guest),$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(DEPS) -iquote tender/abi -c -o $@ $<

$(O)/host/%.c.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(if $(filter $<,$(PURE)),-ffreestanding -fbuiltin -fno-tree-loop-distribute-patterns) $(CFLAGS) $(call include_of,$<) -c -o $@ $<

$(O)/asan/%.c.o: %.c Makefile
	$(call say,CC(asan),$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASAN_CFLAGS) $(call include_of,$<) -c -o $@ $<

$(O)/host/tests/%.c.o: tests/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(PLAIN_TEST_CFLAGS) $(inc_tests) -c -o $@ $<

$(O)/asan/tests/%.c.o: tests/%.c Makefile
	$(call say,CC(asan),$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASAN_CFLAGS) $(inc_tests) -c -o $@ $<

# --- products ----------------------------------------------------------------
BEARSSL := $(firstword $(wildcard /usr/lib/*/libbearssl.a /usr/lib/libbearssl.a))

$(O)/postern.elf: $(call guest_o,$(GUEST_SRC) $(GUEST_ASM)) tender/guest/postern.ld
	$(call say,LD(guest),$@)
	$(Q)$(CC) -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--gc-sections \
		-Wl,-T,tender/guest/postern.ld -o $@.debug $(filter %.o,$^) $(BEARSSL)
	$(Q)objcopy --strip-debug $@.debug $@

$(O)/postern-tender: $(call host_o,$(TENDER_SRC)) $(O)/host/tools/hostpanic.c.o
	$(call say,LD,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $^ -lseccomp -lnftnl -lmnl

$(O)/postern-store: $(call host_o,$(STORE_SRC))
	$(call say,LD,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $^ -lsqlite3

# The page is carried by its object.
$(O)/host/tools/web_files.c.o $(O)/asan/tools/web_files.c.o: $(wildcard tools/web/*)

$(O)/postern: $(call host_o,$(TOOL_SRC))
	$(call say,LD,$@)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $^ -ljansson -lpcap -lnftnl -lmnl -lm

# --- tests: each links exactly what its first line names ----------------------
define test_rules
$(O)/unit/$(1): $$(call host_o,tests/unit/$(1).c tests/unit/panic.c $$(call links,tests/unit/$(1).c))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -pie -o $$@ $$^ -lcmocka -lsqlite3 -lseccomp -ljansson -lpcap -lm
$(O)/asan-unit/$(1): $$(call asan_o,tests/unit/$(1).c tests/unit/panic.c $$(call links,tests/unit/$(1).c))
	$$(call say,LD(asan),$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -fsanitize=address,undefined -o $$@ $$^ -lcmocka -lsqlite3 -lseccomp -ljansson -lpcap -lm
endef
$(foreach t,$(TESTS),$(eval $(call test_rules,$(t))))

define fuzz_rules
$(O)/replay/$(1): $$(call asan_o,tests/fuzz/fuzz_$(1).c tests/fuzz/replay.c tests/unit/panic.c $$(call links,tests/fuzz/fuzz_$(1).c))
	$$(call say,LD(asan),$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -fsanitize=address,undefined -o $$@ $$^
$(O)/fuzz/$(1): tests/fuzz/fuzz_$(1).c tests/unit/panic.c $$(call links,tests/fuzz/fuzz_$(1).c)
	$$(call say,CLANG,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) -std=gnu11 -g -O1 -D_GNU_SOURCE -DPOSTERN_TEST -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all $(inc_tests) -o $$@ $$^
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz_rules,$(t))))

run_each = $(Q)set -e; for t in $(1); do $(2) $$t > $(O)/last.log 2>&1 || { cat $(O)/last.log; echo "FAILED: $$t"; exit 1; }; \
	grep -hE '^\[  PASSED  \]|passed|replayed' $(O)/last.log | tail -1 | sed "s,^,  $$(basename $$t): ,"; done

unit: $(TESTS:%=$(O)/unit/%)
	$(call run_each,$^,)
asan: $(TESTS:%=$(O)/asan-unit/%)
	$(call run_each,$^,)
fuzz-replay: $(FUZZ:%=$(O)/replay/%)
	$(Q)set -e; for t in $(FUZZ); do $(O)/replay/$$t tests/fuzz/corpus/$$t || exit 1; done

fuzz: $(O)/fuzz/$(T)
	$(Q)mkdir -p $(O)/corpus/$(T)
	$(Q)$(O)/fuzz/$(T) -max_total_time=$(or $(SECONDS),60) -max_len=4096 -artifact_prefix=$(O)/fuzz/ \
		$(O)/corpus/$(T) tests/fuzz/corpus/$(T)

include qubes-integration/dom0/dom0.mk
include tests/bench/bench.mk
include tests/diff/diff.mk
include tests/xen/xen.mk
include tests/web/web.mk

lint: $(PRODUCTS) $(call host_o,$(PURE))
	$(Q)O=$(O) CC="$(CC)" tests/lint.sh

lab: $(PRODUCTS)
	$(Q)O=$(abspath $(O)) tests/lab/run.sh

test: deps
	$(Q)$(MAKE) --no-print-directory -j "$$(nproc)" O=$(O) all
	$(Q)O=$(O) tests/run.sh

check: test

demo: deps
	$(Q)$(MAKE) --no-print-directory -j "$$(nproc)" O=$(O) all
	$(Q)O=$(abspath $(O)) MODE=$(MODE) tools/demo.sh

install: all
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/lib/postern \
		$(addprefix $(DESTDIR)$(prefix)/share/,man/man1 man/man5 man/man8 bash-completion/completions doc/postern postern) $(DESTDIR)$(prefix)/lib/systemd/system
	install -m 755 $(O)/postern $(DESTDIR)$(prefix)/bin/
	install -m 755 $(O)/postern-tender $(O)/postern-store $(DESTDIR)$(prefix)/sbin/
	install -m 644 $(O)/postern.elf $(DESTDIR)$(prefix)/lib/postern/
	for n in 1 5 8; do install -m 644 tools/man/*.$$n $(DESTDIR)$(prefix)/share/man/man$$n/; done
	install -m 644 tools/postern.conf.example $(DESTDIR)$(prefix)/share/doc/postern/
	sed 's,/usr/local,$(prefix),' tools/postern.service >$(DESTDIR)$(prefix)/lib/systemd/system/postern.service
	install -m 644 tools/dashboard/postern-grafana.json $(DESTDIR)$(prefix)/share/postern/
	install -m 644 tools/completion/postern.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/postern

clean:
	rm -rf $(O)

-include $(shell find $(O) -path $(O)/xen -prune -o -name '*.d' -type f -print 2>/dev/null)
