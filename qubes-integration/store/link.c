/* SPDX-License-Identifier: ISC */
/* link.c: serves the appliance and pushes changes to it. */
#include "link.h"
#include "listing.h"

void link_handle(struct apply *a, struct peer *p, const struct wire_message *m)
{
	struct change_list *list = a->changes;
	struct db *db = a->db;

	switch ((enum wire_type)m->header.type) {
	case WIRE_WRITE:
		change_write(list, db, p, m);
		apply_outcome(a, m);
		break;
	case WIRE_RM:
		change_remove(list, db, p, m);
		break;
	case WIRE_MULTIREAD:
		if (p->mirrored)
			peer_answer(p, WIRE_ERROR, m->header.path, NULL, 0);
		else
			listing_want(p, m);
		break;
	case WIRE_READ:
	case WIRE_LIST:
	case WIRE_WATCH:
	case WIRE_UNWATCH:
		peer_answer(p, WIRE_ERROR, m->header.path, NULL, 0);
		break;
	case WIRE_OK:
	case WIRE_MISSING:
	case WIRE_ERROR:
	case WIRE_READ_IS:
	case WIRE_MULTIREAD_IS:
	case WIRE_LIST_IS:
	case WIRE_WATCH_IS:
	case WIRE_TYPES:
		/* Answers to pushes change nothing here; answering an answer could go on for ever. */
		break;
	}
}

void link_tell(struct peer *p, const struct change_list *list, const struct change *c)
{
	struct buffer *to = p->listing == LISTING_NONE ? &p->out : &p->held;
	uint8_t header[WIRE_HEADER_BYTES];

	if (!p->mirrored || c->by == p || c->whom == CHANGE_FOR_PROGRAMS)
		return;
	wire_put_header(header, c->type, c->path, (uint32_t)c->value_len);
	/* one round may tell of very many rules, but not the next one too */
	if (p->mark > PEER_OUT_MAX || !buffer_add(to, header, sizeof(header)) ||
	    !buffer_add(to, change_value(list, c), c->value_len))
		p->dead = true;
}
