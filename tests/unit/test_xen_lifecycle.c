/* links: qubes-integration/xen/lifecycle.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lifecycle.h"
#include "xen_lab.h"
#include "xenstore.h"

#define CONTROL "/local/domain/5/control/"

static void step(void)
{
	char path[XS_PATH_BYTES];
	uint32_t token;
	while (xs_event(path, &token))
		if (token == LIFECYCLE_TOKEN)
			lifecycle_look();
	lifecycle_poll();
}

static int setup(void **state)
{
	(void)state;
	xen_lab_reset();
	assert_true(lifecycle_init());
	step();
	return 0;
}

static void test_words(void **state)
{
	(void)state;
	static const struct { const char *word; bool ends, reboot, suspend, note; } rows[] = {
		{ "poweroff", true, false, false, true }, { "halt", true, false, false, true },
		{ "reboot", true, true, false, true }, { "suspend", false, false, true, true },
		{ "poweroffx", false, false, false, true }, { "power", false, false, false, true },
		{ "", false, false, false, false }, { "a word that is longer than any", false, false, false, true },
	};
	struct platform_event e;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(NULL);
		assert_null(lifecycle_note());
		xen_lab_put(CONTROL "shutdown", rows[i].word);
		step();
		step();
		assert_int_equal(lifecycle_note() != NULL, rows[i].note);
		assert_null(lifecycle_note());
		assert_int_equal(lifecycle_event(&e), rows[i].ends);
		assert_false(lifecycle_event(&e));
		assert_int_equal(lifecycle_reboot(), rows[i].reboot);
		assert_int_equal(lifecycle_suspend(), rows[i].suspend);
		assert_false(lifecycle_suspend());
		/* acknowledged: empty; what is not done is not acknowledged */
		assert_string_equal(xen_lab_get(CONTROL "shutdown"), rows[i].ends || rows[i].suspend ? "" : rows[i].word);
		if (rows[i].ends)
			assert_int_equal(e.kind, EVENT_SHUTDOWN);
	}
}

static void test_offers(void **state)
{
	(void)state;
	assert_string_equal(xen_lab_get(CONTROL "feature-poweroff"), "1");
	assert_string_equal(xen_lab_get(CONTROL "feature-suspend"), "1");
	assert_null(xen_lab_get("/local/domain/5/memory/meminfo"));
}

/* A store that does not answer for a while: the request is found when it does. */
static void test_slow_store(void **state)
{
	(void)state;
	struct platform_event e;
	xen_lab_put(CONTROL "shutdown", "poweroff");
	xen_lab_fail_store = true;
	step();
	step();
	assert_false(lifecycle_event(&e));
	xen_lab_fail_store = false;
	step();
	assert_true(lifecycle_event(&e));
}

/* Again and again, each asked for anew; one whose acknowledgement is lost is not done. */
static void test_suspends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		xen_lab_put(CONTROL "shutdown", "suspend");
		step();
		assert_true(lifecycle_suspend());
		assert_non_null(lifecycle_note());
		step();
		assert_false(lifecycle_suspend());
	}
	xen_lab_deny_writes = true;
	xen_lab_put(CONTROL "shutdown", "suspend");
	step();
	assert_false(lifecycle_suspend());
	assert_non_null(lifecycle_note());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_words, setup),
		cmocka_unit_test_setup(test_offers, setup),
		cmocka_unit_test_setup(test_slow_store, setup),
		cmocka_unit_test_setup(test_suspends, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
