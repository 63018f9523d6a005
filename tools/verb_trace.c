// SPDX-License-Identifier: ISC
/* postern trace: live packets, one block each: what became of them, and which rules said so. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "verbs.h"
#include "watchclient.h"
#include "watchwords.h"

enum { COUNT = 10, SECONDS = 30, REQUEST_BYTES = 256, BACKLOG_MAX = 4096 };

/* Packets are kept until the answer that told of them is over: then their rules are asked for. */
struct trace {
	const char *socket;
	json_t *packets; /* of this answer */
	json_t *document; /* all of them, for -j; NULL: text is wanted */
	json_t *rules;   /* tried for the one in hand */
	json_int_t generation; /* that they are of */
};

static const char *word_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static json_int_t number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static bool is(const json_t *o, const char *name, const char *word)
{
	return !strcmp(word_of(o, name), word);
}

static void print_clean(const char *s)
{
	char text[COLUMNS_CELL_MAX];
	columns_clean(text, sizeof(text), s);
	fputs(text, stdout);
}

static void print_member(const char *before, const json_t *o, const char *name)
{
	char text[COLUMNS_CELL_MAX];
	if (!json_object_get(o, name))
		return;
	columns_value(text, sizeof(text), json_object_get(o, name));
	printf("%s%s", before, text);
}

/* --- one packet as text ---------------------------------------------------------------------- */

static void print_stamp(json_int_t unix_ns)
{
	time_t s = (time_t)(unix_ns / 1000000000);
	struct tm local;
	char text[16];
	if (!localtime_r(&s, &local) || !strftime(text, sizeof(text), "%H:%M:%S", &local))
		text[0] = 0;
	printf("%s.%06lld", text, (long long)(unix_ns % 1000000000 / 1000));
}

static void print_flags(json_int_t flags)
{
	static const struct { int bit; char letter; } names[] = {
		{ 1, 'F' }, { 2, 'S' }, { 4, 'R' }, { 8, 'P' }, { 16, '.' }, { 32, 'U' },
	};
	fputs("  [", stdout);
	for (size_t i = 0; i < array_len(names); i++)
		if (flags & names[i].bit)
			putchar(names[i].letter);
	putchar(']');
}

static void print_tuple(const json_t *o)
{
	print_member("  ", o, "proto");
	if (!json_object_get(o, "src"))
		return;
	print_member(" ", o, "src");
	print_member(":", o, "sport");
	print_member(" -> ", o, "dst");
	print_member(":", o, "dport");
	if (json_object_get(o, "tcp_flags"))
		print_flags(number_of(o, "tcp_flags"));
	print_member("  type ", o, "icmp_type");
}

static void print_head(const json_t *o)
{
	print_stamp(number_of(o, "unix_ns"));
	print_member("  #", o, "number");
	if (json_object_get(o, "in_name")) {
		print_member("  ", o, "in_name");
		printf(", %lld bytes", (long long)number_of(o, "in_len"));
	} else {
		fputs("  held until now, or the firewall's own", stdout);
	}
	print_tuple(o);
	putchar('\n');
}

static void print_flow(const json_t *o)
{
	if (is(o, "flow", "found") || is(o, "flow", "opened")) {
		print_member("  flow: ", o, "flow");
		print_member(", ", o, "state");
		fputs(is(o, "direction", "reply") ? ", the answering side" : ", the opening side", stdout);
	} else {
		fputs("  flow: none", stdout);
	}
	print_member("; client ", o, "client");
	print_member(", generation ", o, "generation");
	putchar('\n');
}

static void print_rule(const json_t *o)
{
	bool hit = is(o, "trial", "hit");
	printf("  %4lld  %s  ", (long long)number_of(o, "number"), hit ? "HIT " : "no  ");
	print_clean(word_of(o, "text"));
	if (*word_of(o, "id"))
		print_member("   ", o, "id");
	if (!hit) {
		fputs("   (", stdout);
		print_clean(word_of(o, "trial"));
		fputs(" differs)", stdout);
	}
	putchar('\n');
}

static void print_verdict(const json_t *o)
{
	print_member("  verdict: ", o, "fate");
	print_member(", ", o, "reason");
	if (is(o, "rule", "policy"))
		fputs(", by the policy behind the last rule", stdout);
	else
		print_member(", by rule ", o, "rule");
	if (*word_of(o, "rule_id")) {
		print_member(" (", o, "rule_id");
		putchar(')');
	}
	if (is(o, "fate", "held"))
		fputs(", until its neighbour or its first fragment is known", stdout);
	putchar('\n');
	if (is(o, "fate", "dropped")) {
		if (json_object_get(o, "out_name"))
			fputs("  its sender is told, by ICMP\n", stdout);
		return;
	}
	if (json_object_get(o, "to_src")) {
		print_member("  leaves as ", o, "to_src");
		print_member(":", o, "to_sport");
		print_member(" -> ", o, "to_dst");
		print_member(":", o, "to_dport");
	}
	print_member(json_object_get(o, "to_src") ? ", by " : "  leaves by ", o, "out_name");
	print_member(", next hop ", o, "next_hop");
	if (json_object_get(o, "out_name"))
		putchar('\n');
}

/* --- the rules that were tried ---------------------------------------------------------------- */

static void take_tried(void *context, json_t *o)
{
	struct trace *t = context;
	if (is(o, "type", "explain"))
		t->generation = number_of(o, "generation");
	if (!is(o, "type", "rule"))
		return;
	json_object_del(o, "type");
	json_array_append(t->rules, o);
}

/* Only of a packet that rules were asked about: one that opened a flow, or was refused by them. */
static bool was_judged(const json_t *o)
{
	return json_object_get(o, "in_port") && number_of(o, "in_port") != 0 && json_object_get(o, "src") &&
	       (is(o, "flow", "opened") || is(o, "reason", "rule") || is(o, "reason", "policy"));
}

/* By the same objects that judged it; rules that have changed since are another generation. */
static int ask_rules(struct trace *t, const json_t *o)
{
	char request[REQUEST_BYTES];
	bool icmp = is(o, "proto", "icmp");
	t->generation = -1;
	snprintf(request, sizeof(request), "explain %s %s %s %lld %s %lld", word_of(o, "client"), word_of(o, "proto"),
		 word_of(o, "src"), (long long)number_of(o, "sport"), word_of(o, "dst"),
		 (long long)number_of(o, icmp ? "icmp_type" : "dport"));
	return answer_ask(t->socket, request, take_tried, t);
}

static int show(struct trace *t, json_t *o)
{
	int code = EXIT_YES;
	bool judged = was_judged(o);
	t->rules = json_array();
	if (judged)
		code = ask_rules(t, o);
	bool same = judged && t->generation == number_of(o, "generation");
	if (t->document) {
		json_object_del(o, "type");
		if (same)
			json_object_set(o, "tried", t->rules);
		json_array_append(t->document, o);
	} else {
		print_head(o);
		print_flow(o);
		for (size_t i = 0; same && i < json_array_size(t->rules); i++)
			print_rule(json_array_get(t->rules, i));
		if (judged && !same)
			puts("  the rules have changed since: they are not shown");
		print_verdict(o);
		putchar('\n');
		fflush(stdout);
	}
	json_decref(t->rules);
	return code;
}

static void take_packet(void *context, const json_t *o, const struct watchclient_frame frame[2])
{
	struct trace *t = context;
	(void)frame;
	if (json_array_size(t->packets) < BACKLOG_MAX)
		json_array_append_new(t->packets, json_copy((json_t *)(uintptr_t)o));
}

static int show_all(struct trace *t)
{
	int code = EXIT_YES;
	for (size_t i = 0; i < json_array_size(t->packets) && code == EXIT_YES; i++)
		code = show(t, json_array_get(t->packets, i));
	json_array_clear(t->packets);
	return code;
}

static int trace(const char *socket, const struct watchclient_wish *wish, bool json)
{
	struct trace t = { .socket = socket, .packets = json_array(), .document = json ? json_array() : NULL };
	struct watchclient w = { .socket = socket, .each = take_packet, .context = &t };
	const volatile sig_atomic_t *stop = watchclient_signals();
	int code = watchclient_start(&w, wish);
	while (code == EXIT_YES && watchclient_next(&w, stop, &code))
		if (code == EXIT_YES)
			code = show_all(&t);
	if (code == EXIT_YES)
		code = show_all(&t);
	if (code == EXIT_YES && json)
		code = answer_print(json_pack("{s:i, s:O, s:I, s:I, s:s}", "schema", 1, "packets", t.document, "matched",
					      w.matched, "lost", w.lost, "ended", w.why));
	else if (code == EXIT_YES)
		fprintf(stderr, "%lld packets, %lld lost; ended: %s\n", (long long)w.matched, (long long)w.lost, w.why);
	if (code == EXIT_YES && w.matched == 0)
		code = EXIT_NO;
	json_decref(t.packets);
	json_decref(t.document);
	watchclient_free(&w);
	return code;
}

int verb_trace(int argc, char **argv)
{
	static const struct option options[] = { WATCHWORDS_OPTIONS, { "json", no_argument, NULL, 'j' }, { 0 } };
	struct watchwords words = { .wish = { .count = COUNT, .seconds = SECONDS } };
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, WATCHWORDS_SHORT "j", options, NULL)) != -1;) {
		if (o == 'h')
			return verb_help("trace");
		if (o == '?')
			return verb_usage("trace");
		int code = EXIT_YES;
		if (o == 'j')
			json = true;
		else
			code = watchwords_take(&words, o, optarg);
		if (code != EXIT_YES)
			return code;
	}
	int code = watchwords_rest(&words, argc - optind, argv + optind);
	return code == EXIT_YES ? trace(controlclient_path(words.control), &words.wish, json) : code;
}
