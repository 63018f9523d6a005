// SPDX-License-Identifier: ISC
/* Reads, compares and writes sets of networks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "setlist.h"

/* --- text ------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int order = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
	return order ? order : x->len - y->len;
}

static void put_member(struct text *t, struct ip_prefix p)
{
	if (p.len == (ip_is_v4(p.addr) ? 32 : 128))
		text_ip(t, p.addr);
	else
		text_prefix(t, p);
}

char *setlist_canonical(const char *value, size_t len, const char **why, uint32_t *column)
{
	struct ip_prefix member[SET_MEMBERS_MAX];
	uint32_t count;
	enum set_fault fault = set_parse(value, len, member, &count, column);
	if (fault != SET_GOOD) {
		*why = fault == SET_MANY_MEMBERS ? "more than 256 members" : "not a network";
		return NULL;
	}
	char buffer[WIRE_VALUE_MAX + 1];
	struct text t = text_on(buffer);
	qsort(member, count, sizeof(member[0]), by_address);
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0 && !by_address(&member[i - 1], &member[i]))
			continue;
		if (i > 0)
			text_char(&t, ' ');
		put_member(&t, member[i]);
	}
	*why = "more members than the store holds in one value";
	*column = 1;
	return t.cut ? NULL : must(strdup(buffer));
}

/* --- lists --------------------------------------------------------------------------------- */

static struct setlist_set *find(const struct setlist *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->set[i].name, name))
			return &l->set[i];
	return NULL;
}

const char *setlist_find(const struct setlist *l, const char *name)
{
	const struct setlist_set *set = find(l, name);
	return set ? set->members : NULL;
}

void setlist_put(struct setlist *l, const char *name, const char *members)
{
	struct setlist_set *set = find(l, name);
	char *copy = must(strdup(members));
	if (!set && l->count == l->room) {
		l->room = l->room ? l->room * 2 : 8;
		l->set = must(reallocarray(l->set, l->room, sizeof(*l->set)));
	}
	if (!set) {
		set = &l->set[l->count++];
		*set = (struct setlist_set){ .members = NULL };
		snprintf(set->name, sizeof(set->name), "%s", name);
	}
	free(set->members);
	set->members = copy;
}

void setlist_free(struct setlist *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->set[i].members);
	free(l->set);
	*l = (struct setlist){ .set = NULL };
}

/* A value that the appliance cannot read is a set of nothing, there as here. */
bool setlist_take_key(struct setlist *l, const char *key, const uint8_t *value, size_t len)
{
	size_t root = strlen(SETLIST_ROOT);
	const char *why;
	uint32_t column;
	if (strncmp(key, SETLIST_ROOT, root) || (key[root] && key[root] != '/'))
		return false;
	if (!key[root] || !set_is_name(key + root + 1, strlen(key + root + 1)))
		return true;
	char *members = setlist_canonical((const char *)value, len, &why, &column);
	setlist_put(l, key + root + 1, members ? members : "");
	free(members);
	return true;
}

/* --- comparing ------------------------------------------------------------------------------- */

void setlist_difference(struct setlist *out, const struct setlist *now, const struct setlist *wanted, bool whole)
{
	*out = (struct setlist){ .set = NULL };
	for (size_t i = 0; i < wanted->count; i++) {
		const char *before = setlist_find(now, wanted->set[i].name);
		if (strcmp(before ? before : "", wanted->set[i].members))
			setlist_put(out, wanted->set[i].name, wanted->set[i].members);
	}
	for (size_t i = 0; whole && i < now->count; i++)
		if (*now->set[i].members && !setlist_find(wanted, now->set[i].name))
			setlist_put(out, now->set[i].name, "");
}

/* --- using --------------------------------------------------------------------------------------- */

enum store_result setlist_send(struct storeclient *c, const struct setlist *l)
{
	char key[WIRE_PATH_BYTES];
	enum store_result r = STORE_DONE;
	for (size_t i = 0; i < l->count && r == STORE_DONE; i++) {
		const struct setlist_set *set = &l->set[i];
		snprintf(key, sizeof(key), SETLIST_ROOT "/%.24s", set->name);
		r = *set->members ? storeclient_queue_write(c, key, set->members, strlen(set->members)) :
				    storeclient_queue_remove(c, key);
	}
	return r == STORE_DONE && l->count ? storeclient_queue_write(c, SETLIST_ROOT, "", 0) : r;
}

struct sets *setlist_sets(const struct setlist *l)
{
	struct sets *s = must(calloc(1, sizeof(*s)));
	for (size_t i = 0; i < l->count; i++) {
		const struct setlist_set *set = &l->set[i];
		sets_put(s, sets_handle(s, set->name, strlen(set->name)), set->members, strlen(set->members));
	}
	return s;
}
