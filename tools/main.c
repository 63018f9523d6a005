// SPDX-License-Identifier: ISC
/* The postern command: finds the verb and hands it its words. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "nearest.h"
#include "verbs.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
	const char *usage;
} verbs[] = {
	{ "run", verb_run, "an appliance from a configuration file, kept running",
	  "postern run [-c FILE]\n"
	  "postern run --check [-j] [-c FILE]\n" },
	{ "doctor", verb_doctor, "what is wrong with this machine, its configuration, what runs on it",
	  "postern doctor [-j] [-c FILE] [--store SOCKET] [--control SOCKET] [RULEFILE]...\n" },
	{ "status", verb_status, "the appliance, its ports, clients and drops",
	  "postern status [-j] [--control SOCKET]\n" },
	{ "flows", verb_flows, "what is connected through it now",
	  "postern flows [-j] [FILTER]... [--sort bytes|packets|idle] [--top N] [--control SOCKET] [EXPRESSION]\n"
	  "postern flows kill [-j] [FILTER]... [--sort WORD] [--top N] [--yes] [--control SOCKET] [EXPRESSION]\n"
	  "FILTER: --client IP  --proto PROTO  --dst PREFIX[:PORT]  --rule ID|N|policy  --state STATE\n" },
	{ "top", verb_top, "who sends how much through which rule, second by second",
	  "postern top [-j] [--once] [--control SOCKET]\n" },
	{ "metrics", verb_metrics, "counters and histograms for Prometheus, and a server of them",
	  "postern metrics [--textfile FILE | --listen unix:PATH|127.0.0.1:PORT] [--control SOCKET]\n" },
	{ "web", verb_web, "a page to look at all of it, for a browser on this machine",
	  "postern web [--listen unix:PATH|127.0.0.1:PORT] [--control SOCKET]\n" },
	{ "rules", verb_rules, "show or replace the rules of a client, and what they did",
	  "postern rules [-j] [--store SOCKET] [CLIENT]\n"
	  "postern rules -s [-j] [--sort order|packets|bytes|flows|refused|last] [--control SOCKET] [CLIENT]\n"
	  "postern rules --unused [--since TIME] [-j] [--sort WORD] [--control SOCKET] [CLIENT]\n"
	  "postern rules set [--wait] [--store SOCKET] CLIENT FILE|-\n" },
	{ "check", verb_check, "is this rule file right?",
	  "postern check [-j] FILE|-\n" },
	{ "diff", verb_diff, "what a file or a generation changes, and which flows it cuts",
	  "postern diff [-jv] [--store SOCKET] [--control SOCKET] FILE|-\n"
	  "postern diff [-jv] [--store SOCKET] [--control SOCKET] N [M]\n" },
	{ "apply", verb_apply, "replace the rules of many clients at once",
	  "postern apply [-j] [--confirm TIME] [--if-generation N] [--reason TEXT] [--store SOCKET] FILE|-\n" },
	{ "confirm", verb_confirm, "keep what was applied with --confirm",
	  "postern confirm [--store SOCKET] [--control SOCKET]\n" },
	{ "rollback", verb_rollback, "back to the rules of an earlier generation",
	  "postern rollback [-j] [--confirm TIME] [--if-generation N] [--reason TEXT] [--store SOCKET] [N]\n" },
	{ "allow", verb_allow, "let a client do something for a while",
	  "postern allow [-j] [--reason TEXT] [--store SOCKET] CLIENT RULE... for 30s|15m|2h|1d [WHY]\n"
	  "postern allow [-j] [--reason TEXT] [--store SOCKET] CLIENT RULE... until HH:MM|YYYY-MM-DDTHH:MM [WHY]\n"
	  "postern allow -l [-j] [--store SOCKET]\n" },
	{ "revoke", verb_revoke, "end what was allowed for a while",
	  "postern revoke [-j] [--reason TEXT] [--store SOCKET] ID\n" },
	{ "isolate", verb_isolate, "stop everything that a client sends and gets",
	  "postern isolate [-j] [--store SOCKET] [--control SOCKET] CLIENT [WHY|off]\n"
	  "postern isolate -l [-j] [--store SOCKET] [--control SOCKET]\n" },
	{ "panic", verb_panic, "stop everything", "postern panic [-j] [--store SOCKET] [--control SOCKET] on [WHY]|off\n" },
	{ "set", verb_set, "named sets of networks that rules refer to",
	  "postern set list [-j] [--store SOCKET]\n"
	  "postern set show [-j] [--store SOCKET] NAME\n"
	  "postern set add|remove [-j] [--confirm TIME] [--reason TEXT] [--store SOCKET] NAME PREFIX...\n"
	  "postern set delete [-j] [--confirm TIME] [--reason TEXT] [--store SOCKET] NAME\n" },
	{ "log", verb_log, "who changed the rules, when and why",
	  "postern log [-j] [-n COUNT] [--store SOCKET] [CLIENT]\n" },
	{ "names", verb_names, "what the names in rules stand for, and how old that is",
	  "postern names [-j] [--refresh] [--control SOCKET]\n" },
	{ "explain", verb_explain, "what would become of a packet, and which rule says so",
	  "postern explain [-j] [--control SOCKET] CLIENT|uplink PROTO SRC SPORT DST DPORT\n"
	  "postern explain [-jv] [--client IP] [--control SOCKET] --pcap FILE\n" },
	{ "trace", verb_trace, "live packets: what becomes of them, and which rules say so",
	  "postern trace [-j] [WHICH]... [--count N] [--seconds N] [--control SOCKET] [EXPRESSION]\n"
	  "WHICH: --dropped  --passed  --rule ID  --client IP  --match EXPRESSION\n" },
	{ "capture", verb_capture, "packets on both sides, with their verdict, into a pcapng file",
	  "postern capture -w FILE|- [WHICH]... [--snaplen BYTES] [--count N] [--seconds N] [--control SOCKET] [EXPRESSION]\n"
	  "WHICH: --dropped  --passed  --rule ID  --client IP  --match EXPRESSION\n" },
	{ "events", verb_events, "what happened in the appliance, and what happens",
	  "postern events [-f] [-j] [--since NUMBER] [--control SOCKET]\n" },
	{ "attach", verb_attach, "give the running appliance a client port",
	  "postern attach [--control SOCKET] "
	  "tap=NAME,ip=ADDR[,ip=ADDR][,mac=MAC][,our-mac=MAC][,netns=NS][,name=NAME][,offload=on|off]\n" },
	{ "detach", verb_detach, "take a port away from it",
	  "postern detach [--control SOCKET] PORT|NAME\n" },
	{ "store", verb_store, "read and write the config store",
	  "postern store [-j] [--store SOCKET] read KEY...\n"
	  "postern store [--store SOCKET] write KEY VALUE [KEY VALUE]...\n"
	  "postern store [--store SOCKET] rm KEY|DIRECTORY/...\n"
	  "postern store [-j] [--store SOCKET] list [PREFIX]\n"
	  "postern store [-j] [-n COUNT] [--store SOCKET] watch [KEY|DIRECTORY/]...\n" },
	{ "nft", verb_nft, "the rules as an nftables ruleset, and back",
	  "postern nft export [--apply] [--store SOCKET | --rules IP=FILE...] [--uplink IF[=IP]] [--port IF=IP[,IP]]...\n"
	  "                   [--dns IP]... [--table NAME] [--control SOCKET] [CLIENT]\n"
	  "postern nft import [--client IP] [--uplink IF] [--port IF=IP[,IP]]... [FILE|-]\n" },
	{ "latency", verb_latency, "how long packets take: through the appliance, or any path",
	  "postern latency show [OUTPUT] [--watch] [--control SOCKET] [--clients | --client CLIENT | --rules | --stages]\n"
	  "postern latency show [OUTPUT] RUN...\n"
	  "postern latency on|stages|off|reset|state [-j] [--control SOCKET]\n"
	  "postern latency probe [OUTPUT] [--rate R,...] [--size B,...] [--duration S] [--warmup S] [--trials T] [--tcp | --icmp]\n"
	  "postern latency probe ... [--load] [--preset rfc8219|rfc2544 [--scale SHARE]] [--values V,... --with FILE] [--bind IP]\n"
	  "postern latency probe ... [--cpu CPU] [--spin US] [--one-way] [--quiet] [--reflector appliance|IP] [--control SOCKET]\n"
	  "postern latency probe ... [--sweep rules=R,... --client CLIENT [--store SOCKET]] HOST[:PORT]\n"
	  "postern latency reflect [--port P] [--bind IP] [--for SECONDS]\n"
	  "postern latency reflect --appliance state|off|P [-j] [--control SOCKET]\n"
	  "postern latency match [OUTPUT] [OPTION]... A.pcap B.pcap | -i IF -i IF\n"
	  "postern latency compare [-j] [--threshold PERCENT] [--series NAME] A B [A B]...\n"
	  "OUTPUT: -j | --csv | --hgrm | --openmetrics  --svg FILE  -o RUN  --series NAME\n" },
};

int complain(enum verb_exit code, const char *format, ...)
{
	va_list ap;
	fflush(stdout);
	fputs("postern: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return (int)code;
}

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < array_len(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void print_usage(FILE *to, const char *name)
{
	const struct verb *v = find(name);
	const char *line = v ? v->usage : "postern VERB\n";
	for (const char *lead = "usage: "; *line; lead = "       ") {
		size_t n = strcspn(line, "\n");
		fprintf(to, "%s%.*s\n", lead, (int)n, line);
		line += n + (line[n] == '\n');
	}
}

int verb_usage(const char *verb)
{
	print_usage(stderr, verb);
	return EXIT_USAGE;
}

int verb_help(const char *verb)
{
	print_usage(stdout, verb);
	return EXIT_YES;
}

static void print_verbs(FILE *to)
{
	fputs("usage: postern VERB ...\n\n", to);
	for (size_t i = 0; i < array_len(verbs); i++)
		fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].does);
	fputs("  help     this, or the usage of one verb: postern help VERB\n\n"
	      "exit: 0 yes, 1 a negative answer, 2 usage, 3 cannot reach, 4 refused, 5 conflict, "
	      "6 timed out\n",
	      to);
}

static const char *nearest(const char *word)
{
	const char *names[array_len(verbs)];
	for (size_t i = 0; i < array_len(verbs); i++)
		names[i] = verbs[i].name;
	return nearest_word(word, strlen(word), names, array_len(names));
}

static int unknown(const char *word)
{
	const char *near = nearest(word);
	if (near)
		return complain(EXIT_USAGE, "no verb \"%s\"; did you mean \"%s\"?", word, near);
	return complain(EXIT_USAGE, "no verb \"%s\"; see `postern help`", word);
}

static int help(const char *word)
{
	if (!word) {
		print_verbs(stdout);
		return EXIT_YES;
	}
	return find(word) ? verb_help(word) : unknown(word);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		print_verbs(stderr);
		return EXIT_USAGE;
	}
	const char *word = argv[1];
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return help(argv[2]);
	const struct verb *v = find(word);
	return v ? v->run(argc - 1, argv + 1) : unknown(word);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);
	/* A full disk or a closed pipe must not look like success. */
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_YES)
		return complain(EXIT_NO, "standard output: cannot write");
	return code;
}
