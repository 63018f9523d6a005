// SPDX-License-Identifier: ISC
/* Puts a store's result into words and an exit code. */
#include <errno.h>

#include "base.h"
#include "storesay.h"
#include "verbs.h"

int storesay(enum store_result result, const char *socket, const char *doing)
{
	switch (result) {
	case STORE_DONE:
		return EXIT_YES;
	case STORE_ABSENT:
		return complain(EXIT_NO, "%s: not there", doing);
	case STORE_REFUSED:
		return complain(EXIT_REFUSED, "%s: refused by the store", doing);
	case STORE_UNREACHED:
		return complain(EXIT_UNREACHED, "%s: %s", socket,
				errno ? strerror(errno) : "connection lost");
	case STORE_TIMED_OUT:
		return complain(EXIT_TIMED_OUT, "%s: no answer in time", socket);
	}
	panic("enum store_result");
}
