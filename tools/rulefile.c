// SPDX-License-Identifier: ISC
/* Reads a whole rule file before anything is done with it, and points at what is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cross_line.h"
#include "must.h"
#include "qvm_rule.h"
#include "rulefile.h"

enum { SHOWN_MAX = 200 };

void rulefile_point(const struct rulefile_place *p, unsigned column, const char *reason, FILE *errors)
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

static void show_fault(const struct rulefile_place *p, const struct rule_error *e, FILE *errors)
{
	char buffer[RULE_ERROR_TEXT];
	struct text t = text_on(buffer);
	rule_error_text(&t, e);
	const char *reason = strstr(buffer, ": "); /* behind "column N" */
	rulefile_point(p, e->column, reason ? reason + 2 : buffer, errors);
}

void rulefile_keep(struct rulefile *f, uint32_t number, const char *text)
{
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->line = must(reallocarray(f->line, f->room, sizeof(*f->line)));
	}
	f->line[f->count++] = (struct rulefile_line){ number, must(strdup(text)) };
}

static void keep(struct rulefile *f, uint32_t number, const struct parsed_rule *rule)
{
	char buffer[RULE_TEXT];
	struct text t = text_on(buffer);
	rule_text(&t, rule);
	ensure(!t.cut);
	rulefile_keep(f, number, buffer);
}

/* False: it has expired. */
static bool set_expire(struct qvm_rule *rule, uint64_t now)
{
	uint64_t at = rule->expire_relative ? now + rule->expire : rule->expire;
	rule->parsed.rule.expire = at < UINT32_MAX ? (uint32_t)at : UINT32_MAX;
	return at > now;
}

static enum qvm_line parse(enum rule_kind kind, const struct rulefile_place *p, struct qvm_rule *rule,
			   struct rule_error *fault)
{
	if (kind == RULE_OUTWARD)
		return qvm_rule_parse(p->line, p->len, rule, fault);
	*rule = (struct qvm_rule){ .family = QVM_V4_ONLY };
	switch (cross_line_parse(kind, p->line, p->len, &rule->parsed, fault)) {
	case CROSS_BLANK:
		return QVM_BLANK;
	case CROSS_RULE:
		rule->has_expire = rule->parsed.rule.expire > 0;
		rule->expire = rule->parsed.rule.expire;
		return QVM_RULE;
	case CROSS_BAD:
		break;
	}
	return QVM_BAD;
}

bool rulefile_take(struct rulefile *f, const struct rulefile_source *s,
		   const struct rulefile_place *p, uint32_t *number, FILE *errors)
{
	struct qvm_rule rule;
	struct rule_error fault;
	switch (parse(s->kind, p, &rule, &fault)) {
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
			rulefile_point(p, 1, "too many rules: the store numbers them 0000 to 9999", errors);
		return false;
	}
	uint32_t own = (*number)++;
	if (rule.has_expire && !set_expire(&rule, s->now))
		return true;
	if (rule.family != (s->v6 ? QVM_V4_ONLY : QVM_V6_ONLY))
		keep(f, own, &rule.parsed);
	return true;
}

bool rulefile_step(struct rulefile_place *p, const struct rulefile_source *s, size_t *at)
{
	if (*at >= s->len)
		return false;
	const char *eol = memchr(s->text + *at, '\n', s->len - *at);
	size_t len = eol ? (size_t)(eol - (s->text + *at)) : s->len - *at;
	p->name = s->name;
	p->number++;
	p->line = s->text + *at;
	p->len = len && p->line[len - 1] == '\r' ? len - 1 : len;
	*at += len + (eol != NULL);
	return true;
}

bool rulefile_parse(struct rulefile *f, const struct rulefile_source *s, FILE *errors)
{
	struct rulefile_place p = { .number = 0 };
	uint32_t number = 0;
	unsigned faults = 0;
	*f = (struct rulefile){ 0 };
	for (size_t at = 0; rulefile_step(&p, s, &at);)
		if (!rulefile_take(f, s, &p, &number, faults < RULEFILE_FAULTS_SHOWN ? errors : NULL))
			faults++;
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

char *rulefile_read(const char *name, size_t *len)
{
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	char *text = malloc(RULEFILE_BYTES_MAX + 1);
	ssize_t n = fd < 0 || !text ? -1 : 0;
	*len = 0;
	while (n >= 0 && *len <= RULEFILE_BYTES_MAX) {
		n = read(fd, text + *len, RULEFILE_BYTES_MAX + 1 - *len);
		if (n > 0)
			*len += (size_t)n;
		else if (!n || errno != EINTR)
			break;
		else
			n = 0;
	}
	int error = n < 0 ? errno : *len > RULEFILE_BYTES_MAX ? EFBIG : 0;
	if (fd >= 0)
		close(fd);
	if (error) {
		free(text);
		errno = error;
		return NULL;
	}
	return text;
}
