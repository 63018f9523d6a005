/* SPDX-License-Identifier: ISC */
/*
 * draft.h: the changes that a program gathers between "begin" and "commit" (apply.h).
 */
#ifndef DRAFT_H
#define DRAFT_H

#include "apply.h"

/* Its WRITE of /postern/apply: begins or commits. False: refused, and the draft is gone. */
bool draft_write(struct apply *a, struct peer *p, const struct wire_message *m);
/* A WRITE or RM within a rule tree, to be carried out with the commit. */
bool draft_message(struct peer *p, const struct wire_message *m);
void draft_drop(struct peer *p);
/* Decimal digits up to max, nothing else. */
bool draft_number(const char *s, const char *end, int64_t max, int64_t *to);

#endif
