/* SPDX-License-Identifier: ISC */
/*
 * generations.h: the history of the rules, as the store lists it (history.h of the store).
 */
#ifndef GENERATIONS_H
#define GENERATIONS_H

#include <jansson.h>

#include "storeclient.h"

#define GENERATIONS_LOG "/postern/log/"
#define GENERATIONS_AT "/postern/at/"
#define GENERATIONS_KEY "/postern/generation"

/* All of them, oldest first, into *list (a new array); the exit code. */
int generations_list(struct storeclient *, const char *store, json_t **list);
/* 0: there is none. */
int generations_newest(struct storeclient *, const char *store, long long *number);

#endif
