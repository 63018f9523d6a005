/* SPDX-License-Identifier: ISC */
/*
 * addr.h: link and network addresses. Network addresses are dual-stack: an
 * IPv4 address is kept as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 */
#ifndef ADDR_H
#define ADDR_H

#include "text.h"

struct mac { uint8_t b[6]; };
struct ip_addr { uint8_t b[16]; };

/* A network: the first `len` bits of `addr`, counted in its own family (0..32 or 0..128). */
struct ip_prefix {
	struct ip_addr addr;
	uint8_t len;
};

enum { IP_TEXT = 46, IP_PREFIX_TEXT = 50, MAC_TEXT = 18 }; /* buffer sizes with the NUL */

static inline bool mac_eq(struct mac a, struct mac b)
{
	return !memcmp(a.b, b.b, sizeof(a.b));
}

static inline bool mac_is_group(struct mac m) /* multicast or broadcast */
{
	return m.b[0] & 1;
}

static inline bool ip_eq(struct ip_addr a, struct ip_addr b)
{
	return !memcmp(a.b, b.b, sizeof(a.b));
}

static inline struct ip_addr ip_of_v4(be32 v4)
{
	return (struct ip_addr){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4.b[0], v4.b[1], v4.b[2], v4.b[3] } };
}

static inline struct ip_addr ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return ip_of_v4((be32){ { a, b, c, d } });
}

static inline be32 ip_to_v4(struct ip_addr ip)
{
	be32 v4;
	memcpy(&v4, ip.b + 12, sizeof(v4));
	return v4;
}

static inline bool ip_is_v4(struct ip_addr ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	return !memcmp(ip.b, mapped, 8) && !memcmp(ip.b + 8, mapped + 8, 4);
}

static inline bool ip_is_zero(struct ip_addr ip) /* ::, and 0.0.0.0 */
{
	static const struct ip_addr zero;
	return ip_eq(ip, zero) || ip_eq(ip, ip_v4(0, 0, 0, 0));
}

static inline bool ip_is_loopback(struct ip_addr ip) /* 127/8, ::1 */
{
	static const struct ip_addr one = { { [15] = 1 } };
	return ip_is_v4(ip) ? ip.b[12] == 127 : ip_eq(ip, one);
}

static inline bool ip_is_multicast(struct ip_addr ip) /* 224/4, ff00::/8 */
{
	return ip_is_v4(ip) ? (ip.b[12] & 0xf0) == 224 : ip.b[0] == 0xff;
}

static inline bool ip_is_broadcast(struct ip_addr ip) /* 255.255.255.255 */
{
	return ip_eq(ip, ip_v4(255, 255, 255, 255));
}

/* Can stand as the source of a forwarded packet (RFC 1812 5.3.7): not zero, 0/8, loopback, multicast, 240/4. */
static inline bool ip_is_unicast(struct ip_addr ip)
{
	static const struct ip_addr zero, one = { { [15] = 1 } };
	if (ip_is_v4(ip))
		return ip.b[12] != 0 && ip.b[12] != 127 && ip.b[12] < 224;
	return !ip_eq(ip, zero) && !ip_eq(ip, one) && ip.b[0] != 0xff;
}

bool ip_in_prefix(struct ip_addr, struct ip_prefix); /* false across families */

/* Text. The parsers consume what they read and touch nothing on failure. */
bool parse_ip4(struct cursor *, struct ip_addr *);  /* strict dotted quad, no leading zeros */
bool parse_ip6(struct cursor *, struct ip_addr *);  /* RFC 4291 2.2; "::ffff:1.2.3.4" is refused (it would be IPv4) */
bool parse_ip(struct cursor *, struct ip_addr *);   /* either */
/* addr or addr/len; host bits may be set and are kept (qubes.md 3.1); without a mask the whole address. */
bool parse_prefix(struct cursor *, struct ip_prefix *);
bool parse_mac(struct cursor *, struct mac *);      /* aa:bb:cc:dd:ee:ff */
void text_ip(struct text *, struct ip_addr);        /* RFC 5952 */
void text_prefix(struct text *, struct ip_prefix);  /* always with its mask */
void text_mac(struct text *, struct mac);

#endif
