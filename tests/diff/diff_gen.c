// SPDX-License-Identifier: ISC
/* Random rules and packets, drawn from few values so that they meet, and from the edges of ranges. */
#include <string.h>

#include "diff.h"
#include "diff_lab.h"

enum { CLIENT_ISN = 1000, SERVER_ISN = 5000000 };

static const uint8_t hosts[][4] = {
	{ 192, 0, 2, 1 }, { 192, 0, 2, 129 }, { 198, 51, 100, 7 }, { 203, 0, 113, 9 }, { 10, 139, 1, 1 },
	{ 10, 139, 1, 2 }, { 8, 8, 8, 8 }, { 10, 200, 1, 1 }, { 172, 16, 5, 4 }, { 10, 0, 0, 1 },
};
/* to the firewall itself, to clients, and to where no router leads */
static const uint8_t odd_hosts[][4] = {
	{ 10, 0, 0, 2 }, { 10, 0, 0, 2 }, { 10, 0, 0, 2 }, { 10, 137, 0, 5 }, { 10, 137, 0, 6 }, { 10, 137, 0, 99 },
	{ 169, 254, 3, 4 }, { 224, 0, 0, 251 }, { 255, 255, 255, 255 }, { 127, 0, 0, 1 }, { 240, 1, 2, 3 },
	{ 10, 0, 0, 255 }, { 0, 1, 2, 3 },
};
/* from the uplink: the rest would be transit, which is not a matter of clients */
static const uint8_t uplink_hosts[][4] = {
	{ 10, 0, 0, 2 }, { 10, 0, 0, 2 }, { 10, 0, 0, 2 }, { 10, 137, 0, 5 }, { 10, 137, 0, 6 }, { 10, 137, 0, 99 },
	{ 224, 0, 0, 251 }, { 255, 255, 255, 255 }, { 127, 0, 0, 1 }, { 10, 0, 0, 255 },
};
static const uint8_t spoofed[][4] = {
	{ 10, 137, 0, 5 }, { 10, 137, 0, 6 }, { 10, 137, 0, 99 }, { 10, 137, 0, 77 }, { 10, 0, 0, 2 }, { 10, 0, 0, 1 },
	{ 192, 0, 2, 1 }, { 127, 0, 0, 1 }, { 240, 1, 2, 3 }, { 224, 0, 0, 1 }, { 0, 0, 0, 1 },
};
static const uint16_t ports[] = {
	0, 1, 15, 22, 52, 53, 54, 67, 68, 79, 80, 81, 90, 443, 999, 1000, 1001, 1500, 2000, 8080, 15000, 32767, 65534, 65535,
};
static const uint8_t lengths[] = { 0, 1, 4, 7, 8, 9, 15, 16, 23, 24, 25, 30, 31, 32, 32, 32, 32 };
static const uint8_t types[] = { 0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 30, 40, 255 };
static const uint8_t protos[] = { 2, 4, 41, 47, 50, 51, 89, 103, 253, 255 };

uint64_t diff_random(struct diff_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t below(struct diff_random *r, size_t n)
{
	return (size_t)(diff_random(r) % n);
}

static bool chance(struct diff_random *r, unsigned percent)
{
	return below(r, 100) < percent;
}

#define PICK(r, array) ((array)[below((r), array_len(array))])

static struct ip_addr host(const uint8_t b[4])
{
	return ip_v4(b[0], b[1], b[2], b[3]);
}

/* --- rules --------------------------------------------------------------------------- */

static void put_dst(struct text *t, struct diff_random *r, bool agent)
{
	struct ip_prefix net = { host(PICK(r, hosts)), PICK(r, lengths) };
	if (chance(r, 10))
		net.addr = host(PICK(r, odd_hosts));
	if (chance(r, 90) || agent) {
		text_put(t, " dst4=");
		text_prefix(t, net);
	} else if (chance(r, 70)) {
		text_put(t, " dsthost=");
		text_ip(t, net.addr);
	} else {
		text_put(t, " dsthost=nobody.example");
	}
}

static void put_ports(struct text *t, struct diff_random *r)
{
	unsigned lo = PICK(r, ports), hi = PICK(r, ports);
	if (chance(r, 40))
		hi = lo;
	text_put(t, " dstports=");
	text_u64(t, lo < hi ? lo : hi);
	text_char(t, '-');
	text_u64(t, lo < hi ? hi : lo);
}

static void make_rule(char line[RULE_TEXT], struct diff_random *r, bool agent)
{
	static const char *const words[] = { "tcp", "tcp", "tcp", "udp", "udp", "icmp" };
	struct text t = text_of(line, RULE_TEXT);
	const char *proto = chance(r, 70) ? PICK(r, words) : NULL;
	bool icmp = proto && !strcmp(proto, "icmp");
	text_put(&t, chance(r, 50) ? "action=accept" : "action=drop");
	if (chance(r, 60))
		put_dst(&t, r, agent);
	if (proto) {
		text_put(&t, " proto=");
		text_put(&t, proto);
	}
	if (chance(r, 12))
		text_put(&t, " specialtarget=dns");
	if (!icmp && chance(r, proto ? 60 : 15))
		put_ports(&t, r);
	if (icmp && chance(r, 60)) {
		text_put(&t, " icmptype=");
		text_u64(&t, PICK(r, types));
	}
}

static void make_rules(struct diff_rules *rules, struct diff_random *r, bool agent)
{
	rules->closed = chance(r, 3);
	rules->policy = chance(r, 25) ? VERDICT_ACCEPT : VERDICT_DROP;
	rules->count = below(r, chance(r, 70) ? 8 : DIFF_RULES_MAX + 1);
	for (size_t i = 0; i < rules->count; i++)
		make_rule(rules->line[i], r, agent);
}

static const uint16_t lead_ports[] = { 22, 80, 81, 443, 1000 };

static void put_near_ports(struct text *t, struct diff_random *r, unsigned *lo, unsigned *hi)
{
	*lo = PICK(r, lead_ports);
	*hi = *lo + (unsigned)(chance(r, 50) ? 0 : below(r, 5));
	text_put(t, " dstports=");
	text_u64(t, *lo);
	text_char(t, '-');
	text_u64(t, *hi);
}

static void put_client(struct text *t, struct diff_random *r)
{
	struct ip_prefix net = { chance(r, 10) ? DIFF_AWAY : diff_client(below(r, DIFF_CLIENTS)),
				 (uint8_t)(chance(r, 70) ? 32 : 24 + below(r, 9)) };
	text_prefix(t, net);
}

static void make_lead(char line[RULE_TEXT], struct diff_random *r)
{
	struct text t = text_of(line, RULE_TEXT);
	bool accept = chance(r, 75), ports_too = accept || chance(r, 50);
	unsigned lo = 0, hi = 0;
	text_put(&t, accept ? "action=accept" : "action=drop");
	if (chance(r, 45)) {
		struct ip_prefix net = { host(PICK(r, hosts)), PICK(r, lengths) };
		text_put(&t, " src4=");
		text_prefix(&t, net);
	}
	if (chance(r, 70))
		text_put(&t, chance(r, 50) ? " proto=tcp" : " proto=udp");
	if (ports_too)
		put_near_ports(&t, r, &lo, &hi);
	if (!accept)
		return;
	text_put(&t, " to=");
	text_ip(&t, chance(r, 6) ? DIFF_AWAY : diff_client(below(r, DIFF_CLIENTS)));
	unsigned how = (unsigned)below(r, 3), to = 1 + (unsigned)below(r, 65000);
	if (how == 0)
		return;
	text_char(&t, ':');
	text_u64(&t, to);
	if (how == 2 && hi > lo) {
		text_char(&t, '-');
		text_u64(&t, to + hi - lo);
	}
}

static void make_between(char line[RULE_TEXT], struct diff_random *r)
{
	static const char *const words[] = { " proto=tcp", " proto=tcp", " proto=udp", " proto=icmp" };
	struct text t = text_of(line, RULE_TEXT);
	const char *proto = chance(r, 70) ? PICK(r, words) : "";
	text_put(&t, chance(r, 70) ? "action=accept" : "action=drop");
	if (chance(r, 60)) {
		text_put(&t, " src4=");
		put_client(&t, r);
	}
	if (chance(r, 60)) {
		text_put(&t, " dst4=");
		put_client(&t, r);
	}
	text_put(&t, proto);
	if (!strcmp(proto, " proto=icmp") && chance(r, 50)) {
		text_put(&t, " icmptype=");
		text_u64(&t, PICK(r, types));
	} else if (strcmp(proto, " proto=icmp") && chance(r, 50)) {
		put_ports(&t, r);
	}
}

static void make_cross(struct diff_rules *rules, struct diff_random *r)
{
	for (size_t i = DIFF_INBOUND; i < DIFF_OWNERS; i++) {
		rules[i].count = chance(r, 50) ? 1 + below(r, 6) : 0;
		rules[i].closed = rules[i].count == 0;
		for (size_t k = 0; k < rules[i].count; k++)
			i == DIFF_INBOUND ? make_lead(rules[i].line[k], r) : make_between(rules[i].line[k], r);
	}
}

/* --- packets --------------------------------------------------------------------------- */

static void make_tcp(struct lab_packet *p, struct diff_random *r)
{
	static const uint8_t stray[] = {
		TCP_SYN | TCP_ACK, TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_FIN, 0,
		TCP_SYN | TCP_FIN,
	};
	p->flags = chance(r, 85) ? TCP_SYN : PICK(r, stray);
	if (p->flags != TCP_SYN) {
		/* away from the connections: what a stray segment does to one is no matter of rules */
		p->sport = (uint16_t)(8192 + below(r, 8192));
		p->dport &= 0x7fff;
	}
	p->seq = CLIENT_ISN;
	p->ack = p->flags & TCP_ACK ? SERVER_ISN : 0;
	/* of flags that cannot be, the kernel tells the TTL first */
	if (!(p->flags & (TCP_ACK | TCP_RST)) && p->flags != TCP_SYN)
		p->ttl = 64;
}

/* A first packet, of either side. */
static void make_first(struct diff_step *s, struct diff_random *r)
{
	struct lab_packet *p = &s->p;
	p->port = (uint16_t)(chance(r, 6) ? PORT_UPLINK : 1 + below(r, DIFF_CLIENTS));
	p->from = p->port == PORT_UPLINK ? host(PICK(r, hosts)) : diff_client(p->port - 1u);
	p->to = chance(r, 85) ? host(PICK(r, hosts)) : host(PICK(r, odd_hosts));
	if (p->port == PORT_UPLINK)
		p->to = host(PICK(r, uplink_hosts));
	if (chance(r, 5))
		p->from = host(PICK(r, spoofed));
	unsigned kind = (unsigned)below(r, 100);
	p->proto = kind < 35 ? PROTO_TCP : kind < 70 ? PROTO_UDP : kind < 90 ? PROTO_ICMP : PICK(r, protos);
	/* from 16384 up the kernel keeps a port whatever the destination's is */
	p->sport = (uint16_t)(16384 + below(r, chance(r, 30) ? 4 : 49152));
	p->dport = chance(r, 90) ? PICK(r, ports) : (uint16_t)diff_random(r);
	p->ttl = (uint8_t)(chance(r, 92) ? 64 : chance(r, 50) ? 1 : 2);
	p->id = (uint16_t)diff_random(r);
	p->type = chance(r, 60) ? 8 : PICK(r, types);
	s->payload_len = (uint16_t)(p->proto == PROTO_TCP ? 0 : below(r, chance(r, 80) ? 64 : DIFF_PAYLOAD_MAX - 8));
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP && p->proto != PROTO_ICMP)
		s->payload_len = (uint16_t)(s->payload_len + 8); /* what an ICMP error quotes */
	if (p->proto == PROTO_TCP)
		make_tcp(p, r);
	if (s->payload_len > 64 && chance(r, 70))
		s->pieces = (uint8_t)(2 + below(r, DIFF_PIECES_MAX - 1));
	/* the kernel's own host answers timestamps as well: no matter of filters */
	if (p->proto == PROTO_ICMP && ip_eq(p->to, DIFF_FIREWALL) && p->type != 0)
		p->type = 8;
	if (ip_eq(p->to, DIFF_FIREWALL))
		s->pieces = 0; /* in fragments, the core's own address is deaf (README, limits) */
	s->backwards = chance(r, 30);
	if (!s->pieces && chance(r, 20))
		p->fragment = IPV4_DF;
}

/* To a port that leads inside, or from client to client; connections from their beginning. */
static void make_crossing(struct diff_step *s, struct diff_random *r, const struct diff_case *c)
{
	struct lab_packet *p = &s->p;
	bool inbound = !c->rules[DIFF_INBOUND].closed && chance(r, 20);
	if (inbound) {
		p->port = PORT_UPLINK;
		p->from = host(PICK(r, hosts));
		p->to = DIFF_FIREWALL;
		p->proto = chance(r, 50) ? PROTO_TCP : PROTO_UDP;
		p->dport = (uint16_t)(PICK(r, lead_ports) + below(r, 6));
		s->pieces = 0;
	} else if (!c->rules[DIFF_BETWEEN].closed && chance(r, 20)) {
		size_t client = below(r, DIFF_CLIENTS);
		p->port = (uint16_t)(1 + client);
		p->from = diff_client(client);
		p->to = diff_client(1 - client);
	} else {
		/* between clients the kernel speaks of the TTL before the rules do, and takes up connections in the middle */
		bool across = ip_in_prefix(p->to, (struct ip_prefix){ diff_client(0), 24 }) || p->port == PORT_UPLINK;
		if (!across)
			return;
	}
	p->ttl = 64;
	if (p->proto == PROTO_TCP) {
		p->flags = TCP_SYN;
		p->ack = 0;
		p->seq = CLIENT_ISN;
		s->payload_len = 0;
		s->pieces = 0;
		p->sport = (uint16_t)(16384 + below(r, 49152));
	}
}

static bool begins(struct ip_addr ip, struct ip_addr net, uint8_t len)
{
	return ip_in_prefix(ip, (struct ip_prefix){ net, len });
}

/*
 * The agent's host routes what no router should; it speaks of the TTL before it drops between clients,
 * and refuses aloud what goes to a client that is not there.
 */
static void avoid_intended(struct lab_packet *p)
{
	if (begins(p->to, ip_v4(0, 0, 0, 0), 8) || begins(p->to, ip_v4(169, 254, 0, 0), 16) ||
	    begins(p->to, ip_v4(240, 0, 0, 0), 4) || begins(p->from, ip_v4(0, 0, 0, 0), 8) ||
	    begins(p->from, ip_v4(240, 0, 0, 0), 4) || (p->port != PORT_UPLINK && ip_eq(p->to, DIFF_AWAY)))
		p->to = p->port == PORT_UPLINK ? DIFF_FIREWALL : host(hosts[0]);
	if (begins(p->to, ip_v4(10, 137, 0, 0), 24))
		p->ttl = 64;
}

/* --- flows -------------------------------------------------------------------------------- */

struct talk {
	size_t first, reply; /* steps; reply 0: none yet */
	uint8_t stage;
	bool over, crosses; /* goes to a client */
};

/* The next segment of a connection that nobody disturbs. */
static void next_tcp(struct diff_step *s, struct talk *t)
{
	static const struct { bool up; uint8_t flags; uint32_t seq, ack; uint16_t len; } script[] = {
		{ true, TCP_SYN, 0, 0, 0 },
		{ false, TCP_SYN | TCP_ACK, 0, 1, 0 },
		{ true, TCP_ACK, 1, 1, 0 },
		{ true, TCP_ACK | TCP_PSH, 1, 1, 50 },
		{ false, TCP_ACK | TCP_PSH, 1, 51, 70 },
		{ true, TCP_ACK | TCP_FIN, 51, 71, 0 },
		{ false, TCP_ACK | TCP_FIN, 71, 52, 0 },
		{ true, TCP_ACK, 52, 72, 0 },
	};
	s->kind = script[t->stage].up ? DIFF_SEND : DIFF_REPLY;
	s->p.flags = script[t->stage].flags;
	s->p.seq = script[t->stage].seq + (script[t->stage].up ? CLIENT_ISN : SERVER_ISN);
	s->p.ack = script[t->stage].ack + (script[t->stage].up ? SERVER_ISN : CLIENT_ISN);
	if (!(s->p.flags & TCP_ACK))
		s->p.ack = 0;
	s->payload_len = script[t->stage].len;
	t->over = ++t->stage == array_len(script);
}

static void reset(struct diff_step *s, struct talk *t)
{
	s->kind = DIFF_REPLY;
	s->p.flags = TCP_RST | TCP_ACK;
	s->p.seq = t->stage > 1 ? SERVER_ISN + 1 : 0;
	s->p.ack = CLIENT_ISN + 1;
	t->over = true;
}

static void make_error(struct diff_step *s, struct talk *t, struct diff_random *r)
{
	static const struct { uint8_t type, code; } errors[] = {
		{ 3, 0 }, { 3, 1 }, { 3, 3 }, { 3, 4 }, { 3, 13 }, { 11, 0 }, { 12, 0 },
	};
	size_t i = below(r, array_len(errors));
	bool inside = t->crosses, from_client = inside || (t->reply && chance(r, 30));
	s->kind = from_client ? DIFF_CLIENT_ERROR : DIFF_ERROR;
	s->about = from_client && t->reply && (!inside || chance(r, 50)) ? t->reply : s->about;
	s->p = (struct lab_packet){ .port = PORT_UPLINK, .ttl = 64, .from = ip_v4(198, 51, 100, 77) };
	s->pieces = 0;
	s->p.type = errors[i].type;
	s->p.code = errors[i].code;
}

static void go_on(struct diff_case *c, size_t number, struct talk *t, struct diff_random *r)
{
	struct diff_step *s = &c->step[number];
	*s = c->step[t->first];
	s->about = t->first;
	s->p.ttl = 64;
	bool tcp = s->p.proto == PROTO_TCP;
	if (chance(r, 12)) {
		make_error(s, t, r);
		return;
	}
	if (tcp && t->stage <= 4 && chance(r, 10))
		reset(s, t);
	else if (tcp)
		next_tcp(s, t);
	else
		s->kind = chance(r, 50) ? DIFF_REPLY : DIFF_SEND;
	s->p.id = (uint16_t)diff_random(r); /* fragments of another datagram */
	if (s->kind == DIFF_REPLY) {
		s->p.port = PORT_UPLINK;
		t->reply = number;
	}
}

/* Other rules, or these without some of them: so that some flows live on. */
static void make_later(struct diff_rules *later, const struct diff_rules *rules, struct diff_random *r, bool agent)
{
	if (chance(r, 40)) {
		make_rules(later, r, agent);
		return;
	}
	*later = *rules;
	later->count = 0;
	for (size_t i = 0; i < rules->count; i++)
		if (chance(r, 75))
			memcpy(later->line[later->count++], rules->line[i], sizeof(later->line[0]));
}

/* A second SYN within a connection is a matter of its states, not of rules. */
static bool is_open(const struct diff_case *c, const struct lab_packet *p)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct lab_packet *q = &c->step[i].p;
		if (c->step[i].kind == DIFF_SEND && q->proto == PROTO_TCP && ip_eq(q->from, p->from) && ip_eq(q->to, p->to) &&
		    q->sport == p->sport && q->dport == p->dport)
			return true;
	}
	return false;
}

void diff_generate(struct diff_case *c, struct diff_random *r, size_t steps, struct diff_taste taste)
{
	bool agent = taste.agent;
	static struct talk talk[DIFF_STEPS_MAX];
	size_t talks = 0;
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < DIFF_CLIENTS; i++)
		make_rules(&c->rules[i], r, agent);
	for (size_t i = 0; i < DIFF_CLIENTS; i++)
		make_later(&c->later[i], &c->rules[i], r, agent);
	for (size_t i = DIFF_INBOUND; i < DIFF_OWNERS; i++)
		c->rules[i].closed = c->later[i].closed = true;
	if (taste.cross) {
		make_cross(c->rules, r);
		make_cross(c->later, r);
		for (size_t i = DIFF_INBOUND; i < DIFF_OWNERS; i++)
			if (chance(r, 50))
				c->later[i] = c->rules[i];
	}
	size_t change = chance(r, 60) ? below(r, steps) : steps;
	for (c->count = 0; c->count < steps; c->count++) {
		struct diff_step *s = &c->step[c->count];
		size_t t = talks ? below(r, talks) : 0;
		if (c->count == change) {
			*s = (struct diff_step){ .kind = DIFF_CHANGE, .about = change };
			continue;
		}
		if (talks && chance(r, 45) && !talk[t].over) {
			go_on(c, c->count, &talk[t], r);
			continue;
		}
		s->about = c->count;
		make_first(s, r);
		if (agent)
			avoid_intended(&s->p);
		if (taste.cross)
			make_crossing(s, r, c);
		while (s->p.proto == PROTO_TCP && is_open(c, &s->p))
			s->p.sport = (uint16_t)(16384 + below(r, 49152));
		bool crosses = s->p.port == PORT_UPLINK || begins(s->p.to, diff_client(0), 24);
		if ((taste.cross || s->p.port != PORT_UPLINK) && (s->p.proto != PROTO_TCP || s->p.flags == TCP_SYN))
			talk[talks++] = (struct talk){ .first = c->count, .stage = 1, .crosses = crosses };
	}
}

/* --- for a reader ---------------------------------------------------------------------------- */

void diff_print_rules(const struct diff_rules rules[DIFF_OWNERS], FILE *to)
{
	char client[IP_TEXT];
	for (size_t i = 0; i < DIFF_OWNERS; i++) {
		struct text t = text_on(client);
		if (i < DIFF_CLIENTS)
			text_ip(&t, diff_client(i));
		else
			text_put(&t, i == DIFF_INBOUND ? "the world" : "each other");
		fprintf(to, "  rules of %s%s:\n", client, rules[i].closed ? " (closed)" : "");
		for (size_t r = 0; r < rules[i].count; r++)
			fprintf(to, "    %s\n", rules[i].line[r]);
		fprintf(to, "    policy %s\n", rules[i].policy == VERDICT_ACCEPT ? "accept" : "drop");
	}
}

void diff_print_step(const struct diff_step *s, size_t number, FILE *to)
{
	static const char *const kinds[] = { "send", "reply to", "error about", "client's error about", "change" };
	static const char *const names[] = { "up0", "c1", "c2" };
	char from[IP_TEXT], dst[IP_TEXT];
	struct text a = text_on(from), b = text_on(dst);
	text_ip(&a, s->p.from);
	text_ip(&b, s->p.to);
	fprintf(to, "  step %zu: %s", number, kinds[s->kind]);
	if (s->kind != DIFF_SEND)
		fprintf(to, " step %zu", s->about);
	else
		fprintf(to, " at %s proto %u %s:%u > %s:%u ttl %u", names[s->p.port], s->p.proto, from, s->p.sport, dst,
			s->p.dport, s->p.ttl ? s->p.ttl : 64);
	fprintf(to, " flags %02x seq %u ack %u type %u/%u payload %u fragments %u%s%s\n", s->p.flags, s->p.seq, s->p.ack,
		s->p.type, s->p.code, s->payload_len, s->pieces, s->backwards ? " backwards" : "",
		s->p.fragment ? " DF" : "");
}
