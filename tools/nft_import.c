// SPDX-License-Identifier: ISC
/*
 * Gets a ruleset as nft's JSON: as it lies there, from the running kernel, or, where
 * it is text, by loading it into a network namespace that nobody else sees.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nft_gather.h"
#include "nft_import.h"
#include "nft_read.h"

struct import {
	const struct nft_import_options *options;
	const json_t *ruleset;
	struct ip_addr *client;
	size_t clients;
	unsigned lost;
};

/* --- the ruleset ----------------------------------------------------------------------- */

static void become_nft(bool own_namespace, int output)
{
	/* $1: fed to nft first */
	static const char load[] = "nft -f - && exec nft -j list ruleset";
	static const char show[] = "exec nft -j list ruleset";
	char path[4096];
	const char *old = getenv("PATH");
	snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin:/usr/bin:/bin", old ? old : "");
	setenv("PATH", path, 1);
	if (own_namespace && unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		complain(EXIT_REFUSED, "a network namespace to try it in: %s", strerror(errno));
		_exit(EXIT_REFUSED);
	}
	dup2(output, STDOUT_FILENO);
	execlp("sh", "sh", "-c", own_namespace ? load : show, (char *)NULL);
	_exit(127);
}

/* Writes what nft shall read from a file that is gone already, so that neither waits for the other. */
static bool give_input(const char *text)
{
	FILE *f = tmpfile();
	bool good = f && fwrite(text, 1, strlen(text), f) == strlen(text) && !fflush(f) && !fseek(f, 0, SEEK_SET) &&
		    dup2(fileno(f), STDIN_FILENO) >= 0;
	return good;
}

/* The JSON of `nft list ruleset`; text NULL: of the running kernel, else after loading that. */
static json_t *ask_nft(const char *text)
{
	int ends[2], status = 0;
	json_error_t error;
	fflush(stdout);
	if (pipe(ends))
		return NULL;
	pid_t child = fork();
	if (!child) {
		close(ends[0]);
		if (text && !give_input(text))
			_exit(127);
		become_nft(text != NULL, ends[1]);
	}
	close(ends[1]);
	FILE *from = child > 0 ? fdopen(ends[0], "r") : NULL;
	json_t *ruleset = from ? json_loadf(from, 0, &error) : NULL;
	if (from)
		fclose(from);
	else
		close(ends[0]);
	if (child > 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	if (ruleset && !status)
		return ruleset;
	json_decref(ruleset);
	return NULL;
}

static json_t *load_file(const char *name)
{
	size_t len;
	char *text = nft_read_file(name, &len);
	json_error_t error;
	if (!text)
		return NULL;
	json_t *ruleset;
	if (text[strspn(text, " \t\r\n")] == '{') {
		ruleset = json_loadb(text, len, 0, &error);
		if (!ruleset)
			complain(EXIT_USAGE, "%s:%d:%d: %s", name, error.line, error.column, error.text);
	} else {
		ruleset = ask_nft(text);
		if (!ruleset)
			complain(EXIT_USAGE, "%s: nft does not take it", name);
	}
	free(text);
	return ruleset;
}

/* --- its clients --------------------------------------------------------------------------- */

static void add_client(void *context, struct ip_addr ip)
{
	struct import *i = context;
	for (size_t n = 0; n < i->clients; n++)
		if (ip_eq(i->client[n], ip))
			return;
	i->client = reallocarray(i->client, i->clients + 1, sizeof(*i->client));
	if (!i->client)
		panic("out of memory");
	i->client[i->clients++] = ip;
}

static const char *port_of(const struct nft_house *ports, struct ip_addr ip)
{
	for (size_t i = 0; i < ports->clients; i++)
		if (ip_eq(ports->client[i].ip, ip) && *ports->client[i].port)
			return ports->client[i].port;
	return NULL;
}

static void print_client(struct import *i, struct ip_addr ip)
{
	const struct nft_house *ports = i->options->ports;
	struct nft_view view = {
		.ruleset = i->ruleset, .client = ip, .port = port_of(ports, ip),
		.uplink = *ports->uplink ? ports->uplink : NULL,
	};
	char client[IP_TEXT];
	struct text t = text_on(client);
	text_ip(&t, ip);
	printf("# rules of %s\n", client);
	i->lost += nft_read(&view, stdout, stderr);
}

/* --- what is no rule of a client ------------------------------------------------------------ */

static bool is_client(const struct import *i, const json_t *text)
{
	const char *word = json_string_value(text);
	struct cursor c = cursor_of(word ? word : "", word ? strlen(word) : 0);
	struct ip_addr ip;
	if (!parse_ip4(&c, &ip) || c.left)
		return false;
	for (size_t n = 0; n < i->clients; n++)
		if (ip_eq(i->client[n], ip))
			return true;
	return false;
}

/* Why a rule would be lost in silence: it is about what our own sections say (cross_rule.h); NULL: it is not. */
static const char *section_of(const struct import *i, const json_t *rule)
{
	const json_t *statement;
	bool to_client = false, accepts = false, leads = false;
	size_t n;
	json_array_foreach(json_object_get(rule, "expr"), n, statement) {
		const json_t *match = json_object_get(statement, "match");
		const json_t *field = json_object_get(json_object_get(match, "left"), "payload");
		const char *name = json_string_value(json_object_get(field, "field"));
		to_client |= name && !strcmp(name, "daddr") && is_client(i, json_object_get(match, "right"));
		accepts |= json_object_get(statement, "accept") != NULL;
		leads |= json_object_get(statement, "dnat") || json_object_get(statement, "redirect");
	}
	return leads ? "it leads elsewhere what comes from outside: say it in [inbound]" :
	       to_client && accepts ? "it lets something reach a client: say it in [inbound] or [between]" : NULL;
}

static void tell_rest(struct import *i)
{
	const json_t *object;
	size_t n;
	json_array_foreach(i->ruleset, n, object) {
		const json_t *rule = json_object_get(object, "rule");
		const char *why = rule ? section_of(i, rule) : NULL;
		const char *chain = json_string_value(json_object_get(rule, "chain"));
		if (!why)
			continue;
		printf("# not carried over: %s (handle %lld): %s\n", chain ? chain : "?",
		       (long long)json_integer_value(json_object_get(rule, "handle")), why);
		fprintf(stderr, "%s: not carried over: %s\n", chain ? chain : "?", why);
		i->lost++;
	}
}

static int print_all(struct import *i)
{
	const char *wanted = i->options->client;
	struct cursor c = cursor_of(wanted ? wanted : "", wanted ? strlen(wanted) : 0);
	struct ip_addr ip;
	if (!wanted)
		nft_clients(i->ruleset, add_client, i);
	else if (parse_ip4(&c, &ip) && !c.left)
		add_client(i, ip);
	else
		return complain(EXIT_USAGE, "%s: not the IPv4 address of a client", wanted);
	if (!i->clients)
		return complain(EXIT_NO, "the ruleset names no single addresses as sources: say --client IP");
	for (size_t n = 0; n < i->clients; n++)
		print_client(i, i->client[n]);
	tell_rest(i);
	free(i->client);
	if (i->lost)
		return complain(EXIT_NO, "%u things were not carried over: look at the comments", i->lost);
	return EXIT_YES;
}

int nft_import(const struct nft_import_options *options)
{
	struct import i = { .options = options };
	json_t *document = options->file ? load_file(options->file) : ask_nft(NULL);
	if (!document)
		return options->file ? EXIT_USAGE : complain(EXIT_REFUSED, "nft does not list its ruleset");
	i.ruleset = json_object_get(document, "nftables");
	int code = json_is_array(i.ruleset) ? print_all(&i) : complain(EXIT_USAGE, "%s: not the JSON of nft", options->file);
	json_decref(document);
	return code;
}
