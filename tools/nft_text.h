/* SPDX-License-Identifier: ISC */
/*
 * nft_text.h: the ruleset of nft_walk as text for `nft -f`, which replaces our
 * tables and no others in one transaction.
 */
#ifndef NFT_TEXT_H
#define NFT_TEXT_H

#include <stdio.h>

#include "nft_walk.h"

void nft_text(const struct nft_house *, FILE *to);

#endif
