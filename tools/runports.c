// SPDX-License-Identifier: ISC
/* Brings the running appliance's ports to what the file says, one by one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlclient.h"
#include "supervisor.h"

enum { AGAIN_MS = 1000, AGAIN_MAX_MS = 30000 };

void runports_started(struct supervisor *s)
{
	for (size_t i = 0; i < s->conf.count; i++)
		s->client[i] = (struct supervisor_client){
			.attached = !s->singly || !runconf_is_live(&s->conf.client[i]) };
}

/* By a process of its own: it may have to enter the namespace of the tap. */
static bool order_attach(const struct supervisor *s, const char *words)
{
	char *const word[] = { strdup(s->self), strdup("attach"), strdup("--control"), strdup(s->control), strdup(words),
			       NULL };
	int code = child_run(word);
	for (size_t i = 0; word[i]; i++)
		free(word[i]);
	return code == 0;
}

static bool order_detach(const struct supervisor *s, const char *name)
{
	static struct controlclient c;
	char request[64];
	const char *line;
	snprintf(request, sizeof(request), "detach %s", name);
	bool done = controlclient_open(&c, s->control) && controlclient_send(&c, request, -1) == CONTROL_LINE &&
		    controlclient_read(&c, &line) == CONTROL_LINE && !strncmp(line, "ok", 2);
	controlclient_close(&c);
	return done;
}

static bool attach(struct supervisor *s, size_t i, int64_t now_ms)
{
	struct supervisor_client *c = &s->client[i];
	const struct runconf_port *p = &s->conf.client[i];
	if (!runconf_is_live(p)) {
		supervisor_say("client %s: only a tap can come later; it will be there after a restart", p->name);
		c->attached = true;
		return false;
	}
	c->attached = order_attach(s, p->words);
	if (c->attached)
		return true;
	c->wait_ms = c->wait_ms ? c->wait_ms * 2 : AGAIN_MS;
	if (c->wait_ms > AGAIN_MAX_MS)
		c->wait_ms = AGAIN_MAX_MS;
	c->again_ms = now_ms + c->wait_ms;
	supervisor_say("client %s: not attached; again in %lld s", p->name, (long long)c->wait_ms / 1000);
	return false;
}

bool runports_attach(struct supervisor *s, int64_t now_ms)
{
	for (size_t i = 0; i < s->conf.count; i++)
		if (!s->client[i].attached && s->client[i].again_ms <= now_ms) {
			attach(s, i, now_ms);
			return false; /* one at a time: signals are heard in between */
		}
	return true;
}

int64_t runports_due(const struct supervisor *s)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < s->conf.count; i++)
		if (!s->client[i].attached && s->client[i].again_ms < due)
			due = s->client[i].again_ms;
	return due;
}

/* Keys that only a restart takes up. */
static void say_fixed(const struct runconf *now, const struct runconf *next)
{
	const struct { const char *key, *is, *wanted; } word[] = {
		{ "image", now->image, next->image }, { "tender", now->tender, next->tender },
		{ "store", now->store, next->store }, { "mode", now->mode, next->mode },
		{ "cpus", now->cpus, next->cpus }, { "name", now->name, next->name },
		{ "watchdog", now->watchdog, next->watchdog },
		{ "sockets", now->sockets, next->sockets }, { "database", now->database, next->database },
		{ "group", now->group, next->group }, { "log", now->log, next->log },
		{ "metrics", now->metrics, next->metrics }, { "web", now->web, next->web },
		{ "[uplink]", now->uplink.words, next->uplink.words },
	};
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		if (strcmp(word[i].is, word[i].wanted))
			supervisor_say("%s has changed: only a restart takes it up", word[i].key);
	if (now->memory != next->memory)
		supervisor_say("memory has changed: only a restart takes it up");
}

/* What goes, or changes and can. The state of what stays goes on in its new place. */
static void settle(struct supervisor *s, const struct runconf *next, struct supervisor_client *to)
{
	memset(to, 0, sizeof(s->client));
	for (size_t i = 0; i < s->conf.count; i++) {
		const struct runconf_port *was = &s->conf.client[i], *is = runconf_find(next, was->name);
		if (is && !strcmp(is->words, was->words)) {
			to[is - next->client].attached = s->client[i].attached;
			continue;
		}
		if (is && !runconf_is_live(is)) {
			supervisor_say("client %s: only a restart takes up its change", was->name);
			to[is - next->client].attached = true;
		} else if (s->client[i].attached && !order_detach(s, was->name)) {
			supervisor_say("client %s: not detached", was->name);
		}
	}
}

bool runports_reload(struct supervisor *s)
{
	struct supervisor_client client[RUNCONF_CLIENTS_MAX];
	struct rulefile_source source = { .name = s->file };
	struct supervisor fresh = { .lock = -1 };
	char *text = rulefile_read(s->file, &source.len);
	bool good = text != NULL;
	source.text = text;
	if (!text)
		supervisor_say("%s: %s: everything stays as it is", s->file, strerror(errno));
	if (good && !runconf_parse(&fresh.conf, &source, stderr)) {
		supervisor_say("%s is wrong: everything stays as it is", s->file);
		good = false;
	}
	good = good && runplan_complete(&fresh);
	if (good) {
		say_fixed(&s->conf, &fresh.conf);
		settle(s, &fresh.conf, client);
		runconf_free(&(struct runconf){ .client = s->conf.client });
		s->conf.client = fresh.conf.client;
		s->conf.count = fresh.conf.count;
		memcpy(s->client, client, sizeof(client));
		fresh.conf.client = NULL;
	}
	runconf_free(&fresh.conf);
	free(text);
	return good;
}
