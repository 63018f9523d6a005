// SPDX-License-Identifier: ISC
/* Questions on their way: sent, sent again elsewhere, answered or given up. */
#include "resolver.h"
#include "dns.h"

#define NS_PER_MS UINT64_C(1000000)

enum { WAIT_MS = 250 }; /* for the uplink, frames or ports that are not there */

struct question {
	bool used, sent;
	uint32_t name;
	uint32_t tries; /* begun */
	struct dns_question asks;
	uint16_t id;
	struct fw_own own; /* sent */
	uint64_t due_ns;   /* when to try again */
	const char *why;   /* what the last try came to */
};

struct resolver {
	struct fw *fw; /* fixed at creation */
	struct names *names;
	struct ip_addr server[RESOLVER_SERVERS];
	uint32_t servers;
	uint32_t used; /* questions */
	uint64_t idle_until_ns; /* nothing can be asked before */
	struct resolver_stats stats;
	struct question question[RESOLVER_QUESTIONS];
};

_Static_assert((int)DNS_ADDRESSES_MAX <= (int)HOST_ADDRESSES_MAX, "a rule sees all of an answer");

size_t resolver_bytes(void)
{
	return sizeof(struct resolver) + 64;
}

struct resolver *resolver_new(struct arena *arena, struct fw *fw, struct names *names)
{
	struct resolver *r = arena_take(arena, 1, sizeof(*r));
	if (!r)
		return NULL;
	r->fw = fw;
	r->names = names;
	return r;
}

const struct names *resolver_names(const struct resolver *r)
{
	return r->names;
}

uint32_t resolver_servers(const struct resolver *r, struct ip_addr server[RESOLVER_SERVERS])
{
	memcpy(server, r->server, r->servers * sizeof(r->server[0]));
	return r->servers;
}

void resolver_refresh(struct resolver *r)
{
	names_refresh(r->names);
	r->idle_until_ns = 0;
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
	return &r->stats;
}

static bool is_among(const struct ip_addr *ips, uint32_t count, struct ip_addr ip)
{
	for (uint32_t i = 0; i < count; i++)
		if (ip_eq(ips[i], ip))
			return true;
	return false;
}

static bool is_possible(const struct fw *fw, struct ip_addr server)
{
	return ip_is_v4(server) && ip_is_unicast(server) && !fw_is_protected(fw, server) && !fw_is_ours(fw, server);
}

void resolver_set_servers(struct resolver *r, const struct ip_addr *server, uint32_t count)
{
	struct ip_addr usable[RESOLVER_SERVERS];
	uint32_t n = 0;
	for (uint32_t i = 0; i < count && n < RESOLVER_SERVERS; i++)
		if (!is_among(usable, n, server[i]) && is_possible(r->fw, server[i]))
			usable[n++] = server[i];
	if (n == r->servers && !memcmp(usable, r->server, n * sizeof(usable[0])))
		return;
	memcpy(r->server, usable, n * sizeof(usable[0]));
	r->servers = n;
	r->idle_until_ns = 0;
	names_retry(r->names);
}

/* --- one question -------------------------------------------------------------------- */

static void end_try(struct resolver *r, struct question *q)
{
	if (q->sent)
		fw_own_end(r->fw, &q->own);
	q->sent = false;
}

static void finish(struct resolver *r, struct question *q)
{
	end_try(r, q);
	q->used = false;
	r->used--;
}

static void give_up(struct resolver *r, struct question *q, const char *why, uint64_t now_ns)
{
	finish(r, q);
	names_fail(r->names, q->name, why, now_ns);
}

/* The next try, of the next server. False: it cannot leave now. */
static bool send(struct resolver *r, struct question *q, uint64_t now_ns)
{
	uint8_t message[DNS_QUERY_BYTES];
	uint16_t id = (uint16_t)random_next(&r->fw->secret);
	size_t len = dns_query(message, &q->asks, id);
	struct ip_addr server = r->server[q->tries % r->servers];
	if (!fw_own_send(r->fw, server, DNS_PORT, cursor_of(message, len), now_ns, &q->own))
		return false;
	q->id = id;
	q->sent = true;
	q->tries++;
	q->due_ns = now_ns + RESOLVER_TRY_MS * NS_PER_MS;
	q->why = "no server answers";
	r->stats.asked++;
	return true;
}

/* The try that runs has come to nothing; a further one is due at once. */
static void next_try(struct resolver *r, struct question *q, const char *why, uint64_t now_ns)
{
	end_try(r, q);
	q->why = why;
	q->due_ns = now_ns;
	if (q->tries >= RESOLVER_TRIES)
		give_up(r, q, why, now_ns);
}

static void learn(struct resolver *r, struct question *q, const struct dns_answer *a, uint64_t now_ns)
{
	finish(r, q);
	names_learn(r->names, q->name, a->address, a->count, a->ttl_s, now_ns);
}

void resolver_take(struct resolver *r, const struct fw_own *own, struct cursor message, uint64_t now_ns)
{
	struct question *q = r->question, *end = q + RESOLVER_QUESTIONS;
	struct dns_answer answer = { .truncated = false };
	while (q < end && !(q->used && q->sent && q->own.flow == own->flow && q->own.serial == own->serial))
		q++;
	if (q == end)
		return;
	enum dns_outcome outcome = dns_read(message.at, message.left, &q->asks, q->id, &answer);
	/* one that cannot be read may be a liar's: the true one may still come */
	if (outcome == DNS_FOREIGN || outcome == DNS_MALFORMED) {
		r->stats.foreign++;
		return;
	}
	r->stats.answered++;
	r->idle_until_ns = 0;
	switch (outcome) {
	case DNS_FOUND:
		learn(r, q, &answer, now_ns);
		return;
	case DNS_NO_NAME:
		give_up(r, q, "there is no such name", now_ns);
		return;
	case DNS_NO_ADDRESS:
		if (answer.truncated)
			next_try(r, q, "the answer is cut short", now_ns);
		else
			give_up(r, q, "the name has no address", now_ns);
		return;
	case DNS_FAILED:
		next_try(r, q, "the server fails", now_ns);
		return;
	case DNS_MALFORMED:
	case DNS_FOREIGN:
	case DNS_OUTCOMES:
		return;
	}
}

/* --- all of them ------------------------------------------------------------------------ */

static bool can_ask(const struct resolver *r)
{
	return r->servers > 0 && fw_uplink_ready(r->fw);
}

static struct question *place(struct resolver *r)
{
	for (uint32_t i = 0; i < RESOLVER_QUESTIONS; i++)
		if (!r->question[i].used)
			return &r->question[i];
	return NULL;
}

static void begin(struct resolver *r, struct question *q, uint32_t name, uint64_t now_ns)
{
	const char *text = names_show(r->names, name).text;
	size_t len = 0;
	while (text[len])
		len++;
	*q = (struct question){ .name = name, .asks.type = DNS_TYPE_A, .due_ns = now_ns };
	if (!dns_name_of(&q->asks.name, text, len)) {
		names_fail(r->names, name, "not a name that can be asked for", now_ns);
		return;
	}
	q->used = true;
	r->used++;
}

/* False: it cannot leave now. */
static bool go_on(struct resolver *r, struct question *q, uint64_t now_ns)
{
	if (q->due_ns > now_ns)
		return true;
	if (q->sent) {
		r->stats.unanswered++;
		next_try(r, q, q->why, now_ns);
	}
	return !q->used || send(r, q, now_ns);
}

void resolver_poll(struct resolver *r, uint64_t now_ns)
{
	if (now_ns < r->idle_until_ns)
		return;
	bool leaves = can_ask(r);
	for (struct question *q; leaves && (q = place(r));) {
		uint32_t name = names_ask(r->names, now_ns);
		if (name == NONE)
			break;
		begin(r, q, name, now_ns);
	}
	for (uint32_t i = 0; leaves && i < RESOLVER_QUESTIONS; i++)
		if (r->question[i].used)
			leaves = go_on(r, &r->question[i], now_ns);
	r->idle_until_ns = leaves ? 0 : now_ns + WAIT_MS * NS_PER_MS;
}

uint64_t resolver_deadline(const struct resolver *r)
{
	uint64_t deadline = r->used < RESOLVER_QUESTIONS ? names_deadline(r->names) : UINT64_MAX;
	for (uint32_t i = 0, left = r->used; left > 0 && i < RESOLVER_QUESTIONS; i++) {
		const struct question *q = &r->question[i];
		if (!q->used)
			continue;
		left--;
		deadline = q->due_ns < deadline ? q->due_ns : deadline;
	}
	return deadline < r->idle_until_ns ? r->idle_until_ns : deadline;
}
