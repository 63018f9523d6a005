/* SPDX-License-Identifier: ISC */
/*
 * text.h: bounded text, in and out.
 *
 * struct text is a buffer one appends to; what does not fit is cut and
 * `cut` says so. It is always NUL-terminated. No formats: one verb a type.
 */
#ifndef TEXT_H
#define TEXT_H

#include "bytes.h"

struct text {
	char *at;
	size_t len;  /* bytes written, without the NUL */
	size_t room; /* bytes that fit, with the NUL; at least 1 */
	bool cut;
};

#define text_on(array) text_of((array), sizeof(array))

struct text text_of(char *buffer, size_t room);
void text_char(struct text *, char);
void text_put(struct text *, const char *string);
void text_bytes(struct text *, const void *bytes, size_t n);
void text_u64(struct text *, uint64_t value);
void text_hex(struct text *, uint64_t value, unsigned digits); /* zero padded, lower case */
void text_padded(struct text *, uint64_t value, unsigned digits); /* decimal, zero padded */
/* A JSON string: quoted, escaped; bytes outside printable ASCII as \u00XX. */
void text_json(struct text *, const char *bytes, size_t n);

/* Decimal digits (at least one), no sign; false and untouched when absent, over max, or longer than 10 digits. */
bool parse_u32(struct cursor *, uint32_t max, uint32_t *value);
/* The literal word; false and untouched when it is not next. */
bool parse_word(struct cursor *, const char *word);

#endif
