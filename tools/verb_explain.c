// SPDX-License-Identifier: ISC
/* postern explain: what would become of a packet, and which rule says so. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "columns.h"
#include "packetfile.h"
#include "verbs.h"

enum { QUESTION_BYTES = 256 };

struct explanation {
	json_t *document; /* NULL: text is wanted */
	json_t *rules;
	bool accepted, concluded;
	bool brief; /* one line a packet: no rules */
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

static void print_clean(const char *s)
{
	char text[COLUMNS_CELL_MAX];
	columns_clean(text, sizeof(text), s);
	fputs(text, stdout);
}

static void print_question(const json_t *o)
{
	print_clean(word_of(o, "proto"));
	putchar(' ');
	print_clean(word_of(o, "src"));
	printf(":%lld -> ", (long long)number_of(o, "sport"));
	print_clean(word_of(o, "dst"));
	if (json_object_get(o, "icmptype"))
		printf(" type %lld", (long long)number_of(o, "icmptype"));
	else
		printf(":%lld", (long long)number_of(o, "dport"));
}

static void print_rule(const json_t *o)
{
	const char *trial = word_of(o, "trial");
	bool hit = !strcmp(trial, "hit");
	printf("  %4lld  %s  ", (long long)number_of(o, "number"), hit ? "HIT " : "no  ");
	print_clean(word_of(o, "text"));
	if (!hit) {
		fputs("   (", stdout);
		print_clean(trial);
		fputs(" differs)", stdout);
	}
	putchar('\n');
}

static void print_decider(const json_t *o)
{
	const json_t *rule = json_object_get(o, "rule");
	if (json_is_integer(rule))
		printf(", by rule %lld", (long long)json_integer_value(rule));
	else if (json_is_string(rule))
		fputs(", by the policy behind the last rule", stdout);
	if (json_is_integer(rule) && *word_of(o, "rule_id")) {
		fputs(" (", stdout);
		print_clean(word_of(o, "rule_id"));
		putchar(')');
	}
}

static void print_lead(const json_t *o)
{
	fputs("  leads to ", stdout);
	print_clean(word_of(o, "to_ip"));
	printf(":%lld, by port ", (long long)number_of(o, "to_port"));
	print_clean(word_of(o, "port"));
	printf(", %s flow\n", !strcmp(word_of(o, "flow"), "open") ? "an open" : "a new");
}

static void print_verdict(const json_t *o)
{
	fputs("  verdict: ", stdout);
	print_clean(word_of(o, "verdict"));
	print_decider(o);
	if (*word_of(o, "text")) {
		fputs(": ", stdout);
		print_clean(word_of(o, "text"));
	}
	if (*word_of(o, "told")) {
		fputs("; the sender is told: ", stdout);
		print_clean(word_of(o, "told"));
	}
	putchar('\n');
	if (!strcmp(word_of(o, "route"), "client"))
		print_lead(o);
	if (strcmp(word_of(o, "route"), "uplink"))
		return;
	fputs("  leaves as ", stdout);
	print_clean(word_of(o, "nat_ip"));
	const json_t *port = json_object_get(o, "nat_port");
	if (json_is_integer(port))
		printf(":%lld", (long long)json_integer_value(port));
	else
		fputs(", port at random (its own is taken),", stdout);
	fputs(" by the uplink, next hop ", stdout);
	print_clean(word_of(o, "next_hop"));
	printf(", %s flow\n", !strcmp(word_of(o, "flow"), "open") ? "an open" : "a new");
}

static void print_object(struct explanation *x, const char *type, const json_t *o)
{
	if (!strcmp(type, "explain")) {
		print_question(o);
		printf("\n  client ");
		print_clean(word_of(o, "client"));
		if (*word_of(o, "rules_of")) {
			fputs(", rules ", stdout);
			print_clean(word_of(o, "rules_of"));
		}
		printf(": %s, generation %lld%s\n", word_of(o, "state"), (long long)number_of(o, "generation"),
		       json_is_true(json_object_get(o, "attached")) ? "" : ", not attached");
	} else if (!strcmp(type, "rule") && !x->brief) {
		print_rule(o);
	} else if (!strcmp(type, "verdict")) {
		print_verdict(o);
	}
}

static void take(void *context, json_t *o)
{
	struct explanation *x = context;
	const char *type = word_of(o, "type");
	if (!strcmp(type, "verdict")) {
		x->concluded = true;
		x->accepted = !strcmp(word_of(o, "verdict"), "accept");
	}
	if (!x->document) {
		print_object(x, type, o);
		return;
	}
	if (!strcmp(type, "rule")) {
		json_object_del(o, "type");
		json_array_append(x->rules, o);
	} else if (!strcmp(type, "explain") || !strcmp(type, "verdict")) {
		json_t *copy = json_copy(o);
		json_object_del(copy, "type");
		json_object_update_new(x->document, copy);
	}
}

/* One question; with json its document is appended to all. */
static int ask(const char *control, const char *question, bool brief, json_t *all, bool *accepted)
{
	struct explanation x = { .brief = brief };
	if (all) {
		x.document = json_object();
		x.rules = json_array();
	}
	int code = answer_ask(control, question, take, &x);
	if (code == EXIT_YES && !x.concluded)
		code = complain(EXIT_UNREACHED, "%s: the answer has no verdict", control);
	if (all) {
		json_object_set_new(x.document, "rules", x.rules);
		json_array_append_new(all, x.document);
	}
	*accepted = x.accepted;
	return code;
}

static int explain_words(const char *control, char **word, bool json)
{
	char question[QUESTION_BYTES];
	bool accepted = false;
	int n = snprintf(question, sizeof(question), "explain %s %s %s %s %s %s", word[0], word[1], word[2],
			 word[3], word[4], word[5]);
	if (n < 0 || (size_t)n >= sizeof(question) || strpbrk(question, "\n\r"))
		return complain(EXIT_USAGE, "these words are no addresses, protocols and ports");
	json_t *all = json ? json_array() : NULL;
	int code = ask(control, question, false, all, &accepted);
	if (code == EXIT_YES && json)
		code = answer_print(json_pack("{s:i, s:O}", "schema", 1, "packets", all));
	json_decref(all);
	return code == EXIT_YES && !accepted ? EXIT_NO : code;
}

struct pcap_run {
	const char *control, *client;
	json_t *all;
	bool verbose, all_accepted;
	int code;
};

/* A packet of the file that opens a flow. false: stop. */
static bool take_packet(void *context, const struct packetfile_packet *p)
{
	struct pcap_run *run = context;
	char question[QUESTION_BYTES], proto[8];
	bool accepted = false;
	snprintf(proto, sizeof(proto), "%u", p->proto);
	snprintf(question, sizeof(question), "explain %s %s %s %u %s %u", run->client ? run->client : p->src,
		 p->proto == 6 ? "tcp" : p->proto == 17 ? "udp" : p->proto == 1 ? "icmp" : proto, p->src, p->sport,
		 p->dst, p->dport);
	if (!run->all)
		printf("packet %zu: ", p->number);
	run->code = ask(run->control, question, !run->verbose, run->all, &accepted);
	run->all_accepted &= accepted;
	return run->code == EXIT_YES;
}

static int explain_file(const char *control, const char *file, const char *client, bool json, bool verbose)
{
	struct pcap_run run = { .control = control, .client = client, .verbose = verbose, .all_accepted = true };
	char reason[PACKETFILE_REASON_BYTES];
	if (json)
		run.all = json_array();
	if (!packetfile_each(file, take_packet, &run, reason))
		run.code = complain(EXIT_USAGE, "%s: %s", file, reason);
	if (run.code == EXIT_YES && json)
		run.code = answer_print(json_pack("{s:i, s:O}", "schema", 1, "packets", run.all));
	json_decref(run.all);
	return run.code == EXIT_YES && !run.all_accepted ? EXIT_NO : run.code;
}

int verb_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },	    { "pcap", required_argument, NULL, 'p' },
		{ "client", required_argument, NULL, 'c' }, { "verbose", no_argument, NULL, 'v' },
		{ "control", required_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL, *file = NULL, *client = NULL;
	bool json = false, verbose = false;
	for (int o; (o = getopt_long(argc, argv, "jvh", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == 'v')
			verbose = true;
		else if (o == 'p')
			file = optarg;
		else if (o == 'c')
			client = optarg;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("explain") : verb_usage("explain");
	}
	control = controlclient_path(control);
	if (file && optind == argc)
		return explain_file(control, file, client, json, verbose);
	if (file || client || argc - optind != 6)
		return verb_usage("explain");
	return explain_words(control, argv + optind, json);
}
