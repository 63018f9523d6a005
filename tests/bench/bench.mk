# SPDX-License-Identifier: ISC
# The benchmarks. `make bench RUNS=5 ONLY=udp64_1,rtt_spin` (root), `make bench-core`.
RUNS ?= 5
ONLY ?=
CALLGRIND ?= core_1 core_1_latency core_64k core_64k_latency core_new_r10 core_new_r1000

#: make bench RUNS=5 ONLY=udp64_1,cps_r0   measures against the kernel's nftables; root
#: make bench-core RUNS=5                  measures the pure core alone
.PHONY: bench bench-core

$(O)/bench/core: $(call host_o,$(wildcard tests/bench/core*.c) tests/unit/panic.c $(PURE))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie -o $@ $^ -lm

$(O)/bench/gen: $(call host_o,$(wildcard tests/bench/gen*.c))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie -o $@ $^

bench-core: $(O)/bench/core
	$(Q)$(O)/bench/core --runs=$(RUNS)
	$(Q)$(O)/bench/core --costs
	$(Q)tests/bench/instructions.sh $(O)/bench/core $(CALLGRIND)

bench: $(PRODUCTS) $(O)/bench/core $(O)/bench/gen
	$(Q)O=$(O) RUNS=$(RUNS) ONLY=$(ONLY) tests/bench/bench.py
