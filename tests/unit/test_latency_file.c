/* links: tools/latency_file.c tools/latency_run.c netstack/histogram.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_latency_file.c: a run survives its file; a damaged one is refused and not half taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "latency_run.h"

static void round_trip(void **state)
{
	(void)state;
	struct latency_run run, again;
	char reason[LATENCY_REASON_BYTES];
	latency_run_init(&run, "probe");
	latency_run_warn(&run, "mind the %s", "gap");
	json_object_set_new(run.config, "rate", json_integer(1000));
	latency_run_add(&run, "rtt", LATENCY_MEASURED, 4);
	latency_run_add(&run, "nothing", LATENCY_NOISE, 0);
	for (uint64_t i = 0; i < 4000; i++)
		latency_record(&run.series[0], (uint32_t)(i / 1000), i * i);
	latency_count(&run.series[0], "lost", 3);
	json_t *document = latency_run_json(&run);
	assert_true(latency_run_parse(&again, document, reason));
	assert_int_equal(again.count, 2);
	assert_memory_equal(&again.series[0].total, &run.series[0].total, sizeof(run.series[0].total));
	assert_int_equal(again.series[0].blocks, 4);
	for (int i = 0; i < 4; i++)
		assert_memory_equal(again.series[0].block[i].bucket, run.series[0].block[i].bucket,
				    sizeof(run.series[0].block[i].bucket));
	assert_int_equal(again.series[1].role, LATENCY_NOISE);
	json_t *second = latency_run_json(&again);
	assert_true(json_equal(document, second));
	json_decref(second);
	json_decref(document);
	latency_run_free(&again);
	latency_run_free(&run);
}

#define HEAD "{\"schema\":1,\"kind\":\"postern-latency-run\",\"tool\":\"x\",\"series\":["
#define NAMED "{\"name\":\"a\",\"role\":\"measured\",\"sum_ns\":30,"

static void damaged(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} row[] = {
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,3]]}]}", true },
		{ HEAD "]}", true },
		{ "[]", false },
		{ "{\"schema\":2,\"kind\":\"postern-latency-run\",\"tool\":\"x\",\"series\":[]}", false },
		{ "{\"schema\":1,\"kind\":\"another\",\"tool\":\"x\",\"series\":[]}", false },
		{ HEAD "7]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10}]}", false },
		{ HEAD NAMED "\"count\":-3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,3]]}]}", false },
		{ HEAD NAMED "\"count\":2,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,3]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":9,\"max_ns\":10,\"buckets\":[[10,3]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[1152,3]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[-1,3]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,3,1]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,4294967296]]}]}", false },
		{ HEAD NAMED "\"count\":3,\"min_ns\":10,\"max_ns\":10,\"buckets\":[[10,3]],\"blocks\":[1]}]}", false },
		{ HEAD NAMED "\"count\":0,\"min_ns\":0,\"max_ns\":0,\"buckets\":[]}]}", true },
		{ HEAD NAMED "\"count\":3,\"min_ns\":0,\"max_ns\":0,\"buckets\":[]}]}", false },
	};
	for (size_t i = 0; i < array_len(row); i++) {
		struct latency_run run;
		char reason[LATENCY_REASON_BYTES] = "";
		json_t *document = json_loads(row[i].text, 0, NULL);
		assert_non_null(document);
		bool good = latency_run_parse(&run, document, reason);
		if (good != row[i].good)
			fail_msg("%s", row[i].text);
		assert_true(good || *reason);
		if (good)
			latency_run_free(&run);
		json_decref(document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
