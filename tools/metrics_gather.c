// SPDX-License-Identifier: ISC
/* Asks the tender and the appliance for what the metrics are made of. */
#include <string.h>

#include "answer.h"
#include "latency_live.h"
#include "metrics.h"
#include "verbs.h"
#include "web_rules.h"

void metrics_init(struct metrics *m)
{
	*m = (struct metrics){ .ports = json_array(), .clients = json_array(), .drops = json_array(),
				.rules = json_array() };
	latency_run_init(&m->latency, "appliance");
	latency_run_init(&m->by_client, "appliance");
}

void metrics_free(struct metrics *m)
{
	json_t *const owned[] = { m->appliance, m->platform, m->tender, m->ports, m->clients, m->drops, m->rules };
	for (size_t i = 0; i < array_len(owned); i++)
		json_decref(owned[i]);
	latency_run_free(&m->latency);
	latency_run_free(&m->by_client);
}

static void take_status(void *context, json_t *object)
{
	struct metrics *m = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type)
		return;
	if (!strcmp(type, "appliance") && !m->appliance)
		m->appliance = json_incref(object);
	else if (!strcmp(type, "platform") && !m->platform)
		m->platform = json_incref(object);
	else if (!strcmp(type, "port"))
		json_array_append(m->ports, object);
	else if (!strcmp(type, "client"))
		json_array_append(m->clients, object);
	else if (!strcmp(type, "drop"))
		json_array_append(m->drops, object);
}

static void take_tender(void *context, json_t *object)
{
	struct metrics *m = context;
	if (!m->tender)
		m->tender = json_incref(object);
}

static void take_latency(void *context, json_t *object)
{
	struct metrics *m = context;
	/* A damaged line counts for nothing, and the rest is still worth having. */
	(void)latency_live_take(&m->latency, object);
}

static void take_client(void *context, json_t *object)
{
	struct metrics *m = context;
	(void)latency_live_take(&m->by_client, object);
}

static int gather_rules(struct metrics *m, const char *socket)
{
	json_t *rules = json_array();
	int code = answer_ask(socket, "rules", web_rules_take, rules);
	metrics_pick_rules(m, rules);
	json_decref(rules);
	return code;
}

int metrics_gather(struct metrics *m, const char *socket)
{
	int code = answer_ask(socket, "tender", take_tender, m);
	if (code == EXIT_YES)
		code = answer_ask(socket, "status", take_status, m);
	if (code == EXIT_YES && !m->appliance)
		code = complain(EXIT_UNREACHED, "%s: the answer names no appliance", socket);
	if (code == EXIT_YES)
		code = gather_rules(m, socket);
	if (code != EXIT_YES)
		return code;
	/* A platform without a fine clock refuses this one: then there is no histogram. */
	if (answer_ask(socket, "latency", take_latency, m) == EXIT_YES)
		answer_ask(socket, "latency clients", take_client, m);
	return code;
}
