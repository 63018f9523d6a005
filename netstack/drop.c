/* SPDX-License-Identifier: ISC */
/* drop.c: the words of the drop reasons. */
#include "drop.h"

const char *drop_word(enum drop reason)
{
	static const char *const words[] = {
#define DROP_WORD(name, word, text) word,
		DROP_LIST(DROP_WORD)
#undef DROP_WORD
	};
	_Static_assert(array_len(words) == DROP_COUNT, "a word per reason");

	ensure((unsigned)reason < DROP_COUNT);
	return words[reason];
}

const char *drop_text(enum drop reason)
{
	static const char *const texts[] = {
#define DROP_TEXT(name, word, text) text,
		DROP_LIST(DROP_TEXT)
#undef DROP_TEXT
	};
	_Static_assert(array_len(texts) == DROP_COUNT, "a text per reason");

	ensure((unsigned)reason < DROP_COUNT);
	return texts[reason];
}
