/* SPDX-License-Identifier: ISC */
/*
 * rulehits.h: what the rules in force have done, as the appliance tells it (rulereport.h): picked, sorted, printed.
 */
#ifndef RULEHITS_H
#define RULEHITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum rulehits_sort {
	RULEHITS_ORDER, /* in which they are tried */
	RULEHITS_PACKETS, RULEHITS_BYTES, RULEHITS_FLOWS, RULEHITS_REFUSED, RULEHITS_LAST,
	RULEHITS_SORTS,
};

struct rulehits_wish {
	const char *client; /* "": all */
	enum rulehits_sort sort;
	bool unused;        /* only rules that nothing has hit, policies aside */
	uint32_t since_s;   /* not 0: not for so long; younger rules are left out */
	bool json;
};

/* What of an array of rules is meant, sorted: a new array. *young: rules that are there too short to be judged. */
json_t *rulehits_pick(const json_t *rules, const struct rulehits_wish *, size_t *young);
/* "packets", ...; false: none of them. */
bool rulehits_sort_parse(enum rulehits_sort *, const char *word);
/* 90, 90s, 15m, 2h, 7d: 1 second or more. */
bool rulehits_seconds(const char *word, uint32_t *seconds);
/* "7d", "2h", "15m", "90s": the largest unit of which there are two, or seconds. */
void rulehits_age(char *to, size_t room, json_int_t seconds);
/* Asks, picks and prints. Exit code; EXIT_NO when nothing is to be shown. */
int rulehits_show(const char *control, const struct rulehits_wish *);

#endif
