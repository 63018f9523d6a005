// SPDX-License-Identifier: ISC
/* Turns option text into numbers; knows nothing of files or interfaces. */
#include "options.h"

#include <string.h>

const char options_usage[] =
	"usage: postern-tender --image FILE --uplink PORT [--client PORT]...\n"
	"  --mode hvt|spt|auto   KVM guest, process, or whichever is fast here (auto)\n"
	"  --mem MIB             guest memory (32)\n"
	"  --cpus LIST           as 0,2-3: packets are moved on the first; hvt: the guest runs on the second\n"
	"  --uplink PORT         KIND, netns=, ip=ADDR/LEN, gateway=, mac=, name=, mtu=, offload=on|off\n"
	"  --client PORT         KIND, netns=, ip= (twice for two), mac= (the client's),\n"
	"                        our-mac= (fe:ff:ff:ff:ff:ff), name=, mtu=, offload=on|off\n"
	"         KIND           tap=NAME; packet=NAME, xdp=NAME of a NIC or veth; auto=NAME; fd=N, a tap\n"
	"  --store SOCKET        the config store\n"
	"  --control SOCKET      made here, mode 0660: attach, detach, tender; the rest is the guest's\n"
	"  --config FILE         the same options, one a line without dashes, # comments\n"
	"  --name NAME           said in front of every log line\n"
	"exit status: 0 clean end; 1 set-up failed; 2 usage; 3 guest crashed; 255 guest panicked;\n"
	"  60 image refused, 61 configuration file refused: these do not heal by a restart\n";

static bool refuse(struct text *why, const char *what, const char *detail)
{
	text_put(why, what);
	text_put(why, detail);
	return false;
}

/* from is not a string: it ends where len says. */
static bool copy(char *to, size_t room, const char *from, size_t len)
{
	if (len == 0 || len >= room || memchr(from, '\0', len))
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

static bool is_name(const char *name)
{
	for (; *name; name++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *name))
			return false;
	return true;
}

static bool add_ip(struct option_port *p, struct cursor *c, bool uplink)
{
	struct ip_prefix prefix;
	if (p->addr_count == OPTION_ADDRS_MAX)
		return false;
	if (uplink ? !parse_prefix(c, &prefix) : !parse_ip(c, &prefix.addr))
		return false;
	if (uplink && p->addr_count == 0)
		p->prefix_len = prefix.len;
	p->addr[p->addr_count++] = prefix.addr;
	return true;
}

static bool set_number(struct option_port *p, struct cursor *c, const char *key)
{
	uint32_t n;
	if (!strcmp(key, "fd")) {
		if (!parse_u32(c, 1 << 20, &n))
			return false;
		p->fd = (int)n;
		return true;
	}
	if (!parse_u32(c, 65535, &n) || n < 68)
		return false;
	p->mtu = (uint16_t)n;
	return true;
}

static bool is_word(const char *word, const char *value, size_t len)
{
	return strlen(word) == len && !memcmp(word, value, len);
}

static bool set_switch(bool *on, const char *value, size_t len)
{
	*on = is_word("on", value, len);
	return *on || is_word("off", value, len);
}

static bool set_word(struct option_port *p, const char *key, const char *value, size_t len,
	bool *known)
{
	static const struct { const char *key; enum option_kind kind; } kinds[] = {
		{ "tap", OPTION_TAP }, { "packet", OPTION_PACKET }, { "xdp", OPTION_XDP },
		{ "auto", OPTION_ANY },
	};
	*known = true;
	for (size_t i = 0; i < array_len(kinds); i++)
		if (!strcmp(key, kinds[i].key)) {
			bool first = !p->iface[0];
			p->kind = kinds[i].kind;
			return first && copy(p->iface, sizeof(p->iface), value, len) && is_name(p->iface);
		}
	if (!strcmp(key, "name"))
		return copy(p->name, sizeof(p->name), value, len) && is_name(p->name);
	if (!strcmp(key, "netns"))
		return copy(p->netns, sizeof(p->netns), value, len) && is_name(p->netns) &&
			p->netns[0] != '.';
	if (!strcmp(key, "offload"))
		return set_switch(&p->offload, value, len);
	*known = false;
	return false;
}

static bool set_field(struct option_port *p, const char *key, const char *value, size_t len,
	bool uplink)
{
	struct cursor c = cursor_of(value, len);
	bool known, ok = set_word(p, key, value, len, &known);
	if (known)
		return ok;
	if (!strcmp(key, "fd") || !strcmp(key, "mtu"))
		ok = set_number(p, &c, key);
	else if (!strcmp(key, "ip"))
		ok = add_ip(p, &c, uplink);
	else if (!strcmp(key, "gateway"))
		ok = uplink && parse_ip(&c, &p->gateway);
	else if (!strcmp(key, uplink ? "mac" : "our-mac"))
		ok = p->has_ours = parse_mac(&c, &p->ours);
	else if (!strcmp(key, "mac"))
		ok = parse_mac(&c, &p->theirs);
	return ok && c.left == 0;
}

bool options_port(struct option_port *out, const char *value, size_t len, bool uplink,
	struct text *why)
{
	struct option_port p = { .fd = -1, .offload = true };
	const char *end = value + len;
	while (value < end) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		const char *stop = comma ? comma : end;
		const char *equals = memchr(value, '=', (size_t)(stop - value));
		char key[16], shown[80];
		struct text t = text_on(shown);
		text_bytes(&t, value, (size_t)(stop - value));
		if (!equals || equals - value >= (ptrdiff_t)sizeof(key))
			return refuse(why, "expected key=value: ", shown);
		memcpy(key, value, (size_t)(equals - value));
		key[equals - value] = '\0';
		if (!set_field(&p, key, equals + 1, (size_t)(stop - equals - 1), uplink))
			return refuse(why, "bad port option: ", shown);
		value = comma ? comma + 1 : end;
	}
	if (!p.name[0])
		memcpy(p.name, p.iface, sizeof(p.name));
	if (!uplink && p.addr_count == 0)
		return refuse(why, "a client needs ip=", "");
	*out = p;
	return true;
}

static bool set_mode(struct options *o, const char *value, struct text *why)
{
	static const struct { const char *word; enum option_mode mode; } table[] = {
		{ "auto", OPTION_AUTO }, { "hvt", OPTION_HVT }, { "spt", OPTION_SPT },
	};
	for (size_t i = 0; i < array_len(table); i++)
		if (!strcmp(value, table[i].word)) {
			o->mode = table[i].mode;
			return true;
		}
	return refuse(why, "mode is hvt, spt or auto, not ", value);
}

static bool set_mem(struct options *o, const char *value, struct text *why)
{
	struct cursor c = cursor_of(value, strlen(value));
	uint32_t mib;
	if (!parse_u32(&c, OPTION_MEM_MAX_MIB, &mib) || c.left || mib < OPTION_MEM_MIN_MIB)
		return refuse(why, "mem is 8 to 2048 (MiB), not ", value);
	o->mem_mib = mib;
	return true;
}

static bool add_cpus(struct options *o, struct cursor *c)
{
	uint32_t from, to;
	if (!parse_u32(c, OPTION_CPU_LAST, &from))
		return false;
	to = from;
	if (parse_word(c, "-") && (!parse_u32(c, OPTION_CPU_LAST, &to) || to < from))
		return false;
	for (; from <= to; from++) {
		if (o->cpu_count == OPTION_CPUS_MAX)
			return false;
		o->cpu[o->cpu_count++] = (uint16_t)from;
	}
	return true;
}

static bool set_cpus(struct options *o, const char *value, struct text *why)
{
	struct cursor c = cursor_of(value, strlen(value));
	bool ok;
	o->cpu_count = 0;
	do
		ok = add_cpus(o, &c);
	while (ok && parse_word(&c, ","));
	if (ok && c.left == 0)
		return true;
	return refuse(why, "cpus is a list of up to 16 numbers, as 0,2-3, not ", value);
}

static bool set_port(struct options *o, const char *key, const char *value, struct text *why)
{
	bool uplink = !strcmp(key, "uplink");
	if (uplink && o->has_uplink)
		return refuse(why, "a second uplink: ", value);
	if (!uplink && o->client_count == array_len(o->client))
		return refuse(why, "too many clients: ", value);
	struct option_port *p = uplink ? &o->uplink : &o->client[o->client_count];
	if (!options_port(p, value, strlen(value), uplink, why))
		return false;
	if (!p->iface[0] == (p->fd < 0))
		return refuse(why, "a port needs one of tap=, packet=, xdp=, auto= and fd=: ", value);
	if (uplink)
		o->has_uplink = true;
	else
		o->client_count++;
	return true;
}

bool options_set(struct options *o, const char *key, const char *value, struct text *why)
{
	const struct { const char *key; char *to; size_t room; } words[] = {
		{ "image", o->image, sizeof(o->image) },
		{ "store", o->store, sizeof(o->store) },
		{ "control", o->control, sizeof(o->control) },
		{ "config", o->config, sizeof(o->config) },
		{ "name", o->name, sizeof(o->name) },
	};
	if (!strcmp(key, "mode"))
		return set_mode(o, value, why);
	if (!strcmp(key, "mem"))
		return set_mem(o, value, why);
	if (!strcmp(key, "cpus"))
		return set_cpus(o, value, why);
	if (!strcmp(key, "uplink") || !strcmp(key, "client"))
		return set_port(o, key, value, why);
	for (size_t i = 0; i < array_len(words); i++)
		if (!strcmp(key, words[i].key))
			return copy(words[i].to, words[i].room, value, strlen(value)) ||
				refuse(why, "empty or too long: ", value);
	return refuse(why, "unknown option ", key);
}

void options_init(struct options *o)
{
	*o = (struct options){ .mem_mib = 32, .uplink = { .fd = -1 } };
}

bool options_args(struct options *o, int argc, char **argv, struct text *why)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		char key[16];
		if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
			o->help = true;
			return true;
		}
		if (strncmp(arg, "--", 2) || !arg[2])
			return refuse(why, "not an option: ", arg);
		const char *equals = strchr(arg, '=');
		size_t len = equals ? (size_t)(equals - arg - 2) : strlen(arg + 2);
		if (len >= sizeof(key))
			return refuse(why, "unknown option ", arg);
		memcpy(key, arg + 2, len);
		key[len] = '\0';
		if (!equals && i + 1 >= argc)
			return refuse(why, "no value for ", arg);
		if (!options_set(o, key, equals ? equals + 1 : argv[++i], why))
			return false;
	}
	return true;
}

static bool file_line(struct options *o, char *line, struct text *why)
{
	line += strspn(line, " \t");
	char *end = line + strlen(line);
	while (end > line && strchr(" \t\r", end[-1]))
		*--end = '\0';
	if (!*line || *line == '#')
		return true;
	size_t key = strcspn(line, " \t=");
	char *value = line + key;
	if (!*value)
		return refuse(why, "no value for ", line);
	*value++ = '\0';
	value += strspn(value, " \t=");
	if (!strcmp(line, "config"))
		return refuse(why, "config inside a configuration file", "");
	return options_set(o, line, value, why);
}

bool options_file(struct options *o, const char *bytes, size_t len, struct text *why)
{
	for (uint32_t number = 1; len > 0; number++) {
		const char *newline = memchr(bytes, '\n', len);
		size_t n = newline ? (size_t)(newline - bytes) : len;
		char line[512], detail[256];
		struct text inner = text_on(detail);
		bool ok = n < sizeof(line) && !memchr(bytes, '\0', n);
		if (ok) {
			memcpy(line, bytes, n);
			line[n] = '\0';
			ok = file_line(o, line, &inner);
		} else {
			text_put(&inner, "line too long, or not text");
		}
		if (!ok) {
			text_put(why, "line ");
			text_u64(why, number);
			return refuse(why, ": ", detail);
		}
		size_t eaten = newline ? n + 1 : n;
		bytes += eaten;
		len -= eaten;
	}
	return true;
}

bool options_check(const struct options *o, struct text *why)
{
	if (!o->image[0])
		return refuse(why, "--image is missing", "");
	for (uint32_t i = 0; i < o->client_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (o->client[i].iface[0] && !strcmp(o->client[i].iface, o->client[j].iface) &&
			    !strcmp(o->client[i].netns, o->client[j].netns))
				return refuse(why, "the same interface twice: ", o->client[i].iface);
	return true;
}
