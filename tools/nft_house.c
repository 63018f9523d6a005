// SPDX-License-Identifier: ISC
/* Clients, rules and ports of a house, kept in the order in which they came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cross_rule.h"
#include "must.h"
#include "nft_house.h"
#include "sets.h"

enum { NAME_ADDRESSES_MAX = 256 };

/* Room for one more in an array that doubles whenever its size is a power of two. */
static void *grown(void *array, size_t count, size_t item)
{
	if (count & (count - 1))
		return array;
	return must(reallocarray(array, count ? count * 2 : 1, item));
}

static bool whole_ip(const char *text, size_t len, struct ip_addr *ip)
{
	struct cursor c = cursor_of(text, len);
	return parse_ip4(&c, ip) && !c.left;
}

struct nft_client *nft_house_client(struct nft_house *h, struct ip_addr ip)
{
	enum rule_kind kind = cross_kind(ip);
	if (kind != RULE_OUTWARD) {
		struct nft_client *own = kind == RULE_INBOUND ? &h->inbound : &h->between;
		own->ip = ip;
		return own;
	}
	for (size_t i = 0; i < h->clients; i++)
		if (ip_eq(h->client[i].ip, ip))
			return &h->client[i];
	h->client = grown(h->client, h->clients, sizeof(*h->client));
	struct nft_client *c = &h->client[h->clients++];
	*c = (struct nft_client){ .ip = ip, .closed = true, .why = "it has no rules", .sets = h->sets };
	return c;
}

bool nft_is_ifname(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n < NFTW_IFNAME && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						       "0123456789._-@") == n;
}

bool nft_house_port(struct nft_house *h, const char *text)
{
	char name[NFTW_IFNAME] = "";
	const char *at = strchr(text, '=');
	if (!at || (size_t)(at - text) >= sizeof(name))
		return false;
	memcpy(name, text, (size_t)(at - text));
	if (!nft_is_ifname(name))
		return false;
	do {
		size_t n = strcspn(++at, ",");
		struct ip_addr ip;
		if (!whole_ip(at, n, &ip))
			return false;
		memcpy(nft_house_client(h, ip)->port, name, sizeof(name));
		at += n;
	} while (*at);
	return true;
}

bool nft_house_uplink(struct nft_house *h, const char *text)
{
	char name[NFTW_IFNAME] = "";
	size_t n = strcspn(text, "=");
	if (n >= sizeof(name))
		return false;
	memcpy(name, text, n);
	if (!nft_is_ifname(name) || (text[n] && !whole_ip(text + n + 1, strlen(text + n + 1), &h->uplink_ip)))
		return false;
	memcpy(h->uplink, name, sizeof(name));
	return true;
}

bool nft_house_dns(struct nft_house *h, const char *text)
{
	return h->dns_count < array_len(h->dns) && whole_ip(text, strlen(text), &h->dns[h->dns_count]) &&
	       ++h->dns_count;
}

static void add_away(struct nft_house *h, struct ip_addr ip)
{
	for (size_t i = 0; i < h->aways; i++)
		if (ip_eq(h->away[i], ip))
			return;
	h->away = grown(h->away, h->aways, sizeof(*h->away));
	h->away[h->aways++] = ip;
}

void nft_house_away(struct nft_house *h, const char *ips)
{
	for (const char *at = ips; *at;) {
		size_t n = strcspn(at, " \t\n");
		struct ip_addr ip;
		if (n && whole_ip(at, n, &ip))
			add_away(h, ip);
		at += n + (at[n] != 0);
	}
}

void nft_house_isolate(struct nft_house *h, struct ip_addr ip)
{
	struct nft_client *c = nft_house_client(h, ip);
	c->isolated = true;
	nft_client_close(c, "it is isolated");
}

static void free_client(struct nft_client *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free((void *)(uintptr_t)c->rule[i].parsed.host);
		free((void *)(uintptr_t)c->rule[i].found);
	}
	free(c->rule);
}

void nft_house_only(struct nft_house *h, struct ip_addr ip)
{
	size_t kept = 0;
	for (size_t i = 0; i < h->clients; i++) {
		if (ip_eq(h->client[i].ip, ip)) {
			h->client[kept++] = h->client[i];
		} else {
			add_away(h, h->client[i].ip);
			free_client(&h->client[i]);
		}
	}
	h->clients = kept;
}

void nft_house_finish(struct nft_house *h)
{
	size_t kept = 0;
	for (size_t i = 0; h->panic && i < h->clients; i++)
		nft_house_isolate(h, h->client[i].ip);
	if (!h->dns_count) {
		nft_house_dns(h, "10.139.1.1");
		nft_house_dns(h, "10.139.1.2");
	}
	for (size_t i = 0; i < h->aways; i++) {
		bool here = false;
		for (size_t j = 0; j < h->clients; j++)
			here |= ip_eq(h->client[j].ip, h->away[i]);
		if (!here)
			h->away[kept++] = h->away[i];
	}
	h->aways = kept;
	if (h->dns_count == 2 && ip_eq(h->dns[0], h->dns[1]))
		h->dns_count = 1; /* the kernel refuses an element that is there */
}

void nft_house_free(struct nft_house *h)
{
	for (size_t i = 0; i < h->clients; i++)
		free_client(&h->client[i]);
	free_client(&h->inbound);
	free_client(&h->between);
	free(h->client);
	free(h->away);
	free(h->sets);
	*h = (struct nft_house){ 0 };
}

/* --- a client's rules ------------------------------------------------------------------ */

void nft_client_close(struct nft_client *c, const char *why)
{
	c->closed = true;
	snprintf(c->why, sizeof(c->why), "%s", why);
}

void nft_client_open(struct nft_client *c, enum rule_verdict policy)
{
	c->closed = false;
	c->policy = policy;
}

static void keep(struct nft_client *c, const struct nft_rule *r)
{
	c->rule = grown(c->rule, c->count, sizeof(*c->rule));
	c->rule[c->count++] = *r;
}

/* One for each member, as the appliance has them. */
static void keep_expanded(struct nft_client *c, const struct nft_rule *r)
{
	static const struct sets none;
	const struct sets *sets = c->sets ? c->sets : &none;
	struct nft_rule one = *r;
	struct rule whole = r->parsed.rule;
	whole.host = NONE;
	for (uint32_t i = 0; i < SETS_MAX; i++)
		if (!strncmp(sets->set[i].name, r->parsed.set, r->parsed.set_len) && !sets->set[i].name[r->parsed.set_len])
			whole.host = i;
	for (uint32_t at = 0; sets_expand(sets, &whole, false, &at, &one.parsed.rule);) {
		if (one.parsed.rule.flags & RULE_VOID)
			continue;
		one.parsed.rule.flags &= (uint8_t)~RULE_HAS_SET;
		one.parsed.rule.host = NONE;
		keep(c, &one);
	}
}

bool nft_client_rule(struct nft_client *c, unsigned number, const char *line, size_t len)
{
	struct nft_rule r = { 0 };
	struct rule_error fault;
	enum rule_kind kind = cross_kind(c->ip);
	if (kind == RULE_OUTWARD ? !rule_parse(line, len, false, &r.parsed, &fault) :
				   !cross_rule_parse(kind, line, len, &r.parsed, &fault)) {
		char reason[RULE_ERROR_TEXT], why[sizeof(c->why)];
		struct text t = text_on(reason);
		rule_error_text(&t, &fault);
		snprintf(why, sizeof(why), "rule %04u, %.80s", number, reason);
		nft_client_close(c, why);
		return false;
	}
	/* what has expired is not there */
	if (r.parsed.rule.expire && r.parsed.rule.expire <= time(NULL))
		return true;
	r.parsed.rule.number = (uint16_t)number;
	if (r.parsed.rule.flags & RULE_HAS_HOST)
		r.parsed.host = must(strndup(r.parsed.host, r.parsed.host_len));
	else
		r.parsed.host = NULL;
	r.parsed.label = NULL;
	if (r.parsed.rule.flags & RULE_HAS_SET)
		keep_expanded(c, &r);
	else
		keep(c, &r);
	return true;
}

static bool has_ip(const struct ip_addr *ip, size_t count, struct ip_addr wanted)
{
	for (size_t i = 0; i < count; i++)
		if (ip_eq(ip[i], wanted))
			return true;
	return false;
}

void nft_client_name(struct nft_client *c, const char *host, const char *addresses)
{
	struct ip_addr found[NAME_ADDRESSES_MAX];
	size_t count = 0;
	for (const char *at = addresses; *at && count < NAME_ADDRESSES_MAX;) {
		size_t skip = strcspn(at, "0123456789");
		at += skip;
		size_t n = strspn(at, "0123456789.");
		if (n && whole_ip(at, n, &found[count]) && !has_ip(found, count, found[count]))
			count++;
		at += strcspn(at, ",");
	}
	for (size_t i = 0; i < c->count; i++) {
		struct nft_rule *r = &c->rule[i];
		if (!count || !r->parsed.host || r->found || strcmp(r->parsed.host, host))
			continue;
		struct ip_addr *copy = must(calloc(count, sizeof(*copy)));
		memcpy(copy, found, count * sizeof(*copy));
		r->found = copy;
		r->found_count = count;
	}
}
