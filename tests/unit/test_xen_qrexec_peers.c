/* links: qubes-integration/xen/qrexec.c qubes-integration/xen/qrexec_call.c qubes-integration/xen/qrexec_trigger.c qubes-integration/xen/qrexec_wire.c qubes-integration/xen/vchan.c qubes-integration/xen/vchan_page.c qubes-integration/xen/vchan_ring.c netstack/text.c tests/unit/xen_lab.c */
// SPDX-License-Identifier: ISC
/* Daemons and callers that break the protocol or come in crowds, and what the agent itself asks for. */
#include "qrexec_peer.h"

static void test_protocol_breaches(void **state)
{
	(void)state;
	static const struct { uint32_t type, len; uint8_t body[12]; bool greeted; } rows[] = {
		{ 0x300, 4, { 1 }, false }, { 0x300, 3, { 3 }, false }, { 0x200, 12, { 0 }, false },
		{ 0x200, 7, { 0 }, true }, { 0x201, 0, { 0 }, true },
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(NULL);
		if (rows[i].greeted)
			greet_agent();
		else
			connect_agent();
		struct vchan_page *page = agent.page;
		xen_lab_peer_maps = true; /* keeps the page to be looked at */
		say(&agent, rows[i].type, rows[i].body, rows[i].len);
		step();
		assert_int_equal(page->srv_live, 0);
		xen_lab_peer_maps = false;
		step();
		assert_non_null(xen_lab_get("/local/domain/5/data/vchan/0/512/ring-ref"));
		greet_agent(); /* and it is as good as new */
	}
	uint32_t huge[2] = { 0x999, 65537 };
	put(&agent, huge, 8);
	step();
	step();
	greet_agent();
	/* unknown messages are read over, however long */
	uint8_t much[900] = { 0 };
	say(&agent, 0x998, much, sizeof(much));
	step();
	open_call(0, "root:QUBESRPC qubes.WaitForSession dom0");
	expect_end(0, 0);
	/* a caller that breaks the protocol, and one that never serves */
	serve_call(0);
	ask(0, "root:QUBESRPC qubes.WaitForSession dom0");
	say(&call[0], 0x190, "x", 1);
	step();
	uint32_t terminated[2] = { 0, 600 };
	expect(&agent, 0x211, terminated, 8);
	xen_lab_put("/local/domain/0/data/vchan/5/605/event-channel", NULL);
	ask(5, "root:QUBESRPC qubes.WaitForSession dom0");
	now += 21 * SECOND;
	step();
	terminated[1] = 605;
	expect(&agent, 0x211, terminated, 8);
}

/* More messages at once than one round takes: the agent does not sleep on the rest. */
static void test_many_at_once(void **state)
{
	(void)state;
	greet_agent();
	for (unsigned i = 0; i < 100; i++)
		say(&agent, 0x998, "", 0);
	unsigned rounds = 0;
	do {
		step();
		rounds++;
	} while (qrexec_deadline() == 0 && rounds < 100);
	assert_int_equal(*agent.out_prod, *agent.out_cons);
	assert_in_range(rounds, 2, 20);
}

static void test_more_calls_than_places(void **state)
{
	(void)state;
	greet_agent();
	for (unsigned i = 0; i < QREXEC_CALLS; i++)
		open_call(i, "root:QUBESRPC qubes.WaitForNetworkUplink dom0");
	serve_call(7);
	ask(7, "root:QUBESRPC qubes.WaitForSession dom0");
	uint32_t terminated[2] = { 0, 607 };
	expect(&agent, 0x211, terminated, 8);
	uplink = true;
	step();
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		uint32_t code = 0;
		expect(&call[i], 0x191, "", 0);
		expect(&call[i], 0x193, &code, 4);
	}
	step();
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		terminated[1] = 600 + i;
		expect(&agent, 0x211, terminated, 8);
	}
}

/* Our one request: the words on the wire, the connection that follows, and that it is made once. */
static void test_feature_request(void **state)
{
	(void)state;
	uint8_t wanted[64 + 32 + 22] = "dom0";
	memcpy(wanted + 64, "postern-features", 16);
	memcpy(wanted + 96, "qubes.FeaturesRequest", 22);
	greet_agent_as(4);
	assert_int_equal(qrexec_deadline(), now + 3 * SECOND);
	now += 4 * SECOND;
	step();
	expect(&agent, 0x212, wanted, sizeof(wanted));
	uint8_t where[8 + 17] = { 0, 0, 0, 0, 0x01, 0x02 };
	memcpy(where + 8, "postern-features", 17);
	say(&agent, 0x202, where, sizeof(where));
	step();
	const char *ref = xen_lab_get("/local/domain/5/data/vchan/0/513/ring-ref");
	assert_non_null(ref);
	struct vchan_page *p = xen_lab_lent((uint32_t)atoi(ref));
	struct peer dom0 = { p, (uint8_t *)p + 2048, (uint8_t *)p + 1024, 2048, 1024,
			     &p->right_cons, &p->right_prod, &p->left_cons, &p->left_prod };
	p->cli_live = 1;
	step();
	uint32_t version = 3, code = 0, terminated[2] = { 0, 513 };
	expect(&dom0, 0x300, &version, 4);
	expect(&dom0, 0x190, "", 0);
	say(&dom0, 0x300, &version, 4);
	say(&dom0, 0x191, "", 0);
	say(&dom0, 0x193, &code, 4);
	step();
	expect(&agent, 0x211, terminated, 8);
	now += 60 * SECOND;
	step();
	expect_silence(&agent);
	/* nor of a daemon that comes later */
	agent.page->cli_live = 0;
	step();
	step();
	greet_agent_as(4);
	now += 60 * SECOND;
	step();
	expect_silence(&agent);
}

/* Refused, not answered, and asked of a daemon that went away before it answered. */
static void test_feature_refused(void **state)
{
	(void)state;
	uint8_t body[200];
	uint32_t header[2];
	for (unsigned way = 0; way < 3; way++) {
		setup(NULL);
		greet_agent_as(4);
		now += 4 * SECOND;
		step();
		assert_int_equal(get(&agent, header, 8), 8);
		assert_int_equal(header[0], 0x212);
		get(&agent, body, header[1]);
		if (way == 0)
			say(&agent, 0x203, body + 64, 32);
		if (way == 2) {
			agent.page->cli_live = 0;
			step();
			step();
			greet_agent_as(4);
		}
		now += 60 * SECOND;
		step();
		assert_int_equal(get(&agent, header, 8), way == 2 ? 8 : 0);
		open_call(0, "root:QUBESRPC qubes.WaitForSession dom0");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_protocol_breaches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_calls_than_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feature_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feature_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
