// SPDX-License-Identifier: ISC
/* Follows the appliance's events. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base.h"
#include "verbs.h"
#include "web_events.h"

void web_events_free(struct web_events *e)
{
	json_decref(e->array);
	e->array = NULL;
}

static json_int_t number(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static const char *word(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));
	return text ? text : "";
}

static void set_time(json_t *event)
{
	json_int_t ns = number(event, "unix_ns");
	time_t s = (time_t)(ns / 1000000000);
	char day[32] = "", text[64];
	struct tm utc;
	if (gmtime_r(&s, &utc))
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%06lldZ", day, (long long)(ns % 1000000000 / 1000));
	json_object_del(event, "unix_ns");
	json_object_set_new(event, "time", json_string(text));
	json_object_set_new(event, "time_ms", json_integer(ns / 1000000));
}

static bool of_drops(const json_t *event)
{
	return !strcmp(word(event, "kind"), "drop") || !strcmp(word(event, "kind"), "suppressed");
}

static void make_room(json_t *array)
{
	size_t drops = 0, eldest = 0, size = json_array_size(array);
	for (size_t i = size; i > 0; i--)
		if (of_drops(json_array_get(array, i - 1))) {
			drops++;
			eldest = i - 1;
		}
	if (drops > WEB_EVENTS_DROPS)
		json_array_remove(array, eldest);
	else if (size > WEB_EVENTS_KEPT)
		json_array_remove(array, 0);
}

void web_events_take(void *events, json_t *object)
{
	struct web_events *e = events;
	const char *type = word(object, "type");
	if (!strcmp(type, "events") && strcmp(word(object, "boot"), e->boot)) {
		json_array_clear(e->array);
		snprintf(e->boot, sizeof(e->boot), "%s", word(object, "boot"));
	}
	if (strcmp(type, "event"))
		return;
	json_object_del(object, "type");
	set_time(object);
	json_object_set_new(object, "boot", json_string(e->boot));
	json_array_append(e->array, object);
	make_room(e->array);
	e->next = number(object, "seq") + 1;
}

void web_events_ask(struct web_events *e, const char *socket)
{
	char request[64], boot[sizeof(e->boot)];
	if (!e->array)
		*e = (struct web_events){ .array = json_array(), .next = 1 };
	memcpy(boot, e->boot, sizeof(boot));
	snprintf(request, sizeof(request), "events %lld %d", (long long)(e->next > 0 ? e->next : 1), (int)WEB_EVENTS_ASKED);
	e->code = web_ask(socket, request, web_events_take, e, e->why);
	if (e->code != EXIT_YES || !boot[0] || !strcmp(boot, e->boot))
		return;
	/* Numbers begin anew with each start, and what came under the old ones is not all there is. */
	json_array_clear(e->array);
	e->next = 1;
	snprintf(request, sizeof(request), "events 1 %d", (int)WEB_EVENTS_ASKED);
	e->code = web_ask(socket, request, web_events_take, e, e->why);
}

json_t *web_events_pick(const struct web_events *e, bool drops, size_t top)
{
	json_t *out = json_array();
	if (!out)
		panic("out of memory");
	for (size_t i = json_array_size(e->array); i > 0 && json_array_size(out) < top; i--) {
		json_t *event = json_array_get(e->array, i - 1);
		if (drops || !of_drops(event))
			json_array_insert(out, 0, event);
	}
	return json_pack("{s:i, s:o}", "schema", 1, "events", out);
}
