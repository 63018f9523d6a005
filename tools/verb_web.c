// SPDX-License-Identifier: ISC
/* postern web: a page to look at the appliance with, and the JSON it is made of. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "controlclient.h"
#include "http_serve.h"
#include "latency_live.h"
#include "statusdoc.h"
#include "verbs.h"
#include "web_ask.h"
#include "web_events.h"
#include "web_files.h"
#include "web_flows.h"
#include "web_history.h"
#include "web_rules.h"

enum {
	PERIOD_MS = 1000,     /* of samples; also the least age at which anything is asked for again */
	PERIOD_DOWN_MS = 3000, /* between tries while nobody answers */
	COST_SHARE = 5,       /* asking takes at most this part of the appliance's time */
};

#define JSON_TYPE "application/json"
/* Nothing but our own files, no frames, no forms, and no text that becomes markup. */
#define FIELDS                                                                                                       \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "         \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                          \
	"require-trusted-types-for 'script'; trusted-types 'none'\r\n"                                               \
	"X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"               \
	"Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n"

/* The objects of an answer that is asked for when a page wants it, and kept for a while. */
struct kept {
	const char *request;
	answer_each *take; /* into an array */
	json_t *array;	   /* NULL: there is none, and why */
	int code;
	int64_t again_ms;
	char why[WEB_WHY_BYTES];
};

struct web {
	const char *socket;
	struct web_look look;
	struct web_history history;
	struct web_flows flows;
	int64_t flows_again_ms;
	char why[WEB_WHY_BYTES]; /* of the look and of the flows, when there are none */
	char flows_why[WEB_WHY_BYTES];
	struct kept rules;
	struct web_events events;
};

static int64_t clock_ms(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* When something that was begun then may be asked for again: an appliance that is slow is asked less often. */
static int64_t again_ms(int64_t began)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC), cost = (now - began) * COST_SHARE;
	return now + (cost > PERIOD_MS ? cost : PERIOD_MS);
}

/* --- looking ------------------------------------------------------------------------- */

static void take_latency(void *context, json_t *object)
{
	(void)latency_live_take(context, object); /* a damaged line counts for nothing */
}

static int look(struct web *w)
{
	struct web_look now;
	web_look_init(&now);
	now.document = statusdoc_new();
	int code = web_ask(w->socket, "tender", statusdoc_take_tender, now.document, w->why);
	if (code == EXIT_YES)
		code = web_ask(w->socket, "status", statusdoc_take, now.document, w->why);
	now.taken_ms = clock_ms(CLOCK_MONOTONIC);
	int64_t time_ms = clock_ms(CLOCK_REALTIME);
	if (code == EXIT_YES && !json_object_get(now.document, "appliance"))
		code = EXIT_UNREACHED;
	/* A platform without a fine clock refuses this one: then there are no histograms. */
	if (code == EXIT_YES) {
		char why[WEB_WHY_BYTES];
		code = web_ask(w->socket, "latency", take_latency, &now.latency.whole, why);
		if (code == EXIT_YES)
			code = web_ask(w->socket, "latency clients", take_latency, &now.latency.clients, why);
		code = code == EXIT_REFUSED ? EXIT_YES : code;
	}
	if (code != EXIT_YES) {
		json_decref(now.document);
		now.document = NULL;
	}
	if (w->look.taken_ms || code != EXIT_YES) /* the first look has nothing to be compared with */
		web_history_add(&w->history, &w->look, &now, time_ms);
	web_look_free(&w->look);
	w->look = now;
	return code;
}

static int tick(void *context)
{
	struct web *w = context;
	int64_t began = clock_ms(CLOCK_MONOTONIC);
	if (look(w) != EXIT_YES)
		return PERIOD_DOWN_MS;
	web_events_ask(&w->events, w->socket); /* with or without a reader: its ring is short */
	int64_t wait = again_ms(began) - clock_ms(CLOCK_MONOTONIC), used = clock_ms(CLOCK_MONOTONIC) - began;
	return (int)(wait > PERIOD_MS ? wait : used < PERIOD_MS ? PERIOD_MS - used : 0);
}

static void look_at_flows(struct web *w)
{
	int64_t began = clock_ms(CLOCK_MONOTONIC);
	struct web_flows now = { .flow = NULL };
	if (began < w->flows_again_ms)
		return;
	int code = web_ask(w->socket, "flows", web_flows_take, &now, w->flows_why);
	now.taken_ms = clock_ms(CLOCK_MONOTONIC);
	w->flows_again_ms = again_ms(began);
	if (code == EXIT_YES)
		web_flows_rate(&now, &w->flows);
	else
		web_flows_free(&now);
	web_flows_free(&w->flows);
	w->flows = now;
}

static void look_at(struct web *w, struct kept *k)
{
	int64_t began = clock_ms(CLOCK_MONOTONIC);
	if (began < k->again_ms)
		return;
	json_decref(k->array);
	k->array = json_array();
	k->code = web_ask(w->socket, k->request, k->take, k->array, k->why);
	if (k->code != EXIT_YES) {
		json_decref(k->array);
		k->array = NULL;
	}
	k->again_ms = again_ms(began);
}

/* --- answering ------------------------------------------------------------------------ */

static void say_document(struct http_answer *a, const json_t *document)
{
	a->type = JSON_TYPE;
	a->owned = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!a->owned)
		panic("out of memory");
	a->body = a->owned;
	a->len = strlen(a->owned);
}

static void say_why(struct http_answer *a, const char *why)
{
	json_t *document = json_pack("{s:i, s:s}", "schema", 1, "error", *why ? why : "not asked yet");
	a->status = HTTP_UNAVAILABLE;
	say_document(a, document);
	json_decref(document);
}

/* An older appliance that does not know the request is no failure. */
static void say_none(struct http_answer *a, const struct kept *k)
{
	say_why(a, k->why);
	if (k->code == EXIT_REFUSED)
		a->status = HTTP_OK;
}

static void say_text(struct http_answer *a, char *text)
{
	a->type = JSON_TYPE;
	a->body = a->owned = text;
}

static void say_status(struct web *w, const struct http_request *r, struct http_answer *a)
{
	(void)r;
	if (w->look.document)
		say_document(a, w->look.document);
	else
		say_why(a, w->why);
}

static void say_latency(struct web *w, const struct http_request *r, struct http_answer *a)
{
	(void)r;
	if (!w->look.document) {
		say_why(a, w->why);
		return;
	}
	json_t *document = latency_run_json(&w->look.latency.whole);
	say_document(a, document);
	json_decref(document);
}

static void say_latency_clients(struct web *w, const struct http_request *r, struct http_answer *a)
{
	(void)r;
	if (!w->look.document) {
		say_why(a, w->why);
		return;
	}
	json_t *document = web_latency_clients(&w->look.latency);
	say_document(a, document);
	json_decref(document);
}

static uint32_t number_in(const struct http_request *r, const char *name, uint32_t most, uint32_t otherwise)
{
	char word[16];
	uint32_t n;
	if (!http_query(r, name, word, sizeof(word)))
		return otherwise;
	struct cursor c = cursor_of(word, strlen(word));
	return parse_u32(&c, UINT32_MAX, &n) && !c.left ? (n < most ? n : most) : otherwise;
}

static void say_history(struct web *w, const struct http_request *r, struct http_answer *a)
{
	say_text(a, web_history_text(&w->history, number_in(r, "since", UINT32_MAX, 0), PERIOD_MS, &a->len));
}

static void say_flows(struct web *w, const struct http_request *r, struct http_answer *a)
{
	char client[IP_TEXT], filter[WEB_FILTER_BYTES], word[16];
	enum web_flow_order order = WEB_BY_RATE;
	http_query(r, "client", client, sizeof(client));
	http_query(r, "q", filter, sizeof(filter));
	if (http_query(r, "sort", word, sizeof(word)) && !web_flow_order_parse(&order, word)) {
		a->status = HTTP_BAD_REQUEST;
		return;
	}
	look_at_flows(w);
	if (!w->flows.taken_ms) {
		say_why(a, w->flows_why);
		return;
	}
	w->flows.age_ms = clock_ms(CLOCK_MONOTONIC) - w->flows.taken_ms;
	say_text(a, web_flows_text(&w->flows, client, filter, order,
				   number_in(r, "top", WEB_FLOWS_TOP_MAX, WEB_FLOWS_TOP), &a->len));
}

static void say_rules(struct web *w, const struct http_request *r, struct http_answer *a)
{
	char client[IP_TEXT], word[16];
	http_query(r, "client", client, sizeof(client));
	bool by_hits = http_query(r, "sort", word, sizeof(word)) && !strcmp(word, "hits");
	look_at(w, &w->rules);
	if (!w->rules.array) {
		say_none(a, &w->rules);
		return;
	}
	json_t *document = web_rules_pick(w->rules.array, client, by_hits,
					  number_in(r, "top", WEB_RULES_TOP_MAX, WEB_RULES_TOP));
	say_document(a, document);
	json_decref(document);
}

static void say_events(struct web *w, const struct http_request *r, struct http_answer *a)
{
	char word[4];
	bool drops = !http_query(r, "drops", word, sizeof(word)) || strcmp(word, "0");
	if (w->events.code != EXIT_YES) {
		say_why(a, w->events.why);
		if (w->events.code == EXIT_REFUSED)
			a->status = HTTP_OK;
		return;
	}
	json_t *document = web_events_pick(&w->events, drops, number_in(r, "top", WEB_EVENTS_KEPT, WEB_EVENTS_KEPT));
	say_document(a, document);
	json_decref(document);
}

static void answer(void *context, const struct http_request *r, struct http_answer *a)
{
	static const struct {
		const char *path;
		void (*say)(struct web *, const struct http_request *, struct http_answer *);
	} documents[] = {
		{ "/api/status", say_status }, { "/api/history", say_history }, { "/api/flows", say_flows },
		{ "/api/rules", say_rules },   { "/api/latency", say_latency }, { "/api/events", say_events },
		{ "/api/latency/clients", say_latency_clients },
	};
	for (size_t i = 0; i < array_len(documents); i++)
		if (http_path_is(r, documents[i].path)) {
			documents[i].say(context, r, a);
			return;
		}
	for (size_t i = 0; i < web_files_count; i++)
		if (http_path_is(r, web_files[i].path)) {
			a->type = web_files[i].type;
			a->body = web_files[i].bytes;
			a->len = (size_t)(web_files[i].end - web_files[i].bytes);
			return;
		}
	a->status = HTTP_NOT_FOUND;
}

static int serve(const char *where, const char *socket)
{
	static struct web w;
	const struct http_site site = { .answer = answer, .tick = tick, .context = &w, .fields = FIELDS,
					.greeting = "postern web:" };
	w.socket = socket;
	w.rules = (struct kept){ .request = "rules", .take = web_rules_take };
	web_look_init(&w.look);
	web_history_init(&w.history, clock_ms(CLOCK_REALTIME));
	int code = http_serve(where, &site);
	web_look_free(&w.look);
	web_history_free(&w.history);
	web_flows_free(&w.flows);
	json_decref(w.rules.array);
	web_events_free(&w.events);
	return code;
}

int verb_web(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL, *where = "127.0.0.1:8044";
	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (o == 'l')
			where = optarg;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("web") : verb_usage("web");
	}
	if (optind != argc)
		return verb_usage("web");
	return serve(where, controlclient_path(control));
}
