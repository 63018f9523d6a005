/* SPDX-License-Identifier: ISC */
/* addr.c: prefixes, and the text of addresses both ways. */
#include "addr.h"

bool ip_in_prefix(struct ip_addr ip, struct ip_prefix prefix)
{
	bool v4 = ip_is_v4(prefix.addr);
	if (ip_is_v4(ip) != v4)
		return false;

	unsigned bits = prefix.len + (v4 ? 96u : 0u);
	ensure(bits <= 128);
	if (memcmp(ip.b, prefix.addr.b, bits / 8))
		return false;
	if (bits % 8 == 0)
		return true;
	return (ip.b[bits / 8] ^ prefix.addr.b[bits / 8]) >> (8 - bits % 8) == 0;
}

bool parse_ip4(struct cursor *c, struct ip_addr *ip)
{
	struct cursor at = *c;
	uint8_t quad[4];

	for (int i = 0; i < 4; i++) {
		uint32_t value;
		if (i && !parse_word(&at, "."))
			return false;
		size_t before = at.left;
		bool zero = at.left && at.at[0] == '0';
		if (!parse_u32(&at, 255, &value))
			return false;
		/* a leading zero would be octal to some readers */
		if (zero && before - at.left > 1)
			return false;
		quad[i] = (uint8_t)value;
	}
	*c = at;
	*ip = ip_v4(quad[0], quad[1], quad[2], quad[3]);
	return true;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to `most` hexadecimal digits; a further digit is left unread. */
static bool parse_hex(struct cursor *c, unsigned most, uint16_t *value)
{
	struct cursor at = *c;
	unsigned sum = 0, digits = 0;

	while (digits < most && at.left && hex_value(at.at[0]) >= 0) {
		sum = sum << 4 | (unsigned)hex_value(at.at[0]);
		take(&at, 1);
		digits++;
	}
	if (!digits)
		return false;
	*c = at;
	*value = (uint16_t)sum;
	return true;
}

/* The groups in wire order; *gap is the index of the group in front of which "::" stood, or 8. */
static unsigned read_groups(struct cursor *c, uint8_t bytes[16], unsigned *gap)
{
	unsigned n = 0;

	*gap = 8;
	if (parse_word(c, "::"))
		*gap = 0;
	while (n < 8) {
		struct cursor at = *c;
		struct ip_addr tail;
		uint16_t group;

		if (n && *gap != n && !parse_word(&at, ":"))
			break;
		if (n <= 6 && parse_ip4(&at, &tail)) {
			memcpy(bytes + (size_t)2 * n, tail.b + 12, 4);
			*c = at;
			return n + 2;
		}
		if (!parse_hex(&at, 4, &group))
			break;
		bytes[2 * n] = (uint8_t)(group >> 8);
		bytes[2 * n + 1] = (uint8_t)group;
		n++;
		if (n < 8 && *gap == 8 && parse_word(&at, "::"))
			*gap = n;
		*c = at;
	}
	return n;
}

bool parse_ip6(struct cursor *c, struct ip_addr *ip)
{
	struct cursor at = *c;
	struct ip_addr result = { { 0 } };
	uint8_t bytes[16];
	unsigned gap, n = read_groups(&at, bytes, &gap);

	/* without "::" all eight groups, with it at least one less */
	if (gap == 8 ? n != 8 : n > 7)
		return false;
	if (gap > n)
		gap = n;
	if (at.left && hex_value(at.at[0]) >= 0)
		return false;
	memcpy(result.b, bytes, (size_t)2 * gap);
	memcpy(result.b + 16 - 2 * (n - gap), bytes + (size_t)2 * gap, (size_t)2 * (n - gap));
	if (ip_is_v4(result))
		return false;
	*c = at;
	*ip = result;
	return true;
}

bool parse_ip(struct cursor *c, struct ip_addr *ip)
{
	return parse_ip4(c, ip) || parse_ip6(c, ip);
}

bool parse_prefix(struct cursor *c, struct ip_prefix *prefix)
{
	struct cursor at = *c;
	struct ip_addr addr;

	if (!parse_ip(&at, &addr))
		return false;
	uint32_t most = ip_is_v4(addr) ? 32 : 128, len = most;
	if (parse_word(&at, "/") && !parse_u32(&at, most, &len))
		return false;
	*c = at;
	*prefix = (struct ip_prefix){ addr, (uint8_t)len };
	return true;
}

bool parse_mac(struct cursor *c, struct mac *mac)
{
	struct cursor at = *c;
	struct mac result;

	for (int i = 0; i < 6; i++) {
		uint16_t byte;
		if (i && !parse_word(&at, ":"))
			return false;
		size_t before = at.left;
		if (!parse_hex(&at, 2, &byte) || before - at.left != 2)
			return false;
		result.b[i] = (uint8_t)byte;
	}
	if (at.left && hex_value(at.at[0]) >= 0)
		return false;
	*c = at;
	*mac = result;
	return true;
}

static unsigned group_of(struct ip_addr ip, unsigned i)
{
	return (unsigned)ip.b[2 * i] << 8 | ip.b[2 * i + 1];
}

/* The longest run of zero groups, the first of equals (RFC 5952 4.2.3); returns its length. */
static unsigned zero_run(struct ip_addr ip, unsigned *start)
{
	unsigned best = 0, run = 0;

	*start = 8;
	for (unsigned i = 0; i < 8; i++) {
		run = group_of(ip, i) ? 0 : run + 1;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

static void text_ip4(struct text *t, be32 v4)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_u64(t, v4.b[i]);
	}
}

void text_ip(struct text *t, struct ip_addr ip)
{
	if (ip_is_v4(ip)) {
		text_ip4(t, ip_to_v4(ip));
		return;
	}

	unsigned start, run = zero_run(ip, &start);
	if (run < 2) /* RFC 5952 4.2.2: never for one group alone */
		start = 8;
	for (unsigned i = 0; i < 8;) {
		if (i == start) {
			text_put(t, "::");
			i += run;
			continue;
		}
		if (i && i != start + run)
			text_char(t, ':');
		text_hex(t, group_of(ip, i), 1);
		i++;
	}
}

void text_prefix(struct text *t, struct ip_prefix prefix)
{
	text_ip(t, prefix.addr);
	text_char(t, '/');
	text_u64(t, prefix.len);
}

void text_mac(struct text *t, struct mac mac)
{
	for (int i = 0; i < 6; i++) {
		if (i)
			text_char(t, ':');
		text_hex(t, mac.b[i], 2);
	}
}
