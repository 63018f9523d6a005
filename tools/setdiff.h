/* SPDX-License-Identifier: ISC */
/*
 * setdiff.h: what changes between two values of a set (setlist.h).
 */
#ifndef SETDIFF_H
#define SETDIFF_H

#include <jansson.h>

/* {"set", "added", "removed"}, members that are only in the one or the other; NULL stands for none. */
json_t *setdiff(const char *name, const char *from, const char *to);

#endif
