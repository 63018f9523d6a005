/* SPDX-License-Identifier: ISC */
/*
 * applystore.h: hands the rules of many clients to the store as one generation, and
 * waits for what the appliance says (apply.h of the store).
 */
#ifndef APPLYSTORE_H
#define APPLYSTORE_H

#include "plan.h"

enum { APPLYSTORE_WAIT_MS = 15000 };

struct applystore_wish {
	const char *store;     /* socket */
	unsigned confirm_s;    /* 0: none is asked for */
	long long expected;    /* newest generation that is permitted; -1: any */
	const char *reason;    /* NULL: none */
	const char *id;        /* of the rule that it is about, for JSON; NULL: none */
	bool json;
};

/* Says what became of it; the exit code. */
int applystore_send(struct storeclient *, const struct plan *, const struct applystore_wish *);
/* Waits until the appliance has said `word` of this generation, or something final. */
int applystore_await(struct storeclient *, const char *store, long long number, char word[16],
		     char text[256]);
/* "60s", "5m", "1h" or seconds, up to a day. */
bool applystore_seconds(const char *from, unsigned *seconds);

#endif
