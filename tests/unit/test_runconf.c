/* links: tools/runconf.c tools/runconf_value.c tools/nearest.c tools/rulefile.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* postern.conf: what it means, where it is wrong, and that it reads again as it was written out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runconf.h"

#define UP "[uplink]\ntap up0\naddress 192.0.2.2/24\n"
#define ONE "[client a]\ntap t1\naddress 10.137.0.5\n"

static bool parse(struct runconf *c, const char *text, char **errors)
{
	size_t n;
	FILE *to = open_memstream(errors, &n);
	struct rulefile_source s = { .name = "f", .text = text, .len = strlen(text) };
	bool good = runconf_parse(c, &s, to);
	fclose(to);
	return good;
}

static const struct {
	const char *text;
	const char *words; /* of each port, a line each; NULL: it is wrong */
	const char *says;  /* how the message begins */
} files[] = {
	{ UP, "tap=up0,ip=192.0.2.2/24,name=up0\n", NULL },
	{ "  # a comment\r\n\r\nmode\tspt # another\n" UP ONE,
	  "tap=up0,ip=192.0.2.2/24,name=up0\ntap=t1,ip=10.137.0.5,name=a\n", NULL },
	{ "[ uplink ]\nauto eth1\nnetns fw\naddress 192.0.2.2/24\ngateway 192.0.2.1\nmac 02:00:00:00:00:01\nmtu 1400\noffload off\n",
	  "auto=eth1,netns=fw,ip=192.0.2.2/24,gateway=192.0.2.1,mac=02:00:00:00:00:01,offload=off,name=eth1,mtu=1400\n",
	  NULL },
	{ "[client  b ]\naddress fd00:0::5\naddress 10.137.0.5\ntap t1\nour-mac 02:00:00:00:00:02\n" UP,
	  "tap=up0,ip=192.0.2.2/24,name=up0\ntap=t1,ip=fd00::5,ip=10.137.0.5,our-mac=02:00:00:00:00:02,name=b\n", NULL },
	{ "", NULL, "f: no [uplink]\n" },
	{ ONE, NULL, "f: no [uplink]\n" },
	{ "mod spt\n" UP, NULL, "f:1:1: unknown key 'mod' (did you mean 'mode'?)\n  mod spt\n  ^\n" },
	{ "mode fast\n" UP, NULL, "f:1:6: not auto, hvt or spt\n" },
	{ "mode\n" UP, NULL, "f:1:5: a value is missing\n" },
	{ "mode # spt\n" UP, NULL, "f:1:6: a value is missing\n" },
	{ "mode spt\nmode spt\n" UP, NULL, "f:2:1: this key stands too often\n" },
	{ "memory 7\n" UP, NULL, "f:1:8: not 8 to 2048 (MiB)\n" },
	{ "memory 32M\n" UP, NULL, "f:1:8: not 8 to 2048 (MiB)\n" },
	{ "watchdog 4\n" UP, NULL, "f:1:10: not 5 to 3600" },
	{ "watchdog off\n" UP, "tap=up0,ip=192.0.2.2/24,name=up0\n", NULL },
	{ "cpus 0,3-2\n" UP, NULL, "f:1:6: not a list of CPUs" },
	{ "cpus 0,\n" UP, NULL, "f:1:6: not a list of CPUs" },
	{ "sockets run\n" UP, NULL, "f:1:9: not an absolute path\n" },
	{ "metrics 0.0.0.0:9100\n" UP, NULL, "f:1:9: not unix:/PATH or 127.0.0.1:PORT\n" },
	{ "metrics 127.0.0.1:0\n" UP, NULL, "f:1:9: not unix:/PATH" },
	{ "gateway 192.0.2.1\n" UP, NULL, "f:1:1: 'gateway' is no key at the top\n" },
	{ UP "memory 32\n", NULL, "f:4:1: 'memory' is no key of the uplink\n" },
	{ UP "our-mac 02:00:00:00:00:02\n", NULL, "f:4:1: 'our-mac' is no key of the uplink\n" },
	{ UP "packet eth0\n", NULL, "f:4:1: this port has its interface already\n" },
	{ UP "[uplink]\n", NULL, "f:4:2: a second uplink\n" },
	{ UP "[uplink x]\n", NULL, "f:4:2: not [uplink] or [client NAME]" },
	{ UP "[clint a]\nnonsense\n", NULL, "f:4:2: not [uplink] or [client NAME] (did you mean 'client'?)\n  [clint a]\n   ^\n" },
	{ UP "[client a\n", NULL, "f:4:10: ']' is missing\n" },
	{ UP "[client]\n", NULL, "f:4:8: a client needs a name\n" },
	{ UP "[]\n", NULL, "f:4:2: not [uplink]" },
	{ UP "[\n", NULL, "f:4:2: ']' is missing\n" },
	{ UP "[client a/b]\n", NULL, "f:4:9: not a name of at most 15" },
	{ UP "[client a123456789012345]\n", NULL, "f:4:9: not a name of at most 15" },
	{ UP ONE ONE, NULL, "f:7:9: this client was here before\n" },
	{ UP "[client a]\ntap t1\n", NULL, "f:4:1: this port has no address\n" },
	{ UP "[client a]\naddress 10.0.0.1\n", NULL, "f:4:1: this port has no interface" },
	{ UP "[client a]\ntap t1\naddress 10.0.0.1/32\n", NULL, "f:6:9: not the address of a host\n" },
	{ UP "[client a]\ntap t1\naddress 127.0.0.1\n", NULL, "f:6:9: not the address of a host\n" },
	{ UP "[client a]\ntap t1\naddress 10.0.0.1\naddress 10.0.0.2\naddress 10.0.0.3\n", NULL,
	  "f:8:1: this key stands too often\n" },
	{ "[uplink]\ntap u\naddress 192.0.2.2\n", NULL, "f:3:9: not an address with the length" },
	{ UP "[client a]\ntap up0\naddress 10.0.0.1\n", NULL, "f:4:1: this interface belongs to another port" },
	{ UP ONE "[client b]\ntap t2\naddress 10.137.0.5\n", NULL, "f:7:1: this address belongs to another client" },
	{ UP ONE "[client b]\ntap t1\nnetns n\naddress 10.137.0.6\n",
	  "tap=up0,ip=192.0.2.2/24,name=up0\ntap=t1,ip=10.137.0.5,name=a\ntap=t1,netns=n,ip=10.137.0.6,name=b\n", NULL },
	{ UP "[client a]\nmac 01:00:00:00:00:01\ntap t1\naddress 10.0.0.1\n", NULL, "f:5:5: not the MAC of a host\n" },
	{ UP "name a\x01\n", NULL, "f:4:7: not a printable character\n" },
};

static void show(const struct runconf *c, char *to, size_t room)
{
	size_t at = (size_t)snprintf(to, room, "%s\n", c->uplink.words);
	for (size_t i = 0; i < c->count; i++)
		at += (size_t)snprintf(to + at, room - at, "%s\n", c->client[i].words);
}

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct runconf c;
		char *errors, words[2000];
		bool good = parse(&c, files[i].text, &errors);
		if (good != (files[i].words != NULL))
			fail_msg("file %zu: %s", i, errors);
		if (good) {
			show(&c, words, sizeof(words));
			assert_string_equal(words, files[i].words);
			assert_string_equal(errors, "");
		} else if (strncmp(errors, files[i].says, strlen(files[i].says))) {
			fail_msg("file %zu: %s instead of %s", i, errors, files[i].says);
		}
		runconf_free(&c);
		free(errors);
	}
}

static void test_values_and_back(void **state)
{
	static const char text[] = "image /i\nmode hvt\nmemory 64\ncpus 0,2-3\nname n\nsockets /s\ndatabase /d\n"
		"group g\nlog /l\nwatchdog 5\nmetrics unix:/m\nweb 127.0.0.1:8080\ntender /t\nstore /p\n\n"
		"[uplink]\ntap up0\naddress 192.0.2.2/24\ngateway 192.0.2.1\n\n"
		"[client a]\nxdp t1\nnetns x\naddress 10.0.0.1\nmtu 1500\noffload on\naddress 10.0.0.2\n";
	struct runconf c;
	char *errors, *again;
	size_t n;
	(void)state;
	assert_true(parse(&c, text, &errors));
	assert_int_equal(c.memory, 64);
	assert_string_equal(c.metrics, "unix:/m");
	assert_string_equal(c.store, "/p");
	assert_false(runconf_is_live(&c.client[0]));
	assert_ptr_equal(runconf_find(&c, "a"), &c.client[0]);
	assert_null(runconf_find(&c, "b"));
	FILE *to = open_memstream(&again, &n);
	runconf_print(&c, to);
	fclose(to);
	assert_string_equal(again, text);
	runconf_free(&c);
	free(again);
	free(errors);
}

/* 256 clients, and one more. */
static void test_many(void **state)
{
	char *text, *errors;
	size_t n;
	struct runconf c;
	(void)state;
	for (int count = 256; count <= 257; count++) {
		FILE *to = open_memstream(&text, &n);
		fputs(UP, to);
		for (int i = 0; i < count; i++)
			fprintf(to, "[client c%d]\ntap t%d\naddress 10.1.%d.%d\n", i, i, i / 200, i % 200 + 1);
		fclose(to);
		assert_int_equal(parse(&c, text, &errors), count == 256);
		assert_int_equal(c.count, 256);
		assert_int_equal(strstr(errors, "too many clients") != NULL, count == 257);
		runconf_free(&c);
		free(text);
		free(errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_values_and_back),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
