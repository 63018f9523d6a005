/* SPDX-License-Identifier: ISC */
/*
 * change.h: what one round of the loop changed, until it is committed and told.
 *
 * A round's changes are bounded by its input, at most PEER_IN_BYTES per peer, and by
 * PEER_RULES_MAX for those that were gathered before (apply.h).
 */
#ifndef CHANGE_H
#define CHANGE_H

#include "half.h"
#include "session.h"

/* Who is told of a change: what stands in a rule tree, the appliance only with its commit. */
enum change_whom { CHANGE_FOR_ALL, CHANGE_FOR_PROGRAMS, CHANGE_FOR_APPLIANCE };

struct change {
	enum change_whom whom;
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
	struct half half; /* outlives the round */
};

/* Lists what was carried out already; by: who needs not be told, or NULL. False: no room. */
bool change_note(struct change_list *list, const struct peer *by, enum wire_type type,
		 const char *path, const uint8_t *value, size_t len);
/* The last one noted is not for all. */
void change_only_for(struct change_list *list, enum change_whom whom);
/* Lists what the appliance must hear before it hears that this tree holds as generation `number`. */
void change_tell_tree(struct change_list *list, struct db *db, int64_t number, const char *tree);
/* Carries out a WRITE or RM, answers it, and lists it if it succeeded. */
void change_write(struct change_list *list, struct db *db, struct peer *p,
		  const struct wire_message *m);
void change_remove(struct change_list *list, struct db *db, struct peer *p,
		   const struct wire_message *m);
const uint8_t *change_value(const struct change_list *list, const struct change *c);
void change_forget(struct change_list *list);
void change_free(struct change_list *list);

#endif
