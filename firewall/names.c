// SPDX-License-Identifier: ISC
/* Names by text, their addresses, and when each is asked for. */
#include "names.h"
#include "rule.h"
#include "table.h"

#define NS_PER_S UINT64_C(1000000000)

struct name {
	char text[RULE_HOST_MAX + 1];
	bool used, asking;
	bool is_address;
	uint32_t next_free;
	uint64_t due_ns;     /* meaningless while asking */
	uint64_t learned_ns; /* 0: never */
	uint32_t ttl_s, failures;
	const char *why;
};

struct names {
	struct hosts hosts;    /* first: hosts.handle finds us by it */
	struct secret *secret; /* fixed at creation */
	void (*log)(const char *line, size_t len);
	struct name *name;
	struct table index;
	uint32_t free;
	uint64_t next_ns;      /* nothing is due before */
	uint64_t changed[NAMES_WORDS];
};

static uint64_t hash_of(const struct names *n, const char *text, size_t len)
{
	return siphash13(n->secret->key, text, len);
}

static bool is_text(const struct name *name, const char *text, size_t len)
{
	return !memcmp(name->text, text, len) && name->text[len] == 0;
}

/* --- log ------------------------------------------------------------------------- */

static void say(const struct names *n, uint32_t handle, const char *what, const char *why, const char *then)
{
	char buffer[NAMES_LINE_BYTES];
	struct text line = text_on(buffer);
	text_put(&line, "name ");
	text_put(&line, n->name[handle].text);
	text_put(&line, what);
	text_put(&line, why);
	text_put(&line, then);
	n->log(line.at, line.len);
}

static void say_addresses(const struct names *n, uint32_t handle)
{
	char buffer[NAMES_LINE_BYTES];
	const struct host *host = &n->hosts.host[handle];
	struct text list = text_on(buffer);
	for (uint32_t i = 0; i < host->count; i++) {
		text_char(&list, ' ');
		text_ip(&list, host->address[i]);
	}
	say(n, handle, ":", buffer, "");
}

/* --- names that come and go ----------------------------------------------------------- */

/* True when it is gone: nobody holds it, and no answer is on its way. */
static bool forget(struct names *n, uint32_t handle)
{
	struct name *name = &n->name[handle];
	if (n->hosts.host[handle].held > 0 || name->asking)
		return false;
	table_remove(&n->index, handle);
	n->hosts.host[handle] = (struct host){ .text = NULL };
	name->used = false;
	name->next_free = n->free;
	n->free = handle;
	n->changed[handle / 64] &= ~(UINT64_C(1) << handle % 64);
	return true;
}

static void forget_unheld(struct names *n)
{
	for (uint32_t i = 0; i < NAMES_MAX; i++)
		if (n->name[i].used)
			forget(n, i);
}

static void is_new(struct names *n, uint32_t handle)
{
	struct name *name = &n->name[handle];
	struct cursor c = cursor_of(name->text, 0);
	struct host *host = &n->hosts.host[handle];
	struct ip_addr ip;
	while (name->text[c.left])
		c.left++;
	host->text = name->text;
	if (parse_ip(&c, &ip) && c.left == 0) {
		name->is_address = true;
		name->due_ns = UINT64_MAX;
		host->address[0] = ip;
		host->count = 1;
	} else {
		n->next_ns = 0;
	}
}

static uint32_t handle_of(struct hosts *hosts, const char *text, size_t len)
{
	struct names *n = (struct names *)(void *)hosts;
	char lower[RULE_HOST_MAX + 1];
	if (len > 1 && text[len - 1] == '.')
		len--;
	if (len > RULE_HOST_MAX)
		return NONE;
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	uint64_t hash = hash_of(n, lower, len);
	for (uint32_t i = table_first(&n->index, hash); i != NONE; i = table_next(&n->index, i))
		if (is_text(&n->name[i], lower, len))
			return i;
	if (n->free == NONE)
		forget_unheld(n);
	uint32_t handle = n->free;
	if (handle == NONE)
		return NONE;
	struct name *name = &n->name[handle];
	n->free = name->next_free;
	*name = (struct name){ .used = true, .why = "" };
	memcpy(name->text, lower, len);
	n->hosts.host[handle] = (struct host){ .text = NULL };
	table_insert(&n->index, hash, handle);
	is_new(n, handle);
	return handle;
}

size_t names_bytes(void)
{
	return sizeof(struct names) + NAMES_MAX * (sizeof(struct name) + sizeof(struct host)) + table_bytes(NAMES_MAX) +
	       (size_t)4 * 64;
}

struct names *names_new(struct arena *arena, struct secret *secret, void (*log)(const char *line, size_t len))
{
	struct arena rest = *arena;
	struct names *n = arena_take(&rest, 1, sizeof(*n));
	struct name *name = arena_take(&rest, NAMES_MAX, sizeof(*name));
	struct host *host = arena_take(&rest, NAMES_MAX, sizeof(*host));
	if (!n || !name || !host || !table_init(&n->index, &rest, NAMES_MAX))
		return NULL;
	for (uint32_t i = 0; i < NAMES_MAX; i++)
		name[i].next_free = i + 1 < NAMES_MAX ? i + 1 : NONE;
	n->hosts = (struct hosts){ host, NAMES_MAX, handle_of };
	n->secret = secret;
	n->log = log;
	n->name = name;
	n->next_ns = UINT64_MAX;
	*arena = rest;
	return n;
}

struct hosts *names_hosts(struct names *n)
{
	return &n->hosts;
}

/* --- asking ---------------------------------------------------------------------------- */

static void due_at(struct names *n, struct name *name, uint64_t due_ns)
{
	name->due_ns = due_ns;
	n->next_ns = due_ns < n->next_ns ? due_ns : n->next_ns;
}

/* So many seconds, less up to a fifth of them: names that came together are not asked for together for ever. */
static uint64_t about(struct names *n, uint32_t seconds)
{
	uint32_t ms = seconds * 1000;
	return (ms - random_below(n->secret, ms / 5 + 1)) * (NS_PER_S / 1000);
}

uint32_t names_ask(struct names *n, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	if (now_ns < n->next_ns)
		return NONE;
	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		struct name *name = &n->name[i];
		if (!name->used || forget(n, i) || name->asking)
			continue;
		if (name->due_ns <= now_ns) {
			name->asking = true;
			return i;
		}
		next = name->due_ns < next ? name->due_ns : next;
	}
	n->next_ns = next;
	return NONE;
}

void names_learn(struct names *n, uint32_t handle, const struct ip_addr *address, uint32_t count, uint32_t ttl_s,
		 uint64_t now_ns)
{
	struct name *name = &n->name[handle];
	struct host *host = &n->hosts.host[handle];
	ensure(name->used && name->asking && count > 0);
	count = count < HOST_ADDRESSES_MAX ? count : HOST_ADDRESSES_MAX;
	bool same = host->count == count;
	for (uint32_t i = 0; same && i < count; i++)
		same = host_has(host, address[i]);
	name->asking = false;
	name->ttl_s = ttl_s < NAMES_TTL_MIN_S ? NAMES_TTL_MIN_S : ttl_s > NAMES_TTL_MAX_S ? NAMES_TTL_MAX_S : ttl_s;
	name->learned_ns = now_ns;
	due_at(n, name, now_ns + about(n, name->ttl_s));
	if (!same) {
		memcpy(host->address, address, count * sizeof(*address));
		host->count = count;
		n->changed[handle / 64] |= UINT64_C(1) << handle % 64;
	}
	if (!same || name->failures > 0)
		say_addresses(n, handle);
	name->failures = 0;
	name->why = "";
}

static const char held[] = ": the last good answer holds";
static const char closed[] = ": until it is resolved, its accept rules match nothing and its drop rules everything";

void names_fail(struct names *n, uint32_t handle, const char *why, uint64_t now_ns)
{
	struct name *name = &n->name[handle];
	ensure(name->used && name->asking);
	name->asking = false;
	uint32_t doublings = name->failures < 10 ? name->failures : 10;
	uint32_t wait_s = NAMES_RETRY_MIN_S << doublings;
	due_at(n, name, now_ns + about(n, wait_s < NAMES_RETRY_MAX_S ? wait_s : NAMES_RETRY_MAX_S));
	if (name->failures == 0)
		say(n, handle, ": ", why, n->hosts.host[handle].count ? held : closed);
	name->failures += name->failures < UINT32_MAX;
	name->why = why;
}

void names_retry(struct names *n)
{
	for (uint32_t i = 0; i < NAMES_MAX; i++)
		if (n->name[i].used && !n->name[i].asking && n->name[i].failures > 0)
			due_at(n, &n->name[i], 0);
}

void names_refresh(struct names *n)
{
	for (uint32_t i = 0; i < NAMES_MAX; i++)
		if (n->name[i].used && !n->name[i].asking && !n->name[i].is_address)
			due_at(n, &n->name[i], 0);
}

uint64_t names_deadline(const struct names *n)
{
	return n->next_ns;
}

/* --- changes and status -------------------------------------------------------------------- */

bool names_changed(struct names *n, uint64_t bit[NAMES_WORDS])
{
	uint64_t any = 0;
	for (uint32_t i = 0; i < NAMES_WORDS; i++) {
		any |= bit[i] = n->changed[i];
		n->changed[i] = 0;
	}
	return any != 0;
}

uint32_t names_next(const struct names *n, uint32_t handle)
{
	for (uint32_t i = handle == NONE ? 0 : handle + 1; i < NAMES_MAX; i++)
		if (n->name[i].used && n->hosts.host[i].held > 0)
			return i;
	return NONE;
}

struct name_view names_show(const struct names *n, uint32_t handle)
{
	const struct name *name = &n->name[handle];
	const struct host *host = &n->hosts.host[handle];
	enum name_state state = host->count == 0 ? NAME_UNRESOLVED : name->failures ? NAME_STALE : NAME_RESOLVED;
	return (struct name_view){
		.text = name->text,
		.state = name->is_address ? NAME_ADDRESS : state,
		.host = host,
		.learned_ns = name->learned_ns,
		.due_ns = name->due_ns,
		.ttl_s = name->ttl_s,
		.failures = name->failures,
		.why = name->why,
	};
}

const char *name_state_word(enum name_state state)
{
	static const char *const word[] = {
		[NAME_UNRESOLVED] = "unresolved", [NAME_RESOLVED] = "resolved",
		[NAME_STALE] = "stale",		  [NAME_ADDRESS] = "address",
	};
	_Static_assert(array_len(word) == NAME_STATES, "a word for each");
	return word[state];
}
