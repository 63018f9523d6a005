/* links: tender/host/options.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Command line and configuration file: what is understood, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "options.h"

static struct options o;
static char reason[256];

static bool args(const char *const words[])
{
	char *argv[16] = { "postern-tender" };
	int argc = 1;
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	struct text why = text_on(reason);
	options_init(&o);
	return options_args(&o, argc, argv, &why) && options_check(&o, &why);
}

static bool file(const char *text)
{
	struct text why = text_on(reason);
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	memcpy(exact, text, len);
	options_init(&o);
	bool ok = options_file(&o, exact, len, &why);
	free(exact);
	return ok;
}

static void reads_all(void **state)
{
	(void)state;
	assert_true(args((const char *const[]){ "--image", "p.elf", "--mode=hvt", "--mem", "64",
		"--uplink", "tap=up0,netns=lab,ip=192.0.2.2/24,gateway=192.0.2.1,mac=02:00:00:00:00:01",
		"--client", "tap=c1,ip=10.137.0.5,mac=00:16:3e:5e:6c:00,our-mac=fe:00:00:00:00:09,name=work",
		"--client=fd=7,ip=10.137.0.6,ip=fd09::6,mtu=1400,offload=off", "--store", "/run/s",
		"--cpus", "5,0-1", NULL }));
	assert_int_equal(o.cpu_count, 3);
	assert_true(o.cpu[0] == 5 && o.cpu[1] == 0 && o.cpu[2] == 1);
	assert_string_equal(o.image, "p.elf");
	assert_int_equal(o.mode, OPTION_HVT);
	assert_int_equal(o.mem_mib, 64);
	assert_true(o.has_uplink);
	assert_string_equal(o.uplink.iface, "up0");
	assert_int_equal(o.uplink.kind, OPTION_TAP);
	assert_string_equal(o.uplink.netns, "lab");
	assert_string_equal(o.uplink.name, "up0");
	assert_int_equal(o.uplink.prefix_len, 24);
	assert_true(ip_eq(o.uplink.addr[0], ip_v4(192, 0, 2, 2)));
	assert_true(ip_eq(o.uplink.gateway, ip_v4(192, 0, 2, 1)));
	assert_true(o.uplink.has_ours && o.uplink.ours.b[5] == 1);
	assert_int_equal(o.client_count, 2);
	assert_string_equal(o.client[0].name, "work");
	assert_int_equal(o.client[0].theirs.b[2], 0x3e);
	assert_int_equal(o.client[0].ours.b[5], 9);
	assert_int_equal(o.client[1].fd, 7);
	assert_int_equal(o.client[1].addr_count, 2);
	assert_int_equal(o.client[1].mtu, 1400);
	assert_true(o.uplink.offload && o.client[0].offload);
	assert_false(o.client[1].offload);
	assert_string_equal(o.store, "/run/s");
}

static void defaults(void **state)
{
	(void)state;
	assert_true(args((const char *const[]){ "--image", "x", NULL }));
	assert_int_equal(o.mem_mib, 32);
	assert_int_equal(o.mode, OPTION_AUTO);
	assert_false(o.has_uplink);
	assert_true(args((const char *const[]){ "-h", NULL }) || o.help);
	assert_true(o.help);
}

static void refuses(void **state)
{
	(void)state;
	static const char *const wrong[][2] = {
		{ "--mode", "kvm" }, { "--mem", "7" }, { "--mem", "2049" }, { "--mem", "32x" },
		{ "--cpus", "" }, { "--cpus", "1," }, { "--cpus", "3-2" }, { "--cpus", "0-16" }, { "--cpus", "1024" },
		{ "--cpus", "0 1" },
		{ "--mem", "" }, { "--client", "tap=a" }, { "--client", "ip=10.0.0.1" },
		{ "--client", "tap=a,fd=3,ip=10.0.0.1" }, { "--client", "tap=a,ip=10.0.0.1/24" },
		{ "--client", "tap=a,ip=10.0.0.256" }, { "--client", "tap=a,ip=1.1.1.1,ip=1.1.1.2,ip=1.1.1.3" },
		{ "--client", "tap=sixteen-letters-,ip=10.0.0.1" }, { "--client", "tap=a/b,ip=10.0.0.1" },
		{ "--client", "tap=a,netns=../x,ip=10.0.0.1" }, { "--client", "tap=a,ip=10.0.0.1,mac=1:2" },
		{ "--client", "tap=a,ip=10.0.0.1,gateway=10.0.0.2" }, { "--client", "tap=a,,ip=10.0.0.1" },
		{ "--client", "tap=a,ip=10.0.0.1,what=ever" }, { "--client", "tap=a,ip=10.0.0.1,mtu=67" },
		{ "--client", "tap=a,ip=10.0.0.1,offload=yes" }, { "--client", "tap=a,ip=10.0.0.1,offload=o" },
		{ "--client", "tap=a,ip=10.0.0.1,offload=" },
		{ "--uplink", "tap=a,ip=10.0.0.1/33" }, { "--uplink", "tap=a,our-mac=02:00:00:00:00:01" },
		{ "--uplink", "" }, { "--uplink", "tap=" }, { "--unknown", "x" },
		{ "--uplink", "packet=a,tap=b" }, { "--uplink", "auto=" }, { "--uplink", "xdp=a/b" },
		{ "--uplink", "packet=a,fd=3" }, { "--uplink", "veth=a" },
		{ "--unknown-and-much-too-long", "x" }, { "-x", "x" }, { "word", "x" }, { "--name", "" },
	};
	for (size_t i = 0; i < array_len(wrong); i++)
		if (args((const char *const[]){ "--image", "x", wrong[i][0], wrong[i][1], NULL }))
			fail_msg("accepted: %s %s", wrong[i][0], wrong[i][1]);
	assert_false(args((const char *const[]){ "--image", NULL }));
	assert_false(args((const char *const[]){ "--mem", "32", NULL }));
	assert_false(args((const char *const[]){ "--image", "x", "--uplink", "tap=a", "--uplink", "tap=b", NULL }));
	assert_false(args((const char *const[]){ "--image", "x", "--client", "tap=a,ip=10.0.0.1",
		"--client", "tap=a,ip=10.0.0.2", NULL }));
	assert_true(args((const char *const[]){ "--image", "x", "--client", "tap=a,ip=10.0.0.1",
		"--client", "tap=a,netns=b,ip=10.0.0.2", NULL }));
}

static void reads_files(void **state)
{
	(void)state;
	assert_true(file("# a lab\n\nimage p.elf\n  mem 48 \r\nclient tap=a,ip=10.0.0.1\nmode = spt"));
	assert_string_equal(o.image, "p.elf");
	assert_int_equal(o.mem_mib, 48);
	assert_int_equal(o.client_count, 1);
	assert_int_equal(o.mode, OPTION_SPT);
	assert_false(file("mem 32\nmem nothing\n"));
	assert_memory_equal(reason, "line 2: ", 8);
	assert_false(file("config other\n"));
	assert_false(file("image\n"));
	assert_true(file(""));
	char line[700];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_false(file(line));
}

static void client_limit(void **state)
{
	(void)state;
	struct text why = text_on(reason);
	options_init(&o);
	for (uint32_t i = 0; i < PORT_COUNT - PORT_CLIENT_FIRST; i++)
		assert_true(options_set(&o, "client", "fd=3,ip=10.0.0.1", &why));
	assert_false(options_set(&o, "client", "fd=3,ip=10.0.0.1", &why));
}

static void kinds_of_ports(void **state)
{
	static const struct { const char *text; enum option_kind kind; } table[] = {
		{ "tap=eth1", OPTION_TAP }, { "packet=eth1", OPTION_PACKET },
		{ "xdp=eth1", OPTION_XDP }, { "auto=eth1", OPTION_ANY },
	};
	(void)state;
	for (size_t i = 0; i < array_len(table); i++) {
		assert_true(args((const char *const[]){ "--image", "x", "--uplink", table[i].text, NULL }));
		assert_int_equal(o.uplink.kind, table[i].kind);
		assert_string_equal(o.uplink.iface, "eth1");
		assert_string_equal(o.uplink.name, "eth1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all),
		cmocka_unit_test(defaults),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(kinds_of_ports),
		cmocka_unit_test(client_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
