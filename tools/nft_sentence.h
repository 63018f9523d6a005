/* SPDX-License-Identifier: ISC */
/*
 * nft_sentence.h: one statement of nft_walk as expressions of a libnftnl rule.
 */
#ifndef NFT_SENTENCE_H
#define NFT_SENTENCE_H

#include <libnftnl/rule.h>

#include "nft_walk.h"

void nft_sentence(struct nftnl_rule *, const struct nft_statement *);

#endif
