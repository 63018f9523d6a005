/* SPDX-License-Identifier: ISC */
/*
 * generation.c: what is held, what waits for its confirmation, and what is told of it.
 *
 * Invariant: unconfirmed is 0 or current, and only then the policy keeps something.
 */
#include "cross_rule.h"
#include "generation.h"

static const uint64_t NS_PER_S = 1000000000;
static const char late[] = "nobody confirmed it in time";
static const char outcome_key[] = "/postern/outcome";

static const char *const word_text[GENERATION_WORDS] = {
	[GENERATION_NOTHING] = "", [GENERATION_APPLIED] = "applied",
	[GENERATION_UNCONFIRMED] = "unconfirmed", [GENERATION_CONFIRMED] = "confirmed",
	[GENERATION_REFUSED] = "refused", [GENERATION_REVERTED] = "reverted",
};

void generation_init(struct generation *g, struct policy *policy)
{
	*g = (struct generation){ .policy = policy };
}

static void tell(struct generation *g, enum generation_word word, uint64_t number, const char *why)
{
	struct text t = text_on(g->word_text);
	g->word = word;
	g->word_of = number;
	text_put(&t, why);
}

static bool parse_number(struct cursor *c, uint64_t *number)
{
	uint32_t n;
	if (!parse_u32(c, UINT32_MAX, &n) || n == 0)
		return false;
	*number = n;
	return true;
}

/* "N SECONDS" */
static bool parse_value(struct cursor c, uint64_t *number, uint32_t *seconds)
{
	return parse_number(&c, number) && parse_word(&c, " ") && parse_u32(&c, 7 * 24 * 60 * 60, seconds) &&
	       c.left == 0;
}

/* --- the clock --------------------------------------------------------------------- */

static void revert(struct generation *g)
{
	policy_revert(g->policy);
	g->reverted = g->unconfirmed;
	g->unconfirmed = g->current = 0;
}

bool generation_tick(struct generation *g, uint64_t now_ns)
{
	g->now_ns = now_ns;
	if (!g->unconfirmed || now_ns < g->deadline_ns)
		return false;
	revert(g);
	tell(g, GENERATION_REVERTED, g->reverted, late);
	return true;
}

uint64_t generation_deadline(const struct generation *g)
{
	return g->unconfirmed ? g->deadline_ns : UINT64_MAX;
}

static void begin(struct generation *g, uint64_t number, uint32_t seconds)
{
	g->current = number;
	g->unconfirmed = seconds ? number : 0;
	g->deadline_ns = g->now_ns + seconds * NS_PER_S;
	tell(g, seconds ? GENERATION_UNCONFIRMED : GENERATION_APPLIED, number, "");
}

static void settle(struct generation *g)
{
	policy_settle(g->policy);
	g->unconfirmed = 0;
}

bool generation_confirm(struct generation *g, uint64_t number)
{
	if (number == 0)
		number = g->unconfirmed;
	/* a second confirmation is answered like the first */
	if (number == 0 || number != g->current)
		return false;
	settle(g);
	g->confirmed = number;
	tell(g, GENERATION_CONFIRMED, number, "");
	return true;
}

void generation_confirm_key(struct generation *g, struct cursor value)
{
	uint64_t number;
	if (!parse_number(&value, &number) || value.left > 0 || generation_confirm(g, number))
		return;
	/* too late: whoever asks shall hear it again */
	if (number == g->reverted)
		tell(g, GENERATION_REVERTED, number, late);
}

/* --- held ------------------------------------------------------------------------------ */

void generation_hold(struct generation *g, struct cursor value)
{
	uint64_t number;
	uint32_t seconds;
	if (!parse_value(value, &number, &seconds))
		return;
	/* the store takes back what was not confirmed before it sends anything else */
	if (g->unconfirmed)
		revert(g);
	g->held = number;
	g->fault[0] = 0;
	policy_hold(g->policy);
}

bool generation_is_held(const struct generation *g)
{
	return g->held != 0;
}

void generation_fault(struct generation *g, struct ip_addr ip, const char *why)
{
	if (g->fault[0])
		return;
	struct text t = text_on(g->fault);
	text_put(&t, cross_kind(ip) == RULE_OUTWARD ? "client " : "rules ");
	cross_owner_text(&t, ip);
	text_put(&t, ": ");
	text_put(&t, why);
}

static void say(struct text *line, uint64_t number, const char *what, const char *why)
{
	text_put(line, "generation ");
	text_u64(line, number);
	text_put(line, what);
	text_put(line, why);
}

bool generation_publish(struct generation *g, struct cursor value, struct text *line)
{
	uint64_t number, held = g->held;
	uint32_t seconds;
	if (!parse_value(value, &number, &seconds))
		return false;
	g->held = 0;
	if (held != number) {
		if (held)
			policy_abandon(g->policy);
		/* the store's own note that it was confirmed */
		if (number == g->unconfirmed && seconds == 0)
			settle(g);
		return false;
	}
	if (g->fault[0]) {
		policy_abandon(g->policy);
		g->refused = number;
		tell(g, GENERATION_REFUSED, number, g->fault);
		say(line, number, ": refused: ", g->fault);
		return true;
	}
	policy_release(g->policy, seconds > 0);
	if (number == g->refused)
		g->refused = 0; /* another store counts anew */
	begin(g, number, seconds);
	say(line, number, seconds ? ": in force until confirmed" : ": in force", "");
	return true;
}

/* --- dumps -------------------------------------------------------------------------------- */

void generation_opened(struct generation *g)
{
	if (g->held)
		policy_abandon(g->policy);
	g->held = g->dumped = 0;
	g->dumped_s = 0;
}

void generation_dumped(struct generation *g, struct cursor value)
{
	uint64_t number;
	uint32_t seconds;
	if (!parse_value(value, &number, &seconds))
		return;
	g->dumped = number;
	g->dumped_s = seconds;
}

bool generation_dump_commits(struct generation *g, bool seen)
{
	bool unconfirmed = g->dumped && g->dumped_s;
	if (unconfirmed && g->dumped == g->reverted) {
		tell(g, GENERATION_REVERTED, g->reverted, late);
		return false;
	}
	if (g->dumped && g->dumped == g->refused) {
		tell(g, GENERATION_REFUSED, g->refused, g->fault);
		return false;
	}
	if (g->unconfirmed && g->dumped == g->unconfirmed) {
		if (unconfirmed)
			policy_keeping(g->policy, POLICY_LEAVE);
		else
			generation_confirm(g, g->dumped);
		return true;
	}
	/* another generation took its place: what was before it is what surely was wanted */
	if (g->unconfirmed)
		revert(g);
	if (unconfirmed && seen && g->dumped != g->current) {
		policy_keeping(g->policy, POLICY_KEEP);
		begin(g, g->dumped, g->dumped_s);
	}
	return true;
}

void generation_dump_ends(struct generation *g)
{
	policy_keeping(g->policy, POLICY_FORGET);
	if (!g->dumped || g->dumped == g->reverted || g->dumped == g->refused)
		return;
	if (g->dumped_s && g->dumped == g->confirmed)
		tell(g, GENERATION_CONFIRMED, g->confirmed, "");
	/* the store may never have heard it: a confirmation must not be lost behind anything */
	bool kept = g->word == GENERATION_CONFIRMED || g->word == GENERATION_REVERTED;
	g->current = g->dumped;
	if (!kept)
		tell(g, g->dumped_s ? GENERATION_UNCONFIRMED : GENERATION_APPLIED, g->dumped, "");
}

/* --- telling ------------------------------------------------------------------------------- */

bool generation_tell(struct generation *g, struct qdb *q)
{
	char buffer[GENERATION_LINE];
	struct text value = text_on(buffer);
	if (g->word == GENERATION_NOTHING || qdb_state(q) != QDB_LIVE)
		return g->word != GENERATION_NOTHING;
	text_u64(&value, g->word_of);
	text_char(&value, ' ');
	text_put(&value, word_text[g->word]);
	if (g->word_text[0]) {
		text_char(&value, ' ');
		text_put(&value, g->word_text);
	}
	if (!qdb_write(q, outcome_key, buffer, value.len))
		return true;
	g->word = GENERATION_NOTHING;
	return false;
}
