// SPDX-License-Identifier: ISC
/* not yet */
#include "nft_import.h"
#include "verbs.h"

int nft_import(const struct nft_import_options *o)
{
	(void)o;
	return complain(EXIT_NO, "nft import: not yet");
}
