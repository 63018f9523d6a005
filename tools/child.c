// SPDX-License-Identifier: ISC
/* Starts programs, and counts how soon to start them again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "child.h"

void child_word(struct child *c, const char *word)
{
	ensure(c->words < CHILD_WORDS);
	c->word[c->words] = strdup(word);
	if (!c->word[c->words++])
		panic("out of memory");
	c->word[c->words] = NULL;
}

void child_option(struct child *c, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	child_word(c, key);
	child_word(c, value);
}

void child_forget_words(struct child *c)
{
	while (c->words > 0)
		free(c->word[--c->words]);
	c->word[0] = NULL;
}

/* In the new process; never returns. */
static void become(char *const *word, bool quiet, pid_t parent)
{
	sigset_t none;
	int in = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || in < 0 || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(quiet ? in : STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(127);
	execv(word[0], word);
	dprintf(STDERR_FILENO, "postern: %s: %s\n", word[0], strerror(errno));
	_exit(127);
}

static pid_t spawn(char *const *word, bool quiet)
{
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(word, quiet, parent);
	return pid;
}

bool child_start(struct child *c, int64_t now_ms)
{
	pid_t pid = spawn(c->word, false);
	c->ready = false;
	c->born_ms = now_ms;
	if (pid < 0) {
		child_died(c, now_ms);
		return false;
	}
	c->pid = pid;
	return true;
}

void child_died(struct child *c, int64_t now_ms)
{
	bool old = now_ms - c->born_ms >= CHILD_OLD_MS;
	c->wait_ms = old || !c->wait_ms ? CHILD_AGAIN_MS : c->wait_ms * 2;
	if (c->wait_ms > CHILD_AGAIN_MAX_MS)
		c->wait_ms = CHILD_AGAIN_MAX_MS;
	c->pid = 0;
	c->ready = false;
	c->again_ms = now_ms + c->wait_ms;
}

int child_run(char *const *word)
{
	int status;
	pid_t pid = spawn(word, true), got;
	if (pid < 0)
		return -1;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
