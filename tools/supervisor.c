// SPDX-License-Identifier: ISC
/*
 * Starts the store, the tender and the metrics server, and starts again what dies, until it is told to end.
 *
 * Before all was up once, a program that cannot start ends it all: whoever started it is
 * there to read why. After that nothing but a signal does.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controlclient.h"
#include "notify.h"
#include "supervisor.h"
#include "verbs.h"

/* The tender's own exit status. */
enum { PROBE_MS = 20, PROBE_SILENCE_MS = 2000, ASKS = 3 /* within the watchdog's time */, END_MS = 5000, SETUP_FAILED = 1 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void supervisor_say(const char *format, ...)
{
	char line[400];
	va_list ap;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "postern run: %s\n", line);
}

/* --- do they answer? --------------------------------------------------------------------- */

static bool store_answers(const struct supervisor *s)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(to.sun_path, s->store, strlen(s->store) + 1);
	bool good = fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* The appliance itself, behind the tender. */
static bool tender_answers(const struct supervisor *s)
{
	static struct controlclient c;
	const char *line;
	if (!controlclient_open(&c, s->control))
		return false;
	c.silence_ms = PROBE_SILENCE_MS;
	enum controlclient_result r = controlclient_send(&c, "status", -1);
	bool good = r == CONTROL_LINE;
	while (r == CONTROL_LINE) {
		r = controlclient_read(&c, &line);
		if (r == CONTROL_LINE && !strncmp(line, "error", 5))
			good = false;
	}
	controlclient_close(&c);
	return good && r == CONTROL_END;
}

static void probe(struct supervisor *s)
{
	struct child *store = &s->child[SUPERVISOR_STORE], *tender = &s->child[SUPERVISOR_TENDER];
	if (store->pid && !store->ready)
		store->ready = store_answers(s);
	if (!tender->pid || tender->ready || !tender_answers(s))
		return;
	struct group *g = *s->conf.group ? getgrnam(s->conf.group) : NULL;
	if (g && chown(s->control, (uid_t)-1, g->gr_gid) != 0)
		supervisor_say("%s: %s", s->control, strerror(errno));
	tender->ready = true;
	s->heard_ms = s->asked_ms = now_ms();
	runports_started(s);
	if (s->told_ready)
		supervisor_say("the appliance is back");
}

/* A tender that runs and whose appliance has been silent for too long is ended, and so started again. */
static void watch(struct supervisor *s)
{
	struct child *c = &s->child[SUPERVISOR_TENDER];
	int64_t now = now_ms();
	if (!s->watchdog_ms || !c->ready || now - s->asked_ms < s->watchdog_ms / ASKS)
		return;
	bool answers = tender_answers(s);
	s->asked_ms = now_ms();
	if (answers) {
		s->heard_ms = s->asked_ms;
	} else if (s->asked_ms - s->heard_ms >= s->watchdog_ms) {
		supervisor_say("the appliance has not answered for %lld s: killed",
			       (long long)(s->asked_ms - s->heard_ms) / 1000);
		c->ready = false;
		kill(c->pid, SIGKILL);
	}
}

/* --- starting and dying ------------------------------------------------------------------ */

static void start_due(struct supervisor *s, int64_t now)
{
	for (int i = 0; i < SUPERVISOR_CHILDREN; i++) {
		struct child *c = &s->child[i];
		if (c->pid || !c->words || c->again_ms > now)
			continue;
		if (i == SUPERVISOR_TENDER)
			runplan_tender(s);
		if (!child_start(c, now))
			supervisor_say("%s: %s", c->name, strerror(errno));
	}
}

/* True: it may be started again. */
static bool bury(struct supervisor *s, int which, int status)
{
	struct child *c = &s->child[which];
	bool was_ready = c->ready;
	child_died(c, now_ms());
	/* one client whose interface is not there must not keep the others out */
	if (which == SUPERVISOR_TENDER && !was_ready && WIFEXITED(status) && WEXITSTATUS(status) == SETUP_FAILED &&
	    !s->singly && s->conf.count) {
		s->singly = true;
		c->again_ms = 0;
		supervisor_say("the tender could not set up: once more, without clients that can come later");
		return true;
	}
	if (!s->told_ready && which < SUPERVISOR_METRICS) {
		supervisor_say("%s could not start", c->name);
		return false;
	}
	supervisor_say("%s ended by %s %d; again in %lld ms", c->name, WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)c->wait_ms);
	return true;
}

static bool reap(struct supervisor *s)
{
	bool go_on = true;
	for (int i = 0; i < SUPERVISOR_CHILDREN; i++) {
		int status;
		if (s->child[i].pid && waitpid(s->child[i].pid, &status, WNOHANG) == s->child[i].pid)
			go_on = bury(s, i, status) && go_on;
	}
	return go_on;
}

static void end_child(struct child *c)
{
	int64_t end = now_ms() + END_MS;
	int status;
	if (!c->pid)
		return;
	kill(c->pid, SIGTERM);
	while (waitpid(c->pid, &status, WNOHANG) == 0) {
		if (now_ms() > end) {
			supervisor_say("%s does not end: killed", c->name);
			kill(c->pid, SIGKILL);
			end = INT64_MAX;
		}
		poll(NULL, 0, PROBE_MS);
	}
	c->pid = 0;
}

/* --- the loop ----------------------------------------------------------------------------- */

static const char *clients(const struct supervisor *s)
{
	static char text[32];
	snprintf(text, sizeof(text), "%zu %s", s->conf.count, s->conf.count == 1 ? "client" : "clients");
	return text;
}

static void reload(struct supervisor *s)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	notify_say("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	if (*s->conf.log) {
		int fd = open(s->conf.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd >= 0) {
			dup2(fd, STDERR_FILENO);
			close(fd);
		}
	}
	if (runports_reload(s))
		supervisor_say("%s is read again: %s", s->file, clients(s));
	notify_say("READY=1\nSTATUS=%s", clients(s));
}

static void tell_ready(struct supervisor *s, bool attached)
{
	if (s->told_ready || !attached || !s->child[SUPERVISOR_STORE].ready || !s->child[SUPERVISOR_TENDER].ready)
		return;
	s->told_ready = true;
	supervisor_say("ready: %s", clients(s));
	notify_say("READY=1\nSTATUS=%s", clients(s));
}

/* How long nothing has to be done unless a signal comes. */
static int idle_ms(const struct supervisor *s, bool attached, int64_t now)
{
	int64_t due = s->child[SUPERVISOR_TENDER].ready ? runports_due(s) : INT64_MAX;
	if (!attached)
		return 0;
	if (s->watchdog_ms && s->child[SUPERVISOR_TENDER].ready && s->asked_ms + s->watchdog_ms / ASKS < due)
		due = s->asked_ms + s->watchdog_ms / ASKS;
	for (int i = 0; i < SUPERVISOR_CHILDREN; i++) {
		const struct child *c = &s->child[i];
		if (!c->pid && c->words && c->again_ms < due)
			due = c->again_ms;
		else if (c->pid && !c->ready && i < SUPERVISOR_METRICS && now + PROBE_MS < due)
			due = now + PROBE_MS;
	}
	return due == INT64_MAX ? -1 : due <= now ? 0 : (int)(due - now);
}

/* A tender that is starting was told of the file as it was before: it has to be there to be told what changed. */
static void reload_when_told(struct supervisor *s)
{
	const struct child *tender = &s->child[SUPERVISOR_TENDER];
	if (!s->reloads || (tender->pid && !tender->ready))
		return;
	s->reloads = false;
	reload(s);
}

/* What to do about the signals that came; false: end. */
static bool hear(struct supervisor *s)
{
	struct signalfd_siginfo info;
	bool go_on = true;
	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			s->reloads = true;
		else if (info.ssi_signo != SIGCHLD)
			go_on = false;
	}
	return go_on;
}

static bool catch_signals(struct supervisor *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals >= 0;
}

int supervisor_run(struct supervisor *s)
{
	int code = EXIT_YES;
	if (!catch_signals(s))
		return complain(EXIT_REFUSED, "signals: %s", strerror(errno));
	s->watchdog_ms = atoll(s->conf.watchdog) * 1000; /* 0 of "off", too */
	runplan_store(s);
	runplan_tender(s);
	runplan_servers(s);
	for (;;) {
		bool attached = true;
		int64_t now = now_ms();
		start_due(s, now);
		probe(s);
		reload_when_told(s);
		watch(s);
		if (s->child[SUPERVISOR_TENDER].ready)
			attached = runports_attach(s, now);
		tell_ready(s, attached);
		struct pollfd p = { .fd = s->signals, .events = POLLIN };
		poll(&p, 1, idle_ms(s, attached, now_ms()));
		if (!hear(s))
			break;
		if (!reap(s)) {
			code = EXIT_REFUSED;
			break;
		}
	}
	notify_say("STOPPING=1");
	for (int i = SUPERVISOR_CHILDREN; i-- > 0;)
		end_child(&s->child[i]);
	for (int i = 0; i < SUPERVISOR_CHILDREN; i++)
		child_forget_words(&s->child[i]);
	close(s->signals);
	return code;
}
