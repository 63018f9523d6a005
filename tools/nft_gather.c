// SPDX-License-Identifier: ISC
/* Fills a house from the store, from rule files, and from the running appliance. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "columns.h"
#include "cross_rule.h"
#include "nft_gather.h"
#include "ruletree.h"
#include "setlist.h"
#include "storekeys.h"
#include "storesay.h"

/* --- files ------------------------------------------------------------------------ */

char *nft_read_file(const char *name, size_t *len)
{
	enum { BLOCK = 65536 };
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	char *text = malloc(BLOCK + 1);
	size_t room = BLOCK, n = 0, got = 1;
	while (f && text && got && n <= RULEFILE_BYTES_MAX) {
		if (n == room) {
			char *more = realloc(text, room * 2 + 1);
			if (!more)
				break;
			text = more;
			room *= 2;
		}
		n += got = fread(text + n, 1, room - n, f);
	}
	bool good = f && text && !ferror(f) && !got;
	if (!good)
		complain(EXIT_USAGE, "%s: %s", name, n > RULEFILE_BYTES_MAX ? "too large" : strerror(errno));
	if (f && f != stdin)
		fclose(f);
	if (!good) {
		free(text);
		return NULL;
	}
	text[n] = 0;
	*len = n;
	return text;
}

int nft_gather_file(struct nft_house *h, const char *text)
{
	const char *equals = strchr(text, '=');
	struct cursor c = cursor_of(text, equals ? (size_t)(equals - text) : 0);
	struct ip_addr ip;
	if (!equals || !parse_ip4(&c, &ip) || c.left)
		return complain(EXIT_USAGE, "%s: not IP=FILE", text);
	struct rulefile_source s = { .name = equals + 1, .now = (uint64_t)time(NULL) };
	struct rulefile f;
	char *rules = nft_read_file(equals + 1, &s.len);
	s.text = rules;
	if (!rules)
		return EXIT_USAGE;
	int code = rulefile_parse(&f, &s, stderr) ? EXIT_YES : EXIT_USAGE;
	struct nft_client *client = nft_house_client(h, ip);
	nft_client_open(client, VERDICT_DROP);
	for (size_t i = 0; code == EXIT_YES && i < f.count; i++)
		nft_client_rule(client, f.line[i].number, f.line[i].text, strlen(f.line[i].text));
	rulefile_free(&f);
	free(rules);
	return code;
}

/* --- the store --------------------------------------------------------------------- */

/* ROOT IP, ROOT IP/policy, ROOT IP/0000; the order is ascending, so policy comes behind the rules. */
static bool take_rule(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct nft_house *h = context;
	char name[IP_TEXT];
	const char *leaf = ruletree_split(key, name);
	struct cursor c = cursor_of(name, leaf ? strlen(name) : 0);
	struct ip_addr ip;
	if (!leaf || !*leaf || !cross_owner_parse(&c, &ip) || c.left || !ip_is_v4(ip))
		return true;
	struct nft_client *client = nft_house_client(h, ip);
	bool number = strlen(leaf) == 4 && strspn(leaf, "0123456789") == 4;
	if (cross_kind(ip) != RULE_OUTWARD) {
		if (number)
			nft_client_rule(client, (unsigned)strtoul(leaf, NULL, 10), (const char *)value, len);
		else
			nft_client_close(client, "a key that is no rule of four digits");
		return true;
	}
	bool fresh = !strcmp(client->why, "it has no rules");
	if (fresh)
		nft_client_close(client, "no policy");
	if (number)
		nft_client_rule(client, (unsigned)strtoul(leaf, NULL, 10), (const char *)value, len);
	else if (strcmp(leaf, "policy"))
		nft_client_close(client, "a key that is neither policy nor a rule of four digits");
	else if (strcmp(client->why, "no policy"))
		return true; /* a fault was found: it stays closed */
	else if (len == 4 && !memcmp(value, "drop", 4))
		nft_client_open(client, VERDICT_DROP);
	else if (len == 6 && !memcmp(value, "accept", 6))
		nft_client_open(client, VERDICT_ACCEPT);
	else
		nft_client_close(client, "its policy is neither accept nor drop");
	return true;
}

/* /dns/IP/HOST: what the appliance found for a name. */
static bool take_name(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct nft_house *h = context;
	const char *path = key + strlen("/dns/");
	size_t n = strcspn(path, "/");
	struct cursor c = cursor_of(path, n);
	struct ip_addr ip;
	char addresses[WIRE_VALUE_MAX + 1];
	if (!parse_ip4(&c, &ip) || c.left || !path[n])
		return true;
	memcpy(addresses, value, len);
	addresses[len] = 0;
	nft_client_name(nft_house_client(h, ip), path + n + 1, addresses);
	return true;
}

struct setting {
	const char *key;
	char text[WIRE_VALUE_MAX + 1]; /* "": it is not there */
};

static bool take_setting(void *context, const char *key, const uint8_t *value, size_t len)
{
	struct setting *s = context;
	if (strcmp(key, s->key))
		return true;
	memcpy(s->text, value, len);
	s->text[len] = 0;
	return false;
}

static const char *setting(const struct storekeys *keys, struct setting *s, const char *key)
{
	*s = (struct setting){ .key = key };
	storekeys_each(keys, key, take_setting, s);
	return s->text;
}

static void take_settings(const struct storekeys *keys, struct nft_house *h)
{
	struct setting s;
	/* one that is not there is the default, as for the appliance */
	if (!nft_house_dns(h, setting(keys, &s, "/qubes-primary-dns")))
		nft_house_dns(h, "10.139.1.1");
	if (!nft_house_dns(h, setting(keys, &s, "/qubes-secondary-dns")))
		nft_house_dns(h, "10.139.1.2");
	nft_house_away(h, setting(keys, &s, "/connected-ips"));
}

/* /postern/isolate/IP and /postern/panic (blockkeys.h): what is stopped here must not pass there. */
static bool take_stop(void *context, const char *key, const uint8_t *value, size_t len)
{
	static const char panic[] = "/postern/panic", isolate[] = "/postern/isolate/";
	struct nft_house *h = context;
	struct ip_addr ip;
	if (len == 3 && !memcmp(value, "off", 3))
		return true;
	if (!strcmp(key, panic))
		h->panic = true;
	if (strncmp(key, isolate, strlen(isolate)))
		return true;
	struct cursor c = cursor_of(key + strlen(isolate), strlen(key) - strlen(isolate));
	if (parse_ip4(&c, &ip) && !c.left)
		nft_house_isolate(h, ip);
	return true;
}

static bool take_set(void *context, const char *key, const uint8_t *value, size_t len)
{
	setlist_take_key(context, key, value, len);
	return true;
}

static void take_all(struct nft_house *h, const struct storekeys *keys)
{
	struct setlist sets = { .set = NULL };
	storekeys_each(keys, SETLIST_ROOT "/", take_set, &sets);
	h->sets = setlist_sets(&sets);
	setlist_free(&sets);
	storekeys_each(keys, RULETREE_ROOT, take_rule, h);
	storekeys_each(keys, RULETREE_OWN, take_rule, h);
	storekeys_each(keys, "/dns/", take_name, h);
	take_settings(keys, h);
	/* last: who is isolated stays closed */
	storekeys_each(keys, "/postern/", take_stop, h);
}

int nft_gather_store(struct nft_house *h, const char *socket)
{
	struct storeclient c;
	struct storekeys keys = { .count = 0 };
	int code = storesay(storeclient_open(&c, socket, STORECLIENT_WAIT_MS), socket, "open");
	if (code == EXIT_YES)
		code = storesay(storekeys_read(&keys, &c, "/"), socket, "read");
	storeclient_close(&c);
	if (code == EXIT_YES)
		take_all(h, &keys);
	storekeys_free(&keys);
	return code;
}

/* --- the appliance ------------------------------------------------------------------- */

struct port_gatherer {
	struct nft_house *house;
	bool has_uplink, has_ports; /* before */
};

static void take_port(void *context, json_t *object)
{
	const struct port_gatherer *g = context;
	const char *type = json_string_value(json_object_get(object, "type"));
	const char *role = json_string_value(json_object_get(object, "role"));
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *ip = json_string_value(json_object_get(object, "ip"));
	char port[NFTW_IFNAME + IP_TEXT + 2];
	if (!type || strcmp(type, "port") || !role || !name || !ip || !nft_is_ifname(name))
		return;
	struct cursor at = cursor_of(ip, strlen(ip));
	if (!strcmp(role, "uplink") && !g->has_uplink) {
		snprintf(g->house->uplink, sizeof(g->house->uplink), "%s", name);
		if (ip_is_zero(g->house->uplink_ip))
			parse_ip4(&at, &g->house->uplink_ip);
	}
	if (!strcmp(role, "client") && !g->has_ports &&
		 (size_t)snprintf(port, sizeof(port), "%s=%s", name, ip) < sizeof(port))
		nft_house_port(g->house, port);
}

int nft_gather_ports(struct nft_house *h, const char *socket)
{
	struct port_gatherer g = { .house = h, .has_uplink = *h->uplink != 0 };
	for (size_t i = 0; i < h->clients; i++)
		g.has_ports |= *h->client[i].port != 0;
	return answer_ask(socket, "status", take_port, &g);
}
