/* SPDX-License-Identifier: ISC */
/*
 * storelog.c: the words that lines about the store begin with.
 */
#include "cross_rule.h"
#include "storelog.h"

void storelog_say(const struct log_sink *log, const struct text *line)
{
	log->log(log->self, line->at, line->len);
}

void storelog_client(const struct log_sink *log, struct ip_addr ip, const char *what, const char *end)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	text_put(&line, cross_kind(ip) == RULE_OUTWARD ? "client " : "rules ");
	cross_owner_text(&line, ip);
	text_put(&line, ": ");
	text_put(&line, what);
	text_put(&line, end);
	storelog_say(log, &line);
}

void storelog_key(const struct log_sink *log, const char *path, const char *what)
{
	char buffer[STORELOG_BYTES];
	struct text line = text_on(buffer);
	text_put(&line, "store: ");
	text_put(&line, path);
	text_put(&line, what);
	storelog_say(log, &line);
}
