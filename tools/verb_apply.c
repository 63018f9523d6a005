// SPDX-License-Identifier: ISC
/* postern apply, rollback, confirm: the rules of many clients, all at once, for good or for a while. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "applystore.h"
#include "generations.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

struct words {
	struct applystore_wish wish;
	const char *control;
};

static bool parse_number(const char *from, long long *number)
{
	char *end;
	errno = 0;
	*number = strtoll(from, &end, 10);
	return !errno && *from >= '0' && *from <= '9' && !*end;
}

/* EXIT_YES: go on. *done: no, it was only help. */
static int parse(int argc, char **argv, struct words *w, bool *done)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },           { "store", required_argument, NULL, 's' },
		{ "confirm", required_argument, NULL, 'c' },  { "if-generation", required_argument, NULL, 'i' },
		{ "reason", required_argument, NULL, 'r' },   { "control", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },           { 0 },
	};
	*w = (struct words){ .wish.expected = -1 };
	for (int o; (o = getopt_long(argc, argv, "jhr:", options, NULL)) != -1;) {
		*done = o == 'h';
		if (o == 'h')
			return verb_help(argv[0]);
		if (o == 'c' && !applystore_seconds(optarg, &w->wish.confirm_s))
			return complain(EXIT_USAGE, "--confirm %s: not 1s to 24h", optarg);
		if (o == 'i' && !parse_number(optarg, &w->wish.expected))
			return complain(EXIT_USAGE, "--if-generation %s: not a number", optarg);
		if (o == 'j')
			w->wish.json = true;
		else if (o == 's')
			w->wish.store = optarg;
		else if (o == 'o')
			w->control = optarg;
		else if (o == 'r')
			w->wish.reason = optarg;
		else if (o == '?')
			return verb_usage(argv[0]);
	}
	w->wish.store = storeclient_path(w->wish.store);
	return EXIT_YES;
}

static int apply_plan(const struct plan *plan, const struct words *w)
{
	struct storeclient c;
	int code = storesay(storeclient_open(&c, w->wish.store, STORECLIENT_WAIT_MS), w->wish.store, "open");
	if (code == EXIT_YES)
		code = applystore_send(&c, plan, &w->wish);
	storeclient_close(&c);
	return code;
}

int verb_apply(int argc, char **argv)
{
	struct words w;
	struct plan plan;
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (argc - optind != 1)
		return verb_usage("apply");
	const char *file = argv[optind], *name = strcmp(file, "-") ? file : "stdin";
	struct rulefile_source s = { .name = name, .now = (uint64_t)time(NULL) };
	char *text = rulefile_read(file, &s.len);
	if (!text)
		return complain(EXIT_USAGE, "%s: %s", name, strerror(errno));
	s.text = text;
	if (!plan_parse(&plan, &s, true, stderr))
		code = complain(EXIT_USAGE, "%s: nothing was changed", name);
	else if (!plan.count && !plan.sets.count)
		code = complain(EXIT_USAGE, "%s: no client in it", name);
	else
		code = apply_plan(&plan, &w);
	plan_free(&plan);
	free(text);
	return code;
}

/* --- rollback --------------------------------------------------------------------------- */

/* What `number` (-1: the one before the newest) differs in from now. */
static int plan_back(struct plan *plan, struct storeclient *c, struct words *w, long long *number)
{
	struct plan now = { 0 }, then = { 0 };
	char prefix[WIRE_PATH_BYTES];
	long long newest = 0;
	int code = generations_newest(c, w->wish.store, &newest);
	*plan = (struct plan){ 0 };
	if (code == EXIT_YES && newest == 0)
		return complain(EXIT_NO, "there is no generation yet");
	if (code == EXIT_YES && *number > newest)
		return complain(EXIT_NO, "the newest generation is %lld", newest);
	if (*number < 0)
		*number = newest - 1;
	/* what is compared must still be what is replaced */
	if (w->wish.expected < 0)
		w->wish.expected = newest;
	snprintf(prefix, sizeof(prefix), GENERATIONS_AT "%lld/", *number);
	if (code == EXIT_YES)
		code = storesay(plan_load(&then, c, prefix), w->wish.store, "read");
	if (code == EXIT_YES)
		code = storesay(plan_load(&now, c, NULL), w->wish.store, "read");
	if (code == EXIT_YES)
		plan_difference(plan, &now, &then);
	plan_free(&now);
	plan_free(&then);
	return code;
}

int verb_rollback(int argc, char **argv)
{
	struct words w;
	struct plan plan = { 0 };
	struct storeclient c;
	char reason[64];
	long long number = -1;
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (argc - optind > 1 || (argc - optind == 1 && !parse_number(argv[optind], &number)))
		return verb_usage("rollback");
	code = storesay(storeclient_open(&c, w.wish.store, STORECLIENT_WAIT_MS), w.wish.store, "open");
	if (code == EXIT_YES)
		code = plan_back(&plan, &c, &w, &number);
	if (code == EXIT_YES && !plan.count && !plan.sets.count)
		code = complain(EXIT_NO, "the rules are those of generation %lld already", number);
	snprintf(reason, sizeof(reason), "rollback to generation %lld", number);
	if (!w.wish.reason)
		w.wish.reason = reason;
	if (code == EXIT_YES)
		code = applystore_send(&c, &plan, &w.wish);
	plan_free(&plan);
	storeclient_close(&c);
	return code;
}

/* --- confirm ------------------------------------------------------------------------------- */

static void ignore(void *context, json_t *object)
{
	(void)context;
	(void)object;
}

/* The store is not there: the appliance can be told directly, and tells the store later. */
static int confirm_directly(const struct words *w)
{
	int code = answer_ask(controlclient_path(w->control), "confirm", ignore, NULL);
	if (code == EXIT_YES)
		puts("confirmed at the appliance; the store will learn it");
	return code;
}

static int confirm_in_store(struct storeclient *c, const struct words *w)
{
	uint8_t value[WIRE_VALUE_MAX + 1];
	size_t len = 0;
	long long number = 0;
	unsigned seconds = 0;
	char text[256] = "", word[16] = "unconfirmed", digits[24];
	enum store_result r = storeclient_read(c, GENERATIONS_KEY, value, &len);
	value[len] = 0;
	if (r == STORE_UNREACHED || r == STORE_TIMED_OUT)
		return confirm_directly(w); /* it hangs: no better than gone */
	if (r != STORE_ABSENT && r != STORE_DONE)
		return storesay(r, w->wish.store, "read");
	if (sscanf((char *)value, "%lld %u", &number, &seconds) != 2 || !seconds)
		return complain(EXIT_NO, "nothing waits for a confirmation");
	int code = storesay(storeclient_watch(c, "/postern/outcome"), w->wish.store, "watch");
	if (code != EXIT_YES)
		return code;
	snprintf(digits, sizeof(digits), "%lld", number);
	r = storeclient_write(c, "/postern/confirm", digits, strlen(digits));
	if (r == STORE_REFUSED)
		return complain(EXIT_NO, "generation %lld does not wait for a confirmation any more", number);
	code = storesay(r, w->wish.store, "confirm");
	if (code == EXIT_YES)
		code = applystore_await(c, w->wish.store, number, word, text);
	if (code == EXIT_TIMED_OUT)
		return complain(code, "the appliance has not answered");
	if (code == EXIT_YES && strcmp(word, "confirmed"))
		return complain(EXIT_NO, "generation %lld was %s before", number, word);
	if (code == EXIT_YES)
		printf("generation %lld is confirmed\n", number);
	return code;
}

int verb_confirm(int argc, char **argv)
{
	struct words w;
	struct storeclient c;
	bool help = false;
	int code = parse(argc, argv, &w, &help);
	if (code != EXIT_YES || help)
		return code;
	if (argc != optind)
		return verb_usage("confirm");
	if (storeclient_open(&c, w.wish.store, STORECLIENT_WAIT_MS) != STORE_DONE)
		code = confirm_directly(&w);
	else
		code = confirm_in_store(&c, &w);
	storeclient_close(&c);
	return code;
}
