// SPDX-License-Identifier: ISC
/* Sends a plan as one change, and reads the store's and the appliance's judgement. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "applystore.h"
#include "columns.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

#define APPLY_KEY "/postern/apply"
#define OUTCOME_KEY "/postern/outcome"

enum { DAY_S = 24 * 60 * 60 };

bool applystore_seconds(const char *from, unsigned *seconds)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(from, &end, 10);
	unsigned long unit = !*end || !strcmp(end, "s") ? 1 : !strcmp(end, "m") ? 60 :
			     !strcmp(end, "h") ? 3600 : 0;
	if (errno || *from < '0' || *from > '9' || !unit || n == 0 || n > DAY_S / unit)
		return false;
	*seconds = (unsigned)(n * unit);
	return true;
}

static enum store_result queue_client(struct storeclient *c, const struct plan_client *client)
{
	char key[WIRE_PATH_BYTES], number[8];
	ruletree_key(key, client->ip, "/");
	enum store_result r = storeclient_queue_remove(c, key);
	ruletree_key(key, client->ip, "/policy");
	if (r == STORE_DONE && *client->policy)
		r = storeclient_queue_write(c, key, client->policy, strlen(client->policy));
	for (size_t i = 0; i < client->rules.count && r == STORE_DONE; i++) {
		const struct rulefile_line *line = &client->rules.line[i];
		snprintf(number, sizeof(number), "/%04u", line->number % 10000);
		ruletree_key(key, client->ip, number);
		r = storeclient_queue_write(c, key, line->text, strlen(line->text));
	}
	ruletree_key(key, client->ip, "");
	return r == STORE_DONE ? storeclient_queue_write(c, key, "", 0) : r;
}

static enum store_result send_plan(struct storeclient *c, const struct plan *plan,
				   const struct applystore_wish *w)
{
	char words[512];
	int n = snprintf(words, sizeof(words), "commit");
	if (w->confirm_s)
		n += snprintf(words + n, sizeof(words) - (size_t)n, "\nconfirm=%u", w->confirm_s);
	if (w->expected >= 0)
		n += snprintf(words + n, sizeof(words) - (size_t)n, "\nif=%lld", w->expected);
	if (w->reason)
		n += snprintf(words + n, sizeof(words) - (size_t)n, "\nreason=%.255s", w->reason);
	enum store_result r = storeclient_write(c, APPLY_KEY, "begin", 5);
	if (r == STORE_DONE)
		r = setlist_send(c, &plan->sets);
	for (size_t i = 0; i < plan->count && r == STORE_DONE; i++)
		r = queue_client(c, &plan->client[i]);
	if (r == STORE_DONE)
		r = storeclient_finish(c);
	return r == STORE_DONE ? storeclient_write(c, APPLY_KEY, words, (size_t)n) : r;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* "N WORD TEXT"; false: not of this generation, or it says only what is known. */
static bool is_said(const char *value, long long number, const char *not_yet, char word[16], char text[256])
{
	long long of = -1;
	int at = 0;
	if (sscanf(value, "%lld %15s%n", &of, word, &at) != 2 || of != number || !strcmp(word, not_yet))
		return false;
	columns_clean(text, 256, value[at] ? value + at + 1 : "");
	return true;
}

int applystore_await(struct storeclient *c, const char *store, long long number, char word[16],
		     char text[256])
{
	char not_yet[16], path[WIRE_PATH_BYTES];
	int64_t end = now_ms() + APPLYSTORE_WAIT_MS;
	memcpy(not_yet, word, sizeof(not_yet));
	for (;;) {
		uint8_t value[WIRE_VALUE_MAX + 1];
		size_t len = 0;
		enum store_result r = storeclient_read(c, OUTCOME_KEY, value, &len);
		value[len] = 0;
		if (r == STORE_DONE && is_said((const char *)value, number, not_yet, word, text))
			return EXIT_YES;
		int64_t left = end - now_ms();
		if (left <= 0)
			return EXIT_TIMED_OUT;
		if (r == STORE_DONE || r == STORE_ABSENT)
			r = storeclient_changed(c, path, (int)left);
		if (r != STORE_DONE)
			return r == STORE_TIMED_OUT ? EXIT_TIMED_OUT : storesay(r, store, "wait");
	}
}

static int say(const struct applystore_wish *w, long long number, const char *word, const char *text)
{
	if (w->json)
		return answer_print(json_pack("{s:i, s:s*, s:I, s:s, s:s, s:i}", "schema", 1, "id", w->id, "generation",
					      (json_int_t)number, "outcome", word, "text", text,
					      "confirm_s", (int)w->confirm_s));
	if (!strcmp(word, "unconfirmed"))
		printf("generation %lld is in force for %u s; `postern confirm` keeps it\n", number, w->confirm_s);
	else
		printf("generation %lld: %s%s%s\n", number, word, *text ? ": " : "", text);
	return EXIT_YES;
}

/* What the store said to the commit: "N linked|alone", "conflict M", "unconfirmed M", "empty". */
static int read_said(struct storeclient *c, const struct applystore_wish *w, long long *number, bool *linked)
{
	uint8_t value[WIRE_VALUE_MAX + 1];
	size_t len = 0;
	char how[16] = "";
	int code = storesay(storeclient_read(c, APPLY_KEY, value, &len), w->store, "read");
	value[len] = 0;
	if (code != EXIT_YES)
		return code;
	if (sscanf((char *)value, "conflict %lld", number) == 1)
		return complain(EXIT_CONFLICT, "the newest generation is %lld: nothing was changed", *number);
	if (sscanf((char *)value, "unconfirmed %lld", number) == 1)
		return complain(EXIT_CONFLICT, "generation %lld waits for `postern confirm`: nothing was changed",
				*number);
	if (sscanf((char *)value, "%lld %15s", number, how) != 2)
		return complain(EXIT_REFUSED, "the store changed nothing");
	*linked = !strcmp(how, "linked");
	return EXIT_YES;
}

int applystore_send(struct storeclient *c, const struct plan *plan, const struct applystore_wish *w)
{
	long long number = 0;
	bool linked = false;
	char word[16] = "", text[256] = "";
	int code = storesay(storeclient_watch(c, OUTCOME_KEY), w->store, "watch");
	if (code == EXIT_YES)
		code = storesay(send_plan(c, plan, w), w->store, *c->worst_path ? c->worst_path : "apply");
	if (code == EXIT_YES)
		code = read_said(c, w, &number, &linked);
	if (code != EXIT_YES)
		return code;
	if (!linked)
		return say(w, number, w->confirm_s ? "unconfirmed" : "stored", "no appliance is connected");
	code = applystore_await(c, w->store, number, word, text);
	if (code == EXIT_TIMED_OUT)
		return complain(code, "generation %lld is stored, but the appliance has not judged it yet", number);
	if (code != EXIT_YES)
		return code;
	if (!strcmp(word, "refused"))
		return complain(EXIT_REFUSED, "generation %lld was refused, nothing changed: %s", number, text);
	return say(w, number, word, text);
}
