/* SPDX-License-Identifier: ISC */
/*
 * told.h: events (events.h) of what main.c and others find out. All are for a fw whose events may be NULL: then nothing
 * is told.
 */
#ifndef TOLD_H
#define TOLD_H

#include "fw.h"

void told_start(struct fw *, const char *platform, uint64_t now_ns);
/* what: "attached", "detached", "link-up", "link-down", "refused" */
void told_port(struct fw *, uint16_t port, const char *what, uint64_t now_ns);
/* Some client's rules are others: those whose generation is not the one that was told. */
void told_clients(struct fw *, uint64_t now_ns);
/* Which generation of the store holds, and whether for a while only. */
void told_generation(struct fw *, uint64_t number, bool unconfirmed, uint64_t now_ns);
void told_store(struct fw *, const char *state, uint64_t now_ns);
/* A line of the log that begins with `word`, a space, a name and a colon: told as kind `word`. */
void told_line(struct fw *, const char *line, size_t len, const char *word, uint64_t now_ns);
/* Watches that began or ended since. */
void told_watches(struct fw *, uint64_t now_ns);
/*
 * Was it a rule that said no to this tuple from that port, for that reason? *rule: its rule_ref. false, too, for a later
 * fragment of TCP or UDP: what the rule was asked about is not in it.
 */
bool told_refuser(const struct fw *, const struct tuple *, uint16_t from, enum drop, uint32_t *rule);

#endif
