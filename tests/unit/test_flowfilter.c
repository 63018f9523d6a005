/* links: tools/flowfilter.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* test_flowfilter.c: the flows that are meant, in the order that is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "flowfilter.h"

enum { FLOWS = 5 };

static json_t *listing(void)
{
	static const char text[] =
		"[{\"proto\":\"tcp\",\"src\":\"10.0.0.1\",\"dst\":\"192.0.2.1\",\"dport\":443,\"client\":\"10.0.0.1\","
		"\"rule\":0,\"state\":\"established\",\"idle_s\":3,\"up_bytes\":10,\"down_bytes\":90,"
		"\"up_packets\":1,\"down_packets\":9},"
		"{\"proto\":\"udp\",\"dst\":\"192.0.2.2\",\"dport\":53,\"client\":\"10.0.0.1\",\"rule\":\"policy\","
		"\"state\":\"replied\",\"idle_s\":9,\"up_bytes\":200,\"down_bytes\":0,\"up_packets\":5,\"down_packets\":0},"
		"{\"proto\":\"tcp\",\"dst\":\"198.51.100.1\",\"dport\":443,\"client\":\"10.0.0.2\",\"rule\":12,"
		"\"state\":\"syn_sent\",\"idle_s\":0,\"up_bytes\":9223372036854775807,\"down_bytes\":9223372036854775807,"
		"\"up_packets\":2,\"down_packets\":2},"
		"{\"proto\":\"47\",\"dst\":\"192.0.2.1\",\"dport\":0,\"client\":\"10.0.0.2\",\"rule\":1,\"rule_id\":\"r-12345678\","
		"\"state\":\"unreplied\",\"idle_s\":3,\"up_bytes\":-5,\"down_bytes\":100,\"up_packets\":0,\"down_packets\":0},"
		"{\"proto\":7,\"dst\":[],\"client\":null}]";
	json_t *flows = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(flows), FLOWS);
	return flows;
}

typedef const char *setter(struct flowfilter *, const char *);

static void test_hits(void **state)
{
	static const struct { setter *set; const char *word, *hits; } cases[] = {
		{ NULL, "", "01234" },
		{ flowfilter_client, "10.0.0.1", "01" },
		{ flowfilter_client, "10.0.0.9", "" },
		{ flowfilter_proto, "tcp", "02" },
		{ flowfilter_proto, "17", "1" },
		{ flowfilter_proto, "47", "3" },
		{ flowfilter_dst, "192.0.2.1", "03" },
		{ flowfilter_dst, "192.0.2.0/24", "013" },
		{ flowfilter_dst, "192.0.2.0/24:443", "0" },
		{ flowfilter_dst, ":443", "02" },
		{ flowfilter_dst, "[198.51.100.0/24]:443", "2" },
		{ flowfilter_dst, "2001:db8::/32", "" },
		{ flowfilter_rule, "policy", "1" },
		{ flowfilter_rule, "1", "3" },
		{ flowfilter_rule, "12", "2" },
		{ flowfilter_rule, "r-12345678", "3" },
		{ flowfilter_state, "established", "0" },
		{ flowfilter_state, "unreplied", "3" },
	};
	(void)state;
	json_t *flows = listing();
	for (size_t i = 0; i < array_len(cases); i++) {
		struct flowfilter f = { .by_dst = false };
		char hits[FLOWS + 1] = "";
		size_t n = 0;
		if (cases[i].set)
			assert_null(cases[i].set(&f, cases[i].word));
		assert_int_equal(flowfilter_any(&f), cases[i].set != NULL);
		for (size_t k = 0; k < FLOWS; k++)
			if (flowfilter_hits(&f, json_array_get(flows, k)))
				hits[n++] = (char)('0' + k);
		if (strcmp(hits, cases[i].hits))
			fail_msg("case %zu, %s: hits %s", i, cases[i].word, hits);
	}
	json_decref(flows);
}

static void test_wrong_words(void **state)
{
	static const struct { setter *set; const char *word; } cases[] = {
		{ flowfilter_client, "" }, { flowfilter_client, "10.0.0" }, { flowfilter_client, "10.0.0.1/32" },
		{ flowfilter_proto, "" }, { flowfilter_proto, "sctp" }, { flowfilter_proto, "256" },
		{ flowfilter_proto, "6x" }, { flowfilter_dst, "" }, { flowfilter_dst, "192.0.2.1:" },
		{ flowfilter_dst, "192.0.2.1:65536" }, { flowfilter_dst, "192.0.2.1/33" }, { flowfilter_dst, "[192.0.2.1" },
		{ flowfilter_dst, "[:443" }, { flowfilter_dst, "192.0.2.1:443x" }, { flowfilter_state, "open" },
		{ flowfilter_rule, "" },
		{ flowfilter_rule, "0123456789012345678901234567890123456789012345678901234567890123" },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct flowfilter f = { .by_dst = false };
		if (!cases[i].set(&f, cases[i].word))
			fail_msg("\"%s\" was taken", cases[i].word);
		assert_false(flowfilter_any(&f));
	}
	enum flowsort sort;
	assert_non_null(flowsort_parse(&sort, "byte"));
}

static void test_order(void **state)
{
	static const struct { const char *sort; size_t top; const char *rules; } cases[] = {
		{ NULL, 0, "0 policy 12 1 " },
		{ NULL, 2, "0 policy " },
		{ "bytes", 0, "12 policy 0 1 " }, /* 0 and 1 have the same: in order */
		{ "bytes", 1, "12 " },
		{ "packets", 3, "0 policy 12 " },
		{ "idle", 9, "policy 0 1 12 " },
	};
	const struct flowfilter f = { .by_dst = false };
	(void)state;
	json_t *flows = listing();
	json_array_remove(flows, FLOWS - 1);
	for (size_t i = 0; i < array_len(cases); i++) {
		char order[64];
		struct text t = text_on(order);
		enum flowsort sort = FLOWSORT_NONE;
		if (cases[i].sort)
			assert_null(flowsort_parse(&sort, cases[i].sort));
		json_t *picked = flowfilter_pick(&f, flows, sort, cases[i].top);
		for (size_t k = 0; k < json_array_size(picked); k++) {
			const json_t *rule = json_object_get(json_array_get(picked, k), "rule");
			if (json_is_string(rule))
				text_put(&t, json_string_value(rule));
			else
				text_u64(&t, (uint64_t)json_integer_value(rule));
			text_char(&t, ' ');
		}
		assert_string_equal(order, cases[i].rules);
		json_decref(picked);
	}
	json_decref(flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_wrong_words),
		cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
