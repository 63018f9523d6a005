/* SPDX-License-Identifier: ISC */
/* draft.c: gathers a program's changes of many rule trees, and makes one generation of them. */
#include <inttypes.h>
#include <stdio.h>

#include "batch.h"
#include "draft.h"

struct wish {
	uint32_t confirm_s;
	int64_t expected; /* -1: whatever it is */
	char reason[HISTORY_REASON_MAX + 1];
};

bool draft_number(const char *s, const char *end, int64_t max, int64_t *to)
{
	int64_t n = 0;

	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9' || n > max / 10)
			return false;
		n = n * 10 + (*s - '0');
	}
	*to = n;
	return n <= max;
}

static bool parse_line(struct wish *w, const char *line, const char *end)
{
	int64_t n;
	size_t len;

	if (end - line > 8 && !memcmp(line, "confirm=", 8)) {
		if (!draft_number(line + 8, end, APPLY_CONFIRM_MAX_S, &n))
			return false;
		w->confirm_s = (uint32_t)n;
		return true;
	}
	if (end - line > 3 && !memcmp(line, "if=", 3))
		return draft_number(line + 3, end, INT64_MAX / 16, &w->expected);
	if (end - line < 7 || memcmp(line, "reason=", 7) || end - line - 7 > HISTORY_REASON_MAX)
		return false;
	len = (size_t)(end - line - 7);
	for (size_t i = 0; i < len; i++)
		w->reason[i] = line[7 + i] >= ' ' && line[7 + i] <= '~' ? line[7 + i] : '?';
	w->reason[len] = 0;
	return true;
}

static bool parse_wish(struct wish *w, const struct wire_message *m)
{
	const char *at = (const char *)m->data, *end = at + m->header.len, *line_end;

	*w = (struct wish){ .expected = -1 };
	for (at += 6; at < end; at = line_end) {
		if (*at++ != '\n')
			return false;
		line_end = memchr(at, '\n', (size_t)(end - at));
		line_end = line_end ? line_end : end;
		if (!parse_line(w, at, line_end))
			return false;
	}
	return true;
}

/* The draft's bytes are messages as they came in, every one judged already. */
static void carry_out(struct apply *a, struct peer *p)
{
	const uint8_t *at = p->draft.bytes + p->draft.head;
	size_t left = p->draft.len;
	struct wire_message m;

	for (; left > 0 && wire_take(&m, at, left) == WIRE_WHOLE; at += m.taken, left -= m.taken) {
		if (m.header.type == WIRE_WRITE)
			batch_put(a, &p->author, m.header.path, m.data, m.header.len);
		else
			batch_take_away(a, &p->author, m.header.path);
	}
}

static bool commit(struct apply *a, struct peer *p, const struct wish *w)
{
	struct history_batch b = { .confirm_s = w->confirm_s };
	int64_t latest = history_latest(a->db);

	if (latest < 0)
		return false;
	if (a->waits) {
		snprintf(p->said, sizeof(p->said), "unconfirmed %" PRId64, a->unconfirmed.number);
		return true;
	}
	if (w->expected >= 0 && w->expected != latest) {
		snprintf(p->said, sizeof(p->said), "conflict %" PRId64, latest);
		return true;
	}
	if (p->draft.len == 0) {
		snprintf(p->said, sizeof(p->said), "empty");
		return true;
	}
	snprintf(b.outcome, sizeof(b.outcome), "%s",
		 a->linked ? "waiting" : w->confirm_s ? "unconfirmed" : "applied");
	if (!history_begin(a->db, &p->author, w->reason, &b))
		return false;
	batch_hold(a, &b);
	carry_out(a, p);
	batch_tell_trees(a, &p->author, b.number);
	batch_release(a, &p->author, b.number, b.confirm_s);
	history_end(a->db);
	snprintf(p->said, sizeof(p->said), "%" PRId64 " %s", b.number, a->linked ? "linked" : "alone");
	apply_load(a);
	return !a->db->failed;
}

bool draft_message(struct peer *p, const struct wire_message *m)
{
	uint8_t header[WIRE_HEADER_BYTES];

	if (m->header.type == WIRE_WRITE ?
	    !wire_is_key(m->header.path) || !wire_is_value(m->data, m->header.len) :
	    !wire_is_target(m->header.path))
		return false;
	wire_put_header(header, m->header.type == WIRE_WRITE ? WIRE_WRITE : WIRE_RM, m->header.path,
			m->header.type == WIRE_WRITE ? m->header.len : 0);
	return buffer_add(&p->draft, header, sizeof(header)) &&
	       (m->header.type == WIRE_RM || buffer_add(&p->draft, m->data, m->header.len));
}

void draft_drop(struct peer *p)
{
	p->drafting = false;
	buffer_free(&p->draft);
}

static bool is_word(const struct wire_message *m, const char *word)
{
	size_t len = strlen(word);

	return m->header.len >= len && !memcmp(m->data, word, len) &&
	       (m->header.len == len || m->data[len] == '\n');
}

bool draft_write(struct apply *a, struct peer *p, const struct wire_message *m)
{
	struct wish w;
	bool done = p->drafting && is_word(m, "commit") && parse_wish(&w, m) && commit(a, p, &w);

	draft_drop(p);
	if (done || !is_word(m, "begin"))
		return done;
	p->drafting = true;
	p->said[0] = 0;
	return true;
}
