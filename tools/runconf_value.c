// SPDX-License-Identifier: ISC
/* Judges the values of postern.conf, each by its kind. */
#include <string.h>

#include "addr.h"
#include "runconf.h"
#include "runconf_value.h"

static const char *take_text(void *to, size_t room, const char *value, size_t len)
{
	if (len >= room)
		return "too long";
	memcpy(to, value, len);
	((char *)to)[len] = 0;
	return NULL;
}

const char *runconf_take_path(void *to, size_t room, const char *value, size_t len)
{
	return *value == '/' ? take_text(to, room, value, len) : "not an absolute path";
}

static bool is_name(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", value[i]))
			return false;
	return len > 0;
}

const char *runconf_take_name(void *to, size_t room, const char *value, size_t len)
{
	if (len < room && is_name(value, len) && value[0] != '.')
		return take_text(to, room, value, len);
	return room == RUNCONF_IFACE ? "not a name of at most 15 letters, digits and \"_.-\"" :
				       "not a name of letters, digits and \"_.-\"";
}

static bool is_one_of(const char *value, size_t len, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(words[i]) == len && !memcmp(words[i], value, len))
			return true;
	return false;
}

const char *runconf_take_mode(void *to, size_t room, const char *value, size_t len)
{
	static const char *const words[] = { "auto", "hvt", "spt" };
	return is_one_of(value, len, words, array_len(words)) ? take_text(to, room, value, len) :
								"not auto, hvt or spt";
}

const char *runconf_take_switch(void *to, size_t room, const char *value, size_t len)
{
	static const char *const words[] = { "on", "off" };
	return is_one_of(value, len, words, array_len(words)) ? take_text(to, room, value, len) : "not on or off";
}

static bool take_number(unsigned *to, const char *value, size_t len, unsigned least, unsigned most)
{
	struct cursor c = cursor_of(value, len);
	uint32_t n;
	if (!parse_u32(&c, most, &n) || c.left || n < least)
		return false;
	*to = n;
	return true;
}

const char *runconf_take_memory(void *to, size_t room, const char *value, size_t len)
{
	(void)room;
	return take_number(to, value, len, 8, 2048) ? NULL : "not 8 to 2048 (MiB)";
}

const char *runconf_take_watchdog(void *to, size_t room, const char *value, size_t len)
{
	static const char *const off[] = { "off" };
	unsigned seconds;
	return is_one_of(value, len, off, 1) || take_number(&seconds, value, len, 5, 3600) ?
		       take_text(to, room, value, len) : "not 5 to 3600 (seconds), or off";
}

const char *runconf_take_mtu(void *to, size_t room, const char *value, size_t len)
{
	(void)room;
	return take_number(to, value, len, 68, 65535) ? NULL : "not 68 to 65535";
}

/* As 0,2-3. */
const char *runconf_take_cpus(void *to, size_t room, const char *value, size_t len)
{
	struct cursor c = cursor_of(value, len);
	uint32_t from, last;
	do {
		if (!parse_u32(&c, 1023, &from))
			break;
		if (parse_word(&c, "-") && (!parse_u32(&c, 1023, &last) || last < from))
			break;
		if (!c.left)
			return take_text(to, room, value, len);
	} while (parse_word(&c, ","));
	return "not a list of CPUs as 0,2-3";
}

const char *runconf_take_mac(void *to, size_t room, const char *value, size_t len)
{
	struct cursor c = cursor_of(value, len);
	struct mac mac;
	return parse_mac(&c, &mac) && !c.left && !mac_is_group(mac) ? take_text(to, room, value, len) :
								      "not the MAC of a host";
}

const char *runconf_take_host(void *to, size_t room, const char *value, size_t len)
{
	struct cursor c = cursor_of(value, len);
	struct text out = text_of(to, room);
	struct ip_addr ip;
	if (!parse_ip(&c, &ip) || c.left || !ip_is_unicast(ip))
		return "not the address of a host";
	text_ip(&out, ip);
	return NULL;
}

const char *runconf_take_network(void *to, size_t room, const char *value, size_t len)
{
	struct cursor c = cursor_of(value, len);
	struct text out = text_of(to, room);
	struct ip_prefix p;
	if (!parse_prefix(&c, &p) || c.left || !ip_is_unicast(p.addr) || !memchr(value, '/', len))
		return "not an address with the length of its prefix, as 192.0.2.2/24";
	text_prefix(&out, p);
	return NULL;
}

const char *runconf_take_listen(void *to, size_t room, const char *value, size_t len)
{
	unsigned port;
	bool unix_path = len > 6 && !memcmp(value, "unix:/", 6);
	bool tcp = len > 10 && !memcmp(value, "127.0.0.1:", 10) && take_number(&port, value + 10, len - 10, 1, 65535);
	return unix_path || tcp ? take_text(to, room, value, len) : "not unix:/PATH or 127.0.0.1:PORT";
}
