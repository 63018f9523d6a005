/* SPDX-License-Identifier: ISC */
/*
 * ruleset.h: the rules of one client, in order: the first that matches decides,
 * else the policy (qubes.md 3.2).
 *
 * Sets live in a pool taken from the arena once. The pool running out is a
 * normal outcome: the set that does not fit is given back by its owner.
 *
 * A set is walked rule by rule until it is compiled (compiled.h): then judging
 * costs the same for ten rules and ten thousand. The pool has room for the
 * images of as many rules as it holds and some addresses of names; a set that
 * does not get one (more than 10000 rules; or IPv6 sets, names or between rules
 * of thousands of sources at their worst in a full pool) goes on being walked.
 * When the addresses of a name change, the sets that have it are compiled anew;
 * until then they judge by the old ones.
 */
#ifndef RULESET_H
#define RULESET_H

#include "arena.h"
#include "hosts.h"
#include "packet.h"
#include "sets.h"

enum { RULE_DNS_MAX = 4 };

struct rule_pool;
struct ruleset;

/* What rules refer to beyond themselves. */
struct rule_context {
	struct ip_addr dns[RULE_DNS_MAX]; /* specialtarget=dns */
	uint32_t dns_count;
	const struct hosts *hosts;        /* the addresses of names; NULL: none is resolved */
	const struct sets *sets;          /* the names of sets, for who tells of rules; NULL: none is known */
};

/* So many sets, so many rules in all (each set rounds up to 16); NULL: the arena is too small. */
struct rule_pool *rule_pool_new(struct arena *, uint32_t sets, uint32_t rules);
size_t rule_pool_bytes(uint32_t sets, uint32_t rules);
/* Names of the rules to come: their sets hold them, and are compiled with their addresses. Outlives the pool. */
void rule_pool_set_hosts(struct rule_pool *, struct hosts *);
uint32_t rule_pool_free(const struct rule_pool *); /* rules that still fit, at least */

/* An empty set, or NULL when the pool has no more. */
struct ruleset *ruleset_new(struct rule_pool *, enum rule_verdict policy);
/* Where what its policy decides is counted. */
void ruleset_set_account(struct ruleset *, uint16_t account);
uint16_t ruleset_account(const struct ruleset *);
/* Behind the last; false when the pool is full (the set stays as it was). */
bool ruleset_append(struct ruleset *, const struct rule *);
void ruleset_free(struct ruleset *);
/*
 * The set is complete: makes its image; it cannot be appended to any more.
 * false: no room, it is walked. Images of other sets may be moved meanwhile.
 */
bool ruleset_compile(struct ruleset *);
/* The same for a set that was compiled or walked: the names in it have other addresses. */
bool ruleset_recompile(struct ruleset *);
/* A rule of the set has a name whose bit is set: bit[handle / 64] >> handle % 64 & 1. */
bool ruleset_names(const struct ruleset *, const uint64_t *bit);
/*
 * Rules whose time is up to now_s (seconds since 1970) become RULE_VOID; the set is to be compiled anew if there are any.
 * *next: the earliest time of those that are left, if that is before what it was.
 */
uint32_t ruleset_expire(struct ruleset *, uint32_t now_s, uint32_t *next);
bool ruleset_is_compiled(const struct ruleset *);
uint32_t rule_pool_walked(const struct rule_pool *);     /* sets that got no image, of those there are */
size_t rule_pool_image_free(const struct rule_pool *);   /* bytes left for images */

/*
 * May this tuple, in its request direction, pass? *decided: the rule_ref of the one that
 * decided, or of the policy. A name matches its addresses. One that is not
 * resolved: an accept rule with it never matches, a drop rule matches every
 * destination.
 */
enum rule_verdict ruleset_judge(const struct ruleset *, const struct tuple *,
				const struct rule_context *, uint32_t *decided);
/*
 * The rule that decides, of a set that is compiled; NULL: the policy does. Costs what ruleset_judge does. Of between rules
 * (cross_rule.h) it looks at the source too, which ruleset_judge_linear and ruleset_try do not.
 */
const struct rule *ruleset_find(const struct ruleset *, const struct tuple *, const struct rule_context *);
/* ruleset_judge by walking the rules: what the image is tested against. */
enum rule_verdict ruleset_judge_linear(const struct ruleset *, const struct tuple *, const struct rule_context *,
				       uint32_t *decided);

/* How far one rule and one tuple agree: what explains a verdict. */
enum rule_trial {
	TRIAL_HIT,
	TRIAL_PROTO, /* another protocol */
	TRIAL_TYPE,  /* another ICMP type */
	TRIAL_PORTS, /* another destination port, or a protocol without ports */
	TRIAL_DST,   /* another destination */
	TRIAL_HOST,  /* not an address of the name, or it accepts one that is not resolved */
	TRIAL_DNS,   /* not port 53 of a name server */
	TRIAL_SRC,   /* another source: of cross_try alone */
	TRIAL_EXPIRED, /* its time has come */
	TRIAL_SET,   /* its set has no members that it could match */
	TRIAL_COUNT
};
enum rule_trial ruleset_try(const struct rule *, const struct tuple *, const struct rule_context *);
const char *rule_trial_word(enum rule_trial);

uint32_t ruleset_count(const struct ruleset *);
enum rule_verdict ruleset_policy(const struct ruleset *);
/* The rules in order, in O(1) each; starts as zeros; NULL at the end. */
struct ruleset_walk { uint32_t index, chunk; };
const struct rule *ruleset_next(const struct ruleset *, struct ruleset_walk *);

#endif
