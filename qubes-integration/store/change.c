/* SPDX-License-Identifier: ISC */
/* change.c: judges and carries out WRITE and RM, and remembers them for the round. */
#include <stdlib.h>

#include "change.h"

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

static void conclude(struct change_list *list, struct db *db, struct peer *p,
		     const struct wire_message *m, enum db_result result)
{
	enum wire_type answer = WIRE_ERROR;

	/* A change that could not be told to the others must not happen. */
	if (result == DB_DONE && !change_note(list, p, m->header.type == WIRE_WRITE ? WIRE_WRITE : WIRE_RM,
					       m->header.path, m->data, m->header.len))
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

void change_remove(struct change_list *list, struct db *db, struct peer *p,
		   const struct wire_message *m)
{
	enum db_result result = DB_FAILED;

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
	*list = (struct change_list){ .item = NULL };
}
