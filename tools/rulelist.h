/* SPDX-License-Identifier: ISC */
/*
 * rulelist.h: the rules in the store, printed as they stand there.
 */
#ifndef RULELIST_H
#define RULELIST_H

#include <stdbool.h>

/* Client: its canonical address, or "" for all. Exit code; EXIT_NO when there is nothing. */
int rulelist_show(const char *socket, const char *client, bool json);

#endif
