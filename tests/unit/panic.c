// SPDX-License-Identifier: ISC
/* A broken invariant ends the test program. */
#include <stdio.h>
#include <stdlib.h>
#include "base.h"

_Noreturn void panic(const char *reason)
{
	fprintf(stderr, "panic: %s\n", reason);
	abort();
}
