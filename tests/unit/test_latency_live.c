/* links: tools/latency_live.c tools/latency_file.c tools/latency_run.c tools/answer.c tools/columns.c tools/controlclient.c netstack/histogram.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_latency_live.c: the appliance's histograms line by line: in pieces, damaged, with slow packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "latency_live.h"
#include "verbs.h"

int complain(enum verb_exit code, const char *format, ...)
{
	(void)format;
	return (int)code;
}

static bool take(struct latency_run *run, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	assert_non_null(line);
	bool good = latency_live_take(run, line);
	json_decref(line);
	return good;
}

static void lines(void **state)
{
	(void)state;
	struct latency_run run;
	latency_run_init(&run, "appliance");
	assert_true(take(&run, "{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"verdict\",\"count\":2,\"sum_ns\":5,"
			       "\"min_ns\":2,\"max_ns\":3,\"buckets\":[[2,1]],\"more\":true}"));
	assert_true(take(&run, "{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"verdict\",\"buckets\":[[3,1]]}"));
	assert_true(take(&run, "{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"residence\",\"count\":0,"
			       "\"sum_ns\":0,\"min_ns\":0,\"max_ns\":0,\"buckets\":[]}"));
	assert_true(take(&run, "{\"type\":\"slow\",\"ns\":12}"));
	assert_true(take(&run, "{\"type\":\"what may come\"}"));
	assert_int_equal(run.count, 2);
	const struct latency_series *s = latency_run_find(&run, "up verdict");
	assert_non_null(s);
	assert_true(latency_histogram_plausible(&s->total));
	assert_true(histogram_quantile(&s->total, 500000) == 2 && histogram_held(&s->total) == 2);
	assert_ptr_equal(latency_run_main(&run, NULL), latency_run_find(&run, "up residence"));
	assert_int_equal(json_array_size(json_object_get(run.config, "slow")), 1);
	latency_run_free(&run);
}

static void damaged(void **state)
{
	(void)state;
	static const char *const row[] = {
		"{\"type\":\"latency\",\"stage\":\"verdict\",\"buckets\":[]}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"buckets\":[]}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"x\"}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"x\",\"count\":-1,\"buckets\":[]}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"x\",\"count\":\"1\",\"buckets\":[]}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"x\",\"buckets\":[[1152,1]]}",
		"{\"type\":\"latency\",\"direction\":\"up\",\"stage\":\"x\",\"buckets\":[[1]]}",
	};
	for (size_t i = 0; i < array_len(row); i++) {
		struct latency_run run;
		latency_run_init(&run, "appliance");
		if (take(&run, row[i]))
			fail_msg("%s", row[i]);
		latency_run_free(&run);
	}
	struct latency_run run;
	char text[512];
	latency_run_init(&run, "appliance");
	snprintf(text, sizeof(text), "{\"type\":\"latency\",\"direction\":\"%0200d\",\"stage\":\"x\",\"buckets\":[]}", 0);
	assert_false(take(&run, text));
	latency_run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
