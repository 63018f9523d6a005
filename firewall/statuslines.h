/* SPDX-License-Identifier: ISC */
/*
 * statuslines.h: the lines of the answers to `status` and `flows` (status.h), one function each: a JSON object
 * with its newline, onto a text of STATUS_LINE_BYTES.
 */
#ifndef STATUSLINES_H
#define STATUSLINES_H

#include "status.h"

void status_appliance(struct fw *, const struct status_facts *, uint64_t now_ns, struct text *);
void status_port(const struct fw *, uint32_t number, struct text *);
void status_client(const struct policy_view *, struct text *);
void status_drop(const struct fw *, enum drop, struct text *);
void status_flow(const struct fw *, const struct flow *, uint64_t now_ns, struct text *);
void status_platform(const struct status_facts *, struct text *);

#endif
