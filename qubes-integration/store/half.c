/* SPDX-License-Identifier: ISC */
/* half.c: remembers who began which rule tree. */
#include <stdlib.h>

#include "half.h"

static struct half_tree *find(const struct half *h, const char *tree)
{
	for (size_t i = 0; i < h->count; i++) {
		if (strcmp(h->tree[i].path, tree) == 0)
			return &h->tree[i];
	}
	return NULL;
}

static void drop(struct half *h, size_t at)
{
	h->tree[at] = h->tree[--h->count];
}

bool half_begun(struct half *h, const char *tree, const struct peer *by)
{
	struct half_tree *t = find(h, tree);

	if (!h->tree)
		h->tree = calloc(2 * HALF_MAX, sizeof(*h->tree));
	if (!h->tree || (!(t && t->is) && h->begun == HALF_MAX))
		return false;
	if (!t) {
		t = &h->tree[h->count++];
		*t = (struct half_tree){ .ms = 0 };
		memcpy(t->path, tree, strnlen(tree, sizeof(t->path) - 1));
	}
	h->begun += !t->is;
	t->is = true;
	t->by = by;
	t->ms = 0;
	return true;
}

void half_over(struct half *h, const char *tree)
{
	size_t len = strlen(tree), at = h->count;

	while (at-- > 0) {
		struct half_tree *t = &h->tree[at];

		if (tree[len - 1] == '/' ? strncmp(t->path, tree, len) != 0 : strcmp(t->path, tree) != 0)
			continue;
		h->begun -= t->is;
		t->is = false;
		if (!t->was)
			drop(h, at);
	}
}

void half_settle(struct half *h, bool committed)
{
	size_t at = h->count;

	h->begun = 0;
	while (at-- > 0) {
		struct half_tree *t = &h->tree[at];

		if (!committed && t->was && !t->is)
			t->ms = 0; /* not at once again */
		t->was = t->is = committed ? t->is : t->was;
		h->begun += t->is;
		if (!t->is)
			drop(h, at);
	}
}

void half_left(struct half *h, const struct peer *by)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->tree[i].by == by)
			h->tree[i].by = NULL;
	}
}

const char *half_abandoned(struct half *h, int64_t now_ms, int64_t patience_ms)
{
	const char *found = NULL;

	for (size_t i = 0; i < h->count; i++) {
		struct half_tree *t = &h->tree[i];

		if (t->ms == 0)
			t->ms = now_ms;
		if (!t->by && now_ms - t->ms >= patience_ms)
			found = t->path;
	}
	return found;
}

bool half_waits(const struct half *h)
{
	for (size_t i = 0; i < h->count; i++) {
		if (!h->tree[i].by)
			return true;
	}
	return false;
}

void half_free(struct half *h)
{
	free(h->tree);
	*h = (struct half){ .count = 0 };
}
