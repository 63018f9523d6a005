// SPDX-License-Identifier: ISC
/* postern status: the appliance, its ports, clients and drops, and the tender under it. */
#include <getopt.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "statusdoc.h"
#include "verbs.h"

static const struct column port_columns[] = {
	{ "PORT", "port", NULL, true },
	{ "ROLE", "role", NULL, false },
	{ "NAME", "name", NULL, false },
	{ "ADDRESS", "ip", NULL, false },
	{ "LINK", "link", NULL, false },
	{ "MTU", "mtu", NULL, true },
	{ "RX-PKTS", "rx_packets", NULL, true },
	{ "RX-BYTES", "rx_bytes", NULL, true },
	{ "TX-PKTS", "tx_packets", NULL, true },
	{ "TX-BYTES", "tx_bytes", NULL, true },
	{ "DROPS", "drops", NULL, true },
};

static const struct column client_columns[] = {
	{ "CLIENT", "ip", NULL, false },
	{ "STATE", "state", NULL, false },
	{ "ATTACHED", "attached", NULL, false },
	{ "RULES", "rules", NULL, true },
	{ "POLICY", "policy", NULL, false },
	{ "GENERATION", "generation", NULL, true },
	{ "ERROR", "error", NULL, false },
};

/* The tender's view of the same ports: what it lost before or after the appliance. */
static const struct column tender_columns[] = {
	{ "PORT", "port", NULL, true },
	{ "NAME", "name", NULL, false },
	{ "LINK", "link", NULL, false },
	{ "RX", "rx", NULL, true },
	{ "RX-DROPS", "rx_drop", NULL, true },
	{ "TX", "tx", NULL, true },
	{ "TX-DROPS", "tx_drop", NULL, true },
	{ "TX-BAD", "tx_bad", NULL, true },
	{ "LINK-DOWNS", "link_downs", NULL, true },
};

static const struct column drop_columns[] = {
	{ "DROPPED", "count", NULL, true },
	{ "REASON", "reason", NULL, false },
	{ "MEANING", "text", NULL, false },
};

static const char *value_of(const json_t *object, const char *member)
{
	static char ring[8][COLUMNS_CELL_MAX]; /* enough for one line of output */
	static unsigned turn;
	char *to = ring[turn++ % array_len(ring)];
	columns_value(to, COLUMNS_CELL_MAX, json_object_get(object, member));
	return to;
}

static void print_appliance(const json_t *a)
{
	if (json_is_true(json_object_get(a, "panic")))
		puts("*** PANIC IS ON: nothing is forwarded; `postern panic off` ends it ***");
	printf("appliance  %s, up %s s, store %s\n", value_of(a, "platform"),
	       value_of(a, "uptime_s"), value_of(a, "store"));
	printf("uplink     %s via %s\n", value_of(a, "uplink_ip"), value_of(a, "gateway"));
	printf("flows      %s of %s, at most %s a client\n", value_of(a, "flows"),
	       value_of(a, "flow_capacity"), value_of(a, "client_share"));
	printf("           %s opened, %s closed, %s expired, %s evicted, %s cut by rules\n",
	       value_of(a, "opened"), value_of(a, "closed"), value_of(a, "expired"),
	       value_of(a, "evicted"), value_of(a, "cut"));
	if (json_integer_value(json_object_get(a, "isolated")) > 0)
		printf("isolated   %s clients (`postern isolate -l`)\n", value_of(a, "isolated"));
}

static void print_table(const json_t *objects, const struct column *column, size_t count)
{
	struct columns t;
	size_t i;
	const json_t *object;
	columns_on(&t, column, count);
	json_array_foreach(objects, i, object)
		columns_add(&t, object);
	if (t.rows)
		putchar('\n');
	columns_print(&t, stdout);
	columns_free(&t);
}

/* Counters whose names are the other side's business: as many as come, name and value. */
static void print_counters(const char *title, json_t *object)
{
	const char *name;
	json_t *value;
	if (!json_object_size(object))
		return;
	putchar('\n');
	columns_title(stdout, title);
	putchar('\n');
	json_object_foreach(object, name, value) {
		char clean[COLUMNS_CELL_MAX], text[COLUMNS_CELL_MAX];
		if (json_is_array(value) || json_is_object(value))
			continue;
		columns_clean(clean, sizeof(clean), name);
		columns_value(text, sizeof(text), value);
		printf("  %-24s %s\n", clean, text);
	}
}

/* For the table: one word more for those that an operator stopped. */
static void mark_isolated(const json_t *clients)
{
	size_t i;
	json_t *client;
	json_array_foreach(clients, i, client) {
		const char *state = json_string_value(json_object_get(client, "state"));
		if (state && json_is_true(json_object_get(client, "isolated")))
			json_object_set_new(client, "state", json_sprintf("%s, isolated", state));
	}
}

static int print_report(const json_t *d)
{
	json_t *tender = json_object_get(d, "tender");
	print_appliance(json_object_get(d, "appliance"));
	print_table(json_object_get(d, "ports"), port_columns, array_len(port_columns));
	mark_isolated(json_object_get(d, "clients"));
	print_table(json_object_get(d, "clients"), client_columns, array_len(client_columns));
	print_table(json_object_get(d, "drops"), drop_columns, array_len(drop_columns));
	print_counters("PLATFORM", json_object_get(d, "platform"));
	print_counters("TENDER", tender);
	print_table(json_object_get(tender, "ports"), tender_columns, array_len(tender_columns));
	return EXIT_YES;
}

static int report_status(const char *socket, bool json)
{
	json_t *d = statusdoc_new();
	int code = answer_ask(socket, "tender", statusdoc_take_tender, d);
	if (code == EXIT_YES)
		code = answer_ask(socket, "status", statusdoc_take, d);
	if (code == EXIT_YES && !json_object_get(d, "appliance"))
		code = complain(EXIT_UNREACHED, "%s: the answer names no appliance", socket);
	if (code == EXIT_YES)
		code = json ? answer_print(json_incref(d)) : print_report(d);
	json_decref(d);
	return code;
}

int verb_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL;
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("status") : verb_usage("status");
	}
	if (optind != argc)
		return verb_usage("status");
	return report_status(controlclient_path(control), json);
}
