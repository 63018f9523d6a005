/* SPDX-License-Identifier: ISC */
/*
 * watchwords.h: the options that `capture` and `trace` share: which packets, how many, how long.
 */
#ifndef WATCHWORDS_H
#define WATCHWORDS_H

#include "watchclient.h"

#define WATCHWORDS_SHORT "hc:"
#define WATCHWORDS_OPTIONS \
	{ "dropped", no_argument, NULL, 'D' }, { "passed", no_argument, NULL, 'P' }, \
	{ "rule", required_argument, NULL, 'R' }, { "client", required_argument, NULL, 'C' }, \
	{ "match", required_argument, NULL, 'M' }, { "count", required_argument, NULL, 'c' }, \
	{ "seconds", required_argument, NULL, 'S' }, { "control", required_argument, NULL, 's' }, \
	{ "help", no_argument, NULL, 'h' }

struct watchwords {
	struct watchclient_wish wish;
	const char *control;
};

/* EXIT_YES, or EXIT_USAGE after telling why. option: one of the letters above, 'h' and '?' apart. */
int watchwords_take(struct watchwords *, int option, const char *value);
/* The words behind the options are an expression too. */
int watchwords_rest(struct watchwords *, int count, char **words);
/* 1..max */
int watchwords_number(uint32_t *, const char *option, const char *value, uint32_t max);

#endif
