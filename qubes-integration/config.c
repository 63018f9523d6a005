/* SPDX-License-Identifier: ISC */
/*
 * config.c: the store's keys about the firewall itself, into numbers.
 */
#include "config.h"

enum setting {
	IP, GATEWAY, NETMASK, NETVM_GATEWAY, DNS_1, DNS_2, CONNECTED,
	IP6, GATEWAY6, NETVM_GATEWAY6, CONNECTED6, SEED, CLASS, SETTING_COUNT,
};

static const char mapped_dir[] = "/mapped-ip/";

static const char *const paths[SETTING_COUNT] = {
	[IP] = "/qubes-ip",
	[GATEWAY] = "/qubes-gateway",
	[NETMASK] = "/qubes-netmask",
	[NETVM_GATEWAY] = "/qubes-netvm-gateway",
	[DNS_1] = "/qubes-primary-dns",
	[DNS_2] = "/qubes-secondary-dns",
	[CONNECTED] = "/connected-ips",
	[IP6] = "/qubes-ip6",
	[GATEWAY6] = "/qubes-gateway6",
	[NETVM_GATEWAY6] = "/qubes-netvm-gateway6",
	[CONNECTED6] = "/connected-ips6",
	[SEED] = "/qubes-random-seed",
	[CLASS] = "/type",
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static enum setting setting_of(const char *path)
{
	unsigned s = 0;
	while (s < SETTING_COUNT && !same(path, paths[s]))
		s++;
	return (enum setting)s;
}

/* The one address that the setting is; NULL for the others. */
static struct ip_addr *address(struct config *c, enum setting s)
{
	switch (s) {
	case IP:
		return &c->ip;
	case GATEWAY:
		return &c->gateway;
	case NETVM_GATEWAY:
		return &c->netvm_gateway;
	case DNS_1:
		return &c->dns[0];
	case DNS_2:
		return &c->dns[1];
	case IP6:
		return &c->ip6;
	case GATEWAY6:
		return &c->gateway6;
	case NETVM_GATEWAY6:
		return &c->netvm_gateway6;
	case NETMASK:
	case CONNECTED:
	case CONNECTED6:
	case SEED:
	case CLASS:
	case SETTING_COUNT:
		break;
	}
	return NULL;
}

static struct ip_addr default_address(enum setting s)
{
	if (s == DNS_1)
		return ip_v4(10, 139, 1, 1);
	if (s == DNS_2)
		return ip_v4(10, 139, 1, 2);
	return (struct ip_addr){ { 0 } };
}

static void set_address(struct config *c, struct ip_addr *at, struct ip_addr ip)
{
	if (!ip_eq(*at, ip))
		c->changed = true;
	*at = ip;
}

static void set_prefix_len(struct config *c, uint8_t len)
{
	if (c->prefix_len != len)
		c->changed = true;
	c->prefix_len = len;
}

static bool set_netmask(struct config *c, struct cursor value)
{
	struct cursor dotted = value;
	struct ip_addr mask;
	uint32_t len;
	if (parse_ip4(&dotted, &mask) && dotted.left == 0) {
		uint32_t bits = be32_get(ip_to_v4(mask));
		for (len = 0; len < 32 && (bits & 0x80000000u >> len); len++)
			;
		if (len < 32 && (bits << len) != 0)
			return false;
	} else if (!parse_u32(&value, 32, &len) || value.left > 0) {
		return false;
	}
	set_prefix_len(c, (uint8_t)len);
	return true;
}

/* A list of addresses in the config. */
struct list {
	struct ip_addr *ip; /* CONFIG_CONNECTED_MAX */
	uint32_t *count;
};

static struct list list_of(struct config *c, enum setting s)
{
	if (s == CONNECTED6)
		return (struct list){ c->connected6, &c->connected6_count };
	return (struct list){ c->connected, &c->connected_count };
}

/* Addresses apart by spaces; one that is none spoils the whole value. */
static enum config_outcome set_connected(struct config *c, struct list l, struct cursor value)
{
	struct cursor check = value;
	struct ip_addr ip;
	uint32_t count = 0;
	for (;;) {
		while (parse_word(&check, " "))
			;
		if (check.left == 0)
			break;
		if (!parse_ip(&check, &ip) || (check.left > 0 && check.at[0] != ' '))
			return CONFIG_MALFORMED;
		count++;
	}
	bool cut = count > CONFIG_CONNECTED_MAX;
	count = cut ? CONFIG_CONNECTED_MAX : count;
	if (count != *l.count)
		c->changed = true;
	for (uint32_t i = 0; i < count; i++) {
		while (parse_word(&value, " "))
			;
		/* cannot fail: it was read above */
		parse_ip(&value, &ip);
		set_address(c, &l.ip[i], ip);
	}
	*l.count = count;
	return cut ? CONFIG_CUT : CONFIG_TAKEN;
}

/* It is only mixed into what we draw, so that any bytes will do. */
static void set_seed(struct config *c, struct cursor value)
{
	c->seed_len = (uint32_t)(value.left < CONFIG_SEED_BYTES ? value.left : CONFIG_SEED_BYTES);
	if (c->seed_len > 0)
		memcpy(c->seed, value.at, c->seed_len);
	c->changed |= c->seed_len > 0;
}

static void set_default(struct config *c, enum setting s)
{
	struct ip_addr *at = address(c, s);
	if (at)
		set_address(c, at, default_address(s));
	else if (s == NETMASK)
		set_prefix_len(c, 32);
	else if (s == CONNECTED || s == CONNECTED6)
		(void)set_connected(c, list_of(c, s), cursor_of("", 0));
	else if (s == CLASS)
		c->may_request = false;
}

void config_init(struct config *c)
{
	*c = (struct config){ .prefix_len = 32 };
	config_remove(c, "/");
	c->changed = false;
}

static enum config_outcome taken_if(bool ok)
{
	return ok ? CONFIG_TAKEN : CONFIG_MALFORMED;
}

static struct cursor string(const char *text)
{
	size_t len = 0;
	while (text[len])
		len++;
	return cursor_of(text, len);
}

static bool is_word(struct cursor value, const char *word)
{
	return parse_word(&value, word) && value.left == 0;
}

static enum config_outcome write_mapped(struct config *c, struct cursor key, struct cursor value)
{
	enum fakeip_outcome outcome = fakeip_write(&c->fakeip, key, value, c->netvm_gateway);
	c->changed |= outcome == FAKEIP_TAKEN;
	return outcome == FAKEIP_FULL ? CONFIG_UNKEPT : taken_if(outcome != FAKEIP_MALFORMED);
}

enum config_outcome config_write(struct config *c, const char *path, const uint8_t *value,
				 size_t len)
{
	enum setting s = setting_of(path);
	struct cursor in = cursor_of(value, len), key = string(path);
	struct ip_addr *at = address(c, s), ip;
	if (parse_word(&key, mapped_dir))
		return write_mapped(c, key, in);
	if (s == SETTING_COUNT)
		return CONFIG_NOT_MINE;
	if (s == CONNECTED || s == CONNECTED6)
		return set_connected(c, list_of(c, s), in);
	if (s == SEED || s == CLASS) {
		if (s == SEED)
			set_seed(c, in);
		else
			c->may_request = is_word(in, "StandaloneVM") || is_word(in, "TemplateVM");
		return CONFIG_TAKEN;
	}
	if (len == 0) {
		set_default(c, s);
		return CONFIG_TAKEN;
	}
	if (s == NETMASK)
		return taken_if(set_netmask(c, in));
	if (!parse_ip(&in, &ip) || in.left > 0 || (s > CONNECTED && ip_is_v4(ip)))
		return CONFIG_MALFORMED;
	set_address(c, at, ip);
	return CONFIG_TAKEN;
}

void config_remove(struct config *c, const char *path)
{
	struct cursor key = string(path);
	bool all = same(path, "/");
	for (unsigned s = 0; s < SETTING_COUNT; s++)
		if (all || same(path, paths[s]))
			set_default(c, (enum setting)s);
	if (all || parse_word(&key, mapped_dir))
		c->changed |= fakeip_remove(&c->fakeip, all ? cursor_of("", 0) : key, c->netvm_gateway);
}
