/* SPDX-License-Identifier: ISC */
/*
 * blockkeys.c: keys and an operator's words to what is stopped.
 */
#include "blockkeys.h"

static const struct blocks none;
static const uint64_t NS_PER_S = 1000000000;
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

static void say(const struct blockkeys *k, struct ip_addr ip, bool on, const char *end)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	if (!ip_is_zero(ip)) {
		storelog_client(k->log, ip, on ? "isolated" : "not isolated any more", end);
		return;
	}
	text_put(&line, on ? "panic is on: nothing is forwarded" : "panic is off");
	text_put(&line, end);
	storelog_say(k->log, &line);
}

/* false: no room. */
static bool change(struct blockkeys *k, struct ip_addr ip, bool on)
{
	if (set(&k->now, ip, on)) {
		policy_set_blocks(k->policy, &k->now);
		say(k, ip, on, "");
	}
	return ip_is_zero(ip) || blocks_isolates(&k->now, ip) == on;
}

/* --- what the store is to be told --------------------------------------------------- */

static bool stands(const struct blocks *b, struct ip_addr ip)
{
	return ip_is_zero(ip) ? b->panic : blocks_isolates(b, ip);
}

static void forget_asked(struct blockkeys *k, struct ip_addr ip)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (!ip_eq(k->asked[i].ip, ip))
			k->asked[kept++] = k->asked[i];
	k->asked_count = kept;
}

/* NULL: nothing is asked about it that the store has not taken. */
static const struct asked *asked_of(const struct blockkeys *k, struct ip_addr ip)
{
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (ip_eq(k->asked[i].ip, ip))
			return &k->asked[i];
	return NULL;
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

static void add_asked(struct blockkeys *k, struct ip_addr ip, bool on, struct cursor why)
{
	struct asked *a = &k->asked[k->asked_count++];
	*a = (struct asked){ .ip = ip, .on = on };
	struct text text = text_on(a->why);
	/* what the store would refuse would wait for ever */
	for (size_t i = 0; i < why.left; i++)
		text_char(&text, why.at[i] >= ' ' && why.at[i] <= '~' ? (char)why.at[i] : '?');
}

/* It holds here and the store does not say so; without room it hears of it with the next link. */
static void tell_again(struct blockkeys *k, struct ip_addr ip)
{
	static const char why[] = "asked for at the appliance";
	if (asked_of(k, ip) || !has_room(k, ip))
		return;
	add_asked(k, ip, true, cursor_of(why, sizeof(why) - 1));
	say(k, ip, true, ", still: the store does not say so and is told again");
}

/* heard: what the store says. */
static void tell_own_again(struct blockkeys *k, const struct blocks *heard)
{
	static const struct ip_addr everything;
	if (k->own.panic && !heard->panic)
		tell_again(k, everything);
	for (uint32_t i = 0; i < k->own.count; i++)
		if (!blocks_isolates(heard, k->own.isolated[i]))
			tell_again(k, k->own.isolated[i]);
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

/* An operator's, by way of the store. */
static void release(struct blockkeys *k, struct ip_addr ip)
{
	const struct asked *a = asked_of(k, ip);
	/* it was there before our "on", which the store has not answered yet */
	if (a && a->on && a->told)
		return;
	forget_asked(k, ip);
	set(&k->own, ip, false);
	change(k, ip, false);
}

static void write_dumped(struct blockkeys *k, struct ip_addr ip, bool on)
{
	const struct asked *a = asked_of(k, ip);
	set(&k->dumped, ip, on);
	k->dump_lost += stands(&k->dumped, ip) != on;
	if (!on && !(a && a->on))
		set(&k->own, ip, false);
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
		write_dumped(k, ip, on);
	} else if (!on) {
		release(k, ip);
	} else {
		/* newer than what the store was to be told */
		forget_asked(k, ip);
		if (!change(k, ip, true))
			storelog_client(k->log, ip, "too many clients are isolated", ": not isolated");
	}
	return true;
}

/* With much else: that is no word about what was asked for here, which the store shall have again. */
static void remove_all(struct blockkeys *k)
{
	if (k->now.panic && !k->own.panic)
		say(k, (struct ip_addr){ { 0 } }, false, "");
	for (uint32_t i = 0; i < k->now.count; i++)
		if (!blocks_isolates(&k->own, k->now.isolated[i]))
			say(k, k->now.isolated[i], false, "");
	k->now = k->own;
	policy_set_blocks(k->policy, &k->now);
	tell_own_again(k, &none);
}

void blockkeys_remove(struct blockkeys *k, struct cursor key)
{
	struct cursor c = key;
	struct ip_addr ip;
	if (key_of(key, &ip))
		release(k, ip);
	else if (key.left == 0)
		remove_all(k);
	else if (parse_word(&c, "isolate/") && c.left == 0)
		for (uint32_t i = k->now.count; i-- > 0;)
			release(k, k->now.isolated[i]);
}

void blockkeys_opened(struct blockkeys *k)
{
	k->dumped = (struct blocks){ .any = false };
	k->dump_lost = 0;
	k->in_dump = true;
	/* nobody knows what the last one has had */
	for (uint32_t i = 0; i < k->asked_count; i++) {
		k->asked[i].told = 0;
		k->asked[i].refused = false;
	}
}

/* Of those that only the store asked for, when there are too many. */
static void make_room(struct blockkeys *k)
{
	uint32_t at = k->dumped.count;
	while (k->dumped.count == BLOCKS_MAX && at-- > 0)
		if (!blocks_isolates(&k->own, k->dumped.isolated[at]))
			k->dump_lost += blocks_isolate(&k->dumped, k->dumped.isolated[at], false);
}

static void say_lost(const struct blockkeys *k)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	if (k->dump_lost == 0)
		return;
	text_put(&line, "too many clients are isolated: ");
	text_u64(&line, k->dump_lost);
	text_put(&line, " of them are not");
	storelog_say(k->log, &line);
}

void blockkeys_synced(struct blockkeys *k)
{
	k->in_dump = false;
	tell_own_again(k, &k->dumped);
	for (uint32_t i = 0; i < k->own.count; i++) {
		if (!blocks_isolates(&k->dumped, k->own.isolated[i]))
			make_room(k);
		blocks_isolate(&k->dumped, k->own.isolated[i], true);
	}
	for (uint32_t i = 0; i < k->asked_count; i++)
		set(&k->dumped, k->asked[i].ip, k->asked[i].on);
	k->now = k->dumped;
	policy_set_blocks(k->policy, &k->now);
	say_lost(k);
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
	if (stands(&k->now, ip) == on) {
		set(&k->own, ip, on);
		return true;
	}
	forget_asked(k, ip);
	if (!has_room(k, ip)) {
		*error = "too much waits for the store already";
		return true;
	}
	if (!change(k, ip, on)) {
		*error = "too many clients are isolated";
		return true;
	}
	set(&k->own, ip, on);
	add_asked(k, ip, on, words.left ? cursor_of(words.at + 1, words.left - 1) : words);
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

void blockkeys_refused(struct blockkeys *k, uint64_t number)
{
	for (uint32_t i = 0; i < k->asked_count; i++) {
		struct asked *a = &k->asked[i];
		if (a->told != number)
			continue;
		if (!a->refused)
			say(k, a->ip, a->on, ", but the store does not keep it: it is told again");
		a->refused = true;
		a->told = 0;
		k->again_ns = 0;
	}
}

bool blockkeys_poll(struct blockkeys *k, struct qdb *q, uint64_t now_ns)
{
	uint32_t kept = 0;
	if (k->asked_count == 0 || qdb_state(q) != QDB_LIVE)
		return k->asked_count > 0;
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (!k->asked[i].told || k->asked[i].told > qdb_answered(q))
			k->asked[kept++] = k->asked[i];
	k->asked_count = kept;
	bool again = k->again_ns && now_ns >= k->again_ns;
	if (again || k->again_ns == 0)
		k->again_ns = now_ns + BLOCKKEYS_AGAIN_S * NS_PER_S;
	for (uint32_t i = 0; i < k->asked_count; i++) {
		struct asked *a = &k->asked[i];
		if (!a->told && (!a->refused || again) && !tell(a, q))
			return true;
	}
	return false;
}

uint64_t blockkeys_deadline(const struct blockkeys *k)
{
	for (uint32_t i = 0; i < k->asked_count; i++)
		if (k->asked[i].refused && !k->asked[i].told)
			return k->again_ns;
	return UINT64_MAX;
}
