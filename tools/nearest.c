// SPDX-License-Identifier: ISC
/* Counts the edits between words. */
#include <string.h>

#include "nearest.h"

/* Edits (insert, delete, replace) that turn a into b; both at most NEAREST_WORD_MAX long. */
static unsigned distance(const char *a, size_t len, const char *b)
{
	unsigned row[NEAREST_WORD_MAX + 1];
	size_t n = strlen(b);
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; i < len; i++) {
		unsigned diagonal = row[0];
		row[0] = i + 1;
		for (unsigned j = 0; j < n; j++) {
			unsigned replace = diagonal + (a[i] != b[j]);
			unsigned either = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);
			diagonal = row[j + 1];
			row[j + 1] = replace < either ? replace : either;
		}
	}
	return row[n];
}

const char *nearest_word(const char *word, size_t len, const char *const *words, size_t count)
{
	const char *best = NULL;
	unsigned least = 3; /* two edits are a slip, three are another word */
	if (len > NEAREST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		unsigned d = distance(word, len, words[i]);
		if (d < least) {
			least = d;
			best = words[i];
		}
	}
	return best;
}
