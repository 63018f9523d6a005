/* SPDX-License-Identifier: ISC */
/* packet.c: a frame parsed, header by header, and its offload metadata judged. */
#include "parse.h"

enum drop pkt_parse(struct frame *f, struct packet *p)
{
	enum drop drop = parse_any(f, p);

	if (drop != DROP_NONE)
		return drop;
	if (!(f->offload.flags | f->offload.gso_type)) {
		f->offload = (struct offload){ 0 };
	} else {
		drop = parse_offload(p);
		if (drop != DROP_NONE)
			return drop;
	}
	f->len = p->end;
	return DROP_NONE;
}
