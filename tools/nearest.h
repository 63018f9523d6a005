/* SPDX-License-Identifier: ISC */
/*
 * nearest.h: the known word that a wrong one was probably meant to be.
 */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

enum { NEAREST_WORD_MAX = 24 };

/* NULL: none is near. word need not be terminated; those in words have at most NEAREST_WORD_MAX bytes. */
const char *nearest_word(const char *word, size_t len, const char *const *words, size_t count);

#endif
