// SPDX-License-Identifier: ISC
/* Lists the events from a number on. */
#include "eventsreport.h"
#include "jsonline.h"

enum { NUMBER_DIGITS_MAX = 19 };

/* As parse_u32, of numbers that outgrow it. */
static bool take_number(struct cursor *c, uint64_t *n)
{
	struct cursor at = *c;
	uint32_t digits = 0, digit;
	uint64_t sum = 0;
	for (; at.left && at.at[0] >= '0' && at.at[0] <= '9' && digits < NUMBER_DIGITS_MAX; digits++) {
		digit = (uint32_t)(at.at[0] - '0');
		sum = sum * 10 + digit;
		take(&at, 1);
	}
	if (!digits || (at.left && !parse_word(&at, " ")))
		return false;
	*n = sum;
	*c = at;
	return true;
}

static uint64_t oldest(const struct events *e)
{
	return e->next > EVENTS_KEPT ? e->next - EVENTS_KEPT : 1;
}

const char *eventsreport_begin(struct eventsreport *r, const struct events *e, const char *words, size_t len,
			       uint64_t wall_offset)
{
	struct cursor c = cursor_of(words, len);
	uint64_t max = UINT64_MAX;
	*r = (struct eventsreport){ .wall_offset = wall_offset };
	if (!e)
		return "there is no room for events";
	if (!take_number(&c, &r->since) || (c.left && !take_number(&c, &max)) || c.left)
		return "the number of an event is wanted, and perhaps how many";
	r->next = r->since > oldest(e) ? r->since : oldest(e);
	r->until = e->next;
	if (r->next < r->until && max < r->until - r->next)
		r->until = r->next + max;
	return NULL;
}

static void head(const struct eventsreport *r, const struct events *e, uint64_t now_ns, struct text *t)
{
	char buffer[17];
	struct text boot = text_on(buffer);
	uint64_t from = r->since ? r->since : 1;
	text_hex(&boot, e->boot, 16);
	json_begin(t, "events");
	json_text(t, "boot", buffer);
	json_u64(t, "next", r->until > r->next ? r->until : r->next < e->next ? r->next : e->next);
	json_u64(t, "newest", e->next - 1);
	json_u64(t, "oldest", oldest(e));
	json_u64(t, "lost", from < r->next ? r->next - from : 0);
	json_u64(t, "unix_ns", now_ns + r->wall_offset);
	json_end(t);
}

bool eventsreport_next(struct eventsreport *r, const struct events *e, uint64_t now_ns, struct text *t)
{
	if (!r->begun) {
		head(r, e, now_ns, t);
		r->begun = true;
		return true;
	}
	if (r->next < oldest(e))
		r->next = oldest(e); /* lost while it was being told: the numbers show it */
	if (r->next >= r->until)
		return false;
	const struct event *at = &e->event[r->next % EVENTS_KEPT];
	json_begin(t, "event");
	json_u64(t, "seq", r->next);
	json_u64(t, "unix_ns", at->ns + r->wall_offset);
	text_char(t, ',');
	text_bytes(t, at->text, at->len);
	json_end(t);
	r->next++;
	return true;
}
