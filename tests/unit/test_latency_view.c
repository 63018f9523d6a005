/* links: tools/latency_view.c tools/columns.c tools/latency_table.c tools/latency_run.c netstack/histogram.c */
// SPDX-License-Identifier: ISC
/* test_latency_view.c: what is asked for, what came between two looks, and the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "latency_out.h"
#include "latency_view.h"

static void requests(void **state)
{
	char request[LATENCY_REQUEST_BYTES];
	(void)state;
	assert_true(latency_view_request(LATENCY_VIEW_RULES, NULL, request));
	assert_string_equal(request, "latency rules");
	assert_true(latency_view_request(LATENCY_VIEW_CLIENTS, "10.137.0.5", request));
	assert_string_equal(request, "latency client 10.137.0.5");
	assert_true(latency_view_request(LATENCY_VIEW_CLIENTS, "fd09::5", request));
	assert_false(latency_view_request(LATENCY_VIEW_CLIENTS, "10.137.0.5\nlatency off", request));
	assert_false(latency_view_request(LATENCY_VIEW_CLIENTS, "", request));
}

static struct latency_run run_of(const char *name, const struct histogram *h)
{
	struct latency_run run;
	latency_run_init(&run, "appliance");
	latency_run_add(&run, name, LATENCY_MEASURED, 0)->total = *h;
	return run;
}

/* A histogram that grows, looked at now and then: each look is what was recorded since, bucket by bucket. */
static void looks(void **state)
{
	static struct histogram all, part;
	struct latency_run before;
	uint64_t seed = 7;
	(void)state;
	histogram_clear(&all);
	latency_run_init(&before, "appliance");
	for (int look = 0; look < 50; look++) {
		histogram_clear(&part);
		for (int i = 0; i < look * 7 % 40; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			uint64_t ns = seed >> 33 >> (seed >> 60);
			histogram_record(&all, ns);
			histogram_record(&part, ns);
		}
		struct latency_run run = run_of("up residence", &all);
		latency_view_since(&run, &before);
		const struct histogram *h = &run.series[0].total;
		assert_int_equal(h->count, part.count);
		assert_int_equal(h->sum_ns, part.sum_ns);
		assert_memory_equal(h->bucket, part.bucket, sizeof(h->bucket));
		if (part.count) {
			assert_int_equal(histogram_index(h->min_ns), histogram_index(part.min_ns));
			assert_int_equal(histogram_index(h->max_ns), histogram_index(part.max_ns));
		}
		latency_run_free(&run);
	}
	/* the appliance forgot all, and began again */
	struct latency_run run = run_of("up residence", &part);
	latency_view_since(&run, &before);
	assert_memory_equal(&run.series[0].total, &part, sizeof(part));
	latency_run_free(&run);
	latency_run_free(&before);
}

static void stages_and_tables(void **state)
{
	static const char *const name[] = { "any host-out", "up residence", "any parse", "any drop", "any host-in" };
	static const char *const order[] = { "host-in", "parse", "host-out" };
	struct latency_run run;
	char *text;
	size_t len;
	(void)state;
	latency_run_init(&run, "appliance");
	for (size_t i = 0; i < array_len(name); i++)
		histogram_record(&latency_run_add(&run, name[i], LATENCY_PART, 0)->total, 100);
	latency_view_select(LATENCY_VIEW_STAGES, &run);
	assert_int_equal(run.count, 3);
	FILE *to = open_memstream(&text, &len);
	latency_view_print(to, LATENCY_VIEW_STAGES, &run);
	fclose(to);
	const char *at = strchr(text, '\n');
	for (size_t i = 0; i < array_len(order); i++) {
		assert_non_null(at);
		assert_memory_equal(at + 1, order[i], strlen(order[i]));
		at = strchr(at + 1, '\n');
	}
	free(text);
	latency_run_free(&run);
	latency_run_init(&run, "appliance");
	histogram_record(&latency_run_add(&run, "up residence 10.0.0.1", LATENCY_MEASURED, 0)->total, 100);
	histogram_record_many(&latency_run_add(&run, "any drop 10.0.0.2 rule 3 g7", LATENCY_PART, 0)->total, 2000, 50);
	to = open_memstream(&text, &len);
	latency_view_print(to, LATENCY_VIEW_RULES, &run);
	fclose(to);
	const char *first = strstr(text, "10.0.0.2 rule 3 g7  drop "), *second = strstr(text, "10.0.0.1");
	assert_non_null(first);
	assert_true(first < second); /* of most packets first */
	free(text);
	latency_run_free(&run);
}

/* Names that are too long for one line are told in two, and what was not measured stands in its column. */
static void titles(void **state)
{
	static const char *const name[] = { "udp 500/s 64B", "udp 500/s 64B generator", "udp 500/s 64B appliance generator" };
	struct latency_run run;
	char *text;
	size_t len;
	(void)state;
	latency_run_init(&run, "probe");
	for (size_t i = 0; i < array_len(name); i++)
		if (i == 2)
			latency_run_add(&run, name[i], LATENCY_PART, 0);
		else
			histogram_record(&latency_run_add(&run, name[i], LATENCY_MEASURED, 0)->total, 100);
	FILE *to = open_memstream(&text, &len);
	latency_print_run(to, &run, NULL);
	fclose(to);
	assert_non_null(strstr(text, "          udp 500/s 64B           udp 500/s 64B           udp 500/s 64B         \n"
				     "                                  generator               appliance generator   \ncount"));
	assert_non_null(strstr(text, "\nmax          100 ns                  100 ns                       -             \n"));
	free(text);
	latency_run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests), cmocka_unit_test(looks), cmocka_unit_test(stages_and_tables), cmocka_unit_test(titles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
