/* SPDX-License-Identifier: ISC */
/*
 * ruletree.h: a client's rules in the store (qubes.md 2.3).
 *
 *   /qubes-firewall/IP/policy        drop or accept
 *   /qubes-firewall/IP/0000 .. 9999  one rule each, gaps allowed
 *   /qubes-firewall/IP               empty; written last: the commit
 *   /qubes-firewall-handled/IP       counts commits that the appliance has judged
 *
 * and the rules that are no client's, likewise, but without a policy and a counter:
 *   /postern/inbound/0000 .. 9999, /postern/inbound; /postern/between/0000 .. 9999, /postern/between
 */
#ifndef RULETREE_H
#define RULETREE_H

#include "addr.h"
#include "rulefile.h"
#include "storeclient.h"

#define RULETREE_ROOT "/qubes-firewall/"
#define RULETREE_OWN "/postern/"
#define RULETREE_COMMITTED "/postern/committed" /* before a prefix, in a listing (store/history.h) */
#define RULETREE_HANDLED "/qubes-firewall-handled/"

/* "inbound", "between": trees of our own; else it is an address. */
bool ruletree_is_own(const char *client);
/* The key of its tree with this behind it ("", "/", "/policy", "/0000"). */
void ruletree_key(char key[WIRE_PATH_BYTES], const char *client, const char *rest);
/* Whose tree a key is in, and what follows it without the slash ("": the commit key); NULL: in none. */
const char *ruletree_split(const char *key, char client[IP_TEXT]);
/*
 * Keys as they were committed last, ascending and all at one moment: no tree that somebody is writing. At least those
 * with the prefix ("/": all). A store that keeps no history gives them as they are.
 */
enum store_result ruletree_committed(struct storeclient *, const char *prefix, storeclient_each *, void *context);

/*
 * Replaces the rules of the client (its canonical address). Without the last write,
 * the commit, nothing applies: a break midway leaves the rules in force as they are.
 */
enum store_result ruletree_replace(struct storeclient *, const char *client,
				   const struct rulefile *);

/* The counter of handled commits, as text; "" when there is none. */
enum { RULETREE_COUNT_MAX = 32 };
enum store_result ruletree_handled(struct storeclient *, const char *client,
				   char count[RULETREE_COUNT_MAX]);
/* Watch it before the commit; then await that it is no more what it was. */
enum store_result ruletree_watch(struct storeclient *, const char *client);
enum store_result ruletree_await(struct storeclient *, const char *client, const char *was,
				 int wait_ms);

#endif
