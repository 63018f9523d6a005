/* SPDX-License-Identifier: ISC */
/*
 * trees.h: what stands below /qubes-firewall/IP/, by client, as it comes: in any order and
 * half written. Nothing in here is in force; qdb_tree.c commits it.
 */
#ifndef TREES_H
#define TREES_H

#include "policy.h"
#include "staged.h"
#include "table.h"

enum { TREES_STRAY_BYTES = 40, TREES_FORGOTTEN_MAX = 8 /* by one key: more of them wait for the next */ };

enum tree_policy { TREE_NO_POLICY, TREE_BAD_POLICY, TREE_DROP, TREE_ACCEPT };

struct tree {
	struct ip_addr ip;
	struct staged_tree rules;
	enum tree_policy policy;
	bool full;           /* a rule found no room */
	bool stray_more;     /* more strays than the one below; only an emptied tree forgets them */
	char stray[TREES_STRAY_BYTES]; /* a child that is neither policy nor a rule; "": none */
	bool changed;        /* since the user cleared it, or what holds was taken back to other rules than these */
	uint64_t of;         /* the user's: the common change that it was committed with; 0: alone */
	bool stands;         /* the user's: it could be committed */
	bool set_changed;    /* the user's: it has a set that is not what it was when it was committed */
	bool committed;      /* the user's: in the dump, the commit key was there */
	bool handled_waits;  /* the user's: the counter is to be written; trees.waiting counts them */
	uint32_t handled;
	uint64_t stamp;      /* of the last commit, for eviction */
	uint32_t next_free;
	bool used;
};

struct trees {
	const struct secret *secret; /* fixed at creation */
	struct policy *policy;
	struct staged_pool *pool;
	struct sets *sets;
	struct tree *tree;
	uint32_t capacity;
	struct table index;
	uint32_t free;
	uint32_t waiting;
	/* for the user to say and to clear: */
	struct ip_addr forgotten[TREES_FORGOTTEN_MAX]; /* whose rules made room */
	uint32_t forgotten_count;
	bool nameless; /* a rule's name found no room */
};

/* false: the arena is too small. */
bool trees_init(struct trees *, struct arena *, const struct secret *, uint32_t clients, uint32_t rules,
		struct policy *);
size_t trees_bytes(uint32_t clients, uint32_t rules);

/* NULL: none. */
struct tree *trees_find(const struct trees *, struct ip_addr);
/* Found or made; the one least recently committed of a client without a port makes room. NULL: no room. */
struct tree *trees_make(struct trees *, struct ip_addr);
void trees_empty(struct trees *, struct tree *);
void trees_empty_all(struct trees *);
/*
 * child: what follows /qubes-firewall/IP/. When a rule or its name finds no room, those least recently committed of a client without a
 * port go, in the policy too: the store keeps rules of clients that are gone (qubes.md 2.2).
 */
void trees_write(struct trees *, struct tree *, struct cursor child, const uint8_t *value, size_t len);
void trees_remove(struct trees *, struct tree *, struct cursor child);
/* false: *why says why it cannot be committed, whatever its rules are. */
bool tree_is_whole(const struct tree *, struct text *why);
/* Nothing at all stands in it. */
bool tree_is_empty(const struct tree *);

#endif
