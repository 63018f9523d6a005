/* links: netstack/text.c netstack/addr.c */
/* SPDX-License-Identifier: ISC */
/* fuzz_addr.c: any text; what is read as an address or prefix is written and read back the same. */
#include "addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_prefix(struct cursor c)
{
	struct ip_prefix prefix, again;
	char line[IP_PREFIX_TEXT];
	struct text t = text_on(line);
	size_t before = c.left;

	if (!parse_prefix(&c, &prefix)) {
		ensure(c.left == before);
		return;
	}
	text_prefix(&t, prefix);
	ensure(!t.cut);
	struct cursor written = cursor_of(line, t.len);
	ensure(parse_prefix(&written, &again) && !written.left);
	ensure(ip_eq(prefix.addr, again.addr) && prefix.len == again.len);
	ensure(ip_in_prefix(prefix.addr, prefix));
	ensure(ip_is_zero(prefix.addr) + ip_is_loopback(prefix.addr) + ip_is_multicast(prefix.addr) +
	       ip_is_broadcast(prefix.addr) + ip_is_unicast(prefix.addr) <= 1);
}

static void check_mac(struct cursor c)
{
	struct mac mac, again;
	char line[MAC_TEXT];
	struct text t = text_on(line);

	if (!parse_mac(&c, &mac))
		return;
	text_mac(&t, mac);
	ensure(!t.cut);
	struct cursor written = cursor_of(line, t.len);
	ensure(parse_mac(&written, &again) && mac_eq(mac, again));
}

static void check_json(struct cursor c)
{
	char line[64];
	struct text t = text_on(line);

	text_json(&t, (const char *)c.at, c.left);
	ensure(t.len < sizeof(line) && !line[t.len]);
	for (size_t i = 0; i < t.len; i++)
		ensure(line[i] >= 0x20 && line[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cursor c = cursor_of(bytes, len);

	check_prefix(c);
	check_mac(c);
	check_json(c);
	return 0;
}
