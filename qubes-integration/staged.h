/* SPDX-License-Identifier: ISC */
/*
 * staged.h: parsed rules by number, as the store sends them: in any order,
 * with gaps, replaced and removed one by one; walked in order. Neighbours in
 * number are found in O(1), any other in O(rules / 16).
 */
#ifndef STAGED_H
#define STAGED_H

#include "accounts.h"
#include "arena.h"
#include "hosts.h"
#include "sets.h"

struct staged {
	union {
		struct rule rule;
		struct rule_error error; /* bad */
	};
	uint16_t number;
	bool bad;
};

struct staged_pool;

/* One client's rules; starts with staged_init. */
struct staged_tree {
	uint32_t first; /* chunk, NONE: empty */
	uint32_t hint;  /* chunk last touched, NONE: none */
};

struct staged_walk { uint32_t chunk, at; };

/* NULL: the arena is too small. Each tree rounds up to chunks of 16 numbers. */
struct staged_pool *staged_pool_new(struct arena *, uint32_t trees, uint32_t rules);
/* Names of the rules to come: a rule that is put holds its own, which goes with the rule. */
void staged_set_hosts(struct staged_pool *, struct hosts *);
/* Likewise its set. */
void staged_set_sets(struct staged_pool *, struct sets *);
/* Where the rules to come are counted: a rule that is put holds its account likewise. */
void staged_set_accounts(struct staged_pool *, struct accounts *);
/* Does any of the rules have a name? */
bool staged_has_names(const struct staged_pool *, const struct staged_tree *);
/* Does any of the rules refer to the set? */
bool staged_uses_set(const struct staged_pool *, const struct staged_tree *, uint32_t set);
size_t staged_pool_bytes(uint32_t trees, uint32_t rules);

static inline void staged_init(struct staged_tree *t) { *t = (struct staged_tree){ NONE, NONE }; }
/* The place of this number (0..9999), made when there is none; NULL: the pool is full. What is there is bad. */
struct staged *staged_put(struct staged_pool *, struct staged_tree *, uint32_t number);
/* A rule into such a place. */
void staged_set(struct staged_pool *, struct staged *, const struct rule *);
/* Nothing there: nothing happens. */
void staged_remove(struct staged_pool *, struct staged_tree *, uint32_t number);
void staged_clear(struct staged_pool *, struct staged_tree *);
struct staged_walk staged_start(const struct staged_tree *);
/* NULL at the end. */
const struct staged *staged_next(const struct staged_pool *, struct staged_walk *);

#endif
