// SPDX-License-Identifier: ISC
/* postern flows: what is connected through the appliance now. */
#include <getopt.h>
#include <string.h>

#include "addr.h"
#include "answer.h"
#include "columns.h"
#include "verbs.h"

static const struct column columns[] = {
	{ "PROTO", "proto", NULL, false },
	{ "SOURCE", "src", "sport", false },
	{ "DESTINATION", "dst", "dport", false },
	{ "AS", "nat_ip", "nat_port", false },
	{ "STATE", "state", NULL, false },
	{ "CLIENT", "client", NULL, false },
	{ "RULE", "rule", NULL, true },
	{ "IDLE-S", "idle_s", NULL, true },
	{ "UP-PKTS", "up_packets", NULL, true },
	{ "UP-BYTES", "up_bytes", NULL, true },
	{ "DOWN-PKTS", "down_packets", NULL, true },
	{ "DOWN-BYTES", "down_bytes", NULL, true },
};

struct listing {
	const char *client; /* canonical text; NULL: all */
	json_t *flows;	    /* NULL: a table is wanted */
	struct columns table;
};

static void take_flow(void *context, json_t *object)
{
	struct listing *l = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	const char *client = json_string_value(json_object_get(object, "client"));
	if (!type || strcmp(type, "flow"))
		return;
	if (l->client && (!client || strcmp(client, l->client)))
		return;
	if (!l->flows) {
		columns_add(&l->table, object);
		return;
	}
	json_object_del(object, "type");
	json_array_append(l->flows, object);
}

static int list_flows(const char *socket, const char *client, bool json)
{
	struct listing l = { .client = client, .flows = json ? json_array() : NULL };
	columns_on(&l.table, columns, array_len(columns));
	int code = answer_ask(socket, "flows", take_flow, &l);
	if (code == EXIT_YES && json)
		code = answer_print(json_pack("{s:i, s:O}", "schema", 1, "flows", l.flows));
	else if (code == EXIT_YES)
		columns_print(&l.table, stdout);
	json_decref(l.flows);
	columns_free(&l.table);
	return code;
}

int verb_flows(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "client", required_argument, NULL, 'c' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL, *client = NULL;
	char canonical[IP_TEXT];
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == 'c')
			client = optarg;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("flows") : verb_usage("flows");
	}
	if (optind != argc)
		return verb_usage("flows");
	if (client) {
		struct ip_addr ip;
		struct cursor in = cursor_of(client, strlen(client));
		if (!parse_ip(&in, &ip) || in.left)
			return complain(EXIT_USAGE, "--client %s: not an address", client);
		struct text out = text_on(canonical);
		text_ip(&out, ip);
		client = canonical;
	}
	return list_flows(controlclient_path(control), client, json);
}
