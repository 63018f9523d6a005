// SPDX-License-Identifier: ISC
/* Writes a client's rules into the store in the order that the appliance counts on. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ruletree.h"

static const char *const own[] = { "inbound", "between" };
enum { OWN = sizeof(own) / sizeof(own[0]) };

bool ruletree_is_own(const char *client)
{
	for (unsigned i = 0; i < OWN; i++)
		if (!strcmp(client, own[i]))
			return true;
	return false;
}

void ruletree_key(char key[WIRE_PATH_BYTES], const char *client, const char *rest)
{
	const char *root = ruletree_is_own(client) ? RULETREE_OWN : RULETREE_ROOT;
	snprintf(key, WIRE_PATH_BYTES, "%s%.39s%.8s", root, client, rest);
}

const char *ruletree_split(const char *key, char client[IP_TEXT])
{
	bool of_client = !strncmp(key, RULETREE_ROOT, strlen(RULETREE_ROOT));
	if (!of_client && strncmp(key, RULETREE_OWN, strlen(RULETREE_OWN)))
		return NULL;
	const char *path = key + strlen(of_client ? RULETREE_ROOT : RULETREE_OWN);
	size_t n = strcspn(path, "/");
	if (n == 0 || n >= IP_TEXT)
		return NULL;
	memcpy(client, path, n);
	client[n] = 0;
	return of_client != ruletree_is_own(client) ? path + n + (path[n] == '/') : NULL;
}

struct committed {
	storeclient_each *each;
	void *context;
	bool known, enough;
};

static bool pass_on(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct committed *c = context;
	if (!strcmp(key, RULETREE_COMMITTED))
		c->known = true;
	else
		c->enough |= !c->each(c->context, key, value, len);
	return !c->enough;
}

enum store_result ruletree_committed(struct storeclient *c, const char *prefix, storeclient_each *each, void *context)
{
	struct committed to = { .each = each, .context = context };
	char path[WIRE_PATH_BYTES];
	size_t len = strlen(RULETREE_COMMITTED) + strlen(prefix);
	snprintf(path, sizeof(path), RULETREE_COMMITTED "%s", len < sizeof(path) ? prefix : "/");
	enum store_result r = storeclient_multiread(c, path, pass_on, &to);
	return r != STORE_DONE || to.known || to.enough ? r : storeclient_multiread(c, prefix, each, context);
}

static void handled_key(char key[WIRE_PATH_BYTES], const char *client)
{
	snprintf(key, WIRE_PATH_BYTES, RULETREE_HANDLED "%.39s", client);
}

static enum store_result queue_rules(struct storeclient *c, const char *client,
				     const struct rulefile *f)
{
	char key[WIRE_PATH_BYTES], number[8];
	enum store_result r = STORE_DONE;
	for (size_t i = 0; i < f->count && r == STORE_DONE; i++) {
		snprintf(number, sizeof(number), "/%04u", f->line[i].number % 10000);
		ruletree_key(key, client, number);
		r = storeclient_queue_write(c, key, f->line[i].text, strlen(f->line[i].text));
	}
	return r;
}

enum store_result ruletree_replace(struct storeclient *c, const char *client,
				   const struct rulefile *f)
{
	char key[WIRE_PATH_BYTES];
	ruletree_key(key, client, "/");
	enum store_result r = storeclient_queue_remove(c, key);
	ruletree_key(key, client, "/policy");
	if (r == STORE_DONE && !ruletree_is_own(client))
		r = storeclient_queue_write(c, key, "drop", 4);
	if (r == STORE_DONE)
		r = queue_rules(c, client, f);
	/* Only when every rule is there may the commit follow. */
	if (r == STORE_DONE)
		r = storeclient_finish(c);
	ruletree_key(key, client, "");
	return r == STORE_DONE ? storeclient_write(c, key, "", 0) : r;
}

enum store_result ruletree_handled(struct storeclient *c, const char *client,
				   char count[RULETREE_COUNT_MAX])
{
	char key[WIRE_PATH_BYTES];
	uint8_t value[WIRE_VALUE_MAX];
	size_t len = 0;
	handled_key(key, client);
	enum store_result r = storeclient_read(c, key, value, &len);
	if (r != STORE_DONE)
		len = 0;
	if (len >= RULETREE_COUNT_MAX)
		len = RULETREE_COUNT_MAX - 1;
	memcpy(count, value, len);
	count[len] = 0;
	return r == STORE_ABSENT ? STORE_DONE : r;
}

enum store_result ruletree_watch(struct storeclient *c, const char *client)
{
	char key[WIRE_PATH_BYTES];
	handled_key(key, client);
	return storeclient_watch(c, key);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum store_result ruletree_await(struct storeclient *c, const char *client, const char *was,
				 int wait_ms)
{
	char count[RULETREE_COUNT_MAX], path[WIRE_PATH_BYTES];
	int64_t end = now_ms() + wait_ms;
	for (;;) {
		enum store_result r = ruletree_handled(c, client, count);
		if (r != STORE_DONE || (*count && strcmp(count, was)))
			return r;
		int64_t left = end - now_ms();
		if (left <= 0)
			return STORE_TIMED_OUT;
		r = storeclient_changed(c, path, (int)left);
		if (r != STORE_DONE)
			return r;
	}
}
