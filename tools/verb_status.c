// SPDX-License-Identifier: ISC
/* postern status: the appliance, its ports, clients and drops, and the tender under it. */
#include <getopt.h>
#include <string.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
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

enum kind { APPLIANCE, PLATFORM, TENDER, PORT, CLIENT, DROP, KINDS };

/* "tender" is what its own request is answered with, whatever type the line names. */
static const struct {
	const char *type;
	const char *member; /* in the document */
	bool many;
} kinds[KINDS] = {
	[APPLIANCE] = { "appliance", "appliance", false },
	[PLATFORM] = { "platform", "platform", false },
	[TENDER] = { "tender", "tender", false },
	[PORT] = { "port", "ports", true },
	[CLIENT] = { "client", "clients", true },
	[DROP] = { "drop", "drops", true },
};

struct report {
	json_t *of[KINDS]; /* objects are NULL until they are there */
};

static void keep(struct report *r, enum kind kind, json_t *object)
{
	json_object_del(object, "type");
	if (kinds[kind].many) {
		json_array_append(r->of[kind], object);
		return;
	}
	json_decref(r->of[kind]);
	r->of[kind] = json_incref(object);
}

static void take_status(void *context, json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	for (size_t i = 0; type && i < KINDS; i++)
		if (!strcmp(kinds[i].type, type)) {
			keep(context, (enum kind)i, object);
			return;
		}
}

static void take_tender(void *context, json_t *object)
{
	keep(context, TENDER, object);
}

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
	printf("appliance  %s, up %s s, store %s\n", value_of(a, "platform"),
	       value_of(a, "uptime_s"), value_of(a, "store"));
	printf("uplink     %s via %s\n", value_of(a, "uplink_ip"), value_of(a, "gateway"));
	printf("flows      %s of %s, at most %s a client\n", value_of(a, "flows"),
	       value_of(a, "flow_capacity"), value_of(a, "client_share"));
	printf("           %s opened, %s closed, %s expired, %s evicted, %s cut by rules\n",
	       value_of(a, "opened"), value_of(a, "closed"), value_of(a, "expired"),
	       value_of(a, "evicted"), value_of(a, "cut"));
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

static int print_report(struct report *r, bool json)
{
	if (json) {
		json_t *document = json_pack("{s:i}", "schema", 1);
		for (size_t i = 0; i < KINDS; i++)
			if (r->of[i])
				json_object_set(document, kinds[i].member, r->of[i]);
		return answer_print(document);
	}
	print_appliance(r->of[APPLIANCE]);
	print_table(r->of[PORT], port_columns, array_len(port_columns));
	print_table(r->of[CLIENT], client_columns, array_len(client_columns));
	print_table(r->of[DROP], drop_columns, array_len(drop_columns));
	print_counters("PLATFORM", r->of[PLATFORM]);
	print_counters("TENDER", r->of[TENDER]);
	print_table(json_object_get(r->of[TENDER], "ports"), tender_columns,
		    array_len(tender_columns));
	return EXIT_YES;
}

static int report_status(const char *socket, bool json)
{
	struct report r = { { NULL } };
	for (size_t i = 0; i < KINDS; i++)
		r.of[i] = kinds[i].many ? json_array() : NULL;
	int code = answer_ask(socket, "tender", take_tender, &r);
	if (code == EXIT_YES)
		code = answer_ask(socket, "status", take_status, &r);
	if (code == EXIT_YES && !r.of[APPLIANCE])
		code = complain(EXIT_UNREACHED, "%s: the answer names no appliance", socket);
	if (code == EXIT_YES)
		code = print_report(&r, json);
	for (size_t i = 0; i < KINDS; i++)
		json_decref(r.of[i]);
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
