/* SPDX-License-Identifier: ISC */
/*
 * change.h: what one round of the loop changed, until it is committed and told.
 *
 * A round's changes are bounded by its input, at most PEER_IN_BYTES per peer, and by
 * PEER_RULES_MAX for those that were gathered before (apply.h).
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "session.h"

struct change {
	enum wire_type type; /* WIRE_WRITE or WIRE_RM */
	char path[WIRE_PATH_BYTES];
	const struct peer *by;
	size_t value_at; /* into the list's values */
	size_t value_len;
};

struct change_list {
	struct change *item;
	size_t count;
	size_t room;
	struct buffer values;
};

/* Lists what was carried out already; by: who needs not be told, or NULL. False: no room. */
bool change_note(struct change_list *list, const struct peer *by, enum wire_type type,
		 const char *path, const uint8_t *value, size_t len);
/* Carries out a WRITE or RM, answers it, and lists it if it succeeded. */
void change_write(struct change_list *list, struct db *db, struct peer *p,
		  const struct wire_message *m);
void change_remove(struct change_list *list, struct db *db, struct peer *p,
		   const struct wire_message *m);
const uint8_t *change_value(const struct change_list *list, const struct change *c);
void change_forget(struct change_list *list);
void change_free(struct change_list *list);

#endif
