/* SPDX-License-Identifier: ISC */
/*
 * plandiff.h: what becomes of a client's rules, rule by rule.
 *
 * A rule is known by its text: one that is on both sides is kept, or moved when those
 * around it stay; the fewest possible are called moved.
 */
#ifndef PLANDIFF_H
#define PLANDIFF_H

#include <jansson.h>

#include "plan.h"

enum plandiff_kind { PLANDIFF_REMOVED, PLANDIFF_ADDED, PLANDIFF_MOVED, PLANDIFF_KINDS };

/* JSON objects {"change": "removed|added|moved", "from": N, "to": N, "rule": TEXT}; NULL: none there. */
json_t *plandiff_rules(const struct plan_client *from, const struct plan_client *to);

#endif
