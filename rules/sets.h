/* SPDX-License-Identifier: ISC */
/*
 * sets.h: named sets of networks that the rules of many clients share (dstset).
 *
 * A set has a handle (struct rule.host with RULE_HAS_SET) while it has members or a rule refers to it, and longer
 * if nobody needs the room. A rule with a set is expanded when it is committed: one copy for each member of the
 * client's family, all with its number, or one that is RULE_VOID when there is none. A set that is unknown, empty or
 * bad: an accept rule with it matches nothing, a drop rule with it everything.
 *
 * A set's value is its members (addr.h, parse_prefix), separated by blanks. In the store it is /postern/set/NAME, and
 * what was changed there holds when /postern/set itself is written, all of it at once.
 */
#ifndef SETS_H
#define SETS_H

#include "rule.h"

enum {
	SETS_MAX = 128,
	SET_MEMBERS_MAX = 256,
	SETS_MEMBERS_MAX = 8192, /* of all sets */
};

struct set {
	char name[RULE_LABEL_MAX + 1]; /* "": none yet */
	uint32_t held;         /* rules that refer to it */
	uint32_t first, count; /* its members; 0: unknown, empty or bad */
};

struct sets {
	struct set set[SETS_MAX];
	struct ip_prefix member[SETS_MEMBERS_MAX];
	uint32_t members;
};

/* How a value reads; *column: 1-based, where it does not. */
enum set_fault { SET_GOOD, SET_BAD_MEMBER, SET_MANY_MEMBERS };

/* The members into to[], *count of them. */
enum set_fault set_parse(const char *value, size_t len, struct ip_prefix to[SET_MEMBERS_MAX], uint32_t *count,
			 uint32_t *column);
bool set_is_name(const char *name, size_t len);

/* The handle of a name, made when it is new; NONE: it cannot be one, or there is no room. */
uint32_t sets_handle(struct sets *, const char *name, size_t len);
void sets_hold(struct sets *, uint32_t handle);
void sets_release(struct sets *, uint32_t handle);
/* false: it cannot hold this value, and is empty now. */
bool sets_put(struct sets *, uint32_t handle, const char *value, size_t len);
void sets_empty(struct sets *, uint32_t handle);
const char *sets_name(const struct sets *, uint32_t handle); /* "?" when it is not known */
/*
 * The at-th of the rules that this one with a set stands for in the tree of a client of that family; false: there
 * is none.
 */
bool sets_expand(const struct sets *, const struct rule *, bool v6, uint32_t *at, struct rule *out);

#endif
