/* SPDX-License-Identifier: ISC */
/* policy_clients.h: what policy.c keeps, for itself and for policy_change.c. Nobody else includes this. */
#ifndef POLICY_CLIENTS_H
#define POLICY_CLIENTS_H

#include "policy.h"
#include "table.h"

struct client {
	struct ip_addr ip;
	struct ruleset *rules; /* NULL: closed */
	uint64_t committed;    /* stamp of the last commit, for eviction; 0: never */
	struct ruleset *pending, *before; /* what waits, and what is kept; NULL: closed */
	uint32_t attached;
	uint32_t next_free;    /* set, while this one is free */
	bool used, has_pending, has_before;
	char error[POLICY_ERROR_TEXT];
};

struct stage {
	struct ip_addr ip;
	struct ruleset *rules; /* NULL: nothing is staged */
	uint64_t serial;       /* of the set */
	uint32_t number;       /* of the rule before; NONE: none */
	uint16_t account;      /* of that one */
	bool active, full;
};

struct policy {
	struct word_key key; /* fixed at creation */
	struct rule_pool *pool;
	struct accounts *accounts;
	struct client *client;
	uint64_t *generation; /* by client, side by side for the data path; 0: free */
	uint32_t capacity;
	struct table index;
	uint32_t free;
	uint64_t stamp; /* the global generation */
	uint64_t sets;  /* staged since boot */
	struct blocks blocks;
	struct rule_context context;
	struct hosts *hosts; /* or NULL */
	struct stage stage;
	uint32_t now_s, next_expiry; /* wall clock; UINT32_MAX: no rule has a time */
	bool held;
	enum policy_keeping keeping;
	const char *fault;
};

/* The client of this address, made when it is new; NULL when there is no room. */
struct client *policy_client_of(struct policy *, struct ip_addr);
/* Gives a rule set and the accounts it holds back. */
void policy_free_rules(struct policy *, struct ruleset *);
void policy_set_error(struct client *, const char *error);

#endif
