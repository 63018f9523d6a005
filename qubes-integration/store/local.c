/* SPDX-License-Identifier: ISC */
/* local.c: serves the requests of programs on this host. */
#include <stdlib.h>

#include "listing.h"
#include "local.h"

static void answer(struct peer *p, enum wire_type type, const struct wire_message *m)
{
	peer_answer(p, type, m->header.path, NULL, 0);
}

static void read_key(struct db *db, struct peer *p, const struct wire_message *m)
{
	uint8_t value[WIRE_VALUE_MAX];
	size_t len = 0;

	if (!m->header.terminated || !wire_is_target(m->header.path)) {
		answer(p, WIRE_ERROR, m);
		return;
	}
	switch (db_read(db, m->header.path, value, &len)) {
	case DB_DONE:
		peer_answer(p, WIRE_READ_IS, m->header.path, value, len);
		break;
	case DB_ABSENT:
		answer(p, WIRE_MISSING, m);
		break;
	case DB_FAILED:
		answer(p, WIRE_ERROR, m);
		break;
	}
}

static void watch(struct peer *p, const struct wire_message *m)
{
	if (!p->watch)
		p->watch = calloc(PEER_WATCHES_MAX, sizeof(*p->watch));
	if (!p->watch || p->watches == PEER_WATCHES_MAX || !m->header.terminated ||
	    !wire_is_target(m->header.path)) {
		answer(p, WIRE_ERROR, m);
		return;
	}
	memcpy(p->watch[p->watches++], m->header.path, WIRE_PATH_BYTES);
	answer(p, WIRE_OK, m);
}

static void unwatch(struct peer *p, const struct wire_message *m)
{
	for (size_t i = 0; i < p->watches; i++) {
		if (strcmp(p->watch[i], m->header.path) != 0)
			continue;
		memmove(p->watch[i], p->watch[p->watches - 1], WIRE_PATH_BYTES);
		p->watches--;
		answer(p, WIRE_OK, m);
		return;
	}
	answer(p, WIRE_MISSING, m);
}

void local_handle(struct apply *a, struct peer *p, const struct wire_message *m)
{
	struct change_list *list = a->changes;
	struct db *db = a->db;

	if (apply_handle(a, p, m))
		return;
	switch ((enum wire_type)m->header.type) {
	case WIRE_READ:
		read_key(db, p, m);
		break;
	case WIRE_WRITE:
		if (p->kind == PEER_READ_ONLY)
			answer(p, WIRE_ERROR, m);
		else
			change_write(list, db, p, m);
		break;
	case WIRE_RM:
		if (p->kind == PEER_READ_ONLY)
			answer(p, WIRE_ERROR, m);
		else
			change_remove(list, db, p, m);
		break;
	case WIRE_MULTIREAD:
	case WIRE_LIST:
		listing_want(p, m);
		break;
	case WIRE_WATCH:
		watch(p, m);
		break;
	case WIRE_UNWATCH:
		unwatch(p, m);
		break;
	case WIRE_OK:
	case WIRE_MISSING:
	case WIRE_ERROR:
	case WIRE_READ_IS:
	case WIRE_MULTIREAD_IS:
	case WIRE_LIST_IS:
	case WIRE_WATCH_IS:
	case WIRE_TYPES:
		/* A program has nothing to answer: whatever it is, it is no client. */
		answer(p, WIRE_ERROR, m);
		p->closing = true;
		break;
	}
}

void local_tell(struct peer *p, const struct change *c)
{
	if (c->whom == CHANGE_FOR_APPLIANCE)
		return;
	for (size_t i = 0; i < p->watches && !p->dead; i++) {
		if (wire_watch_matches(p->watch[i], c->path))
			peer_answer(p, WIRE_WATCH_IS, c->path, NULL, 0);
	}
}
