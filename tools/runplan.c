// SPDX-License-Identifier: ISC
/* What postern.conf leaves out, where the programs are, and how they are called. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"
#include "verbs.h"

bool runplan_find(const char *self, const char *name, char *path, size_t room)
{
	static const char *const places[] = { "", "../sbin/", "../lib/postern/", "../libexec/postern/" };
	const char *slash = strrchr(self, '/');
	int len = slash ? (int)(slash + 1 - self) : 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, room, "%.*s%s%s", len, self, places[i], name);
		if (n > 0 && (size_t)n < room && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static bool find(const char *self, const char *name, const char *key, char *path)
{
	if (*path && access(path, R_OK) == 0)
		return true;
	if (*path)
		return complain(EXIT_REFUSED, "%s: %s", path, strerror(errno)) == EXIT_YES;
	if (runplan_find(self, name, path, RUNCONF_PATH))
		return true;
	return complain(EXIT_REFUSED, "%s is not installed beside %s; say where in the configuration (%s)", name,
			self, key) == EXIT_YES;
}

bool runplan_complete(struct supervisor *s)
{
	struct runconf *c = &s->conf;
	ssize_t n = readlink("/proc/self/exe", s->self, sizeof(s->self) - 1);
	s->self[n > 0 ? n : 0] = 0;
	if (!*c->sockets)
		snprintf(c->sockets, sizeof(c->sockets), "/run/postern");
	if (!*c->database)
		snprintf(c->database, sizeof(c->database), "/var/lib/postern/store.db");
	if (!*c->mode)
		snprintf(c->mode, sizeof(c->mode), "auto");
	if (!c->memory)
		c->memory = 32;
	snprintf(s->control, sizeof(s->control), "%s/control.sock", c->sockets);
	snprintf(s->store, sizeof(s->store), "%s/store.sock", c->sockets);
	snprintf(s->read_only, sizeof(s->read_only), "%s/store-ro.sock", c->sockets);
	snprintf(s->link, sizeof(s->link), "%s/link.sock", c->sockets);
	if (*c->group && !getgrnam(c->group))
		return complain(EXIT_REFUSED, "%s: no such group", c->group) == EXIT_YES;
	return find(s->self, "postern-tender", "tender", c->tender) && find(s->self, "postern-store", "store", c->store) &&
	       find(s->self, "postern.elf", "image", c->image);
}

void runplan_store(struct supervisor *s)
{
	struct child *c = &s->child[SUPERVISOR_STORE];
	c->name = "the store";
	child_forget_words(c);
	child_word(c, s->conf.store);
	child_option(c, "--db", s->conf.database);
	child_option(c, "--socket", s->store);
	child_option(c, "--ro-socket", s->read_only);
	child_option(c, "--link", s->link);
	child_option(c, "--group", s->conf.group);
}

void runplan_tender(struct supervisor *s)
{
	struct child *c = &s->child[SUPERVISOR_TENDER];
	char memory[16];
	snprintf(memory, sizeof(memory), "%u", s->conf.memory);
	c->name = "the tender";
	child_forget_words(c);
	child_word(c, s->conf.tender);
	child_option(c, "--image", s->conf.image);
	child_option(c, "--mode", s->conf.mode);
	child_option(c, "--mem", memory);
	child_option(c, "--cpus", s->conf.cpus);
	child_option(c, "--name", s->conf.name);
	child_option(c, "--uplink", s->conf.uplink.words);
	for (size_t i = 0; i < s->conf.count; i++)
		if (!s->singly || !runconf_is_live(&s->conf.client[i]))
			child_option(c, "--client", s->conf.client[i].words);
	child_option(c, "--store", s->link);
	child_option(c, "--control", s->control);
}

static void server(const struct supervisor *s, struct child *c, const char *name, const char *verb, const char *listen)
{
	c->name = name;
	child_forget_words(c);
	if (!*listen)
		return;
	child_word(c, s->self);
	child_word(c, verb);
	child_option(c, "--listen", listen);
	child_option(c, "--control", s->control);
}

void runplan_servers(struct supervisor *s)
{
	server(s, &s->child[SUPERVISOR_METRICS], "the metrics server", "metrics", s->conf.metrics);
	server(s, &s->child[SUPERVISOR_WEB], "the web server", "web", s->conf.web);
}

/* --- the place of the sockets -------------------------------------------------------------- */

static bool make_parent(const char *file)
{
	char path[RUNCONF_PATH];
	const char *slash = strrchr(file, '/');
	snprintf(path, sizeof(path), "%.*s", (int)(slash - file), file);
	return slash == file || mkdir(path, 0700) == 0 || errno == EEXIST;
}

int runplan_claim(struct supervisor *s)
{
	const char *at = s->conf.sockets;
	struct group *g = *s->conf.group ? getgrnam(s->conf.group) : NULL;
	s->made_directory = mkdir(at, 0755) == 0;
	if (!s->made_directory && errno != EEXIST)
		return complain(EXIT_REFUSED, "%s: %s", at, strerror(errno));
	s->lock = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return complain(EXIT_REFUSED, "%s: %s", at, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
		close(s->lock);
		s->lock = -1; /* what lies there is not ours to remove */
		return complain(EXIT_CONFLICT, "%s: another `postern run` uses it", at);
	}
	/* what the tender makes there belongs to the group, too */
	if (g && s->made_directory && (fchown(s->lock, (uid_t)-1, g->gr_gid) != 0 || fchmod(s->lock, 02755) != 0))
		return complain(EXIT_REFUSED, "%s: %s", at, strerror(errno));
	if (!make_parent(s->conf.database))
		return complain(EXIT_REFUSED, "%s: its directory: %s", s->conf.database, strerror(errno));
	return EXIT_YES;
}

void runplan_release(struct supervisor *s)
{
	if (s->lock < 0)
		return;
	unlink(s->control);
	if (s->made_directory)
		rmdir(s->conf.sockets);
	close(s->lock);
	s->lock = -1;
}
