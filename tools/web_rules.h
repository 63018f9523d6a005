/* SPDX-License-Identifier: ISC */
/* web_rules.h: what each rule in force has done, and the part of it that a page asks for. */
#ifndef WEB_RULES_H
#define WEB_RULES_H

#include <jansson.h>
#include <stdbool.h>

enum { WEB_RULES_TOP = 300, WEB_RULES_TOP_MAX = 5000 };

/* A line of the answer to `rules` (rulereport.h) into an array of rules; for answer_each. */
void web_rules_take(void *array, json_t *object);
/*
 * {"schema":1,"total","unused","rules":[...]}, a new object: as `postern rules -s -j` tells them, in order
 * or those with the most packets, let through or refused, first. client: an address or "".
 */
json_t *web_rules_pick(const json_t *rules, const char *client, bool by_hits, size_t top);

#endif
