/* SPDX-License-Identifier: ISC */
/* apply.c: gathers changes of many rule trees, and settles what becomes of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apply.h"

static const char rules_dir[] = "/qubes-firewall/";
static const struct db_author ourselves = { .comm = "postern-store", .via = "store" };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void apply_load(struct apply *a)
{
	a->waits = history_unconfirmed(a->db, &a->unconfirmed);
}

/* --- changing and telling ------------------------------------------------------------ */

static void tell(struct apply *a, enum wire_type type, const char *path, const void *value, size_t len)
{
	/* what could not be told must not happen */
	if (!change_note(a->changes, NULL, type, path, value, len))
		a->db->failed = true;
}

/* Keys of rule trees are told to the appliance tree by tree, see tell_trees. */
static void tell_within(struct apply *a, enum wire_type type, const char *path, const void *value, size_t len)
{
	char tree[WIRE_PATH_BYTES];

	tell(a, type, path, value, len);
	if (!a->db->failed && db_tree_of(path, tree))
		change_only_for(a->changes, CHANGE_FOR_PROGRAMS);
}

static void put(struct apply *a, const struct db_author *author, const char *path, const void *value,
		size_t len)
{
	if (db_write(a->db, path, value, len, author) == DB_DONE)
		tell_within(a, WIRE_WRITE, path, value, len);
}

static void take_away(struct apply *a, const struct db_author *author, const char *path)
{
	if (db_remove(a->db, path, author) == DB_DONE)
		tell_within(a, WIRE_RM, path, NULL, 0);
}

static void hold(struct apply *a, const struct history_batch *b)
{
	char value[40];

	snprintf(value, sizeof(value), "%" PRId64 " %u", b->number, b->confirm_s);
	tell(a, WIRE_WRITE, APPLY_HOLD, value, strlen(value));
}

struct touched {
	struct touched_tree {
		char path[WIRE_PATH_BYTES];
		bool committed;
	} *tree;
	size_t count;
	bool failed;
};

static void touch(void *context, const char *path, bool committed)
{
	struct touched *t = context;
	struct touched_tree *more = reallocarray(t->tree, t->count + 1, sizeof(*more));

	t->failed |= !more;
	if (!more)
		return;
	t->tree = more;
	more[t->count] = (struct touched_tree){ .committed = committed };
	memcpy(more[t->count++].path, path, strnlen(path, WIRE_PATH_BYTES - 1));
}

/* What the batch made of each tree; a tree that it did not commit is committed with it. */
static void tell_trees(struct apply *a, const struct db_author *author, int64_t number)
{
	struct touched t = { .tree = NULL };

	if (!history_names(a->db, number, touch, &t) || t.failed)
		a->db->failed = true;
	for (size_t i = 0; i < t.count && !a->db->failed; i++) {
		if (!t.tree[i].committed)
			put(a, author, t.tree[i].path, "", 0);
		change_tell_tree(a->changes, a->db, number, t.tree[i].path);
		tell(a, WIRE_WRITE, t.tree[i].path, "", 0);
		if (!a->db->failed)
			change_only_for(a->changes, CHANGE_FOR_APPLIANCE);
		half_over(&a->changes->half, t.tree[i].path);
	}
	free(t.tree);
}

/* Behind the trees: the appliance may take them over. */
static void release(struct apply *a, const struct db_author *author, int64_t number, uint32_t confirm_s)
{
	char value[40];

	snprintf(value, sizeof(value), "%" PRId64 " %u", number, confirm_s);
	put(a, author, APPLY_GENERATION, value, strlen(value));
}

struct restoring {
	struct apply *a;
	char tree[WIRE_PATH_BYTES]; /* not committed yet; "": none */
};

static void commit_tree(struct restoring *r)
{
	if (r->tree[0])
		put(r->a, &ourselves, r->tree, "", 0);
	r->tree[0] = 0;
}

static bool restore_key(void *context, const char *path, const uint8_t *value, size_t len)
{
	struct restoring *r = context;
	char below[WIRE_PATH_BYTES + 1];

	if (value && strcmp(path, r->tree) == 0)
		return true; /* the commit key: comes last in any case */
	if (value) {
		put(r->a, &ourselves, path, value, len);
		return !r->a->db->failed;
	}
	commit_tree(r);
	snprintf(r->tree, sizeof(r->tree), "%s", path);
	snprintf(below, sizeof(below), "%s/", path);
	take_away(r->a, &ourselves, below);
	return !r->a->db->failed;
}

/* A new generation: the trees of b as they were at `at`, unless changed above unless_after. */
static void restore(struct apply *a, const struct history_batch *b, int64_t at, int64_t unless_after,
		    const char *why)
{
	struct history_batch next = { .undoes = b->number };
	struct restoring r = { .a = a };

	snprintf(next.outcome, sizeof(next.outcome), "%s", a->linked ? "waiting" : "applied");
	if (!history_begin(a->db, &ourselves, why, &next))
		return;
	hold(a, &next);
	if (!history_trees(a->db, b->number, at, unless_after, restore_key, &r))
		a->db->failed = true;
	commit_tree(&r);
	tell_trees(a, &ourselves, next.number);
	release(a, &ourselves, next.number, 0);
	history_end(a->db);
}

static void take_back(struct apply *a, const struct history_batch *b, const char *outcome,
		      const char *why)
{
	if (history_judge(a->db, b->number, outcome))
		restore(a, b, b->number - 1, b->number, why);
	a->resync = true;
	apply_load(a);
}

static void confirmed(struct apply *a, const struct history_batch *b)
{
	if (history_judge(a->db, b->number, "confirmed"))
		release(a, &ourselves, b->number, 0);
	apply_load(a);
}

/* The store says it in the appliance's place. */
static void say_outcome(struct apply *a, int64_t number, const char *words)
{
	char value[160];

	snprintf(value, sizeof(value), "%" PRId64 " %s", number, words);
	put(a, &ourselves, APPLY_OUTCOME, value, strlen(value));
}

/* --- a program's draft ------------------------------------------------------------------- */

struct wish {
	uint32_t confirm_s;
	int64_t expected; /* -1: whatever it is */
	char reason[HISTORY_REASON_MAX + 1];
};

static bool number_of(const char *s, const char *end, int64_t max, int64_t *to)
{
	int64_t n = 0;

	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9' || n > max / 10)
			return false;
		n = n * 10 + (*s - '0');
	}
	*to = n;
	return n <= max;
}

static bool parse_line(struct wish *w, const char *line, const char *end)
{
	int64_t n;
	size_t len;

	if (end - line > 8 && !memcmp(line, "confirm=", 8)) {
		if (!number_of(line + 8, end, APPLY_CONFIRM_MAX_S, &n))
			return false;
		w->confirm_s = (uint32_t)n;
		return true;
	}
	if (end - line > 3 && !memcmp(line, "if=", 3))
		return number_of(line + 3, end, INT64_MAX / 16, &w->expected);
	if (end - line < 7 || memcmp(line, "reason=", 7) || end - line - 7 > HISTORY_REASON_MAX)
		return false;
	len = (size_t)(end - line - 7);
	for (size_t i = 0; i < len; i++)
		w->reason[i] = line[7 + i] >= ' ' && line[7 + i] <= '~' ? line[7 + i] : '?';
	w->reason[len] = 0;
	return true;
}

static bool parse_wish(struct wish *w, const struct wire_message *m)
{
	const char *at = (const char *)m->data, *end = at + m->header.len, *line_end;

	*w = (struct wish){ .expected = -1 };
	for (at += 6; at < end; at = line_end) {
		if (*at++ != '\n')
			return false;
		line_end = memchr(at, '\n', (size_t)(end - at));
		line_end = line_end ? line_end : end;
		if (!parse_line(w, at, line_end))
			return false;
	}
	return true;
}

/* The draft's bytes are messages as they came in, every one judged already. */
static void carry_out(struct apply *a, struct peer *p)
{
	const uint8_t *at = p->draft.bytes + p->draft.head;
	size_t left = p->draft.len;
	struct wire_message m;

	for (; left > 0 && wire_take(&m, at, left) == WIRE_WHOLE; at += m.taken, left -= m.taken) {
		if (m.header.type == WIRE_WRITE)
			put(a, &p->author, m.header.path, m.data, m.header.len);
		else
			take_away(a, &p->author, m.header.path);
	}
}

static bool commit(struct apply *a, struct peer *p, const struct wish *w)
{
	struct history_batch b = { .confirm_s = w->confirm_s };
	int64_t latest = history_latest(a->db);

	if (latest < 0)
		return false;
	if (a->waits) {
		snprintf(p->said, sizeof(p->said), "unconfirmed %" PRId64, a->unconfirmed.number);
		return true;
	}
	if (w->expected >= 0 && w->expected != latest) {
		snprintf(p->said, sizeof(p->said), "conflict %" PRId64, latest);
		return true;
	}
	if (p->draft.len == 0) {
		snprintf(p->said, sizeof(p->said), "empty");
		return true;
	}
	snprintf(b.outcome, sizeof(b.outcome), "%s",
		 a->linked ? "waiting" : w->confirm_s ? "unconfirmed" : "applied");
	if (!history_begin(a->db, &p->author, w->reason, &b))
		return false;
	hold(a, &b);
	carry_out(a, p);
	tell_trees(a, &p->author, b.number);
	release(a, &p->author, b.number, b.confirm_s);
	history_end(a->db);
	snprintf(p->said, sizeof(p->said), "%" PRId64 " %s", b.number, a->linked ? "linked" : "alone");
	apply_load(a);
	return !a->db->failed;
}

static bool draft_message(struct peer *p, const struct wire_message *m)
{
	uint8_t header[WIRE_HEADER_BYTES];

	if (m->header.type == WIRE_WRITE ?
	    !wire_is_key(m->header.path) || !wire_is_value(m->data, m->header.len) :
	    !wire_is_target(m->header.path))
		return false;
	wire_put_header(header, m->header.type == WIRE_WRITE ? WIRE_WRITE : WIRE_RM, m->header.path,
			m->header.type == WIRE_WRITE ? m->header.len : 0);
	return buffer_add(&p->draft, header, sizeof(header)) &&
	       (m->header.type == WIRE_RM || buffer_add(&p->draft, m->data, m->header.len));
}

static void drop_draft(struct peer *p)
{
	p->drafting = false;
	buffer_free(&p->draft);
}

static bool is_word(const struct wire_message *m, const char *word)
{
	size_t len = strlen(word);

	return m->header.len >= len && !memcmp(m->data, word, len) &&
	       (m->header.len == len || m->data[len] == '\n');
}

static bool write_apply(struct apply *a, struct peer *p, const struct wire_message *m)
{
	struct wish w;
	bool done = p->drafting && is_word(m, "commit") && parse_wish(&w, m) && commit(a, p, &w);

	drop_draft(p);
	if (done || !is_word(m, "begin"))
		return done;
	p->drafting = true;
	p->said[0] = 0;
	return true;
}

/* --- confirming ------------------------------------------------------------------------------ */

static bool write_confirm(struct apply *a, const struct wire_message *m)
{
	const char *value = (const char *)m->data;
	int64_t number;

	if (!a->waits || !number_of(value, value + m->header.len, INT64_MAX / 16, &number) ||
	    number != a->unconfirmed.number)
		return false;
	if (a->linked) {
		tell(a, WIRE_WRITE, APPLY_CONFIRM, value, m->header.len);
		return true;
	}
	say_outcome(a, number, "confirmed by the store alone");
	confirmed(a, &a->unconfirmed);
	return true;
}

bool apply_handle(struct apply *a, struct peer *p, const struct wire_message *m)
{
	bool changes = m->header.type == WIRE_WRITE || m->header.type == WIRE_RM;
	char tree[WIRE_PATH_BYTES];
	bool done;

	if (!m->header.terminated || p->kind != PEER_LOCAL || (!changes && m->header.type != WIRE_READ))
		return false;
	if (m->header.type == WIRE_READ && !strcmp(m->header.path, HISTORY_APPLY)) {
		peer_answer(p, WIRE_READ_IS, m->header.path, (const uint8_t *)p->said, strlen(p->said));
		return true;
	}
	if (m->header.type == WIRE_WRITE && !strcmp(m->header.path, HISTORY_APPLY))
		done = write_apply(a, p, m);
	else if (m->header.type == WIRE_WRITE && !strcmp(m->header.path, APPLY_CONFIRM))
		done = write_confirm(a, m);
	else if (changes && p->drafting &&
		 (!strncmp(m->header.path, rules_dir, sizeof(rules_dir) - 1) || db_tree_of(m->header.path, tree)))
		done = draft_message(p, m);
	else
		return false;
	if (!done)
		drop_draft(p);
	peer_answer(p, done ? WIRE_OK : WIRE_ERROR, m->header.path, NULL, 0);
	return true;
}

/* --- settling --------------------------------------------------------------------------------- */

static bool waits(const struct history_batch *b)
{
	return !strcmp(b->outcome, "waiting") || !strcmp(b->outcome, "unconfirmed");
}

/* It said so while this store was away and had taken it back: what was confirmed holds. */
static void confirmed_late(struct apply *a, const struct history_batch *b)
{
	int64_t latest = history_latest(a->db);
	struct history_batch undo;
	char why[80];

	if (strcmp(b->outcome, "reverted") || !history_read(a->db, latest, &undo) ||
	    undo.undoes != b->number || !history_judge(a->db, b->number, "confirmed"))
		return;
	snprintf(why, sizeof(why), "generation %" PRId64 " was confirmed at the appliance", b->number);
	restore(a, b, b->number, latest, why);
}

void apply_outcome(struct apply *a, const struct wire_message *m)
{
	const char *value = (const char *)m->data, *end = value + m->header.len;
	const char *blank = m->header.len ? memchr(value, ' ', m->header.len) : NULL;
	struct history_batch b;
	char why[HISTORY_REASON_MAX + 1], word[16];
	int64_t number;
	size_t len;

	if (!m->header.terminated || strcmp(m->header.path, APPLY_OUTCOME) || !blank ||
	    !number_of(value, blank, INT64_MAX / 16, &number) || !history_read(a->db, number, &b))
		return;
	len = (size_t)(end - ++blank);
	snprintf(word, sizeof(word), "%.*s", (int)len, blank);
	word[strcspn(word, " ")] = 0;
	if (!strcmp(word, "confirmed") && waits(&b)) {
		confirmed(a, &b);
	} else if (!strcmp(word, "confirmed")) {
		confirmed_late(a, &b);
	} else if (!waits(&b)) {
		return;
	} else if (!strcmp(word, "applied") || !strcmp(word, "unconfirmed")) {
		history_judge(a->db, number, word);
		apply_load(a);
	} else if (b.undoes) {
		/* what took something back is not taken back itself: that would never end */
		history_judge(a->db, number, word);
		a->resync = true; /* a dump closes a bad tree alone */
		apply_load(a);
	} else if (!strcmp(word, "reverted") || !strcmp(word, "refused")) {
		snprintf(why, sizeof(why), "generation %" PRId64 " %.*s", number, (int)len, blank);
		take_back(a, &b, word, why);
	}
}

static int64_t deadline(const struct apply *a)
{
	return a->unconfirmed.confirm_by + (a->linked ? APPLY_GRACE_MS : 0);
}

void apply_tick(struct apply *a)
{
	struct history_batch b = a->unconfirmed;
	char why[80];

	if (!a->waits || now_ms() < deadline(a))
		return;
	snprintf(why, sizeof(why), "generation %" PRId64 " was not confirmed in time", b.number);
	say_outcome(a, b.number, "reverted by the store");
	take_back(a, &b, "reverted", why);
}

int apply_wait_ms(const struct apply *a, int wait_ms)
{
	int64_t left = a->waits ? deadline(a) - now_ms() : INT64_MAX;

	if (left > (wait_ms < 0 ? INT32_MAX / 2 : wait_ms))
		return wait_ms;
	return left < 0 ? 0 : (int)left + 1;
}
