// SPDX-License-Identifier: ISC
/* A broken invariant ends a host program at once, with a core if the host keeps them. */
#include <stdio.h>
#include <stdlib.h>

#include "base.h"

_Noreturn void panic(const char *reason)
{
	fprintf(stderr, "panic: %s\n", reason);
	abort();
}
