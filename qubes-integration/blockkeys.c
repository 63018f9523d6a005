/* SPDX-License-Identifier: ISC */
/*
 * blockkeys.c: keys and an operator's words to what is stopped.
 */
#include "blockkeys.h"

static const char panic_key[] = "/postern/panic";
static const char isolate_dir[] = "/postern/isolate/";

void blockkeys_init(struct blockkeys *k, struct policy *policy, const struct log_sink *log)
{
	*k = (struct blockkeys){ .policy = policy, .log = log };
}

static bool is_word(struct cursor c, const char *word)
{
	return parse_word(&c, word) && c.left == 0;
}

/* Of an address, or, zero, of everything. */
static bool set(struct blocks *b, struct ip_addr ip, bool on)
{
	return ip_is_zero(ip) ? blocks_set_panic(b, on) : blocks_isolate(b, ip, on);
}

static void say(const struct blockkeys *k, struct ip_addr ip, bool on)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	if (!ip_is_zero(ip)) {
		storelog_client(k->log, ip, on ? "isolated" : "not isolated any more", "");
		return;
	}
	text_put(&line, on ? "panic is on: nothing is forwarded" : "panic is off");
	storelog_say(k->log, &line);
}

/* false: no room. */
static bool change(struct blockkeys *k, struct ip_addr ip, bool on)
{
	if (set(&k->now, ip, on)) {
		policy_set_blocks(k->policy, &k->now);
		say(k, ip, on);
	}
	return ip_is_zero(ip) || blocks_isolates(&k->now, ip) == on;
}

/* --- keys --------------------------------------------------------------------------- */

/* The address of the key, zero for panic; false: neither. */
static bool key_of(struct cursor key, struct ip_addr *ip)
{
	*ip = (struct ip_addr){ { 0 } };
	if (is_word(key, "panic"))
		return true;
	return parse_word(&key, "isolate/") && parse_ip(&key, ip) && key.left == 0 && !ip_is_zero(*ip);
}

/* What the store says now is newer than what it was to be told. */
static void forget_asked(struct blockkeys *k, struct ip_addr ip)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (!ip_eq(k->asked[i].ip, ip))
			k->asked[kept++] = k->asked[i];
	k->asked_count = kept;
}

bool blockkeys_write(struct blockkeys *k, struct cursor key, struct cursor value)
{
	struct ip_addr ip;
	bool on = !is_word(value, "off");
	struct cursor c = key;
	if (!is_word(key, "panic") && !parse_word(&c, "isolate/"))
		return false;
	if (!key_of(key, &ip)) {
		storelog_key(k->log, isolate_dir, "...: not a client's address: ignored");
	} else if (k->in_dump) {
		set(&k->dumped, ip, on);
	} else {
		forget_asked(k, ip);
		if (!change(k, ip, on))
			storelog_client(k->log, ip, "too many clients are isolated", ": not isolated");
	}
	return true;
}

void blockkeys_remove(struct blockkeys *k, struct cursor key)
{
	struct cursor c = key;
	struct ip_addr ip;
	if (key_of(key, &ip)) {
		forget_asked(k, ip);
		change(k, ip, false);
		return;
	}
	if (key.left == 0)
		change(k, (struct ip_addr){ { 0 } }, false);
	if (key.left == 0 || (parse_word(&c, "isolate/") && c.left == 0))
		while (k->now.count > 0)
			change(k, k->now.isolated[k->now.count - 1], false);
}

void blockkeys_opened(struct blockkeys *k)
{
	k->dumped = (struct blocks){ .any = false };
	k->in_dump = true;
	/* nobody knows what the last one has had */
	for (uint32_t i = 0; i < k->asked_count; i++)
		k->asked[i].told = 0;
}

void blockkeys_synced(struct blockkeys *k)
{
	k->in_dump = false;
	for (uint32_t i = 0; i < k->asked_count; i++)
		set(&k->dumped, k->asked[i].ip, k->asked[i].on);
	k->now = k->dumped;
	policy_set_blocks(k->policy, &k->now);
}

/* --- an operator ---------------------------------------------------------------------- */

static bool parse_switch(struct cursor *c, bool *on)
{
	*on = parse_word(c, "on");
	return (*on || parse_word(c, "off")) && (c->left == 0 || *c->at == ' ');
}

static const char *parse(struct cursor *c, struct ip_addr *ip, bool *on)
{
	*ip = (struct ip_addr){ { 0 } };
	if (parse_word(c, "isolate ")) {
		if (!parse_ip(c, ip) || ip_is_zero(*ip) || !parse_word(c, " "))
			return "isolate takes the address of a client, and on or off";
	} else if (!parse_word(c, "panic ")) {
		return "panic takes on or off";
	}
	return parse_switch(c, on) ? NULL : "it is on or off";
}

static void forget_oldest(struct blockkeys *k)
{
	k->asked_count--;
	memmove(&k->asked[0], &k->asked[1], k->asked_count * sizeof(k->asked[0]));
}

/* Whatever else waits, panic can. */
static bool has_room(struct blockkeys *k, struct ip_addr ip)
{
	uint32_t most = BLOCKKEYS_ASKED_MAX - !ip_is_zero(ip);
	if (k->asked_count >= most && k->asked[0].told)
		forget_oldest(k);
	return k->asked_count < most;
}

bool blockkeys_ask(struct blockkeys *k, struct cursor words, const char **error)
{
	struct cursor c = words;
	struct ip_addr ip;
	bool on;
	if (!parse_word(&c, "panic") && !parse_word(&c, "isolate"))
		return false;
	*error = parse(&words, &ip, &on);
	if (*error)
		return true;
	/* the store has said the same, or is about to be told it */
	if (ip_is_zero(ip) ? k->now.panic == on : blocks_isolates(&k->now, ip) == on)
		return true;
	forget_asked(k, ip);
	if (!has_room(k, ip)) {
		*error = "too much waits for the store already";
		return true;
	}
	if (!change(k, ip, on)) {
		*error = "too many clients are isolated";
		return true;
	}
	struct asked *a = &k->asked[k->asked_count++];
	*a = (struct asked){ .ip = ip, .on = on };
	struct text why = text_on(a->why);
	/* what the store would refuse would wait for ever */
	for (size_t i = 1; i < words.left; i++)
		text_char(&why, words.at[i] >= ' ' && words.at[i] <= '~' ? (char)words.at[i] : '?');
	return true;
}

static bool tell(struct asked *a, struct qdb *q)
{
	char path_buffer[QDB_PATH_MAX + 1];
	struct text path = text_on(path_buffer);
	const char *value = !a->on ? "off" : a->why[0] ? a->why : "on";
	size_t len = 0;
	text_put(&path, ip_is_zero(a->ip) ? panic_key : isolate_dir);
	if (!ip_is_zero(a->ip))
		text_ip(&path, a->ip);
	while (value[len])
		len++;
	if (!qdb_write(q, path_buffer, value, len))
		return false;
	a->told = qdb_written(q);
	return true;
}

bool blockkeys_poll(struct blockkeys *k, struct qdb *q)
{
	if (k->asked_count == 0 || qdb_state(q) != QDB_LIVE)
		return k->asked_count > 0;
	while (k->asked_count > 0 && k->asked[0].told && k->asked[0].told <= qdb_answered(q))
		forget_oldest(k);
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (!k->asked[i].told && !tell(&k->asked[i], q))
			return true;
	return false;
}
