// SPDX-License-Identifier: ISC
/* Reads postern.conf whole, points at everything that is wrong in it, and writes it out again. */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "nearest.h"
#include "runconf.h"
#include "runconf_value.h"

enum section { IN_TOP = 1, IN_UPLINK = 2, IN_CLIENT = 4, IN_PORT = IN_UPLINK | IN_CLIENT, NOWHERE = 8 };

static const struct key {
	const char *word;
	unsigned where;
	runconf_take_value *take;
	size_t at, room;
	enum runconf_kind kind;
} keys[] = {
#define TOP(w, f, t) { .word = w, .where = IN_TOP, .take = runconf_take_##t, .at = offsetof(struct runconf, f), \
		       .room = sizeof(((struct runconf *)0)->f) }
#define PORT(w, p, f, t) { .word = w, .where = p, .take = runconf_take_##t, .at = offsetof(struct runconf_port, f), \
			   .room = sizeof(((struct runconf_port *)0)->f) }
#define KIND(w, k) { .word = w, .where = IN_PORT, .take = runconf_take_name, .at = offsetof(struct runconf_port, iface), \
		     .room = RUNCONF_IFACE, .kind = k }
	TOP("image", image, path), TOP("mode", mode, mode), TOP("memory", memory, memory),
	TOP("cpus", cpus, cpus), TOP("name", name, name), TOP("sockets", sockets, path),
	TOP("database", database, path), TOP("group", group, name), TOP("log", log, path),
	TOP("watchdog", watchdog, watchdog), TOP("metrics", metrics, listen), TOP("web", web, listen),
	TOP("tender", tender, path), TOP("store", store, path),
	KIND("tap", RUNCONF_TAP), KIND("packet", RUNCONF_PACKET), KIND("xdp", RUNCONF_XDP), KIND("auto", RUNCONF_AUTO),
	PORT("netns", IN_PORT, netns, name), PORT("address", IN_UPLINK, address[0], network),
	PORT("address", IN_CLIENT, address[0], host), PORT("gateway", IN_UPLINK, gateway, host),
	PORT("mac", IN_PORT, mac, mac), PORT("our-mac", IN_CLIENT, our_mac, mac),
	PORT("mtu", IN_PORT, mtu, mtu), PORT("offload", IN_PORT, offload, switch),
#undef TOP
#undef PORT
#undef KIND
};

struct reading {
	struct runconf *conf;
	FILE *errors;
	unsigned faults;
	enum section section;
	struct runconf_port *port; /* of the section */
	struct rulefile_place head; /* its first line */
	struct rulefile_place line;
	size_t at; /* in that line */
};

static bool fault(struct reading *r, const struct rulefile_place *p, size_t at, const char *why)
{
	if (++r->faults <= RULEFILE_FAULTS_SHOWN)
		rulefile_point(p, (unsigned)at + 1, why, r->errors);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct reading *r)
{
	while (r->at < r->line.len && is_blank(r->line.line[r->at]))
		r->at++;
}

static size_t word_len(const struct reading *r)
{
	size_t n = 0;
	while (r->at + n < r->line.len && !is_blank(r->line.line[r->at + n]))
		n++;
	return n;
}

/* The rest without blanks at its end and without what stands behind " #". */
static size_t value_len(const struct reading *r)
{
	size_t n = r->line.len - r->at;
	const char *from = r->line.line + r->at;
	for (size_t i = 0; i < n; i++)
		if (from[i] == '#' && (i == 0 || is_blank(from[i - 1])))
			n = i;
	while (n > 0 && is_blank(from[n - 1]))
		n--;
	return n;
}

/* --- sections -------------------------------------------------------------------------- */

static void compose(struct runconf_port *p, bool uplink)
{
	static const char *const kinds[] = { "", "tap", "packet", "xdp", "auto" };
	struct text t = text_on(p->words);
	const struct { const char *key, *value; } more[] = {
		{ ",netns=", p->netns }, { ",ip=", p->address[0] }, { ",ip=", p->address[1] },
		{ ",gateway=", p->gateway }, { ",mac=", p->mac }, { ",our-mac=", p->our_mac },
		{ ",offload=", p->offload }, { ",name=", p->name },
	};
	if (uplink && !p->name[0])
		memcpy(p->name, p->iface, sizeof(p->name));
	text_put(&t, kinds[p->kind]);
	text_char(&t, '=');
	text_put(&t, p->iface);
	for (size_t i = 0; i < array_len(more); i++) {
		if (!*more[i].value)
			continue;
		text_put(&t, more[i].key);
		text_put(&t, more[i].value);
	}
	if (p->mtu) {
		text_put(&t, ",mtu=");
		text_u64(&t, p->mtu);
	}
	ensure(!t.cut);
}

static bool share(const char *a, const char *b)
{
	return *a && !strcmp(a, b);
}

static const char *clash(const struct runconf_port *p, const struct runconf_port *other)
{
	if (!strcmp(p->iface, other->iface) && !strcmp(p->netns, other->netns))
		return "this interface belongs to another port already";
	for (int i = 0; i < 2; i++)
		if (share(p->address[i], other->address[0]) || share(p->address[i], other->address[1]))
			return "this address belongs to another client already";
	return NULL;
}

/* What can only be said of a port as a whole. */
static void end_section(struct reading *r)
{
	struct runconf_port *p = r->port;
	struct runconf *c = r->conf;
	const char *why = NULL;
	bool uplink = r->section == IN_UPLINK;
	if (!p)
		return;
	if (!p->iface[0])
		why = "this port has no interface: tap, packet, xdp or auto";
	else if (!p->address[0][0])
		why = "this port has no address";
	if (!uplink && c->has_uplink && !why)
		why = clash(p, &c->uplink);
	for (size_t i = 0; i < c->count && !why; i++)
		if (p != &c->client[i] && (uplink || p > &c->client[i]))
			why = clash(p, &c->client[i]);
	if (why)
		fault(r, &r->head, 0, why);
	compose(p, uplink);
	r->port = NULL;
}

static struct runconf_port *new_client(struct runconf *c)
{
	if (c->count % 16 == 0) {
		c->client = reallocarray(c->client, c->count + 16, sizeof(*c->client));
		if (!c->client)
			panic("out of memory");
	}
	c->client[c->count] = (struct runconf_port){ .kind = RUNCONF_NO_KIND };
	return &c->client[c->count++];
}

static bool begin_client(struct reading *r, const char *name, size_t len)
{
	struct runconf *c = r->conf;
	size_t at = (size_t)(name - r->line.line);
	char text[RUNCONF_IFACE];
	if (!len)
		return fault(r, &r->line, at, "a client needs a name");
	const char *why = runconf_take_name(text, sizeof(text), name, len);
	if (why)
		return fault(r, &r->line, at, why);
	if (runconf_find(c, text))
		return fault(r, &r->line, at, "this client was here before");
	if (c->count == RUNCONF_CLIENTS_MAX)
		return fault(r, &r->line, at, "too many clients: 256 at most");
	r->port = new_client(c);
	memcpy(r->port->name, text, sizeof(text));
	r->section = IN_CLIENT;
	return true;
}

static bool begin_uplink(struct reading *r)
{
	if (r->conf->has_uplink)
		return fault(r, &r->line, r->at, "a second uplink");
	r->conf->has_uplink = true;
	r->port = &r->conf->uplink;
	r->section = IN_UPLINK;
	return true;
}

/* The line begins with '['. */
static bool take_head(struct reading *r)
{
	static const char *const words[] = { "uplink", "client" };
	size_t end = r->at + value_len(r);
	const char *line = r->line.line;
	char why[80] = "not [uplink] or [client NAME]";
	end_section(r);
	r->head = r->line;
	r->section = NOWHERE; /* unless all is well: what follows is not judged twice */
	if (line[end - 1] != ']')
		return fault(r, &r->line, end, "']' is missing");
	end--;
	r->at++;
	skip_blanks(r);
	while (end > r->at && is_blank(line[end - 1]))
		end--;
	size_t len = 0;
	while (r->at + len < end && !is_blank(line[r->at + len]))
		len++;
	const char *word = line + r->at;
	if (len == 6 && !memcmp(word, "uplink", 6) && r->at + len == end)
		return begin_uplink(r);
	if (len == 6 && !memcmp(word, "client", 6)) {
		for (r->at += len; r->at < end && is_blank(line[r->at]);)
			r->at++;
		return begin_client(r, line + r->at, end - r->at);
	}
	const char *near = nearest_word(word, len, words, array_len(words));
	if (near)
		snprintf(why + strlen(why), sizeof(why) - strlen(why), " (did you mean '%s'?)", near);
	return fault(r, &r->line, r->at, why);
}

/* --- keys ------------------------------------------------------------------------------- */

static bool unknown_key(struct reading *r, const char *word, size_t len, bool elsewhere)
{
	static const char *const names[] = { "", "at the top", "of the uplink", "", "of a client" };
	const char *near[array_len(keys)];
	char why[160];
	size_t count = 0;
	for (size_t i = 0; i < array_len(keys); i++)
		if (keys[i].where & r->section)
			near[count++] = keys[i].word;
	int shown = len < 24 ? (int)len : 24, n;
	if (elsewhere)
		n = snprintf(why, sizeof(why), "'%.*s' is no key %s", shown, word, names[r->section]);
	else
		n = snprintf(why, sizeof(why), "unknown key '%.*s'", shown, word);
	const char *meant = elsewhere ? NULL : nearest_word(word, len, near, count);
	if (meant)
		snprintf(why + n, sizeof(why) - (size_t)n, " (did you mean '%s'?)", meant);
	return fault(r, &r->line, r->at, why);
}

static const struct key *find_key(const struct reading *r, const char *word, size_t len, bool *elsewhere)
{
	*elsewhere = false;
	for (size_t i = 0; i < array_len(keys); i++) {
		if (strlen(keys[i].word) != len || memcmp(keys[i].word, word, len))
			continue;
		if (keys[i].where & r->section)
			return &keys[i];
		*elsewhere = true;
	}
	return NULL;
}

static bool is_set(const struct key *k, const char *to)
{
	unsigned n;
	if (k->take != runconf_take_memory && k->take != runconf_take_mtu)
		return *to != 0;
	memcpy(&n, to, sizeof(n));
	return n != 0;
}

static bool take_key(struct reading *r)
{
	size_t len = word_len(r);
	const char *word = r->line.line + r->at;
	bool elsewhere;
	const struct key *k = find_key(r, word, len, &elsewhere);
	if (r->section == NOWHERE)
		return true;
	if (!k)
		return unknown_key(r, word, len, elsewhere);
	char *to = (k->where == IN_TOP ? (char *)r->conf : (char *)r->port) + k->at;
	if (k->take == runconf_take_host && k->where == IN_CLIENT && *to && !r->port->address[1][0])
		to = r->port->address[1];
	if (is_set(k, to))
		return fault(r, &r->line, r->at, k->kind ? "this port has its interface already" :
							   "this key stands too often");
	r->at += len;
	skip_blanks(r);
	size_t n = value_len(r);
	const char *why = n ? k->take(to, k->room, r->line.line + r->at, n) : "a value is missing";
	if (!why && k->kind)
		r->port->kind = k->kind;
	return !why || fault(r, &r->line, r->at, why);
}

static bool take_line(struct reading *r)
{
	r->at = 0;
	for (size_t i = 0; i < r->line.len; i++)
		if ((r->line.line[i] < ' ' && r->line.line[i] != '\t') || r->line.line[i] > '~')
			return fault(r, &r->line, i, "not a printable character");
	skip_blanks(r);
	if (r->at == r->line.len || r->line.line[r->at] == '#')
		return true;
	return r->line.line[r->at] == '[' ? take_head(r) : take_key(r);
}

bool runconf_parse(struct runconf *c, const struct rulefile_source *s, FILE *errors)
{
	struct reading r = { .conf = c, .errors = errors, .section = IN_TOP };
	*c = (struct runconf){ .has_uplink = false };
	for (size_t at = 0; rulefile_step(&r.line, s, &at);)
		take_line(&r);
	end_section(&r);
	if (!c->has_uplink) {
		r.faults++;
		fprintf(errors, "%s: no [uplink]\n", s->name);
	}
	if (r.faults > RULEFILE_FAULTS_SHOWN)
		fprintf(errors, "%s: %u more\n", s->name, r.faults - RULEFILE_FAULTS_SHOWN);
	return !r.faults;
}

/* --- the rest ---------------------------------------------------------------------------- */

static void print_keys(const void *from, unsigned where, enum runconf_kind kind, FILE *to)
{
	for (size_t i = 0; i < array_len(keys); i++) {
		const struct key *k = &keys[i];
		const char *value = (const char *)from + k->at;
		unsigned n;
		if (!(k->where & where) || !is_set(k, value) || (k->kind && k->kind != kind))
			continue;
		memcpy(&n, value, sizeof(n));
		if (k->take == runconf_take_memory || k->take == runconf_take_mtu)
			fprintf(to, "%s %u\n", k->word, n);
		else
			fprintf(to, "%s %s\n", k->word, value);
	}
}

void runconf_print(const struct runconf *c, FILE *to)
{
	print_keys(c, IN_TOP, RUNCONF_NO_KIND, to);
	if (c->has_uplink) {
		fputs("\n[uplink]\n", to);
		print_keys(&c->uplink, IN_UPLINK, c->uplink.kind, to);
	}
	for (size_t i = 0; i < c->count; i++) {
		fprintf(to, "\n[client %s]\n", c->client[i].name);
		print_keys(&c->client[i], IN_CLIENT, c->client[i].kind, to);
		if (c->client[i].address[1][0])
			fprintf(to, "address %s\n", c->client[i].address[1]);
	}
}

void runconf_free(struct runconf *c)
{
	free(c->client);
	c->client = NULL;
	c->count = 0;
}

bool runconf_is_live(const struct runconf_port *p)
{
	return p->kind == RUNCONF_TAP && !p->mtu;
}

const struct runconf_port *runconf_find(const struct runconf *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->client[i].name, name))
			return &c->client[i];
	return NULL;
}
