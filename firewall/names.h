/* SPDX-License-Identifier: ISC */
/*
 * names.h: the names that rules accept or drop by (dsthost), each with the last
 * good answer and when it is to be asked for again.
 *
 * An answer holds for its TTL, at least NAMES_TTL_MIN_S and at most
 * NAMES_TTL_MAX_S, and is renewed some time before that. When no new one comes
 * the old one stays: a name that was resolved once is never unresolved again
 * while a rule has it. Who asks is resolver.h; nothing here is on a packet's
 * way. A name that is an address in text stands for that address.
 *
 * What an answer changes is announced by names_changed, and takes effect when
 * the rule sets are compiled anew (policy_hosts_changed).
 */
#ifndef NAMES_H
#define NAMES_H

#include "arena.h"
#include "hash.h"
#include "hosts.h"

enum {
	NAMES_MAX = 512,
	NAMES_WORDS = NAMES_MAX / 64,
	NAMES_TTL_MIN_S = 30,
	NAMES_TTL_MAX_S = 3600,
	NAMES_RETRY_MIN_S = 5,  /* after the first failure; each further one doubles it */
	NAMES_RETRY_MAX_S = 300,
	NAMES_LINE_BYTES = 512,
};

enum name_state {
	NAME_UNRESOLVED, /* no answer yet: accept rules match nothing, drop rules everything */
	NAME_RESOLVED,
	NAME_STALE,      /* asked in vain since the last good answer, which holds */
	NAME_ADDRESS,    /* an address in text: nothing to ask */
	NAME_STATES
};

struct names;

/* The secret is drawn from for jitter, and must outlive it. log: a line for the operator, without newline. */
struct names *names_new(struct arena *, struct secret *, void (*log)(const char *line, size_t len));
size_t names_bytes(void);
/* For rule_pool_set_hosts, policy_set_hosts and the keepers of rules. */
struct hosts *names_hosts(struct names *);

/* --- for the resolver ------------------------------------------------------------ */

/* A name that is to be asked for now, and from then on is being asked for until one of the two below; NONE: none. */
uint32_t names_ask(struct names *, uint64_t now_ns);
/* count > 0 addresses, none twice; those beyond HOST_ADDRESSES_MAX are left out. */
void names_learn(struct names *, uint32_t handle, const struct ip_addr *, uint32_t count, uint32_t ttl_s,
		 uint64_t now_ns);
/* why: static text. */
void names_fail(struct names *, uint32_t handle, const char *why, uint64_t now_ns);
/* Other servers, or the way to them, came: what failed is asked for again at once. */
void names_retry(struct names *);
/* All are due now. */
void names_refresh(struct names *);
uint64_t names_deadline(const struct names *); /* UINT64_MAX: nothing to ask */

/* --- changes and status ------------------------------------------------------------ */

/* A bit for each name whose addresses are others since the last call; false: none. */
bool names_changed(struct names *, uint64_t bit[NAMES_WORDS]);

struct name_view {
	const char *text;
	enum name_state state;
	const struct host *host;
	uint64_t learned_ns, due_ns; /* of the last good answer, 0: none; when it is asked for next */
	uint32_t ttl_s;              /* as it holds */
	uint32_t failures;           /* since the last good answer */
	const char *why;             /* the last one; "" */
};
/* The name behind this one (NONE: the first), or NONE. */
uint32_t names_next(const struct names *, uint32_t handle);
struct name_view names_show(const struct names *, uint32_t handle);
const char *name_state_word(enum name_state);

#endif
