/* SPDX-License-Identifier: ISC */
/* batch.c: writes what belongs to a common change, and tells of it tree by tree. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch.h"

void batch_tell(struct apply *a, enum wire_type type, const char *path, const void *value, size_t len)
{
	/* what could not be told must not happen */
	if (!change_note(a->changes, NULL, type, path, value, len))
		a->db->failed = true;
}

/* Keys of rule trees are told to the appliance tree by tree, see tell_trees. */
static void tell_within(struct apply *a, enum wire_type type, const char *path, const void *value, size_t len)
{
	char tree[WIRE_PATH_BYTES];

	batch_tell(a, type, path, value, len);
	if (!a->db->failed && db_tree_of(path, tree))
		change_only_for(a->changes, CHANGE_FOR_PROGRAMS);
}

void batch_put(struct apply *a, const struct db_author *author, const char *path, const void *value,
		size_t len)
{
	if (db_write(a->db, path, value, len, author) == DB_DONE)
		tell_within(a, WIRE_WRITE, path, value, len);
}

void batch_take_away(struct apply *a, const struct db_author *author, const char *path)
{
	if (db_remove(a->db, path, author) == DB_DONE)
		tell_within(a, WIRE_RM, path, NULL, 0);
}

void batch_hold(struct apply *a, const struct history_batch *b)
{
	char value[40];

	snprintf(value, sizeof(value), "%" PRId64 " %u", b->number, b->confirm_s);
	batch_tell(a, WIRE_WRITE, APPLY_HOLD, value, strlen(value));
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

void batch_tell_trees(struct apply *a, const struct db_author *author, int64_t number)
{
	struct touched t = { .tree = NULL };

	if (!history_names(a->db, number, touch, &t) || t.failed)
		a->db->failed = true;
	for (size_t i = 0; i < t.count && !a->db->failed; i++) {
		if (!t.tree[i].committed)
			batch_put(a, author, t.tree[i].path, "", 0);
		change_tell_tree(a->changes, a->db, number, t.tree[i].path);
		batch_tell(a, WIRE_WRITE, t.tree[i].path, "", 0);
		if (!a->db->failed)
			change_only_for(a->changes, CHANGE_FOR_APPLIANCE);
		half_over(&a->changes->half, t.tree[i].path);
	}
	free(t.tree);
}

void batch_release(struct apply *a, const struct db_author *author, int64_t number, uint32_t confirm_s)
{
	char value[40];

	snprintf(value, sizeof(value), "%" PRId64 " %u", number, confirm_s);
	batch_put(a, author, APPLY_GENERATION, value, strlen(value));
}
