// SPDX-License-Identifier: ISC
/* Reads a whole rule file before anything is done with it, and points at what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "qvm_rule.h"
#include "rulefile.h"

struct place {
	const char *name;
	unsigned number; /* of the line, from 1 */
	const char *line;
	size_t len;
};

enum { SHOWN_MAX = 200 };

static void *must(void *p)
{
	if (!p)
		panic("out of memory");
	return p;
}

static void point_at(const struct place *p, unsigned column, const char *reason, FILE *errors)
{
	char shown[SHOWN_MAX + 1];
	size_t n = p->len < SHOWN_MAX ? p->len : SHOWN_MAX;
	for (size_t i = 0; i < n; i++) {
		char c = p->line[i];
		shown[i] = c == '\t' ? ' ' : c >= ' ' && c <= '~' ? c : '?';
	}
	shown[n] = 0;
	fprintf(errors, "%s:%u:%u: %s\n", p->name, p->number, column, reason);
	fprintf(errors, "  %s\n", shown);
	if (column && column <= n + 1)
		fprintf(errors, "  %*s^\n", (int)column - 1, "");
}

static void show_fault(const struct place *p, const struct rule_error *e, FILE *errors)
{
	char buffer[RULE_ERROR_TEXT];
	struct text t = text_on(buffer);
	rule_error_text(&t, e);
	const char *reason = strstr(buffer, ": "); /* behind "column N" */
	point_at(p, e->column, reason ? reason + 2 : buffer, errors);
}

static unsigned column_of(const struct place *p, const char *word)
{
	const char *at = memmem(p->line, p->len, word, strlen(word));
	return at ? (unsigned)(at - p->line) + 1 : 1;
}

static void keep(struct rulefile *f, uint32_t number, const struct parsed_rule *rule)
{
	char buffer[RULE_TEXT];
	struct text t = text_on(buffer);
	rule_text(&t, rule);
	ensure(!t.cut);
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->line = must(reallocarray(f->line, f->room, sizeof(*f->line)));
	}
	f->line[f->count++] = (struct rulefile_line){ number, must(strdup(buffer)) };
}

/* One line; false: it is wrong, and errors (unless NULL) says so. */
static bool take_line(struct rulefile *f, const struct rulefile_source *s, const struct place *p,
		      uint32_t *number, FILE *errors)
{
	struct qvm_rule rule;
	struct rule_error fault;
	switch (qvm_rule_parse(p->line, p->len, &rule, &fault)) {
	case QVM_BLANK:
		return true;
	case QVM_BAD:
		if (errors)
			show_fault(p, &fault, errors);
		return false;
	case QVM_RULE:
		break;
	}
	if (*number > RULE_NUMBER_MAX) {
		if (errors)
			point_at(p, 1, "too many rules: the store numbers them 0000 to 9999", errors);
		return false;
	}
	uint32_t own = (*number)++;
	if (rule.has_expire) {
		/* Nothing here would take it away again: better none than one for ever. */
		if (rule.expire_relative || rule.expire > s->now) {
			if (errors)
				point_at(p, column_of(p, "expire="),
					 "rules that expire later are not supported", errors);
			return false;
		}
		return true;
	}
	if (rule.family != (s->v6 ? QVM_V4_ONLY : QVM_V6_ONLY))
		keep(f, own, &rule.parsed);
	return true;
}

bool rulefile_parse(struct rulefile *f, const struct rulefile_source *s, FILE *errors)
{
	struct place p = { .name = s->name };
	uint32_t number = 0;
	unsigned faults = 0;
	*f = (struct rulefile){ 0 };
	for (size_t at = 0; at < s->len;) {
		const char *eol = memchr(s->text + at, '\n', s->len - at);
		size_t len = eol ? (size_t)(eol - (s->text + at)) : s->len - at;
		p.number++;
		p.line = s->text + at;
		p.len = len && p.line[len - 1] == '\r' ? len - 1 : len;
		if (!take_line(f, s, &p, &number, faults < RULEFILE_FAULTS_SHOWN ? errors : NULL))
			faults++;
		at += len + (eol != NULL);
	}
	if (faults > RULEFILE_FAULTS_SHOWN)
		fprintf(errors, "%s: %u more\n", s->name, faults - RULEFILE_FAULTS_SHOWN);
	return !faults;
}

void rulefile_free(struct rulefile *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->line[i].text);
	free(f->line);
	*f = (struct rulefile){ 0 };
}
