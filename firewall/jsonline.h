/* SPDX-License-Identifier: ISC */
/*
 * jsonline.h: one JSON object a line, as the control protocol answers. Every
 * object begins with its type; members follow in the order they are written.
 */
#ifndef JSONLINE_H
#define JSONLINE_H

#include "addr.h"
#include "packet.h"

void json_begin(struct text *, const char *type);
void json_end(struct text *); /* with the newline */
void json_text(struct text *, const char *name, const char *value);
void json_u64(struct text *, const char *name, uint64_t value);
void json_bool(struct text *, const char *name, bool value);
void json_base64(struct text *, const char *name, const uint8_t *bytes, size_t n); /* RFC 4648 4, padded */
void json_ip(struct text *, const char *name, struct ip_addr); /* zero: "" */
void json_tuple(struct text *, const struct tuple *); /* proto, src, sport, dst, dport */
/* Whose rules: a client's address, "inbound" or "between" (cross_rule.h). */
void json_owner(struct text *, const char *name, struct ip_addr);

#endif
