// SPDX-License-Identifier: ISC
/* Writes a client's rules into the store in the order that the appliance counts on. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ruletree.h"

static void key_of(char key[WIRE_PATH_BYTES], const char *root, const char *client,
		   const char *rest)
{
	snprintf(key, WIRE_PATH_BYTES, "%s%s%s", root, client, rest);
}

static enum store_result queue_rules(struct storeclient *c, const char *client,
				     const struct rulefile *f)
{
	char key[WIRE_PATH_BYTES], number[8];
	enum store_result r = STORE_DONE;
	for (size_t i = 0; i < f->count && r == STORE_DONE; i++) {
		snprintf(number, sizeof(number), "/%04u", f->line[i].number % 10000);
		key_of(key, RULETREE_ROOT, client, number);
		r = storeclient_queue_write(c, key, f->line[i].text, strlen(f->line[i].text));
	}
	return r;
}

enum store_result ruletree_replace(struct storeclient *c, const char *client,
				   const struct rulefile *f)
{
	char key[WIRE_PATH_BYTES];
	key_of(key, RULETREE_ROOT, client, "/");
	enum store_result r = storeclient_queue_remove(c, key);
	key_of(key, RULETREE_ROOT, client, "/policy");
	if (r == STORE_DONE)
		r = storeclient_queue_write(c, key, "drop", 4);
	if (r == STORE_DONE)
		r = queue_rules(c, client, f);
	/* Only when every rule is there may the commit follow. */
	if (r == STORE_DONE)
		r = storeclient_finish(c);
	key_of(key, RULETREE_ROOT, client, "");
	return r == STORE_DONE ? storeclient_write(c, key, "", 0) : r;
}

enum store_result ruletree_handled(struct storeclient *c, const char *client,
				   char count[RULETREE_COUNT_MAX])
{
	char key[WIRE_PATH_BYTES];
	uint8_t value[WIRE_VALUE_MAX];
	size_t len = 0;
	key_of(key, RULETREE_HANDLED, client, "");
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
	key_of(key, RULETREE_HANDLED, client, "");
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
