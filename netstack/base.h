/* SPDX-License-Identifier: ISC */
/*
 * base.h: the few words every file of the core shares.
 *
 * The core (netstack, rules, firewall) is freestanding: these four memory
 * functions and panic() are all it asks of whoever links it.
 */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Ends the appliance: an invariant is broken. Never reached by input. */
_Noreturn void panic(const char *reason);

/* States an invariant; stays on in release; never judges input. */
#define ENSURE_TEXT_(line) #line
#define ENSURE_TEXT(line) ENSURE_TEXT_(line)
#define ensure(condition) \
	((condition) ? (void)0 : panic(__FILE__ ":" ENSURE_TEXT(__LINE__) ": " #condition))

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

/* No item: the index handle that points nowhere (table.h, queue.h). */
#define NONE UINT32_MAX

#endif
