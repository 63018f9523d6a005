// SPDX-License-Identifier: ISC
/* The house as chains and rules of nftables. */
#include <stdio.h>
#include <string.h>

#include "cross_rule.h"
#include "headers.h"
#include "nft_walk.h"

enum { DNS_PORT = 53, BOOTP_CLIENT = 68, PORT_MAX = 65535 };

static const struct nft_set ports = { "ports", NFTW_SET_PORTS };
static const struct nft_set sources = { "sources", NFTW_SET_SOURCES };
static const struct nft_set clients = { "clients", NFTW_SET_ADDRESSES };
static const struct nft_set dns = { "dns", NFTW_SET_ADDRESSES };
static const struct nft_set rules = { "rules", NFTW_SET_VERDICTS };

/* --- sentences -------------------------------------------------------------------- */

static struct nft_match in_set(enum nft_key key, bool not, const struct nft_set *set)
{
	return (struct nft_match){ .key = key, .not = not, .set = set->name };
}

static struct nft_match is_named(enum nft_key key, bool not, const char *name)
{
	return (struct nft_match){ .key = key, .not = not, .name = name };
}

static struct nft_match is_number(enum nft_key key, unsigned lo, unsigned hi)
{
	return (struct nft_match){ .key = key, .lo = (uint16_t)lo, .hi = (uint16_t)hi };
}

static struct nft_match in_net(enum nft_key key, struct ip_prefix net)
{
	enum { V4_AT = 96 }; /* bits in front of an IPv4 address */
	for (unsigned bit = net.len; bit < 32; bit++) {
		unsigned at = V4_AT + bit;
		net.addr.b[at / 8] &= (uint8_t)~(0x80u >> at % 8);
	}
	return (struct nft_match){ .key = key, .net = net };
}

static void add(struct nft_statement *s, struct nft_match m)
{
	ensure(s->matches < NFTW_MATCHES_MAX);
	s->match[s->matches++] = m;
}

static struct nft_statement verdict(enum nft_action action, const char *target)
{
	return (struct nft_statement){ .action = action, .target = target, .comment = "" };
}

struct pen {
	const struct nft_house *house;
	const struct nft_sink *sink;
	struct nft_chain chain;
};

static void begin(struct pen *p, const char *chain, enum nft_hook hook)
{
	p->chain = (struct nft_chain){ chain, hook };
	p->sink->chain(p->sink->context, &p->chain);
}

static void say(const struct pen *p, const struct nft_statement *s)
{
	p->sink->statement(p->sink->context, &p->chain, s);
}

/* One match and what follows from it. */
static void when(const struct pen *p, struct nft_match m, enum nft_action action, const char *target)
{
	struct nft_statement s = verdict(action, target);
	add(&s, m);
	say(p, &s);
}

static void when_both(const struct pen *p, struct nft_match a, struct nft_match b, enum nft_action action)
{
	struct nft_statement s = verdict(action, NULL);
	add(&s, a);
	add(&s, b);
	say(p, &s);
}

static void otherwise(const struct pen *p, enum nft_action action)
{
	struct nft_statement s = verdict(action, NULL);
	say(p, &s);
}

/* --- sets ------------------------------------------------------------------------- */

static void chain_of(const struct nft_client *c, char name[NFTW_NAME_BYTES])
{
	struct text t = text_of(name, NFTW_NAME_BYTES);
	text_put(&t, "client-");
	text_ip(&t, c->ip);
}

static void walk_port_sets(const struct pen *p, bool with_sources)
{
	const struct nft_house *h = p->house;
	const struct nft_sink *s = p->sink;
	s->set(s->context, &ports);
	for (size_t i = 0; i < h->clients; i++) {
		bool again = false; /* a port with two addresses is one port */
		for (size_t j = 0; j < i; j++)
			again |= !strcmp(h->client[i].port, h->client[j].port);
		if (*h->client[i].port && !again)
			s->element(s->context, &ports, &(struct nft_element){ .port = h->client[i].port });
	}
	if (!with_sources)
		return;
	s->set(s->context, &sources);
	for (size_t i = 0; i < h->clients; i++)
		if (*h->client[i].port)
			s->element(s->context, &sources,
				   &(struct nft_element){ .port = h->client[i].port, .ip = h->client[i].ip });
}

static void walk_address_sets(const struct pen *p)
{
	const struct nft_house *h = p->house;
	const struct nft_sink *s = p->sink;
	s->set(s->context, &clients);
	for (size_t i = 0; i < h->clients; i++)
		s->element(s->context, &clients, &(struct nft_element){ .ip = h->client[i].ip });
	for (size_t i = 0; i < h->aways; i++)
		s->element(s->context, &clients, &(struct nft_element){ .ip = h->away[i] });
	s->set(s->context, &dns);
	for (size_t i = 0; i < h->dns_count; i++)
		s->element(s->context, &dns, &(struct nft_element){ .ip = h->dns[i] });
	s->set(s->context, &rules);
	for (size_t i = 0; i < h->clients; i++) {
		char name[NFTW_NAME_BYTES];
		chain_of(&h->client[i], name);
		s->element(s->context, &rules, &(struct nft_element){ .ip = h->client[i].ip, .chain = name });
	}
}

/* --- a client's rules ---------------------------------------------------------------- */

/* What is left of the statement once the protocol is settled. */
static void say_proto(const struct pen *p, const struct nft_rule *r, struct nft_statement s, unsigned proto)
{
	const struct rule *rule = &r->parsed.rule;
	if (proto)
		add(&s, is_number(NFTW_PROTO, proto, proto));
	if (rule->flags & RULE_DNS)
		add(&s, is_number(NFTW_DPORT, DNS_PORT, DNS_PORT));
	else if (rule->flags & RULE_HAS_PORTS && !(rule->port_lo == 0 && rule->port_hi == PORT_MAX))
		add(&s, is_number(NFTW_DPORT, rule->port_lo, rule->port_hi));
	if (rule->flags & RULE_HAS_TYPE)
		add(&s, is_number(NFTW_ICMP_TYPE, rule->icmp_type, rule->icmp_type));
	say(p, &s);
}

/* Ports and name servers without a protocol mean TCP and UDP (qubes.md 3.2). */
static void say_rule(const struct pen *p, const struct nft_rule *r, struct nft_statement s)
{
	const struct rule *rule = &r->parsed.rule;
	if (rule->flags & RULE_DNS)
		add(&s, in_set(NFTW_DADDR, false, &dns));
	if (rule->flags & RULE_HAS_PROTO) {
		say_proto(p, r, s, rule->proto);
	} else if (rule->flags & (RULE_DNS | RULE_HAS_PORTS)) {
		say_proto(p, r, s, PROTO_TCP);
		say_proto(p, r, s, PROTO_UDP);
	} else {
		say_proto(p, r, s, 0);
	}
}

/* A name: each of its addresses; none known: it permits nothing and forbids everything. */
static void walk_name(const struct pen *p, const struct nft_rule *r, struct nft_statement s, const char *number)
{
	char text[RULE_HOST_MAX + 64];
	if (!r->found_count) {
		bool accept = r->parsed.rule.action == VERDICT_ACCEPT;
		snprintf(text, sizeof(text), "rule %s: %s is not resolved, so %s", number, r->parsed.host,
			 accept ? "it permits nothing" : "it forbids every destination");
		p->sink->note(p->sink->context, text);
		if (!accept)
			say_rule(p, r, s);
		return;
	}
	for (size_t i = 0; i < r->found_count; i++) {
		struct nft_statement one = s;
		add(&one, in_net(NFTW_DADDR, (struct ip_prefix){ r->found[i], 32 }));
		say_rule(p, r, one);
	}
}

static bool never_matches(const struct rule *r)
{
	bool dns_port = r->port_lo == DNS_PORT && r->port_hi == DNS_PORT;
	if (!(r->flags & RULE_DNS))
		return false;
	return (r->flags & RULE_HAS_PORTS && !dns_port) || (r->flags & RULE_HAS_PROTO && r->proto == PROTO_ICMP);
}

/* Nothing takes it away from there in time. */
static void say_end(const struct pen *p, const struct rule *r)
{
	char text[80];
	if (!r->expire)
		return;
	snprintf(text, sizeof(text), "rule %04u: ends at %u, but here only with the next export", r->number, r->expire);
	p->sink->note(p->sink->context, text);
}

static void walk_rule(const struct pen *p, const struct nft_rule *r)
{
	const struct rule *rule = &r->parsed.rule;
	char number[8], comment[16], text[64];
	snprintf(number, sizeof(number), "%04u", rule->number);
	snprintf(comment, sizeof(comment), "rule %s", number);
	struct nft_statement s = verdict(rule->action == VERDICT_ACCEPT ? NFTW_ACCEPT : NFTW_PROHIBITED, NULL);
	s.comment = comment;
	if (never_matches(rule)) {
		snprintf(text, sizeof(text), "%s: no packet to a name server is meant by it", comment);
		p->sink->note(p->sink->context, text);
		return;
	}
	say_end(p, rule);
	if (rule->flags & RULE_HAS_DST && rule->dst.len)
		add(&s, in_net(NFTW_DADDR, rule->dst));
	if (rule->flags & RULE_HAS_HOST)
		walk_name(p, r, s, number);
	else
		say_rule(p, r, s);
}

static void walk_client(struct pen *p, const struct nft_client *c)
{
	char name[NFTW_NAME_BYTES], text[128];
	chain_of(c, name);
	begin(p, name, NFTW_NO_HOOK);
	if (c->closed) {
		snprintf(text, sizeof(text), "closed: %s", c->why);
		p->sink->note(p->sink->context, text);
	}
	for (size_t i = 0; !c->closed && i < c->count; i++)
		walk_rule(p, &c->rule[i]);
	struct nft_statement last = verdict(!c->closed && c->policy == VERDICT_ACCEPT ? NFTW_ACCEPT : NFTW_PROHIBITED,
					    NULL);
	last.comment = c->closed ? "closed" : "policy";
	say(p, &last);
}

/* --- what no client opens towards the world --------------------------------------------- */

static bool is_on(const struct nft_client *c)
{
	return c->count > 0 && !c->closed;
}

static bool has_port(const struct pen *p, struct ip_addr ip)
{
	for (size_t i = 0; i < p->house->clients; i++)
		if (ip_eq(p->house->client[i].ip, ip))
			return *p->house->client[i].port;
	return false;
}

static void say_lead(const struct pen *p, const struct rule *r, struct nft_statement s, unsigned proto)
{
	add(&s, is_number(NFTW_PROTO, proto, proto));
	if (s.action != NFTW_DNAT || !r->peer_len) {
		struct nft_statement one = s;
		if (r->flags & RULE_HAS_PORTS)
			add(&one, is_number(NFTW_DPORT, r->port_lo, r->port_hi));
		one.to_port = r->peer_port;
		say(p, &one);
		return;
	}
	/* a range that the kernel is told of is one that it chooses from */
	for (uint32_t port = r->port_lo; port <= r->port_hi; port++) {
		struct nft_statement one = s;
		add(&one, is_number(NFTW_DPORT, port, port));
		cross_rule_to(r, (uint16_t)port, &one.to_port);
		say(p, &one);
	}
}

static void walk_lead(const struct pen *p, const struct rule *r)
{
	char comment[16], text[64];
	bool accept = r->action == VERDICT_ACCEPT;
	snprintf(comment, sizeof(comment), "rule %04u", r->number);
	say_end(p, r);
	/* what is not led elsewhere ends at the input */
	struct nft_statement s = verdict(accept ? NFTW_DNAT : NFTW_ACCEPT, NULL);
	s.comment = comment;
	s.to = ip_of_v4(r->peer);
	add(&s, is_named(NFTW_IIF, false, p->house->uplink));
	if (!ip_is_zero(p->house->uplink_ip))
		add(&s, in_net(NFTW_DADDR, (struct ip_prefix){ p->house->uplink_ip, 32 }));
	if (r->flags & RULE_HAS_DST && r->dst.len)
		add(&s, in_net(NFTW_SADDR, r->dst));
	if (accept && !has_port(p, s.to)) {
		snprintf(text, sizeof(text), "%s: nobody is there", comment);
		p->sink->note(p->sink->context, text);
		s.action = NFTW_ACCEPT;
	}
	if (!(r->flags & RULE_HAS_PROTO) || r->proto == PROTO_TCP)
		say_lead(p, r, s, PROTO_TCP);
	if (!(r->flags & RULE_HAS_PROTO) || r->proto == PROTO_UDP)
		say_lead(p, r, s, PROTO_UDP);
}

static void walk_inbound(struct pen *p)
{
	const struct nft_client *c = &p->house->inbound;
	if (!is_on(c))
		return;
	begin(p, "inbound", NFTW_DSTNAT);
	for (size_t i = 0; i < c->count; i++)
		walk_lead(p, &c->rule[i].parsed.rule);
}

static void walk_between(struct pen *p)
{
	const struct nft_client *c = &p->house->between;
	if (!is_on(c))
		return;
	begin(p, "between-clients", NFTW_NO_HOOK);
	for (size_t i = 0; i < p->house->clients; i++) {
		const char *port = p->house->client[i].port;
		if (*port)
			when_both(p, is_named(NFTW_IIF, false, port), is_named(NFTW_OIF, false, port), NFTW_DROP);
	}
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_INVALID, 0), NFTW_DROP, NULL);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_ESTABLISHED | NFTW_CT_RELATED, 0), NFTW_ACCEPT, NULL);
	for (size_t i = 0; i < c->count; i++) {
		const struct rule *r = &c->rule[i].parsed.rule;
		char comment[16];
		snprintf(comment, sizeof(comment), "rule %04u", r->number);
		say_end(p, r);
		struct nft_statement s = verdict(r->action == VERDICT_ACCEPT ? NFTW_ACCEPT : NFTW_PROHIBITED, NULL);
		s.comment = comment;
		if (r->peer_len)
			add(&s, in_net(NFTW_SADDR, (struct ip_prefix){ ip_of_v4(r->peer), r->peer_len }));
		if (r->flags & RULE_HAS_DST && r->dst.len)
			add(&s, in_net(NFTW_DADDR, r->dst));
		say_rule(p, &c->rule[i], s);
	}
	otherwise(p, NFTW_DROP);
}

/* --- what holds for all --------------------------------------------------------------- */

/* What no router passes on: RFC 1122 3.2.1.3, RFC 3927 2.6.2, RFC 1112 4. The kernel itself stops the rest. */
static const struct ip_prefix never_dst[] = {
	{ { { [10] = 0xff, 0xff, 0, 0, 0, 0 } }, 8 },
	{ { { [10] = 0xff, 0xff, 169, 254, 0, 0 } }, 16 },
	{ { { [10] = 0xff, 0xff, 240, 0, 0, 0 } }, 4 },
};
static const struct ip_prefix never_src[] = {
	{ { { [10] = 0xff, 0xff, 0, 0, 0, 0 } }, 8 },
	{ { { [10] = 0xff, 0xff, 240, 0, 0, 0 } }, 4 },
};

/* Whom an operator stopped: what comes from it, or goes to it. */
static void walk_isolated(const struct pen *p, enum nft_key end)
{
	for (size_t i = 0; i < p->house->clients; i++)
		if (p->house->client[i].isolated)
			when(p, in_net(end, (struct ip_prefix){ p->house->client[i].ip, 32 }), NFTW_DROP, NULL);
}

static void walk_prerouting(struct pen *p)
{
	begin(p, "from-client", NFTW_NO_HOOK);
	when(p, in_set(NFTW_IIF_SADDR, true, &sources), NFTW_DROP, NULL);
	walk_isolated(p, NFTW_SADDR);
	/* else it is for between-clients */
	if (!is_on(&p->house->between))
		when(p, in_set(NFTW_DADDR, false, &clients), NFTW_DROP, NULL);
	for (size_t i = 0; i < array_len(never_dst); i++)
		when(p, in_net(NFTW_DADDR, never_dst[i]), NFTW_DROP, NULL);
	begin(p, "prerouting", NFTW_PREROUTING);
	when(p, in_set(NFTW_IIF, false, &ports), NFTW_GOTO, "from-client");
	when(p, in_set(NFTW_SADDR, false, &clients), NFTW_DROP, NULL);
	when(p, in_set(NFTW_DADDR, false, &clients), NFTW_DROP, NULL);
	for (size_t i = 0; i < array_len(never_src); i++)
		when_both(p, is_named(NFTW_IIF, false, p->house->uplink), in_net(NFTW_SADDR, never_src[i]), NFTW_DROP);
}

static void walk_input(struct pen *p)
{
	struct nft_match proto = is_number(NFTW_PROTO, PROTO_UDP, PROTO_UDP);
	begin(p, "to-firewall", NFTW_NO_HOOK);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_INVALID, 0), NFTW_DROP, NULL);
	when_both(p, proto, is_number(NFTW_DPORT, BOOTP_CLIENT, BOOTP_CLIENT), NFTW_DROP);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_ESTABLISHED | NFTW_CT_RELATED, 0), NFTW_ACCEPT, NULL);
	when(p, is_number(NFTW_PROTO, PROTO_ICMP, PROTO_ICMP), NFTW_ACCEPT, NULL);
	otherwise(p, NFTW_HOST_PROHIBITED);
	begin(p, "input", NFTW_INPUT);
	when(p, in_set(NFTW_IIF, false, &ports), NFTW_GOTO, "to-firewall");
	when(p, is_named(NFTW_IIF, true, p->house->uplink), NFTW_ACCEPT, NULL);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_ESTABLISHED | NFTW_CT_RELATED, 0), NFTW_ACCEPT, NULL);
	otherwise(p, NFTW_DROP);
}

static void walk_forward(struct pen *p)
{
	bool between = is_on(&p->house->between);
	walk_between(p);
	begin(p, "client-out", NFTW_NO_HOOK);
	if (between) {
		when(p, in_set(NFTW_OIF, false, &ports), NFTW_GOTO, "between-clients");
		when(p, in_set(NFTW_DADDR, false, &clients), NFTW_DROP, NULL);
	}
	when(p, is_named(NFTW_OIF, true, p->house->uplink), NFTW_DROP, NULL);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_INVALID, 0), NFTW_DROP, NULL);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_ESTABLISHED | NFTW_CT_RELATED, 0), NFTW_ACCEPT, NULL);
	struct nft_statement by_client = verdict(NFTW_VERDICT_OF_SADDR, rules.name);
	say(p, &by_client);
	otherwise(p, NFTW_PROHIBITED);
	begin(p, "client-in", NFTW_NO_HOOK);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_INVALID, 0), NFTW_DROP, NULL);
	when(p, is_number(NFTW_CT_STATE, NFTW_CT_ESTABLISHED | NFTW_CT_RELATED, 0), NFTW_ACCEPT, NULL);
	if (is_on(&p->house->inbound))
		when_both(p, is_named(NFTW_IIF, false, p->house->uplink), (struct nft_match){ .key = NFTW_CT_DNAT },
			  NFTW_ACCEPT);
	otherwise(p, NFTW_DROP);
	begin(p, "forward", NFTW_FORWARD);
	walk_isolated(p, NFTW_DADDR);
	when(p, in_set(NFTW_IIF, false, &ports), NFTW_GOTO, "client-out");
	when(p, in_set(NFTW_OIF, false, &ports), NFTW_GOTO, "client-in");
	when_both(p, is_named(NFTW_IIF, false, p->house->uplink), is_named(NFTW_OIF, false, p->house->uplink), NFTW_DROP);
}

static void walk_postrouting(struct pen *p)
{
	begin(p, "postrouting", NFTW_POSTROUTING);
	when_both(p, in_set(NFTW_SADDR, false, &clients), is_named(NFTW_OIF, false, p->house->uplink), NFTW_MASQUERADE);
}

void nft_walk(const struct nft_house *house, const struct nft_sink *sink)
{
	struct pen p = { .house = house, .sink = sink };
	sink->table(sink->context, NFTW_IP);
	walk_port_sets(&p, true);
	walk_address_sets(&p);
	for (size_t i = 0; i < house->clients; i++)
		walk_client(&p, &house->client[i]);
	walk_prerouting(&p);
	walk_inbound(&p);
	walk_input(&p);
	walk_forward(&p);
	walk_postrouting(&p);
	/* as the appliance: no IPv6 from or to a client */
	sink->table(sink->context, NFTW_IP6);
	walk_port_sets(&p, false);
	begin(&p, "prerouting", NFTW_PREROUTING);
	when(&p, in_set(NFTW_IIF, false, &ports), NFTW_DROP, NULL);
	begin(&p, "forward", NFTW_FORWARD);
	when(&p, in_set(NFTW_OIF, false, &ports), NFTW_DROP, NULL);
}
