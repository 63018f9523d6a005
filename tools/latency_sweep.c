// SPDX-License-Identifier: ISC
/* So many rules, and the old ones back at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latency_sweep.h"
#include "ruletree.h"
#include "storesay.h"
#include "verbs.h"

enum { RULES_MAX = 9999, HOSTS = 250, PORT_FIRST = 1000, APPLIED_WAIT_MS = 20000 };

/* The keys of a client's tree as they were. */
struct saved {
	struct item {
		char key[WIRE_PATH_BYTES];
		uint8_t value[WIRE_VALUE_MAX];
		size_t len;
	} *item;
	size_t count;
	bool full; /* of memory */
};

static bool keep(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct saved *s = context;
	struct item *more = reallocarray(s->item, s->count + 1, sizeof(*more));
	s->full = !more;
	if (!more)
		return false;
	s->item = more;
	struct item *i = &more[s->count++];
	snprintf(i->key, sizeof(i->key), "%s", key);
	i->len = len < sizeof(i->value) ? len : sizeof(i->value);
	memcpy(i->value, value, i->len);
	return true;
}

/* A connection, and how often the appliance has taken in the rules of the client. */
static int begin(const struct latency_sweep *s, struct storeclient *c, char was[RULETREE_COUNT_MAX])
{
	int code = storesay(storeclient_open(c, s->store, STORECLIENT_WAIT_MS), s->store, "open");
	if (code == EXIT_YES)
		code = storesay(ruletree_watch(c, s->client), s->store, "watch");
	return code == EXIT_YES ? storesay(ruletree_handled(c, s->client, was), s->store, "read") : code;
}

static int await(const struct latency_sweep *s, struct storeclient *c, const char *was)
{
	enum store_result r = ruletree_await(c, s->client, was, APPLIED_WAIT_MS);
	return r == STORE_TIMED_OUT ? complain(EXIT_TIMED_OUT, "the appliance does not take up the rules") :
				      storesay(r, s->store, "wait");
}

static int save(const struct latency_sweep *s, struct saved *all)
{
	struct storeclient c;
	char key[WIRE_PATH_BYTES];
	int code = storesay(storeclient_open(&c, s->store, STORECLIENT_WAIT_MS), s->store, "open");
	ruletree_key(key, s->client, "/");
	if (code == EXIT_YES)
		code = storesay(storeclient_multiread(&c, key, keep, all), s->store, "read");
	storeclient_close(&c);
	if (code == EXIT_YES && (all->full || !all->count))
		code = complain(EXIT_NO, all->full ? "out of memory" : "%s has no rules in the store", s->client);
	return code;
}

static int put_back(const struct latency_sweep *s, const struct saved *all)
{
	struct storeclient c;
	char key[WIRE_PATH_BYTES], was[RULETREE_COUNT_MAX];
	int code = begin(s, &c, was);
	ruletree_key(key, s->client, "/");
	enum store_result r = code == EXIT_YES ? storeclient_queue_remove(&c, key) : STORE_UNREACHED;
	for (size_t i = 0; i < all->count && r == STORE_DONE; i++)
		r = storeclient_queue_write(&c, all->item[i].key, all->item[i].value, all->item[i].len);
	if (r == STORE_DONE)
		r = storeclient_finish(&c);
	ruletree_key(key, s->client, "");
	if (r == STORE_DONE)
		r = storeclient_write(&c, key, "", 0);
	if (code == EXIT_YES)
		code = storesay(r, s->store, "write");
	if (code == EXIT_YES)
		code = await(s, &c, was);
	storeclient_close(&c);
	return code;
}

int latency_sweep_begin(struct latency_sweep *s)
{
	struct saved all = { 0 };
	struct in_addr ip;
	int status;
	s->store = storeclient_path(s->store);
	if (inet_pton(AF_INET, s->client, &ip) != 1)
		return complain(EXIT_USAGE, "%s: not the address of a client", s->client);
	int code = save(s, &all);
	fflush(NULL);
	pid_t pid = code == EXIT_YES ? fork() : -1;
	if (pid == 0)
		return -1;
	if (pid > 0) {
		signal(SIGINT, SIG_IGN); /* the child's, and then there is something to do */
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO;
		if (put_back(s, &all) != EXIT_YES)
			code = complain(EXIT_NO, "the rules of %s are still those of the sweep", s->client);
	} else if (code == EXIT_YES) {
		code = complain(EXIT_NO, "fork: %m");
	}
	free(all.item);
	return code;
}

int latency_sweep_set(const struct latency_sweep *s, const char *count)
{
	struct storeclient c;
	struct rulefile f = { 0 };
	char was[RULETREE_COUNT_MAX], text[128], *end;
	unsigned long n = strtoul(count, &end, 10);
	if (end == count || *end || n > RULES_MAX)
		return complain(EXIT_USAGE, "%s: not a number of rules up to %d", count, RULES_MAX);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "action=accept dst4=203.0.113.%u/32 proto=%s dstports=%u-%u", 1 + i % HOSTS,
			 i % 2 ? "tcp" : "udp", PORT_FIRST + i, PORT_FIRST + i);
		rulefile_keep(&f, i, text);
	}
	rulefile_keep(&f, (uint32_t)n, "action=accept");
	int code = begin(s, &c, was);
	if (code == EXIT_YES)
		code = storesay(ruletree_replace(&c, s->client, &f), s->store, "write");
	if (code == EXIT_YES)
		code = await(s, &c, was);
	storeclient_close(&c);
	rulefile_free(&f);
	return code;
}
