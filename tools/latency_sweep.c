// SPDX-License-Identifier: ISC
/* So many rules, and the old ones back at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "latency_sweep.h"
#include "ruletree.h"
#include "storekeys.h"
#include "storesay.h"
#include "verbs.h"

enum { RULES_MAX = 9999, HOSTS = 250, PORT_FIRST = 1000, APPLIED_WAIT_MS = 20000 };

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

/* Does the tree have a key? */
static bool take_any(void *context, const char *key, const uint8_t *value, size_t len)
{
	(void)key;
	(void)value;
	(void)len;
	*(bool *)context = true;
	return false;
}

static int save(const struct latency_sweep *s, struct storekeys *all)
{
	struct storeclient c;
	char key[WIRE_PATH_BYTES];
	bool any = false;
	int code = storesay(storeclient_open(&c, s->store, STORECLIENT_WAIT_MS), s->store, "open");
	ruletree_key(key, s->client, "/");
	if (code == EXIT_YES)
		code = storesay(storekeys_read(all, &c, key), s->store, "read");
	storeclient_close(&c);
	storekeys_each(all, key, take_any, &any);
	return code == EXIT_YES && !any ? complain(EXIT_NO, "%s has no rules in the store", s->client) : code;
}

struct restoring {
	struct storeclient client;
	enum store_result result;
};

static bool write_key(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct restoring *r = context;
	r->result = storeclient_queue_write(&r->client, key, value, len);
	return r->result == STORE_DONE;
}

static int put_back(const struct latency_sweep *s, const struct storekeys *all)
{
	struct restoring r;
	char key[WIRE_PATH_BYTES], was[RULETREE_COUNT_MAX];
	int code = begin(s, &r.client, was);
	ruletree_key(key, s->client, "/");
	r.result = code == EXIT_YES ? storeclient_queue_remove(&r.client, key) : STORE_UNREACHED;
	if (r.result == STORE_DONE)
		storekeys_each(all, key, write_key, &r);
	if (r.result == STORE_DONE)
		r.result = storeclient_finish(&r.client);
	ruletree_key(key, s->client, "");
	if (r.result == STORE_DONE)
		r.result = storeclient_write(&r.client, key, "", 0);
	if (code == EXIT_YES)
		code = storesay(r.result, s->store, "write");
	if (code == EXIT_YES)
		code = await(s, &r.client, was);
	storeclient_close(&r.client);
	return code;
}

int latency_sweep_begin(struct latency_sweep *s)
{
	struct storekeys all = { .count = 0 };
	pid_t parent = getpid();
	struct in_addr ip;
	int status;
	s->store = storeclient_path(s->store);
	if (inet_pton(AF_INET, s->client, &ip) != 1)
		return complain(EXIT_USAGE, "%s: not the address of a client", s->client);
	int code = save(s, &all);
	fflush(NULL);
	pid_t pid = code == EXIT_YES ? fork() : -1;
	if (pid == 0) {
		/* nobody would put the rules back: no more of them */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		return getppid() == parent ? -1 : EXIT_NO;
	}
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
	storekeys_free(&all);
	return code;
}

int latency_sweep_set(const struct latency_sweep *s, const char *count, double seconds)
{
	long long end_s = time(NULL) + (long long)ceil(seconds);
	struct storeclient c;
	struct rulefile f = { 0 };
	char was[RULETREE_COUNT_MAX], text[128], *end;
	unsigned long n = strtoul(count, &end, 10);
	if (end == count || *end || n > RULES_MAX)
		return complain(EXIT_USAGE, "%s: not a number of rules up to %d", count, RULES_MAX);
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "action=accept dst4=203.0.113.%u/32 proto=%s dstports=%u-%u expire=%lld",
			 1 + i % HOSTS, i % 2 ? "tcp" : "udp", PORT_FIRST + i, PORT_FIRST + i, end_s);
		rulefile_keep(&f, i, text);
	}
	snprintf(text, sizeof(text), "action=accept expire=%lld", end_s);
	rulefile_keep(&f, (uint32_t)n, text);
	int code = begin(s, &c, was);
	if (code == EXIT_YES)
		code = storesay(ruletree_replace(&c, s->client, &f), s->store, "write");
	if (code == EXIT_YES)
		code = await(s, &c, was);
	storeclient_close(&c);
	rulefile_free(&f);
	return code;
}
