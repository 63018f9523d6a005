/* SPDX-License-Identifier: ISC */
/* qdb_names.c: walks the rules of clients that changed, and writes the names in them. */
#include "qdb_names.h"

enum { VALUE_BYTES = 1024 };

_Static_assert(HOST_ADDRESSES_MAX * (IP_PREFIX_TEXT + 4) < VALUE_BYTES, "all of a name's addresses");

/* False: there is no room for it now. */
static bool tell(const struct qdb_names *n, struct ip_addr client, const struct host *host)
{
	char path_buffer[QDB_PATH_MAX + 1], value_buffer[VALUE_BYTES];
	struct text path = text_on(path_buffer), value = text_on(value_buffer);
	text_put(&path, "/dns/");
	text_ip(&path, client);
	text_char(&path, '/');
	text_put(&path, host->text);
	if (path.cut)
		return true;
	for (uint32_t i = 0; i < host->count; i++) {
		text_put(&value, i ? ", '" : "{'");
		text_prefix(&value, (struct ip_prefix){ host->address[i], ip_is_v4(host->address[i]) ? 32 : 128 });
		text_char(&value, '\'');
	}
	text_char(&value, '}');
	return qdb_write(n->qdb, path_buffer, value_buffer, value.len);
}

/* The rest of the client's rules; false: no room now. */
static bool tell_client(struct qdb_names *n, const struct policy_view *view)
{
	const struct hosts *hosts = policy_context(n->policy)->hosts;
	for (;;) {
		struct ruleset_walk before = n->walk;
		const struct rule *rule = ruleset_next(view->rules, &n->walk);
		if (!rule)
			return true;
		const struct host *host = rule->flags & RULE_HAS_HOST ? hosts_resolved(hosts, rule->host) : NULL;
		if (host && !tell(n, view->ip, host)) {
			n->walk = before;
			return false;
		}
	}
}

bool qdb_names_poll(struct qdb_names *n)
{
	uint64_t latest = policy_latest(n->policy);
	if (qdb_state(n->qdb) != QDB_LIVE || n->told == latest)
		return false;
	if (n->telling != latest) { /* rules change while it is told: from the start, past what was told already */
		n->telling = latest;
		n->client = policy_next(n->policy, NONE);
		n->generation = 0;
	}
	for (; n->client != NONE; n->client = policy_next(n->policy, n->client)) {
		struct policy_view view = policy_show(n->policy, n->client);
		if (view.generation == n->client_told[n->client] || !view.rules)
			continue;
		if (view.generation != n->generation) {
			n->generation = view.generation;
			n->walk = (struct ruleset_walk){ 0, NONE };
		}
		if (!tell_client(n, &view))
			return true;
		n->client_told[n->client] = view.generation;
		n->generation = 0; /* the next one may have this one's too: many are published at once */
	}
	n->told = latest;
	n->telling = 0;
	return false;
}

void qdb_names_forget(struct qdb_names *n)
{
	memset(n->client_told, 0, sizeof(n->client_told));
	n->told = n->telling = 0;
	n->generation = 0;
}
