/* SPDX-License-Identifier: ISC */
/*
 * nft_apply.h: the ruleset of nft_walk into this network namespace's kernel, in
 * one transaction: our tables are replaced whole, or nothing changes.
 */
#ifndef NFT_APPLY_H
#define NFT_APPLY_H

#include "nft_walk.h"

enum { NFT_REASON = 160 };

/* False: the reason says what the kernel objected to. */
bool nft_apply(const struct nft_house *, char reason[NFT_REASON]);

#endif
