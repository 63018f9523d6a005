/* SPDX-License-Identifier: ISC */
/*
 * nft_import.h: a ruleset of nftables as rule lists of clients, as far as it can be said in them.
 */
#ifndef NFT_IMPORT_H
#define NFT_IMPORT_H

#include "nft_walk.h"

struct nft_import_options {
	const char *file;   /* text or JSON of nft, "-": standard input; NULL: this host's live ruleset */
	const char *client; /* only this one; NULL: all */
	const struct nft_house *ports; /* where uplink and clients are, as far as it was said */
};

/* Prints the rules; standard error names what could not be carried over. Exit code; EXIT_NO when something could not. */
int nft_import(const struct nft_import_options *);

#endif
