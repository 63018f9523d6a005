/* SPDX-License-Identifier: ISC */
/*
 * nft_gather.h: where the verb finds a house: store, rule files, appliance.
 * Each gives an exit code, after telling standard error.
 */
#ifndef NFT_GATHER_H
#define NFT_GATHER_H

#include "nft_house.h"
#include "verbs.h"

/* All clients' rules, name servers and connected-ips, as they stood in the store at one moment, committed. */
int nft_gather_store(struct nft_house *, const char *socket);
/* IP=FILE: the rules of one client, as for `postern rules set`. */
int nft_gather_file(struct nft_house *, const char *text);
/* What is not known yet of the names of uplink and clients' ports, as the running appliance has them. */
int nft_gather_ports(struct nft_house *, const char *socket);

/* The whole file ("-": standard input), NUL-terminated; NULL after telling standard error. */
char *nft_read_file(const char *name, size_t *len);

#endif
