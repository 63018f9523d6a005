/* SPDX-License-Identifier: ISC */
/*
 * child.h: a program that is kept running: when it dies it is started again, later each
 * time that it dies young.
 *
 * Times are ms of one monotonic clock, the caller's. Children end with their parent.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CHILD_WORDS = 600,
	CHILD_AGAIN_MS = 100, /* first wait; doubled each time */
	CHILD_AGAIN_MAX_MS = 30000,
	CHILD_OLD_MS = 60000, /* who lived so long starts anew with the first wait */
};

struct child {
	const char *name; /* in messages */
	char *word[CHILD_WORDS + 1]; /* of its command line; allocated */
	unsigned words;
	pid_t pid;        /* 0: not running */
	bool ready;       /* it answers: the caller's to set; false when started */
	int64_t born_ms;
	int64_t again_ms; /* when to start it, while it does not run */
	int64_t wait_ms;  /* the last wait */
};

void child_word(struct child *, const char *word);
/* "--key", value; nothing if the value is NULL or empty. */
void child_option(struct child *, const char *key, const char *value);
void child_forget_words(struct child *);
/* Its output goes to our standard error. False: errno says why; it will be tried again. */
bool child_start(struct child *, int64_t now_ms);
/* It is gone: when it is started again. */
void child_died(struct child *, int64_t now_ms);
/* Runs a command line to its end, without its output; its exit status, or -1. */
int child_run(char *const *word);

#endif
