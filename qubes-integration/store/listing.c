/* SPDX-License-Identifier: ISC */
/* listing.c: feeds a peer from a snapshot, as fast as it reads. */
#include "listing.h"

void listing_want(struct peer *p, const struct wire_message *m)
{
	if (!m->header.terminated || !wire_is_prefix(m->header.path)) {
		peer_answer(p, WIRE_ERROR, m->header.path, NULL, 0);
		return;
	}
	p->listing = LISTING_WANTED;
	p->listing_type = m->header.type == WIRE_LIST ? WIRE_LIST_IS : WIRE_MULTIREAD_IS;
	memcpy(p->listing_prefix, m->header.path, WIRE_PATH_BYTES);
}

/* The peer may take a broken answer for a short one, unless the connection ends. */
static void give_up(struct peer *p)
{
	db_dump_close(&p->dump);
	p->listing = LISTING_NONE;
	p->dead = true;
}

static void end(struct peer *p)
{
	peer_answer(p, p->listing_type, "", NULL, 0);
	db_dump_close(&p->dump);
	p->listing = LISTING_NONE;
	if (!buffer_add(&p->out, p->held.bytes + p->held.head, p->held.len))
		p->dead = true;
	buffer_free(&p->held);
}

void listing_begin(struct peer *p, const struct db *db, int64_t now_ms)
{
	if (!db_dump_open(&p->dump, db, p->listing_prefix, p->kind == PEER_LINK)) {
		give_up(p);
		return;
	}
	p->listing = LISTING_RUNNING;
	p->listing_ms = now_ms;
	p->mirrored = p->kind == PEER_LINK;
}

void listing_feed(struct peer *p, int64_t now_ms)
{
	struct db_entry e;

	if (now_ms - p->listing_ms > LISTING_LIMIT_MS)
		give_up(p);
	while (p->listing == LISTING_RUNNING && !p->dead && p->out.len < LISTING_AHEAD_BYTES) {
		switch (db_dump_next(&p->dump, &e)) {
		case DB_DONE:
			peer_answer(p, p->listing_type, e.key, e.value,
				    p->listing_type == WIRE_LIST_IS ? 0 : e.len);
			break;
		case DB_ABSENT:
			end(p);
			break;
		case DB_FAILED:
			give_up(p);
			break;
		}
	}
}
