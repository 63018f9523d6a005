// SPDX-License-Identifier: ISC
/* So many rules, and the old ones back at the end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latency_sweep.h"
#include "verbs.h"

enum { RULES_MAX = 9999, HOSTS = 250, PORT_FIRST = 1000 };

extern char **environ;

static int code_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_NO;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO;
}

/* `postern rules ...`, its output into the file, which is emptied first; the exit code. */
static int rules(const struct latency_sweep *s, const char *output, const char *const words[])
{
	char *argv[10] = { "postern", "rules" };
	size_t n = 2;
	pid_t pid;
	posix_spawn_file_actions_t io;
	for (; *words; words++)
		argv[n++] = (char *)*words;
	if (s->store) {
		argv[n++] = "--store";
		argv[n++] = (char *)s->store;
	}
	posix_spawn_file_actions_init(&io);
	posix_spawn_file_actions_addopen(&io, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int error = posix_spawn(&pid, "/proc/self/exe", &io, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&io);
	return error ? complain(EXIT_NO, "postern rules: %s", strerror(error)) : code_of(pid);
}

static bool temporary(char name[64])
{
	snprintf(name, 64, "/tmp/postern-sweep.XXXXXX");
	int fd = mkstemp(name);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int put_file(const struct latency_sweep *s, const char *file)
{
	const char *const words[] = { "set", "--wait", s->client, file, NULL };
	return rules(s, "/dev/null", words);
}

int latency_sweep_begin(struct latency_sweep *s)
{
	const char *const words[] = { s->client, NULL };
	if (!temporary(s->saved))
		return complain(EXIT_NO, "a temporary file: %m");
	int code = rules(s, s->saved, words);
	fflush(NULL);
	pid_t pid = code == EXIT_YES ? fork() : -1;
	if (pid == 0)
		return -1;
	if (pid < 0) {
		unlink(s->saved);
		return code == EXIT_YES ? complain(EXIT_NO, "fork: %m") : code;
	}
	signal(SIGINT, SIG_IGN); /* the child's, and then there is something to do */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	code = code_of(pid);
	int back = put_file(s, s->saved);
	if (back != EXIT_YES)
		return complain((enum verb_exit)back, "the rules of %s are still those of the sweep; the old ones: %s",
				s->client, s->saved);
	unlink(s->saved);
	return code;
}

int latency_sweep_set(const struct latency_sweep *s, const char *count)
{
	char name[64], *end;
	unsigned long n = strtoul(count, &end, 10);
	if (end == count || *end || n > RULES_MAX)
		return complain(EXIT_USAGE, "%s: not a number of rules up to %d", count, RULES_MAX);
	if (!temporary(name))
		return complain(EXIT_NO, "a temporary file: %m");
	FILE *to = fopen(name, "w");
	for (unsigned long i = 0; to && i < n; i++)
		fprintf(to, "accept 203.0.113.%lu %s %lu\n", 1 + i % HOSTS, i % 2 ? "tcp" : "udp", PORT_FIRST + i);
	int code = EXIT_NO;
	if (to && fputs("accept\n", to) >= 0 && !fclose(to))
		code = put_file(s, name);
	unlink(name);
	return code;
}
