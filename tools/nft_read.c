// SPDX-License-Identifier: ISC
/*
 * Follows a packet that is only partly known through the chains at hook forward.
 *
 * What is not known is carried along as kinds of packets: those that a rule may
 * let through, of those that come to it. A verdict about them is a rule of ours;
 * since ours too are tried in order, the order is all that need be kept.
 */
#include <stdlib.h>
#include <string.h>

#include "nft_read.h"

enum {
	DEPTH_MAX = 16,
	LINES_MAX = RULE_NUMBER_MAX + 1,
	WORK_MAX = 100000000, /* comparisons for one client: chains that call each other often multiply */
};

struct frame {
	const char *chain;
	size_t at;              /* index of the next object of the ruleset */
	unsigned number;        /* of the rule in its chain, from 1 */
	struct nft_kinds here;  /* the packets that come to this chain */
	bool whole;             /* these are all that come to the caller's rule, and to its chain */
	bool is_goto;
};

struct reader {
	struct nft_view *view;
	FILE *rules, *errors;
	unsigned lost;
	size_t lines, work;
	struct frame stack[DEPTH_MAX];
	size_t depth;
	const json_t *base; /* the base chain */
	bool last;          /* no other base chain comes behind it */
	bool ended;         /* every packet has its verdict */
};

enum effect { GOES_ON, DECIDED };

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* --- saying ------------------------------------------------------------------------------ */

/* A drop that is left out matters more than an accept: what comes behind it may permit too much. */
static bool forbids(const json_t *rule)
{
	const json_t *statement;
	size_t i;
	json_array_foreach(json_object_get(rule, "expr"), i, statement)
		if (json_object_get(statement, "drop") || json_object_get(statement, "reject"))
			return true;
	return false;
}

static void lose(struct reader *r, const json_t *rule, const char *why)
{
	char place[256], handle[32] = "";
	const struct frame *top = r->depth ? &r->stack[r->depth - 1] : NULL;
	if (rule)
		snprintf(handle, sizeof(handle), " (handle %lld)",
			 (long long)json_integer_value(json_object_get(rule, "handle")));
	if (top && top->at != SIZE_MAX)
		snprintf(place, sizeof(place), "%s %s %s rule %u%s", r->view->family, r->view->table, top->chain,
			 top->number, handle);
	else
		snprintf(place, sizeof(place), "%s %s %s", r->view->family, r->view->table, text_at(r->base, "name"));
	const char *warning = rule && forbids(rule) ? "; it forbids: those below may permit more" : "";
	fprintf(r->rules, "# not carried over: %s: %s%s\n", place, why, warning);
	if (r->errors)
		fprintf(r->errors, "%s: not carried over: %s%s\n", place, why, warning);
	r->lost++;
}

static void emit(struct reader *r, const json_t *rule, enum rule_verdict verdict, const struct nft_kinds *kinds)
{
	if (kinds->cut)
		lose(r, rule, "too many sorts of packets");
	for (size_t i = 0; i < kinds->count; i++) {
		char line[RULE_TEXT];
		struct text t = text_on(line);
		if (r->lines == LINES_MAX)
			lose(r, rule, "more rules than a client may have");
		else if (!nft_packets_rule(&kinds->item[i], verdict, &t))
			lose(r, rule, "our rules know no protocols but tcp, udp and icmp");
		else
			fprintf(r->rules, "%s\n", line);
		if (r->lines++ == LINES_MAX)
			return;
	}
}

/* --- verdicts ------------------------------------------------------------------------------ */

static bool is_accepted(const char *verdict)
{
	return !strcmp(verdict, "accept");
}

/* What the end of the base chain means for these packets. */
static enum effect end_of_base(struct reader *r, const json_t *rule, const char *verdict, const struct nft_kinds *kinds)
{
	if (is_accepted(verdict) && !r->last) {
		/* the next base chain judges them too, and our one list cannot skip what is left of this one */
		if (!nft_is_all(kinds))
			lose(r, rule, "it accepts before another chain at the hook judges");
		return nft_is_all(kinds) ? DECIDED : GOES_ON;
	}
	emit(r, rule, is_accepted(verdict) ? VERDICT_ACCEPT : VERDICT_DROP, kinds);
	if (!nft_is_all(kinds))
		return GOES_ON;
	r->ended |= !is_accepted(verdict) || r->last;
	return DECIDED;
}

static bool call(struct reader *r, const json_t *rule, const char *chain, const struct nft_kinds *kinds, bool whole,
		 bool is_goto)
{
	if (r->depth == DEPTH_MAX) {
		lose(r, rule, "chains are nested too deep");
		return false;
	}
	r->stack[r->depth++] = (struct frame){
		.chain = chain, .here = nft_kinds_copy(kinds), .whole = whole, .is_goto = is_goto,
	};
	return true;
}

/* All that come to the top chain have their verdict; so perhaps have those of its callers. */
static void leave_decided(struct reader *r)
{
	bool whole = true;
	while (whole && r->depth) {
		struct frame *top = &r->stack[--r->depth];
		whole = top->whole;
		nft_kinds_free(&top->here);
	}
}

static void leave_all(struct reader *r)
{
	while (r->depth)
		nft_kinds_free(&r->stack[--r->depth].here);
}

/* Those that came to the end of the top chain go back, or, behind a goto, to the end of its caller. */
static void leave(struct reader *r)
{
	struct frame *top = &r->stack[--r->depth];
	if (top->is_goto && r->depth == 1 && !top->whole) {
		end_of_base(r, NULL, text_at(r->base, "policy"), &top->here);
	} else if (top->is_goto && top->whole) {
		r->stack[r->depth - 1].at = SIZE_MAX;
	} else if (top->is_goto) {
		lose(r, NULL, "a goto for some packets in a chain that was called");
	}
	nft_kinds_free(&top->here);
}

/* A verdict for these of the packets that come to the rule. */
static void decide(struct reader *r, const json_t *rule, const json_t *verdict, const struct nft_kinds *kinds,
		   bool whole)
{
	const json_t *jump = json_object_get(verdict, "jump"), *go = json_object_get(verdict, "goto");
	if (!kinds->count)
		return;
	if (jump || go) {
		call(r, rule, text_at(jump ? jump : go, "target"), kinds, whole, go != NULL);
		return;
	}
	if (json_object_get(verdict, "continue"))
		return;
	if (json_object_get(verdict, "return")) {
		if (whole)
			r->stack[r->depth - 1].at = SIZE_MAX;
		else
			lose(r, rule, "it returns for some packets only");
		return;
	}
	bool accept = json_object_get(verdict, "accept") != NULL;
	enum effect e = end_of_base(r, rule, accept ? "accept" : "drop", kinds);
	if (whole || e == DECIDED)
		leave_decided(r);
}

static bool is_verdict(const json_t *statement)
{
	static const char *const words[] = { "accept", "drop", "reject", "jump", "goto", "return", "continue" };
	for (size_t i = 0; i < array_len(words); i++)
		if (json_object_get(statement, words[i]))
			return true;
	return false;
}

/* They change nothing about what passes. */
static bool is_idle(const json_t *statement)
{
	static const char *const words[] = { "counter", "log" };
	for (size_t i = 0; i < array_len(words); i++)
		if (json_object_get(statement, words[i]))
			return true;
	return false;
}

/* --- rules ------------------------------------------------------------------------------------- */

/* One element after the other is a rule. */
static void read_vmap(struct reader *r, const json_t *rule, const json_t *vmap, const struct nft_kinds *here)
{
	char why[NFT_WHY] = "";
	const json_t *key = json_object_get(vmap, "key"), *pair;
	const json_t *pairs = nft_elements(r->view, json_object_get(vmap, "data"), why);
	size_t i;
	if (!pairs)
		lose(r, rule, *why ? why : "a map of another kind");
	json_array_foreach(pairs, i, pair) {
		struct nft_kinds one = { 0 };
		size_t depth = r->depth;
		if (!nft_match_value(r->view, key, json_array_get(pair, 0), &one, why)) {
			lose(r, rule, why);
		} else {
			struct nft_kinds met = nft_kinds_meet(here, &one);
			const json_t *verdict = json_array_get(pair, 1);
			bool calls = json_object_get(verdict, "jump") || json_object_get(verdict, "goto");
			if (met.count && calls && !nft_is_all(&one))
				lose(r, rule, "a map of destinations to chains");
			else
				decide(r, rule, verdict, &met, nft_is_all(&one));
			nft_kinds_free(&met);
		}
		nft_kinds_free(&one);
		if (r->depth != depth)
			return; /* a key that fits all of them: the only one that fits */
	}
}

static const char *sort_of(const json_t *statement)
{
	void *first = json_object_iter((json_t *)(uintptr_t)statement);
	return first ? json_object_iter_key(first) : "?";
}

/* The statements from left to right: fewer and fewer packets, and at last a verdict. */
static void read_rule(struct reader *r, const json_t *rule)
{
	const json_t *expr = json_object_get(rule, "expr"), *statement;
	struct nft_kinds here = nft_kinds_copy(&r->stack[r->depth - 1].here);
	bool whole = true, good = true;
	char why[NFT_WHY] = "";
	size_t i;
	json_array_foreach(expr, i, statement) {
		const json_t *match = json_object_get(statement, "match"), *vmap = json_object_get(statement, "vmap");
		if (!here.count || !good)
			break;
		if (match) {
			struct nft_kinds one = { 0 };
			good = nft_match(r->view, match, &one, why);
			r->work += here.count * one.count;
			struct nft_kinds met = nft_kinds_meet(&here, &one);
			whole = whole && nft_is_all(&one);
			nft_kinds_free(&here);
			nft_kinds_free(&one);
			here = met;
		} else if (vmap) {
			read_vmap(r, rule, vmap, &here);
			break;
		} else if (is_verdict(statement)) {
			decide(r, rule, statement, &here, whole);
			break;
		} else if (!is_idle(statement)) {
			snprintf(why, sizeof(why), "our rules have nothing like \"%.60s\"", sort_of(statement));
			good = false;
		}
	}
	if (!good)
		lose(r, rule, why);
	nft_kinds_free(&here);
}

static bool is_of(const json_t *object, const struct nft_view *v)
{
	return object && !strcmp(text_at(object, "family"), v->family) && !strcmp(text_at(object, "table"), v->table);
}

/* The next rule of the chain; NULL: its end. */
static const json_t *next_rule(const struct reader *r, struct frame *f)
{
	while (f->at < json_array_size(r->view->ruleset)) {
		const json_t *rule = json_object_get(json_array_get(r->view->ruleset, f->at++), "rule");
		if (is_of(rule, r->view) && !strcmp(text_at(rule, "chain"), f->chain)) {
			f->number++;
			return rule;
		}
	}
	return NULL;
}

static void read_base(struct reader *r)
{
	struct nft_kinds all = nft_kinds_all();
	r->view->family = text_at(r->base, "family");
	r->view->table = text_at(r->base, "table");
	call(r, NULL, text_at(r->base, "name"), &all, true, false);
	while (r->depth) {
		const json_t *rule = next_rule(r, &r->stack[r->depth - 1]);
		if (r->work++ > WORK_MAX) {
			lose(r, rule, "too much is said too often: what is behind is left out");
			r->ended = true;
			leave_all(r);
		} else if (rule) {
			read_rule(r, rule);
		} else if (r->depth > 1) {
			leave(r);
		} else {
			end_of_base(r, NULL, text_at(r->base, "policy"), &all);
			leave_decided(r);
		}
	}
	nft_kinds_free(&all);
}

/* --- the chains at the hook ---------------------------------------------------------------------- */

static bool is_ours(const json_t *chain)
{
	const char *family = text_at(chain, "family");
	return (!strcmp(family, "ip") || !strcmp(family, "inet")) && !strcmp(text_at(chain, "hook"), "forward");
}

static int by_priority(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	json_int_t p = json_integer_value(json_object_get(*x, "prio")), q = json_integer_value(json_object_get(*y, "prio"));
	return (p > q) - (p < q);
}

unsigned nft_read(struct nft_view *view, FILE *rules, FILE *errors)
{
	struct reader *r = calloc(1, sizeof(*r));
	const json_t **base = calloc(json_array_size(view->ruleset) + 1, sizeof(const json_t *)), *object;
	size_t count = 0, i;
	if (!r || !base)
		panic("out of memory");
	r->view = view;
	r->rules = rules;
	r->errors = errors;
	json_array_foreach(view->ruleset, i, object) {
		const json_t *chain = json_object_get(object, "chain");
		if (chain && is_ours(chain))
			base[count++] = chain;
	}
	qsort(base, count, sizeof(*base), by_priority);
	for (i = 0; i < count && !r->ended; i++) {
		r->base = base[i];
		r->last = i + 1 == count;
		read_base(r);
	}
	if (!count) /* nothing is forbidden to anybody */
		fputs("action=accept\n", rules);
	unsigned lost = r->lost;
	free(base);
	free(r);
	return lost;
}

/* --- clients ---------------------------------------------------------------------------------------- */

static void say_address(const json_t *value, nft_each_client *each, void *context)
{
	const char *text = json_string_value(nft_plain(value));
	struct cursor c = cursor_of(text ? text : "", text ? strlen(text) : 0);
	struct ip_addr ip;
	if (parse_ip4(&c, &ip) && !c.left)
		each(context, ip);
}

static void say_sources(struct nft_view *v, const json_t *left, const json_t *right, bool map, nft_each_client *each,
			void *context)
{
	const json_t *payload = json_object_get(left, "payload"), *element;
	char why[NFT_WHY];
	size_t i;
	if (strcmp(text_at(payload, "protocol"), "ip") || strcmp(text_at(payload, "field"), "saddr"))
		return;
	const json_t *elements = nft_elements(v, right, why);
	if (!elements)
		say_address(right, each, context);
	json_array_foreach(elements, i, element)
		say_address(map ? json_array_get(element, 0) : element, each, context);
}

static void say_clients_of(struct nft_view *v, const json_t *rule, nft_each_client *each, void *context)
{
	const json_t *statement;
	size_t i;
	json_array_foreach(json_object_get(rule, "expr"), i, statement) {
		const json_t *match = json_object_get(statement, "match"), *vmap = json_object_get(statement, "vmap");
		const json_t *left = json_object_get(match, "left"), *key = json_object_get(vmap, "key");
		if (match && strcmp(text_at(match, "op"), "!="))
			say_sources(v, left, json_object_get(match, "right"), false, each, context);
		if (vmap)
			say_sources(v, key, json_object_get(vmap, "data"), true, each, context);
	}
}

void nft_clients(const json_t *ruleset, nft_each_client *each, void *context)
{
	const json_t *object;
	size_t i;
	json_array_foreach(ruleset, i, object) {
		const json_t *rule = json_object_get(object, "rule");
		struct nft_view v = {
			.ruleset = ruleset, .family = text_at(rule, "family"), .table = text_at(rule, "table"),
		};
		say_clients_of(&v, rule, each, context);
	}
}
