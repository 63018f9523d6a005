/* SPDX-License-Identifier: ISC */
/*
 * nft_cut.h: ends what the rules of today forbid.
 *
 * Established connections pass whatever the rules say; so after a change, as in the
 * appliance and as with the Linux agent (qubes.md 3.2), the kernel forgets those of
 * the house's clients that would be refused if they began now, and no others.
 */
#ifndef NFT_CUT_H
#define NFT_CUT_H

#include "nft_apply.h"

/* In this network namespace. How many went is in *cut. False: the reason says why not. */
bool nft_cut(const struct nft_house *, unsigned *cut, char reason[NFT_REASON]);

#endif
