/* SPDX-License-Identifier: ISC */
/*
 * nft_match.h: one match of nft's JSON (libnftables-json(5)), seen from one client:
 * which of its new packets to the uplink does it let through?
 */
#ifndef NFT_MATCH_H
#define NFT_MATCH_H

#include <jansson.h>

#include "nft_packets.h"

enum { NFT_WHY = 160 };

/* From whose place the ruleset is read. */
struct nft_view {
	const json_t *ruleset; /* array of objects */
	struct ip_addr client;
	const char *port, *uplink; /* interfaces; NULL: not known */
	const char *family, *table; /* of the rule in question */
};

/* The inside of {"match": ...}. False: *why says what our rules cannot say. */
bool nft_match(const struct nft_view *, const json_t *match, struct nft_kinds *, char why[NFT_WHY]);
/* The same for a map's key and one of its elements. */
bool nft_match_value(const struct nft_view *, const json_t *left, const json_t *value, struct nft_kinds *,
		     char why[NFT_WHY]);
/* The elements of {"set": [...]} or "@name"; NULL: it is neither. Borrowed. */
const json_t *nft_elements(const struct nft_view *, const json_t *right, char why[NFT_WHY]);
/* An element without counters, comments and the like. */
const json_t *nft_plain(const json_t *element);

#endif
