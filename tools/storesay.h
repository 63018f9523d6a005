/* SPDX-License-Identifier: ISC */
/*
 * storesay.h: what a store's refusal means for the exit code.
 */
#ifndef STORESAY_H
#define STORESAY_H

#include "storeclient.h"

/* EXIT_YES, or another exit code after telling standard error; doing: what was tried. */
int storesay(enum store_result result, const char *socket, const char *doing);

#endif
