// SPDX-License-Identifier: ISC
/* Reads requests and writes their answers, a line at a time. */
#include "operator.h"

void operator_open(struct operator *o)
{
	o->request_len = o->line_len = o->line_sent = 0;
	o->too_long = false;
	o->status.stage = STATUS_IDLE;
}

static void refuse(struct operator *o, const char *why)
{
	o->status.stage = STATUS_ERROR;
	o->status.error = why;
}

static void finish(struct operator *o)
{
	o->status.stage = STATUS_END;
}

static void begin(struct operator *o, const struct operator_io *io, struct fw *fw, const struct status_facts *facts)
{
	static const char confirm[] = "confirm";
	const char *error = NULL;
	if (o->too_long)
		refuse(o, "a request is at most 1024 bytes long");
	else if (io->ask(o->request, o->request_len, &error))
		error ? refuse(o, error) : finish(o);
	else if (o->request_len != sizeof(confirm) - 1 || memcmp(o->request, confirm, sizeof(confirm) - 1))
		status_begin(&o->status, fw, facts, o->request, o->request_len);
	else if (io->confirm())
		finish(o);
	else
		refuse(o, "nothing waits for a confirmation");
	o->request_len = 0;
	o->too_long = false;
}

/* True: there may be more of it. Whoever talks on and on is heard a piece at a time. */
static bool read_request(struct operator *o, const struct operator_io *io, struct fw *fw,
			 const struct status_facts *facts)
{
	char c;
	for (uint32_t n = 0; o->status.stage == STATUS_IDLE; n++) {
		if (n == OPERATOR_BYTES)
			return true;
		if (io->read(&c, 1) != 1)
			return false;
		if (c == '\n')
			begin(o, io, fw, facts);
		else if (o->request_len < sizeof(o->request))
			o->request[o->request_len++] = c;
		else
			o->too_long = true;
	}
	return false;
}

bool operator_round(struct operator *o, const struct operator_io *io, struct fw *fw, const struct status_facts *facts,
		    uint64_t now_ns)
{
	bool more = read_request(o, io, fw, facts);
	for (uint32_t n = 0; n < OPERATOR_LINES; n++) {
		if (o->line_sent == o->line_len) {
			struct text t = text_on(o->line);
			o->line_len = o->line_sent = 0;
			if (!status_next(&o->status, fw, facts, now_ns, &t))
				return more;
			o->line_len = t.len;
		}
		if (o->line_len == 0)
			continue;
		o->line_sent += io->write(o->line + o->line_sent, o->line_len - o->line_sent);
		if (o->line_sent < o->line_len)
			return false; /* woken when the reader has made room */
	}
	return true;
}
