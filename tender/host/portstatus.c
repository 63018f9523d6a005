// SPDX-License-Identifier: ISC
/* What the tender says of its ports. */
#include "tender.h"

#include <string.h>

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

static void offload_status(struct text *t, uint32_t can)
{
	static const struct { uint32_t bit; const char *word; } words[] = {
		{ DRIVER_CSUM, "csum" }, { DRIVER_TSO4, "tso4" }, { DRIVER_TSO6, "tso6" },
		{ DRIVER_USO, "uso" },
	};
	bool first = true;
	text_put(t, ",\"offload\":[");
	for (size_t i = 0; i < array_len(words); i++) {
		if (!(can & words[i].bit))
			continue;
		text_put(t, first ? "\"" : ",\"");
		text_put(t, words[i].word);
		text_put(t, "\"");
		first = false;
	}
	text_put(t, "]");
}

void ports_status(struct text *t)
{
	static const char *const state[] = { "free", "up", "down", "gone" };
	bool first = true;
	text_put(t, "[");
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		const struct port *p = &tender.port[i];
		if (p->state == PORT_FREE)
			continue;
		member(t, first ? "{\"port\":" : ",{\"port\":", i);
		text_put(t, ",\"name\":");
		text_json(t, p->about.name, strlen(p->about.name));
		text_put(t, ",\"link\":\"");
		text_put(t, state[p->state]);
		text_put(t, "\",\"driver\":\"");
		text_put(t, p->way.driver->name);
		text_put(t, "\"");
		offload_status(t, p->way.can);
		member(t, ",\"rx\":", p->count.rx);
		member(t, ",\"rx_bytes\":", p->count.rx_bytes);
		member(t, ",\"rx_drop\":", p->count.rx_drop);
		member(t, ",\"tx\":", p->count.tx);
		member(t, ",\"tx_bytes\":", p->count.tx_bytes);
		member(t, ",\"tx_drop\":", p->count.tx_drop);
		member(t, ",\"tx_bad\":", p->count.tx_bad);
		member(t, ",\"tx_cut\":", p->count.tx_cut);
		member(t, ",\"link_downs\":", p->count.link_down);
		if (p->way.driver->status)
			p->way.driver->status(&p->way, t);
		text_put(t, "}");
		first = false;
	}
	text_put(t, "]");
}
