/* SPDX-License-Identifier: ISC */
/*
 * treecommit.h: a client's tree becomes its rules, at once or, while changes are held, with all the others.
 */
#ifndef TREECOMMIT_H
#define TREECOMMIT_H

#include "generation.h"
#include "storelog.h"
#include "trees.h"

struct treecommit { /* fixed at set-up */
	struct trees *trees;
	struct policy *policy;
	struct generation *generation;
	const struct log_sink *log;
};

/* A tree that is not right closes its client, or, held, refuses the change. */
void treecommit(const struct treecommit *, struct tree *);

#endif
