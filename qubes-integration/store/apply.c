/* SPDX-License-Identifier: ISC */
/* apply.c: settles what becomes of changes of many rule trees. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "batch.h"
#include "draft.h"

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

struct restoring {
	struct apply *a;
	char tree[WIRE_PATH_BYTES]; /* not committed yet; "": none */
};

static void commit_tree(struct restoring *r)
{
	if (r->tree[0])
		batch_put(r->a, &ourselves, r->tree, "", 0);
	r->tree[0] = 0;
}

static bool restore_key(void *context, const char *path, const uint8_t *value, size_t len)
{
	struct restoring *r = context;
	char below[WIRE_PATH_BYTES + 1];

	if (value && strcmp(path, r->tree) == 0)
		return true; /* the commit key: comes last in any case */
	if (value) {
		batch_put(r->a, &ourselves, path, value, len);
		return !r->a->db->failed;
	}
	commit_tree(r);
	snprintf(r->tree, sizeof(r->tree), "%s", path);
	snprintf(below, sizeof(below), "%s/", path);
	batch_take_away(r->a, &ourselves, below);
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
	batch_hold(a, &next);
	if (!history_trees(a->db, b->number, at, unless_after, restore_key, &r))
		a->db->failed = true;
	commit_tree(&r);
	batch_tell_trees(a, &ourselves, next.number);
	batch_release(a, &ourselves, next.number, 0);
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
		batch_release(a, &ourselves, b->number, 0);
	apply_load(a);
}

/* The store says it in the appliance's place. */
static void say_outcome(struct apply *a, int64_t number, const char *words)
{
	char value[160];

	snprintf(value, sizeof(value), "%" PRId64 " %s", number, words);
	batch_put(a, &ourselves, APPLY_OUTCOME, value, strlen(value));
}

/* --- confirming ------------------------------------------------------------------------------ */

static bool write_confirm(struct apply *a, const struct wire_message *m)
{
	const char *value = (const char *)m->data;
	int64_t number;

	if (!a->waits || !draft_number(value, value + m->header.len, INT64_MAX / 16, &number) ||
	    number != a->unconfirmed.number)
		return false;
	if (a->linked) {
		batch_tell(a, WIRE_WRITE, APPLY_CONFIRM, value, m->header.len);
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
		done = draft_write(a, p, m);
	else if (m->header.type == WIRE_WRITE && !strcmp(m->header.path, APPLY_CONFIRM))
		done = write_confirm(a, m);
	else if (changes && p->drafting &&
		 (!strncmp(m->header.path, rules_dir, sizeof(rules_dir) - 1) || db_tree_of(m->header.path, tree)))
		done = draft_message(p, m);
	else
		return false;
	if (!done)
		draft_drop(p);
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
	    !draft_number(value, blank, INT64_MAX / 16, &number) || !history_read(a->db, number, &b))
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
