// SPDX-License-Identifier: ISC
/* The appliance's own account of itself, one JSON line at a time. */
#include "flowmatch.h"
#include "jsonline.h"
#include "status.h"
#include "statuslines.h"

static bool is_word(const char *request, size_t len, const char *word)
{
	struct cursor c = cursor_of(request, len);
	return parse_word(&c, word) && c.left == 0;
}

static void enter(struct status *s, enum status_stage stage)
{
	s->stage = stage;
	s->index = 0;
}

void status_begin(struct status *s, struct fw *fw, const struct status_facts *facts, const char *request, size_t len)
{
	struct cursor c = cursor_of(request, len);
	enter(s, STATUS_ERROR);
	s->error = "unknown request";
	if (parse_word(&c, "explain ")) {
		s->error = explain_begin(&s->explain, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_EXPLAIN;
	} else if (parse_word(&c, "latency")) {
		s->error = latency_report_begin(&s->latency, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_LATENCY;
	} else if (parse_word(&c, "rules")) {
		s->error = rule_report_begin(&s->rules, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_RULES;
	} else if (parse_word(&c, "names")) {
		s->error = names_status_begin(&s->names, fw, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_NAMES;
	} else if (parse_word(&c, "kill ")) {
		s->error = flowkill_begin(&s->kill, (const char *)c.at, c.left);
		s->stage = s->error ? STATUS_ERROR : STATUS_KILL;
	} else if (parse_word(&c, "watch ")) {
		s->error = watchreport_begin(&s->watch, fw, (const char *)c.at, c.left, facts);
		s->stage = s->error ? STATUS_ERROR : STATUS_WATCH;
	} else if (parse_word(&c, "events ")) {
		s->error = eventsreport_begin(&s->events, fw->events, (const char *)c.at, c.left,
					      facts->unix_ns - facts->now_ns);
		s->stage = s->error ? STATUS_ERROR : STATUS_EVENTS;
	} else if (is_word(request, len, "status")) {
		s->stage = STATUS_APPLIANCE;
	} else if (parse_word(&c, "flows ")) {
		struct text fault = text_on(s->fault);
		s->error = s->fault;
		if (match_parse(&s->match, (const char *)c.at, c.left, &fault))
			s->stage = STATUS_FLOWS;
	} else if (is_word(request, len, "flows")) {
		s->match.count = 0;
		s->stage = STATUS_FLOWS;
	}
}

static void next_port(struct status *s, const struct fw *fw, struct text *t)
{
	while (s->index < PORT_COUNT && !fw->port[s->index].attached)
		s->index++;
	if (s->index < PORT_COUNT) {
		status_port(fw, s->index++, t);
		return;
	}
	enter(s, STATUS_CLIENTS);
	s->index = NONE;
}

static void next_client(struct status *s, const struct fw *fw, struct text *t)
{
	uint32_t client = policy_next(fw->policy, s->index);
	if (client == NONE) {
		enter(s, STATUS_DROPS);
		return;
	}
	struct policy_view view = policy_show(fw->policy, client);
	status_client(&view, t);
	s->index = client;
}

static void next_drop(struct status *s, const struct fw *fw, struct text *t)
{
	while (s->index < DROP_COUNT && fw->drops[s->index] == 0)
		s->index++;
	if (s->index < DROP_COUNT)
		status_drop(fw, (enum drop)s->index++, t);
	else
		enter(s, STATUS_PLATFORM);
}

static void next_flow(struct status *s, struct fw *fw, uint64_t now_ns, struct text *t)
{
	uint32_t i = ct_next(fw->ct, s->index);
	if (i == NONE) {
		enter(s, STATUS_END);
		return;
	}
	if (flow_matches(fw, ct_flow(fw->ct, i), &s->match))
		status_flow(fw, ct_flow(fw->ct, i), now_ns, t);
	s->index = i + 1;
}

/* Of an answer that another file gives: behind its last line comes the end. */
static bool goes_on(struct status *s, bool more)
{
	if (!more)
		enter(s, STATUS_END);
	return true;
}

static bool next(struct status *s, struct fw *fw, const struct status_facts *facts, uint64_t now_ns,
		 struct text *line)
{
	switch (s->stage) {
	case STATUS_APPLIANCE:
		status_appliance(fw, facts, now_ns, line);
		enter(s, STATUS_PORTS);
		return true;
	case STATUS_PORTS:
		next_port(s, fw, line);
		return true;
	case STATUS_CLIENTS:
		next_client(s, fw, line);
		return true;
	case STATUS_DROPS:
		next_drop(s, fw, line);
		return true;
	case STATUS_PLATFORM:
		status_platform(facts, line);
		enter(s, STATUS_END);
		return true;
	case STATUS_FLOWS:
		next_flow(s, fw, now_ns, line);
		return true;
	case STATUS_EXPLAIN:
		return goes_on(s, explain_next(&s->explain, fw, line));
	case STATUS_LATENCY:
		return goes_on(s, latency_report_next(&s->latency, fw, line));
	case STATUS_RULES:
		return goes_on(s, rule_report_next(&s->rules, fw, now_ns, line));
	case STATUS_NAMES:
		return goes_on(s, names_status_next(&s->names, fw, now_ns, line));
	case STATUS_KILL:
		return goes_on(s, flowkill_next(&s->kill, fw, line));
	case STATUS_WATCH:
		return goes_on(s, watchreport_next(&s->watch, fw, now_ns, line));
	case STATUS_EVENTS:
		return goes_on(s, eventsreport_next(&s->events, fw->events, now_ns, line));
	case STATUS_ERROR:
		json_begin(line, "error");
		json_text(line, "error", s->error);
		json_end(line);
		enter(s, STATUS_END);
		return true;
	case STATUS_END:
		text_put(line, ".\n");
		enter(s, STATUS_IDLE);
		return true;
	case STATUS_IDLE:
		break;
	}
	return false;
}

bool status_next(struct status *s, struct fw *fw, const struct status_facts *facts, uint64_t now_ns,
		 struct text *line)
{
	bool more = next(s, fw, facts, now_ns, line);
	if (line->cut) { /* without its newline it would keep its reader waiting */
		line->len = 0;
		line->cut = false;
		json_begin(line, "cut");
		json_end(line);
	}
	return more;
}
