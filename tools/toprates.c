// SPDX-License-Identifier: ISC
/* Takes two looks at the appliance and subtracts them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "toprates.h"

/* Members that are counters, and the rates they become. */
struct rate { const char *counter, *rate; };

static const struct rate port_rates[] = {
	{ "rx_bytes", "up_bytes_s" }, { "tx_bytes", "down_bytes_s" }, { "rx_packets", "up_packets_s" },
	{ "tx_packets", "down_packets_s" }, { "drops", "drops_s" },
};
static const struct rate flow_rates[] = {
	{ "up_bytes", "up_bytes_s" }, { "down_bytes", "down_bytes_s" },
	{ "up_packets", "up_packets_s" }, { "down_packets", "down_packets_s" },
};

static json_int_t number(const json_t *object, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(object, member));
	return n > 0 ? n : 0;
}

static void take_line(void *context, json_t *object)
{
	struct toplook *look = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type)
		return;
	if (!strcmp(type, "port"))
		json_array_append(look->ports, object);
	else if (!strcmp(type, "flow"))
		json_array_append(look->flows, object);
	else if (!strcmp(type, "appliance"))
		look->capacity = number(object, "flow_capacity");
}

int toplook_take(struct toplook *look, const char *socket)
{
	struct timespec t;
	*look = (struct toplook){ .ports = json_array(), .flows = json_array() };
	int code = answer_ask(socket, "status", take_line, look);
	/* Ports count faster than flows are listed: the clock is read where their numbers are. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	look->taken_ms = (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	return code ? code : answer_ask(socket, "flows", take_line, look);
}

void toplook_free(struct toplook *look)
{
	json_decref(look->ports);
	json_decref(look->flows);
	*look = (struct toplook){ .ports = NULL };
}

/* Members of an object in one word; what is no scalar shows as "-". */
static void key_of(char *to, size_t room, const json_t *object, const char *const *members, size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count && used + 2 < room; i++) {
		used += columns_value(to + used, room - used - 1, json_object_get(object, members[i]));
		to[used++] = ' ';
	}
	to[used] = 0;
}

enum { KEY_BYTES = 512 };
static const char *const port_key[] = { "port", "name", "ip" };
static const char *const flow_key[] = { "proto", "src", "sport", "dst", "dport", "nat_port" };
static const char *const rule_key[] = { "client", "rule", "rule_id" };

static json_t *indexed(const json_t *objects, const char *const *members, size_t count)
{
	json_t *index = json_object();
	for (size_t i = 0; i < json_array_size(objects); i++) {
		char key[KEY_BYTES];
		json_t *object = json_array_get(objects, i);
		key_of(key, sizeof(key), object, members, count);
		json_object_set(index, key, object);
	}
	return index;
}

/* Adds to the row what the counters grew by, a second. One that fell began anew: all of it is growth. */
static void grow(json_t *row, const json_t *old, const json_t *now, const struct rate *rates, size_t count,
		 long long ms)
{
	for (size_t i = 0; i < count; i++) {
		json_int_t was = number(old, rates[i].counter), is = number(now, rates[i].counter);
		double grown = (double)(is >= was ? is - was : is) * 1000 / (double)ms;
		json_int_t sum = number(row, rates[i].rate) + (grown < 1e15 ? (json_int_t)(grown + 0.5) : 0);
		json_object_set_new(row, rates[i].rate, json_integer(sum));
	}
}

static void count_flow(json_t *row)
{
	json_object_set_new(row, "flows", json_integer(number(row, "flows") + 1));
}

static json_t *client_rows(const struct toplook *before, const struct toplook *after, long long ms)
{
	json_t *old = indexed(before->ports, port_key, array_len(port_key)), *rows = json_array();
	json_t *by_ip = json_object();
	for (size_t i = 0; i < json_array_size(after->ports); i++) {
		char key[KEY_BYTES];
		json_t *port = json_array_get(after->ports, i);
		const char *ip = json_string_value(json_object_get(port, "ip"));
		if (number(port, "port") == 0)
			continue; /* the uplink: the sum of the others */
		json_t *row = json_object();
		json_object_set(row, "port", json_object_get(port, "port"));
		json_object_set(row, "name", json_object_get(port, "name"));
		json_object_set(row, "ip", json_object_get(port, "ip"));
		json_object_set_new(row, "flows", json_integer(0));
		key_of(key, sizeof(key), port, port_key, array_len(port_key));
		grow(row, json_object_get(old, key), port, port_rates, array_len(port_rates), ms);
		json_array_append(rows, row);
		json_object_set_new(by_ip, ip ? ip : "", row);
	}
	for (size_t i = 0; i < json_array_size(after->flows); i++) {
		const char *client = json_string_value(json_object_get(json_array_get(after->flows, i), "client"));
		json_t *row = json_object_get(by_ip, client ? client : "");
		if (row)
			count_flow(row);
	}
	json_decref(by_ip);
	json_decref(old);
	return rows;
}

static json_t *rule_rows(const struct toplook *before, const struct toplook *after, long long ms)
{
	json_t *old = indexed(before->flows, flow_key, array_len(flow_key)), *rows = json_array();
	json_t *by_rule = json_object();
	for (size_t i = 0; i < json_array_size(after->flows); i++) {
		char key[KEY_BYTES];
		json_t *flow = json_array_get(after->flows, i);
		key_of(key, sizeof(key), flow, rule_key, array_len(rule_key));
		json_t *row = json_object_get(by_rule, key);
		if (!row) {
			row = json_object();
			json_object_set(row, "client", json_object_get(flow, "client"));
			json_object_set(row, "rule", json_object_get(flow, "rule"));
			json_object_set(row, "rule_id", json_object_get(flow, "rule_id"));
			json_array_append(rows, row);
			json_object_set_new(by_rule, key, row);
		}
		count_flow(row);
		key_of(key, sizeof(key), flow, flow_key, array_len(flow_key));
		grow(row, json_object_get(old, key), flow, flow_rates, array_len(flow_rates), ms);
	}
	json_decref(by_rule);
	json_decref(old);
	return rows;
}

static int busier(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	json_int_t l = number(*x, "up_bytes_s") + number(*x, "down_bytes_s"), r = number(*y, "up_bytes_s") + number(*y, "down_bytes_s");
	if (l == r)
		l = number(*x, "flows"), r = number(*y, "flows");
	return l > r ? -1 : l < r;
}

static json_t *sorted(json_t *rows)
{
	size_t size = json_array_size(rows);
	json_t **row = calloc(size ? size : 1, sizeof(*row)), *out = json_array();
	if (!row || !out)
		panic("out of memory");
	for (size_t i = 0; i < size; i++)
		row[i] = json_array_get(rows, i);
	qsort(row, size, sizeof(json_t *), busier);
	for (size_t i = 0; i < size; i++)
		json_array_append(out, row[i]);
	free(row);
	json_decref(rows);
	return out;
}

json_t *toprates(const struct toplook *before, const struct toplook *after)
{
	long long ms = after->taken_ms - before->taken_ms;
	if (ms < 1)
		ms = 1;
	return json_pack("{s:i, s:I, s:I, s:I, s:o, s:o}", "schema", 1, "interval_ms", (json_int_t)ms,
			 "flows", (json_int_t)json_array_size(after->flows), "flow_capacity", after->capacity,
			 "clients", sorted(client_rows(before, after, ms)), "rules", sorted(rule_rows(before, after, ms)));
}
