// SPDX-License-Identifier: ISC
/* Keeps what a listing of the store gave. */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "ruletree.h"
#include "storekeys.h"

static bool keep(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct storekeys *k = context;
	if (k->count == k->room) {
		k->room = k->room ? k->room * 2 : 64;
		k->item = must(reallocarray(k->item, k->room, sizeof(*k->item)));
	}
	struct storekey *i = &k->item[k->count++];
	*i = (struct storekey){ .value = must(malloc(len + 1)), .len = len };
	memcpy(i->key, key, strnlen(key, sizeof(i->key) - 1));
	memcpy(i->value, value, len);
	return true;
}

enum store_result storekeys_read(struct storekeys *k, struct storeclient *c, const char *prefix)
{
	return ruletree_committed(c, prefix, keep, k);
}

void storekeys_each(const struct storekeys *k, const char *prefix, storeclient_each *each, void *context)
{
	for (size_t i = 0; i < k->count; i++)
		if (!strncmp(k->item[i].key, prefix, strlen(prefix)) &&
		    !each(context, k->item[i].key, k->item[i].value, k->item[i].len))
			return;
}

void storekeys_free(struct storekeys *k)
{
	for (size_t i = 0; i < k->count; i++)
		free(k->item[i].value);
	free(k->item);
	*k = (struct storekeys){ .count = 0 };
}
