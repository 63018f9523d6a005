/* SPDX-License-Identifier: ISC */
/* change.c: judges and carries out WRITE and RM, and remembers them for the round. */
#include <stdlib.h>

#include "change.h"
#include "history.h"

bool change_note(struct change_list *list, const struct peer *by, enum wire_type type,
		 const char *path, const uint8_t *value, size_t len)
{
	size_t room = list->room ? list->room * 2 : 64;
	struct change *item;

	if (list->count == list->room) {
		item = realloc(list->item, room * sizeof(*item));
		if (!item)
			return false;
		list->item = item;
		list->room = room;
	}
	item = &list->item[list->count];
	item->type = type;
	item->whom = CHANGE_FOR_ALL;
	memset(item->path, 0, sizeof(item->path));
	memcpy(item->path, path, strnlen(path, sizeof(item->path) - 1));
	item->by = by;
	item->value_at = list->values.len;
	item->value_len = type == WIRE_WRITE ? len : 0;
	list->values.limit = PEER_RULES_MAX + PEER_OUT_MAX;
	if (!buffer_add(&list->values, value, item->value_len))
		return false;
	list->count++;
	return true;
}

void change_only_for(struct change_list *list, enum change_whom whom)
{
	list->item[list->count - 1].whom = whom;
}

static bool tell_key(void *context, const char *path, const uint8_t *value, size_t len)
{
	struct change_list *list = context;

	if (!change_note(list, NULL, value ? WIRE_WRITE : WIRE_RM, path, value, len))
		return false;
	change_only_for(list, CHANGE_FOR_APPLIANCE);
	return true;
}

void change_tell_tree(struct change_list *list, struct db *db, int64_t number, const char *tree)
{
	if (!history_tree(db, number, tree, tell_key, list))
		db->failed = true;
}

/* What a change means for its rule tree, if it is in one, and for who is told of it. */
static bool note(struct change_list *list, struct db *db, const struct peer *p, const struct wire_message *m)
{
	enum wire_type type = m->header.type == WIRE_WRITE ? WIRE_WRITE : WIRE_RM;
	const char *path = m->header.path;
	char tree[WIRE_PATH_BYTES];
	bool within = db_tree_of(path, tree), commits = type == WIRE_RM || m->header.len == 0;

	within = within && (strcmp(path, tree) != 0 || commits);
	commits = within && strcmp(path, tree) == 0;
	if (commits) {
		change_tell_tree(list, db, db->joined, tree);
		half_over(&list->half, tree);
	}
	if (!change_note(list, p, type, path, m->data, m->header.len))
		return false;
	if (!within || commits)
		return true;
	change_only_for(list, CHANGE_FOR_PROGRAMS);
	return half_begun(&list->half, tree, p);
}

static void conclude(struct change_list *list, struct db *db, struct peer *p,
		     const struct wire_message *m, enum db_result result)
{
	enum wire_type answer = WIRE_ERROR;

	/* A change that could not be told to the others must not happen. */
	if (result == DB_DONE && !note(list, db, p, m))
		db->failed = true;
	switch (result) {
	case DB_DONE:
		answer = WIRE_OK;
		break;
	case DB_ABSENT:
		answer = WIRE_MISSING;
		break;
	case DB_FAILED:
		break;
	}
	peer_answer(p, answer, m->header.path, NULL, 0);
}

void change_write(struct change_list *list, struct db *db, struct peer *p,
		  const struct wire_message *m)
{
	enum db_result result = DB_FAILED;

	if (m->header.terminated && wire_is_key(m->header.path) &&
	    wire_is_value(m->data, m->header.len))
		result = db_write(db, m->header.path, m->data, m->header.len, &p->author);
	conclude(list, db, p, m, result);
}

/* With whole trees goes what was begun in them: it must not come back. A batch takes it over. */
static void undo_below(struct change_list *list, struct db *db, const char *directory)
{
	if (!wire_is_directory(directory) || (strncmp("/qubes-firewall/", directory, strlen(directory)) != 0 &&
					      strcmp("/postern/", directory) != 0))
		return;
	if (!history_undo(db, directory))
		db->failed = true;
	half_over(&list->half, directory);
}

void change_remove(struct change_list *list, struct db *db, struct peer *p,
		   const struct wire_message *m)
{
	enum db_result result = DB_FAILED;

	if (m->header.terminated)
		undo_below(list, db, m->header.path);
	if (m->header.terminated && wire_is_target(m->header.path))
		result = db_remove(db, m->header.path, &p->author);
	conclude(list, db, p, m, result);
}

const uint8_t *change_value(const struct change_list *list, const struct change *c)
{
	return list->values.bytes + c->value_at;
}

void change_forget(struct change_list *list)
{
	list->count = 0;
	list->values.len = 0;
}

void change_free(struct change_list *list)
{
	free(list->item);
	buffer_free(&list->values);
	half_free(&list->half);
	*list = (struct change_list){ .item = NULL };
}
