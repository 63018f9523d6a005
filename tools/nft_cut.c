// SPDX-License-Identifier: ISC
/* The kernel's connections, judged one by one by the rule sets that the appliance judges with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "cross_judge.h"
#include "headers.h"
#include "must.h"
#include "nft_cut.h"
#include "ruleset.h"

enum { ANSWER_BYTES = 1 << 16, TUPLE_BYTES = 256 };

/* A connection to be forgotten: its attribute of the first direction, as the kernel sent it. */
struct doomed {
	uint16_t len;
	uint8_t attribute[TUPLE_BYTES];
};

struct cutter {
	const struct nft_house *house;
	struct ruleset **set; /* of each client; NULL: closed */
	struct ruleset *inbound, *between; /* NULL: off */
	struct rule_context context;
	struct doomed *doomed;
	size_t count, room;
};

static bool failed(int error, char reason[NFT_REASON])
{
	snprintf(reason, NFT_REASON, "connections: %s", strerror(error));
	return false;
}

/* --- rules ---------------------------------------------------------------------------- */

/* A name that is known stands for as many rules as it has addresses. */
static void append(struct ruleset *set, const struct nft_rule *r)
{
	struct rule rule = r->parsed.rule;
	if (!r->found_count)
		ensure(ruleset_append(set, &rule));
	rule.flags = (uint8_t)((rule.flags & ~RULE_HAS_HOST) | RULE_HAS_DST);
	for (size_t i = 0; i < r->found_count; i++) {
		rule.dst = (struct ip_prefix){ r->found[i], 32 };
		ensure(ruleset_append(set, &rule));
	}
}

static struct ruleset *cross_set(struct rule_pool *pool, const struct nft_client *owner)
{
	struct ruleset *set = owner->closed ? NULL : must(ruleset_new(pool, VERDICT_DROP));
	for (size_t i = 0; set && i < owner->count; i++)
		ensure(ruleset_append(set, &owner->rule[i].parsed.rule));
	if (set)
		ruleset_compile(set);
	return set;
}

/* The memory of the sets. */
static void *make_sets(struct cutter *c)
{
	size_t rules = c->house->inbound.count + c->house->between.count;
	for (size_t i = 0; i < c->house->clients; i++)
		for (size_t r = 0; r < c->house->client[i].count; r++)
			rules += c->house->client[i].rule[r].found_count + 1;
	uint32_t sets = (uint32_t)c->house->clients + 3;
	size_t room = rule_pool_bytes(sets, (uint32_t)rules + sets * 16);
	struct arena arena = { must(calloc(1, room)), room };
	void *memory = arena.at;
	struct rule_pool *pool = must(rule_pool_new(&arena, sets, (uint32_t)rules + sets * 16));
	c->set = must(calloc(sets, sizeof(struct ruleset *)));
	for (size_t i = 0; i < c->house->clients; i++) {
		const struct nft_client *client = &c->house->client[i];
		if (client->closed)
			continue;
		c->set[i] = must(ruleset_new(pool, client->policy));
		for (size_t r = 0; r < client->count; r++)
			append(c->set[i], &client->rule[r]);
		ruleset_compile(c->set[i]);
	}
	c->inbound = cross_set(pool, &c->house->inbound);
	c->between = cross_set(pool, &c->house->between);
	memcpy(c->context.dns, c->house->dns, sizeof(c->house->dns));
	c->context.dns_count = (uint32_t)c->house->dns_count;
	return memory;
}

static bool is_client(const struct cutter *c, struct ip_addr ip)
{
	for (size_t i = 0; i < c->house->clients; i++)
		if (ip_eq(c->house->client[i].ip, ip))
			return true;
	return false;
}

static bool leads_there(const struct cutter *c, const struct tuple *t, const struct tuple *answer)
{
	uint32_t decided;
	uint16_t port;
	const struct rule *r = c->inbound ? cross_judge_inbound(c->inbound, t, &c->context, &decided) : NULL;
	if (!r || r->action != VERDICT_ACCEPT)
		return false;
	struct ip_addr to = cross_rule_to(r, t->dport, &port);
	return ip_eq(to, answer->src) && port == answer->sport;
}

/* answer: the tuple of the other direction. */
static bool is_forbidden(const struct cutter *c, const struct tuple *t, const struct tuple *answer)
{
	uint32_t number;
	if (!is_client(c, t->src) && is_client(c, answer->src))
		return !leads_there(c, t, answer);
	if (is_client(c, t->src) && is_client(c, t->dst)) {
		const struct rule *r = c->between ? cross_judge_between(c->between, t, &c->context, &number) : NULL;
		return !r || r->action != VERDICT_ACCEPT;
	}
	for (size_t i = 0; i < c->house->clients; i++)
		if (ip_eq(c->house->client[i].ip, t->src))
			return !c->set[i] || ruleset_judge(c->set[i], t, &c->context, &number) == VERDICT_DROP;
	return false;
}

/* --- connections ------------------------------------------------------------------------- */

enum { ATTRIBUTES = 32 };

/* By their type. */
static int note(const struct nlattr *a, void *table)
{
	const struct nlattr **at = table;
	if (mnl_attr_get_type(a) < ATTRIBUTES)
		at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

/* The attribute's n bytes, or zeros. */
static void copy(void *to, const struct nlattr *a, size_t n)
{
	memset(to, 0, n);
	if (a && mnl_attr_get_payload_len(a) == n)
		memcpy(to, mnl_attr_get_payload(a), n);
}

static struct ip_addr address(const struct nlattr *a)
{
	be32 ip;
	copy(&ip, a, sizeof(ip));
	return ip_of_v4(ip);
}

static uint16_t port(const struct nlattr *a)
{
	be16 value;
	copy(&value, a, sizeof(value));
	return be16_get(value);
}

static struct tuple tuple_of(const struct nlattr *orig)
{
	const struct nlattr *in[ATTRIBUTES] = { NULL }, *ip[ATTRIBUTES] = { NULL }, *proto[ATTRIBUTES] = { NULL };
	struct tuple t = { .zero = 0 };
	mnl_attr_parse_nested(orig, note, in);
	if (in[CTA_TUPLE_IP])
		mnl_attr_parse_nested(in[CTA_TUPLE_IP], note, ip);
	if (in[CTA_TUPLE_PROTO])
		mnl_attr_parse_nested(in[CTA_TUPLE_PROTO], note, proto);
	t.src = address(ip[CTA_IP_V4_SRC]);
	t.dst = address(ip[CTA_IP_V4_DST]);
	copy(&t.proto, proto[CTA_PROTO_NUM], sizeof(t.proto));
	copy(&t.kind, proto[CTA_PROTO_ICMP_TYPE], sizeof(t.kind));
	t.sport = port(proto[t.proto == PROTO_ICMP ? CTA_PROTO_ICMP_ID : CTA_PROTO_SRC_PORT]);
	t.dport = port(proto[CTA_PROTO_DST_PORT]);
	return t;
}

static int take_connection(const struct nlmsghdr *m, void *context)
{
	struct cutter *c = context;
	const struct nlattr *in[ATTRIBUTES] = { NULL };
	mnl_attr_parse(m, sizeof(struct nfgenmsg), note, in);
	const struct nlattr *orig = in[CTA_TUPLE_ORIG];
	if (!orig || orig->nla_len > TUPLE_BYTES)
		return MNL_CB_OK;
	struct tuple t = tuple_of(orig), answer = { .zero = 0 };
	if (in[CTA_TUPLE_REPLY])
		answer = tuple_of(in[CTA_TUPLE_REPLY]);
	if (!is_forbidden(c, &t, &answer))
		return MNL_CB_OK;
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->doomed = must(reallocarray(c->doomed, c->room, sizeof(*c->doomed)));
	}
	struct doomed *d = &c->doomed[c->count++];
	d->len = orig->nla_len;
	memcpy(d->attribute, orig, orig->nla_len);
	return MNL_CB_OK;
}

/* --- the kernel ---------------------------------------------------------------------------- */

static struct nlmsghdr *message(void *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	head->nfgen_family = AF_INET;
	return m;
}

/* Sends it, and takes all of the answer. */
static bool ask(struct mnl_socket *s, struct nlmsghdr *m, mnl_cb_t each, void *context)
{
	static char answer[ANSWER_BYTES];
	int more = mnl_socket_sendto(s, m, m->nlmsg_len) < 0 ? MNL_CB_ERROR : MNL_CB_OK;
	while (more == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, answer, sizeof(answer));
		more = n < 0 ? MNL_CB_ERROR : mnl_cb_run(answer, (size_t)n, 0, mnl_socket_get_portid(s), each, context);
	}
	return more == MNL_CB_STOP;
}

static bool forget(struct mnl_socket *s, const struct doomed *d)
{
	static uint8_t buffer[TUPLE_BYTES + 64];
	struct nlmsghdr *m = message(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
	memcpy(mnl_nlmsg_get_payload_tail(m), d->attribute, d->len);
	m->nlmsg_len += (d->len + 3u) & ~3u; /* padded to 4 bytes */
	/* one that has ended by itself is as well */
	return ask(s, m, NULL, NULL) || errno == ENOENT;
}

bool nft_cut(const struct nft_house *house, unsigned *cut, char reason[NFT_REASON])
{
	struct cutter c = { .house = house };
	char buffer[256];
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	*cut = 0;
	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;
		if (s)
			mnl_socket_close(s);
		return failed(error, reason);
	}
	void *memory = make_sets(&c);
	bool good = ask(s, message(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP), take_connection, &c) || failed(errno, reason);
	for (size_t i = 0; i < c.count && good; i++)
		good = forget(s, &c.doomed[i]) || failed(errno, reason);
	*cut = good ? (unsigned)c.count : 0;
	mnl_socket_close(s);
	free(memory);
	free(c.set);
	free(c.doomed);
	return good;
}
