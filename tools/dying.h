/* SPDX-License-Identifier: ISC */
/*
 * dying.h: which open flows a plan would cut, judged by the core's own rule sets.
 *
 * Rules with names are tried both as if they matched no address and as if they matched
 * every one: where that decides, the flow is called doubtful. An ICMP flow is taken for
 * an echo request.
 */
#ifndef DYING_H
#define DYING_H

#include <jansson.h>

#include "plan.h"
#include "ruleset.h"

struct dying {
	json_t *flows;    /* those that die, as the appliance lists them */
	size_t doubtful;
};

/* What the clients of this plan would do to the flows on the control socket; the exit code. */
int dying_ask(struct dying *, const struct plan *, const struct rule_context *, const char *control);

#endif
