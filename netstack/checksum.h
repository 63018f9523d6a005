/* SPDX-License-Identifier: ISC */
/*
 * checksum.h: the Internet checksum (RFC 1071), whole and incremental (RFC 1624).
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "bytes.h"
#include "addr.h"

/* A running one's-complement sum, not yet folded; big-endian words. */
typedef uint64_t sum64;

sum64 sum_bytes(sum64, const void *bytes, size_t len); /* an odd last byte is padded with zero */
uint16_t sum_fold(sum64);                              /* to 16 bits, not complemented */
static inline uint16_t sum_finish(sum64 s) { return (uint16_t)~sum_fold(s); }

/* Pseudo header of RFC 9293/768 (IPv4) or RFC 8200 8.1, by the addresses' family. */
sum64 sum_pseudo(struct ip_addr src, struct ip_addr dst, uint8_t proto, uint32_t len);

/*
 * RFC 1624 eqn. 3: the checksum field after one 16-bit word changed from
 * `from` to `to`; and for a run of bytes (even length, even offset).
 */
uint16_t checksum_update16(uint16_t checksum, uint16_t from, uint16_t to);
uint16_t checksum_update(uint16_t checksum, const void *from, const void *to, size_t len);
/* The same for a partial sum (offload NEEDS_CSUM): the field holds the folded, uncomplemented pseudo-header sum. */
uint16_t partial_update(uint16_t field, const void *from, const void *to, size_t len);

#endif
