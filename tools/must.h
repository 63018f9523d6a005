/* SPDX-License-Identifier: ISC */
/* must.h: memory, or the end of the command, told on standard error. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

static inline void *must(void *p)
{
	if (!p) {
		fputs("postern: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return p;
}

#endif
