// SPDX-License-Identifier: ISC
/* qrexec messages in and out of a vchan, and the two texts we have to understand. */
#include "qrexec_wire.h"
#include "text.h"

enum { DISCARD_BYTES = 256 };

/* --- messages -------------------------------------------------------------------------- */

/* Where the next bytes of the message go, and how many of them. */
static uint8_t *next_place(struct qrexec_in *in, uint8_t *discard, uint32_t *room)
{
	if (in->have < QREXEC_HEADER_BYTES) {
		*room = QREXEC_HEADER_BYTES - in->have;
		return in->header + in->have;
	}
	uint32_t at = in->have - QREXEC_HEADER_BYTES;
	*room = in->len - at;
	if (at < QREXEC_KEPT_BYTES) {
		uint32_t kept = QREXEC_KEPT_BYTES - at;
		*room = *room < kept ? *room : kept;
		return in->kept + at;
	}
	*room = *room < DISCARD_BYTES ? *room : DISCARD_BYTES;
	return discard;
}

enum qrexec_got qrexec_receive(struct qrexec_in *in, struct vchan *v)
{
	uint8_t discard[DISCARD_BYTES];
	if (in->have >= QREXEC_HEADER_BYTES && in->have - QREXEC_HEADER_BYTES == in->len)
		in->have = 0; /* the one handed out last time */
	for (;;) {
		uint32_t room;
		uint8_t *to = next_place(in, discard, &room);
		size_t n = vchan_read(v, to, room);
		if (n == 0)
			return QREXEC_NOTHING;
		in->have += (uint32_t)n;
		if (in->have < QREXEC_HEADER_BYTES)
			continue;
		if (in->have == QREXEC_HEADER_BYTES) {
			in->type = le32(in->header);
			in->len = le32(in->header + 4);
			if (in->len > QREXEC_MESSAGE_MAX)
				return QREXEC_BROKEN;
		}
		if (in->have - QREXEC_HEADER_BYTES == in->len)
			return QREXEC_MESSAGE;
	}
}

struct cursor qrexec_body(const struct qrexec_in *in)
{
	return cursor_of(in->kept, in->len < QREXEC_KEPT_BYTES ? in->len : QREXEC_KEPT_BYTES);
}

uint32_t qrexec_send_room(const struct qrexec_out *out)
{
	uint32_t room = QREXEC_OUT_BYTES - out->len;
	return room > QREXEC_HEADER_BYTES ? room - QREXEC_HEADER_BYTES : 0;
}

bool qrexec_send(struct qrexec_out *out, enum qrexec_type type, const void *body, uint32_t len)
{
	if (QREXEC_OUT_BYTES - out->len < QREXEC_HEADER_BYTES ||
	    QREXEC_OUT_BYTES - out->len - QREXEC_HEADER_BYTES < len)
		return false;
	memmove(out->bytes, out->bytes + out->at, out->len);
	out->at = 0;
	uint8_t *to = out->bytes + out->len;
	le32_put(to, (uint32_t)type);
	le32_put(to + 4, len);
	if (len)
		memcpy(to + QREXEC_HEADER_BYTES, body, len);
	out->len += QREXEC_HEADER_BYTES + len;
	return true;
}

void qrexec_flush(struct qrexec_out *out, struct vchan *v)
{
	size_t n = vchan_write(v, out->bytes + out->at, out->len);
	out->at += (uint32_t)n;
	out->len -= (uint32_t)n;
	if (out->len == 0)
		out->at = 0;
}

/* --- a command --------------------------------------------------------------------------- */

static bool word_char(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

/* What comes before `stop`, a space, a NUL or the end; false when it does not fit. */
static bool take_word(struct cursor *c, uint8_t stop, char *word, size_t room)
{
	size_t n = 0;
	while (c->left > 0 && c->at[0] != stop && word_char(c->at[0])) {
		if (n + 1 >= room)
			return false;
		word[n++] = (char)*take(c, 1);
	}
	word[n] = 0;
	return true;
}

bool qrexec_command_parse(struct cursor line, struct qrexec_command *out)
{
	struct qrexec_command c = { .service = "" };
	const uint8_t *at;
	do {
		at = take(&line, 1);
		if (!at || *at == 0)
			return false;
	} while (*at != ':');
	parse_word(&line, "nogui:");
	if (!parse_word(&line, "QUBESRPC ") || !take_word(&line, '+', c.service, sizeof(c.service)))
		return false;
	if (parse_word(&line, "+") && !take_word(&line, ' ', c.arg, sizeof(c.arg)))
		return false;
	/* the caller's name follows always */
	if (c.service[0] == 0 || !parse_word(&line, " "))
		return false;
	*out = c;
	return true;
}

/* --- a date ------------------------------------------------------------------------------- */

/* Exactly n digits, at most 4. */
static bool digits(struct cursor *c, unsigned n, uint32_t *value)
{
	const uint8_t *at = take(c, n);
	if (!at)
		return false;
	*value = 0;
	for (unsigned i = 0; i < n; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		*value = *value * 10 + at[i] - '0';
	}
	return true;
}

/* Two digits behind a separator. */
static bool part(struct cursor *c, const char *before, uint32_t max, uint32_t *value)
{
	return parse_word(c, before) && digits(c, 2, value) && *value <= max;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, year 1970 and later. */
static uint64_t days_until(uint32_t year, uint32_t month, uint32_t day)
{
	/* count years from March, so that the leap day comes last */
	uint32_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	uint64_t days = (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
	return days - 719468; /* the same sum for 1970-01-01 */
}

static bool parse_zone(struct cursor *c, int64_t *east_s)
{
	uint32_t hours, minutes;
	*east_s = 0;
	if (parse_word(c, "Z"))
		return true;
	bool west = parse_word(c, "-");
	if (!west && !parse_word(c, "+"))
		return false;
	if (!digits(c, 2, &hours) || hours > 14)
		return false;
	parse_word(c, ":");
	if (!digits(c, 2, &minutes) || minutes > 59)
		return false;
	*east_s = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

bool qrexec_date_parse(struct cursor c, uint64_t *seconds)
{
	static const uint8_t month_days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint32_t year, month, day, hour, minute, second;
	int64_t east_s;
	if (!digits(&c, 4, &year) || year < 1971 || !part(&c, "-", 12, &month) || month == 0)
		return false;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	uint32_t last = month_days[month - 1] + (month == 2 && leap ? 1u : 0u);
	if (!part(&c, "-", last, &day) || day == 0 || !part(&c, "T", 23, &hour) ||
	    !part(&c, ":", 59, &minute) || !part(&c, ":", 60, &second) || !parse_zone(&c, &east_s))
		return false;
	while (c.left > 0 && (c.at[0] == ' ' || c.at[0] == '\r' || c.at[0] == '\n'))
		take(&c, 1);
	if (c.left > 0)
		return false;
	uint64_t local = days_until(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	*seconds = (uint64_t)((int64_t)local - east_s);
	return true;
}
