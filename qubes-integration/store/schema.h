/* SPDX-License-Identifier: ISC */
/*
 * schema.h: the tables of the store's file.
 *
 *   kv(path, value)                       what is
 *   generation(number, time, uid, pid, comm, via, path, closed, reason, outcome,
 *              confirm_s, confirm_by, undoes)
 *   change(generation, path, old, new)    NULL: absent
 *
 * time, confirm_by: ms since 1970. path: what was changed, or HISTORY_APPLY for
 * the changes of `postern apply`, of which alone the last four columns speak.
 * undoes: the generation that this one takes back; 0: none.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stdbool.h>

struct sqlite3;

/* Made, brought up to this version, and recovered. False: what says at what it failed. */
bool schema_ready(struct sqlite3 *sqlite, const char **what);

#endif
