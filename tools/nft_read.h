/* SPDX-License-Identifier: ISC */
/*
 * nft_read.h: what a ruleset would do with the new packets of one client, as rules.
 */
#ifndef NFT_READ_H
#define NFT_READ_H

#include <stdio.h>

#include "nft_match.h"

/*
 * Prints the client's rules, the policy last, and a comment for all that could not be
 * carried over, with its place; the same goes to `errors`. How many things that were.
 * The view's family and table are the reader's to set.
 */
unsigned nft_read(struct nft_view *, FILE *rules, FILE *errors);

/* Clients that a ruleset speaks of: addresses that are a packet's source in a chain at hook forward or below. */
typedef void nft_each_client(void *context, struct ip_addr);
void nft_clients(const json_t *ruleset, nft_each_client *, void *context);

#endif
