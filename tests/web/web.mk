# SPDX-License-Identifier: ISC
# The page of `postern web` in a real browser; its pictures are left in out/web.
#: make test-web   looks at the page in a headless Chromium; root
.PHONY: test-web
test-web: $(PRODUCTS)
	$(Q)O=$(abspath $(O)) tests/web/web_test.sh
