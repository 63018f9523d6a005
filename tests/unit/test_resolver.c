/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/* Questions through the real pipeline: where they leave from, what they believe, when they are asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dns.h"
#include "lab_assert.h"
#include "names_status.h"
#include "resolver.h"
#include "udp.h"

#define DNS1 ip_v4(192, 0, 2, 53)
#define DNS2 ip_v4(192, 0, 2, 54)
#define WEB ip_v4(93, 184, 216, 34)
#define NOWHERE ip_v4(0, 0, 0, 0)
#define MS 1000000ull
#define SECOND 1000000000ull

struct rig {
	struct lab *lab;
	struct names *names;
	struct resolver *r;
	void *memory;
	struct secret secret;
};

static void log_line(const char *line, size_t len)
{
	(void)line;
	(void)len;
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	size_t bytes = names_bytes() + resolver_bytes();
	g->memory = malloc(bytes);
	struct arena a = { g->memory, bytes };
	g->secret = (struct secret){ { 8, 9 }, 0 };
	g->lab = lab_new(256);
	g->names = names_new(&a, &g->secret, log_line);
	g->r = g->names ? resolver_new(&a, &g->lab->fw, g->names) : NULL;
	assert_non_null(g->r);
	g->lab->fw.resolver = g->r;
	policy_set_hosts(g->lab->policy, names_hosts(g->names));
	resolver_set_servers(g->r, (struct ip_addr[]){ DNS1, DNS2, DNS1 }, 3);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;
	assert_true(lab_conserved(g->lab));
	lab_free(g->lab);
	free(g->memory);
	free(g);
	return 0;
}

static uint32_t hold(struct rig *g, const char *text)
{
	uint32_t h = hosts_handle(names_hosts(g->names), text, strlen(text));
	hosts_hold(names_hosts(g->names), h);
	return h;
}

/* A question as it came out at the uplink. */
struct asked {
	bool any;
	struct tuple tuple;
	uint8_t message[512];
	size_t len;
};

static struct asked take_question(struct rig *g)
{
	struct asked a = { .any = false };
	struct frame *f = lab_take(g->lab);
	if (!f)
		return a;
	assert_int_equal(f->port, PORT_UPLINK);
	struct packet p = parsed(g->lab, f);
	assert_int_equal(p.class, PKT_UDP);
	assert_true(mac_eq(pkt_eth(&p)->dst, LAB_GW_MAC));
	assert_true(pkt_l4_sum_ok(&p));
	struct cursor c = udp_payload(&p);
	a.any = true;
	a.tuple = p.tuple;
	a.len = c.left;
	memcpy(a.message, c.at, c.left);
	return a;
}

/* Time passes; what the resolver asks then. */
static struct asked after(struct rig *g, uint64_t ns)
{
	lab_after(g->lab, ns);
	resolver_poll(g->r, g->lab->now_ns);
	return take_question(g);
}

/* An answer as the server asked would send it: rcode, and an address if there is one. */
static struct lab_packet answer(struct asked *a, unsigned rcode, struct ip_addr ip, uint32_t ttl)
{
	uint8_t *m = a->message, *at = m + a->len;
	m[2] |= 0x80;
	m[3] = (uint8_t)rcode;
	m[7] = !ip_is_zero(ip);
	size_t len = a->len;
	if (!ip_is_zero(ip)) {
		const uint8_t head[] = { 0xc0, 12, 0, 1, 0, 1, (uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16),
					 (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, 4 };
		memcpy(at, head, sizeof(head));
		memcpy(at + sizeof(head), ip.b + 12, 4);
		len += sizeof(head) + 4;
	}
	return (struct lab_packet){ .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = a->tuple.dst,
				    .to = UP, .proto = PROTO_UDP, .sport = DNS_PORT, .dport = a->tuple.sport,
				    .payload = m, .payload_len = len };
}

static void test_question(void **state)
{
	struct rig *g = *state;
	assert_int_equal(resolver_deadline(g->r), UINT64_MAX);
	uint32_t h = hold(g, "www.example.com");
	assert_int_equal(resolver_deadline(g->r), 0);
	struct asked a = after(g, 0);
	assert_true(a.any && ip_eq(a.tuple.src, UP) && ip_eq(a.tuple.dst, DNS1));
	assert_int_equal(a.tuple.dport, DNS_PORT);
	assert_in_range(a.tuple.sport, NAT_PORT_FIRST, NAT_PORT_LAST);
	assert_int_equal(a.len, 12 + 17 + 4);
	assert_int_equal(resolver_deadline(g->r), g->lab->now_ns + RESOLVER_TRY_MS * MS);
	assert_false(after(g, SECOND).any);
	struct lab_packet in = answer(&a, 0, WEB, 300);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	assert_int_equal(names_show(g->names, h).state, NAME_RESOLVED);
	assert_true(ip_eq(names_show(g->names, h).host->address[0], WEB));
	/* the way back is closed with the answer */
	assert_int_equal(ct_count(g->lab->fw.ct), 0);
	assert_dropped(g->lab, &in, DROP_NEW_FROM_UPLINK);
	/* and it is asked again before the answer has run out, from elsewhere */
	uint64_t due = resolver_deadline(g->r);
	assert_in_range(due, g->lab->now_ns + 240 * SECOND, g->lab->now_ns + 300 * SECOND);
	assert_false(after(g, due - g->lab->now_ns - 1).any);
	struct asked b = after(g, 1);
	assert_true(b.any);
	assert_true(b.tuple.sport != a.tuple.sport || memcmp(a.message, b.message, 2));
}

/* Each forged in one thing; then the true one is still believed. */
static void test_forgeries(void **state)
{
	struct rig *g = *state;
	uint32_t h = hold(g, "www.example.com");
	struct asked a = after(g, 0), forged;
	const struct ip_addr evil = ip_v4(6, 6, 6, 6);
	struct lab_packet in = answer(&a, 0, evil, 300);
	in.from = ip_v4(192, 0, 2, 99); /* another server */
	assert_dropped(g->lab, &in, DROP_NEW_FROM_UPLINK);
	in = answer(&a, 0, evil, 300);
	in.sport = 54;
	assert_dropped(g->lab, &in, DROP_NEW_FROM_UPLINK);
	in = answer(&a, 0, evil, 300);
	in.dport ^= 1;
	assert_dropped(g->lab, &in, DROP_NEW_FROM_UPLINK);
	in = answer(&a, 0, evil, 300);
	in.from = C1; /* as a client */
	assert_dropped(g->lab, &in, DROP_CLIENT_ADDRESS);
	forged = a;
	forged.message[1] ^= 1; /* another id */
	in = answer(&forged, 0, evil, 300);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	forged = a;
	forged.message[13] ^= 1; /* another name */
	in = answer(&forged, 0, evil, 300);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	in = answer(&a, 0, evil, 300);
	in.payload_len--; /* cut */
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	in = answer(&a, 0, evil, 300);
	in.fragment = IPV4_MF; /* in pieces */
	in.payload_len = 48;
	assert_dropped(g->lab, &in, DROP_LOCAL_SILENT);
	assert_int_equal(names_show(g->names, h).state, NAME_UNRESOLVED);
	assert_int_equal(resolver_stats(g->r)->foreign, 3);
	in = answer(&a, 0, WEB, 300);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	assert_true(ip_eq(names_show(g->names, h).host->address[0], WEB));
}

/* An unreachable server's word goes nowhere, whoever says so. */
static void test_icmp(void **state)
{
	struct rig *g = *state;
	hold(g, "www.example.com");
	lab_after(g->lab, 0);
	resolver_poll(g->r, g->lab->now_ns);
	struct frame *f = lab_take(g->lab);
	assert_non_null(f);
	struct lab_packet in = { .port = PORT_UPLINK, .src = LAB_GW_MAC, .dst = LAB_UP_MAC, .from = DNS1, .to = UP,
				 .proto = PROTO_ICMP, .type = 3, .code = 3, .payload = f->data + ETH_BYTES,
				 .payload_len = f->len - ETH_BYTES };
	assert_dropped(g->lab, &in, DROP_ICMP_UNRELATED);
	lab_give(g->lab, f);
}

static void test_silence(void **state)
{
	struct rig *g = *state;
	uint32_t h = hold(g, "www.example.com");
	uint16_t ports[RESOLVER_TRIES];
	struct asked a = after(g, 0);
	for (uint32_t i = 0; i < RESOLVER_TRIES; i++) {
		assert_true(a.any);
		assert_true(ip_eq(a.tuple.dst, i % 2 ? DNS2 : DNS1));
		ports[i] = a.tuple.sport;
		assert_int_equal(ct_count(g->lab->fw.ct), 1); /* late answers to earlier ones are nobody's */
		assert_int_equal(names_show(g->names, h).failures, 0);
		assert_false(after(g, RESOLVER_TRY_MS * MS - 1).any);
		a = after(g, 1);
	}
	assert_false(a.any);
	assert_true(ports[0] != ports[1] || ports[1] != ports[2] || ports[2] != ports[3]);
	assert_int_equal(ct_count(g->lab->fw.ct), 0);
	assert_int_equal(names_show(g->names, h).failures, 1);
	assert_string_equal(names_show(g->names, h).why, "no server answers");
	assert_in_range(resolver_deadline(g->r), g->lab->now_ns + 4 * SECOND, g->lab->now_ns + 5 * SECOND);
	/* other servers: at once */
	resolver_set_servers(g->r, (struct ip_addr[]){ DNS2, C1, UP }, 3);
	a = after(g, 0);
	assert_true(a.any && ip_eq(a.tuple.dst, DNS2));
}

static void test_outcomes(void **state)
{
	struct rig *g = *state;
	uint32_t h = hold(g, "www.example.com");
	struct asked a = after(g, 0);
	/* a server that fails: the other is asked at once */
	struct lab_packet in = answer(&a, 2, NOWHERE, 0);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	a = after(g, 0);
	assert_true(a.any && ip_eq(a.tuple.dst, DNS2));
	/* a name that is not there: nobody else needs to be asked */
	in = answer(&a, 3, NOWHERE, 0);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	assert_false(after(g, 0).any);
	assert_string_equal(names_show(g->names, h).why, "there is no such name");
	a = after(g, 5 * SECOND);
	in = answer(&a, 0, NOWHERE, 0);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	assert_string_equal(names_show(g->names, h).why, "the name has no address");
	/* cut short to nothing: the other server */
	a = after(g, 10 * SECOND);
	in = answer(&a, 0, NOWHERE, 0);
	a.message[2] |= 2;
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	a = after(g, 0);
	assert_true(a.any);
	for (int i = 1; i < RESOLVER_TRIES; i++) {
		in = answer(&a, 5, NOWHERE, 0);
		assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
		a = after(g, 0);
	}
	assert_false(a.any);
	assert_string_equal(names_show(g->names, h).why, "the server fails");
	/* no name at all */
	uint32_t bad = hold(g, "a..b");
	assert_false(after(g, 0).any);
	assert_string_equal(names_show(g->names, bad).why, "not a name that can be asked for");
}

/* Nothing to ask by: no uplink, no frames. What waits is not given up, and leaves when it can. */
static void test_waiting(void **state)
{
	struct rig *g = *state;
	struct frame_queue none = { 0 };
	uint32_t h = hold(g, "www.example.com");
	fw_link(&g->lab->fw, PORT_UPLINK, false);
	for (int i = 0; i < 100; i++)
		assert_false(after(g, SECOND).any);
	assert_true(resolver_deadline(g->r) > g->lab->now_ns);
	fw_link(&g->lab->fw, PORT_UPLINK, true);
	neigh_set(g->lab->fw.neigh, PORT_UPLINK, ip_v4(10, 0, 0, 1), LAB_GW_MAC, &none);
	for (struct frame *f; (f = lab_take(g->lab));)
		lab_give(g->lab, f); /* its announcement */
	lab_after(g->lab, SECOND);
	struct frame_queue spare = g->lab->fw.spare;
	g->lab->fw.spare = none;
	resolver_poll(g->r, g->lab->now_ns);
	assert_int_equal(g->lab->fw.tx.count, 0);
	assert_int_equal(ct_count(g->lab->fw.ct), 0);
	g->lab->fw.spare = spare;
	assert_true(after(g, SECOND).any);
	assert_int_equal(names_show(g->names, h).failures, 0);
	assert_int_equal(resolver_stats(g->r)->unanswered, 0);
}

static void test_many(void **state)
{
	struct rig *g = *state;
	char text[] = "n00.example";
	enum { MANY = RESOLVER_QUESTIONS + 8 };
	for (int i = 0; i < MANY; i++) {
		text[1] = (char)('0' + i / 10);
		text[2] = (char)('0' + i % 10);
		hold(g, text);
	}
	uint32_t asked = 0, answered = 0;
	for (int round = 0; round < 40 && answered < MANY; round++) {
		struct asked a = after(g, SECOND / 2);
		assert_true(ct_count(g->lab->fw.ct) <= RESOLVER_QUESTIONS);
		for (; a.any; a = take_question(g)) {
			asked++;
			struct lab_packet in = answer(&a, 0, WEB, 3600);
			struct frame *f = lab_frame(g->lab, &in);
			fw_input(&g->lab->fw, &f, 1, g->lab->now_ns);
			answered++;
		}
	}
	assert_int_equal(answered, MANY);
	assert_int_equal(asked, MANY);
	for (uint32_t i = names_next(g->names, NONE); i != NONE; i = names_next(g->names, i))
		assert_int_equal(names_show(g->names, i).state, NAME_RESOLVED);
}

/* A client that talks to the same server from the same port gets another one outside, and each its own answer. */
static void test_ports(void **state)
{
	struct rig *g = *state;
	static const char *const all[] = { "action=accept", NULL };
	lab_rules(g->lab, C1, VERDICT_DROP, all);
	uint32_t h = hold(g, "www.example.com");
	struct asked a = after(g, 0);
	struct lab_packet up = { .port = 1, .src = LAB_C1_MAC, .dst = LAB_FW_MAC, .from = C1, .to = DNS1,
				 .proto = PROTO_UDP, .sport = a.tuple.sport, .dport = DNS_PORT };
	struct packet out = parsed(g->lab, lab_send(g->lab, &up));
	assert_int_not_equal(out.tuple.sport, a.tuple.sport);
	struct lab_packet in = answer(&a, 0, WEB, 300);
	assert_dropped(g->lab, &in, DROP_LOCAL_CONSUMED);
	assert_int_equal(names_show(g->names, h).state, NAME_RESOLVED);
	in.dport = out.tuple.sport;
	struct packet back = parsed(g->lab, lab_send(g->lab, &in));
	assert_true(ip_eq(back.tuple.dst, C1));
	assert_int_equal(back.tuple.dport, a.tuple.sport);
}

/* Rules that change under our own questions leave them alone; another address of ours ends them. */
static void test_flows(void **state)
{
	struct rig *g = *state;
	uint32_t h = hold(g, "www.example.com");
	struct asked a = after(g, 0);
	fw_rules_changed(&g->lab->fw);
	lab_after(g->lab, 0);
	assert_int_equal(ct_count(g->lab->fw.ct), 1);
	fw_set_uplink(&g->lab->fw, &(struct fw_uplink){ ip_v4(10, 0, 0, 3), 24, ip_v4(10, 0, 0, 1) });
	assert_int_equal(ct_count(g->lab->fw.ct), 0);
	for (struct frame *f; (f = lab_take(g->lab));)
		lab_give(g->lab, f); /* its announcement */
	struct lab_packet in = answer(&a, 0, WEB, 300);
	assert_null(lab_send(g->lab, &in));
	assert_int_equal(names_show(g->names, h).state, NAME_UNRESOLVED);
	lab_after(g->lab, RESOLVER_TRY_MS * MS);
	resolver_poll(g->r, g->lab->now_ns);
	assert_int_equal(ct_count(g->lab->fw.ct), 1);
	assert_int_equal(resolver_stats(g->r)->asked, 2);
}

static void test_status(void **state)
{
	struct rig *g = *state;
	struct names_status s;
	char buffer[1024];
	hold(g, "www.example.com");
	assert_non_null(names_status_begin(&s, &g->lab->fw, " nonsense", 9));
	assert_null(names_status_begin(&s, &g->lab->fw, "", 0));
	struct text t = text_on(buffer);
	assert_true(names_status_next(&s, &g->lab->fw, g->lab->now_ns, &t));
	assert_string_equal(buffer, "{\"type\":\"resolver\",\"servers\":[\"192.0.2.53\",\"192.0.2.54\"],\"asked\":0,"
				    "\"answered\":0,\"unanswered\":0,\"foreign\":0}\n");
	struct asked a = after(g, 0);
	struct lab_packet in = answer(&a, 0, WEB, 300);
	lab_send(g->lab, &in);
	t = text_on(buffer);
	assert_true(names_status_next(&s, &g->lab->fw, g->lab->now_ns + 3 * SECOND, &t));
	assert_non_null(strstr(buffer, "{\"type\":\"name\",\"name\":\"www.example.com\",\"state\":\"resolved\","
				       "\"addresses\":[\"93.184.216.34\"],\"age_s\":3,\"ttl_s\":300,\"next_s\":"));
	assert_false(names_status_next(&s, &g->lab->fw, g->lab->now_ns, &t));
	assert_null(names_status_begin(&s, &g->lab->fw, " refresh", 8));
	assert_true(after(g, 0).any);
	g->lab->fw.resolver = NULL;
	assert_non_null(names_status_begin(&s, &g->lab->fw, "", 0));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_question), CASE(test_forgeries), CASE(test_icmp), CASE(test_silence), CASE(test_outcomes),
		CASE(test_waiting),  CASE(test_many),	   CASE(test_ports), CASE(test_flows),	CASE(test_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
