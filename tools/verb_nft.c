// SPDX-License-Identifier: ISC
/* postern nft: the firewall's rules as a ruleset of Linux, and back. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "nft_apply.h"
#include "nft_cut.h"
#include "nft_gather.h"
#include "nft_import.h"
#include "nft_text.h"
#include "controlclient.h"
#include "storeclient.h"
#include "verbs.h"

struct words {
	const char *store, *control;
	bool apply, from_files, has_ports;
	struct nft_house house;
};

static bool is_plain_name(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n < NFTW_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n &&
	       name[0] >= 'a';
}

/* One option; an exit code other than EXIT_YES ends the verb. */
static int take_option(struct words *w, int option, const char *value)
{
	switch (option) {
	case 'a':
		w->apply = true;
		return EXIT_YES;
	case 's':
		w->store = value;
		return EXIT_YES;
	case 'c':
		w->control = value;
		return EXIT_YES;
	case 'r':
		w->from_files = true;
		return nft_gather_file(&w->house, value);
	case 'd':
		return nft_house_dns(&w->house, value) ? EXIT_YES :
		       complain(EXIT_USAGE, "%s: not an IPv4 address, or more than 4", value);
	case 'p':
		w->has_ports = true;
		return nft_house_port(&w->house, value) ? EXIT_YES :
		       complain(EXIT_USAGE, "%s: not IF=IP[,IP]", value);
	case 'u':
		return nft_house_uplink(&w->house, value) ? EXIT_YES :
		       complain(EXIT_USAGE, "%s: not IF or IF=IP", value);
	case 't':
		if (!is_plain_name(value))
			return complain(EXIT_USAGE, "%s: not a table's name", value);
		snprintf(w->house.table, sizeof(w->house.table), "%s", value);
		return EXIT_YES;
	case 'h':
		return verb_help("nft");
	}
	return verb_usage("nft");
}

/* What the command line did not say. */
static int gather(struct words *w, const char *client)
{
	int code = EXIT_YES;
	struct ip_addr ip;
	if (!w->from_files)
		code = nft_gather_store(&w->house, storeclient_path(w->store));
	if (code == EXIT_YES && (!w->has_ports || !*w->house.uplink)) {
		code = nft_gather_ports(&w->house, controlclient_path(w->control));
		if (code != EXIT_YES)
			complain(EXIT_USAGE, "--uplink and --port say which interfaces are meant when no appliance runs");
	}
	if (code == EXIT_YES && !*w->house.uplink)
		code = complain(EXIT_USAGE, "which interface is the uplink? (--uplink)");
	if (code == EXIT_YES && client) {
		struct cursor c = cursor_of(client, strlen(client));
		if (!parse_ip4(&c, &ip) || c.left)
			return complain(EXIT_USAGE, "%s: not the IPv4 address of a client", client);
		nft_house_only(&w->house, ip);
		if (!w->house.clients)
			return complain(EXIT_NO, "%s: no such client", client);
	}
	nft_house_finish(&w->house);
	return code;
}

/* The kernel does not know when a rule ends. */
static void warn_of_ends(const struct nft_house *h)
{
	size_t ends = 0;
	for (size_t i = 0; i < h->clients; i++)
		for (size_t r = 0; r < h->client[i].count; r++)
			ends += h->client[i].rule[r].parsed.rule.expire > 0;
	for (size_t r = 0; r < h->inbound.count; r++)
		ends += h->inbound.rule[r].parsed.rule.expire > 0;
	for (size_t r = 0; r < h->between.count; r++)
		ends += h->between.rule[r].parsed.rule.expire > 0;
	if (ends)
		complain(EXIT_YES, "%zu rules are for a while: Linux keeps them until the next export", ends);
}

static int export(int argc, char **argv)
{
	static const struct option options[] = {
		{ "apply", no_argument, NULL, 'a' },       { "store", required_argument, NULL, 's' },
		{ "control", required_argument, NULL, 'c' }, { "rules", required_argument, NULL, 'r' },
		{ "dns", required_argument, NULL, 'd' },   { "port", required_argument, NULL, 'p' },
		{ "uplink", required_argument, NULL, 'u' }, { "table", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },        { 0 },
	};
	struct words w = { .house.table = "postern" };
	int code = EXIT_YES;
	char reason[NFT_REASON];
	unsigned cut = 0;
	for (int o; code == EXIT_YES && (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		code = take_option(&w, o, optarg);
		if (o == 'h')
			return code;
	}
	if (code == EXIT_YES && argc - optind > 1)
		code = verb_usage("nft");
	if (code == EXIT_YES)
		code = gather(&w, argv[optind]);
	if (code == EXIT_YES && !w.apply)
		nft_text(&w.house, stdout);
	else if (code == EXIT_YES && !(nft_apply(&w.house, reason) && nft_cut(&w.house, &cut, reason)))
		code = complain(EXIT_REFUSED, "%s", reason);
	else if (code == EXIT_YES)
		printf("applied: %zu clients, %u connections cut\n", w.house.clients, cut);
	if (code == EXIT_YES)
		warn_of_ends(&w.house);
	nft_house_free(&w.house);
	return code;
}

static int import(int argc, char **argv)
{
	static const struct option options[] = {
		{ "client", required_argument, NULL, 'i' }, { "port", required_argument, NULL, 'p' },
		{ "uplink", required_argument, NULL, 'u' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct words w = { 0 };
	struct nft_import_options wanted = { .ports = &w.house };
	int code = EXIT_YES;
	for (int o; code == EXIT_YES && (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (o == 'h')
			return verb_help("nft");
		if (o == 'i')
			wanted.client = optarg;
		else
			code = take_option(&w, o, optarg);
	}
	if (code == EXIT_YES && argc - optind > 1)
		code = verb_usage("nft");
	wanted.file = argv[optind];
	if (code == EXIT_YES)
		code = nft_import(&wanted);
	nft_house_free(&w.house);
	return code;
}

int verb_nft(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "export"))
		return export(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "import"))
		return import(argc - 1, argv + 1);
	bool help = argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"));
	return help ? verb_help("nft") : verb_usage("nft");
}
