/* SPDX-License-Identifier: ISC */
/*
 * storekeys.h: keys of the store as they stood at one moment, to be gone through more than once.
 */
#ifndef STOREKEYS_H
#define STOREKEYS_H

#include "storeclient.h"

struct storekeys {
	struct storekey {
		char key[WIRE_PATH_BYTES];
		uint8_t *value;
		size_t len;
	} *item;
	size_t count, room;
};

/* As they were committed last (ruletree_committed). Starts as zeros; freed whatever the result is. */
enum store_result storekeys_read(struct storekeys *, struct storeclient *, const char *prefix);
/* Those with the prefix, ascending. */
void storekeys_each(const struct storekeys *, const char *prefix, storeclient_each *, void *context);
void storekeys_free(struct storekeys *);

#endif
