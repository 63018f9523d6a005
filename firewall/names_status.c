// SPDX-License-Identifier: ISC
/* Tells what names in rules stand for, a line each. */
#include "names_status.h"
#include "jsonline.h"

enum { NS_PER_S = 1000000000 };

const char *names_status_begin(struct names_status *s, const struct fw *fw, const char *words, size_t len)
{
	struct cursor c = cursor_of(words, len);
	*s = (struct names_status){ .name = NONE };
	if (!fw->resolver)
		return "names are not resolved here";
	bool refresh = parse_word(&c, " refresh");
	if (c.left > 0)
		return "names takes nothing, or refresh";
	if (refresh)
		resolver_refresh(fw->resolver);
	return NULL;
}

static void addresses(struct text *t, const char *name, const struct ip_addr *ip, uint32_t count)
{
	text_put(t, ",\"");
	text_put(t, name);
	text_put(t, "\":[");
	for (uint32_t i = 0; i < count; i++) {
		text_put(t, i ? ",\"" : "\"");
		text_ip(t, ip[i]);
		text_char(t, '"');
	}
	text_char(t, ']');
}

static void resolver_line(const struct resolver *r, struct text *t)
{
	const struct resolver_stats *stats = resolver_stats(r);
	struct ip_addr server[RESOLVER_SERVERS];
	uint32_t servers = resolver_servers(r, server);
	json_begin(t, "resolver");
	addresses(t, "servers", server, servers);
	json_u64(t, "asked", stats->asked);
	json_u64(t, "answered", stats->answered);
	json_u64(t, "unanswered", stats->unanswered);
	json_u64(t, "foreign", stats->foreign);
	json_end(t);
}

static uint64_t seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / NS_PER_S : 0;
}

static void name_line(const struct name_view *v, uint64_t now_ns, struct text *t)
{
	json_begin(t, "name");
	json_text(t, "name", v->text);
	json_text(t, "state", name_state_word(v->state));
	addresses(t, "addresses", v->host->address, v->host->count);
	if (v->learned_ns) {
		json_u64(t, "age_s", seconds(v->learned_ns, now_ns));
		json_u64(t, "ttl_s", v->ttl_s);
	}
	if (v->state != NAME_ADDRESS)
		json_u64(t, "next_s", seconds(now_ns, v->due_ns));
	json_u64(t, "failures", v->failures);
	json_text(t, "error", v->why);
	json_end(t);
}

bool names_status_next(struct names_status *s, const struct fw *fw, uint64_t now_ns, struct text *line)
{
	if (!s->begun) {
		s->begun = true;
		resolver_line(fw->resolver, line);
		return true;
	}
	const struct names *names = resolver_names(fw->resolver);
	s->name = names_next(names, s->name);
	if (s->name == NONE)
		return false;
	struct name_view view = names_show(names, s->name);
	name_line(&view, now_ns, line);
	return true;
}
