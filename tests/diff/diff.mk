# SPDX-License-Identifier: ISC
# The differential test against the kernel's nftables; root.
#: make diff                  nftables and the core must agree on every packet (bounded)
#: make fuzz-diff SECONDS=600 the same from a random seed, for as long

DIFF_SRC := $(wildcard tests/diff/*.c) tests/unit/lab.c tests/unit/panic.c
DIFF_TOOL_SRC := tools/nft_walk.c tools/nft_text.c tools/nft_apply.c tools/nft_sentence.c tools/nft_house.c tools/nft_cut.c

.PHONY: diff fuzz-diff
$(O)/diff: $(call host_o,$(DIFF_SRC) $(DIFF_TOOL_SRC) $(PURE))
	$(call say,LD,$@)
	$(Q)$(CC) -pie -o $@ $^ -lnftnl -lmnl

diff: $(O)/diff $(PRODUCTS)
	$(Q)O=$(O) tests/diff/diff.sh

fuzz-diff: $(O)/diff
	$(Q)$(O)/diff --seconds $(or $(SECONDS),60) --seed $(or $(SEED),$(shell date +%s)00000)
