// SPDX-License-Identifier: ISC
/* Prints the ruleset in nft's own language. */
#include "headers.h"
#include "nft_text.h"

struct printer {
	const struct nft_house *house;
	FILE *to;
	bool in_table, in_block, in_elements;
};

static const char *const family_words[] = { [NFTW_IP] = "ip", [NFTW_IP6] = "ip6" };

static const char *const hook_words[] = {
	[NFTW_NO_HOOK] = "",
	[NFTW_PREROUTING] = "\t\ttype filter hook prerouting priority -300; policy accept;\n",
	[NFTW_DSTNAT] = "\t\ttype nat hook prerouting priority -100; policy accept;\n",
	[NFTW_INPUT] = "\t\ttype filter hook input priority 0; policy accept;\n",
	[NFTW_FORWARD] = "\t\ttype filter hook forward priority 0; policy accept;\n",
	[NFTW_POSTROUTING] = "\t\ttype nat hook postrouting priority 100; policy accept;\n",
};

static void end_block(struct printer *p)
{
	if (p->in_elements)
		fputs(" }\n", p->to);
	if (p->in_block)
		fputs("\t}\n", p->to);
	p->in_elements = p->in_block = false;
}

static void end_table(struct printer *p)
{
	end_block(p);
	if (p->in_table)
		fputs("}\n", p->to);
	p->in_table = false;
}

/* Adding before deleting: deleting a table that is not there would be an error. */
static void print_table(void *context, enum nft_family family)
{
	struct printer *p = context;
	const char *word = family_words[family], *name = p->house->table;
	end_table(p);
	fprintf(p->to, "\ntable %s %s\ndelete table %s %s\ntable %s %s {\n", word, name, word, name, word, name);
	p->in_table = true;
}

static void print_set(void *context, const struct nft_set *set)
{
	struct printer *p = context;
	end_block(p);
	fputc('\t', p->to);
	switch (set->type) {
	case NFTW_SET_PORTS:
		fprintf(p->to, "set %s {\n\t\ttype ifname\n", set->name);
		break;
	case NFTW_SET_SOURCES:
		fprintf(p->to, "set %s {\n\t\ttype ifname . ipv4_addr\n", set->name);
		break;
	case NFTW_SET_ADDRESSES:
		fprintf(p->to, "set %s {\n\t\ttype ipv4_addr\n", set->name);
		break;
	case NFTW_SET_VERDICTS:
		fprintf(p->to, "map %s {\n\t\ttype ipv4_addr : verdict\n", set->name);
		break;
	}
	p->in_block = true;
}

static const char *ip_text(struct ip_addr ip, char buffer[IP_TEXT])
{
	struct text t = text_of(buffer, IP_TEXT);
	text_ip(&t, ip);
	return buffer;
}

static void print_element(void *context, const struct nft_set *set, const struct nft_element *e)
{
	struct printer *p = context;
	char ip[IP_TEXT];
	fputs(p->in_elements ? ",\n\t\t\t" : "\t\telements = { ", p->to);
	p->in_elements = true;
	switch (set->type) {
	case NFTW_SET_PORTS:
		fprintf(p->to, "\"%s\"", e->port);
		break;
	case NFTW_SET_SOURCES:
		fprintf(p->to, "\"%s\" . %s", e->port, ip_text(e->ip, ip));
		break;
	case NFTW_SET_ADDRESSES:
		fputs(ip_text(e->ip, ip), p->to);
		break;
	case NFTW_SET_VERDICTS:
		fprintf(p->to, "%s : goto %s", ip_text(e->ip, ip), e->chain);
		break;
	}
}

static void print_chain(void *context, const struct nft_chain *chain)
{
	struct printer *p = context;
	end_block(p);
	fprintf(p->to, "\tchain %s {\n%s", chain->name, hook_words[chain->hook]);
	p->in_block = true;
}

static void print_value(const struct printer *p, const struct nft_match *m)
{
	char net[IP_PREFIX_TEXT];
	struct text t = text_on(net);
	const char *not = m->not ? "!= " : "";
	if (m->set) {
		fprintf(p->to, " %s@%s", not, m->set);
	} else if (m->name) {
		fprintf(p->to, " %s\"%s\"", not, m->name);
	} else if (m->net.len == 32) {
		fprintf(p->to, " %s%s", not, ip_text(m->net.addr, net));
	} else {
		text_prefix(&t, m->net);
		fprintf(p->to, " %s%s", not, net);
	}
}

static const char *proto_word(unsigned proto)
{
	return proto == PROTO_TCP ? "tcp" : proto == PROTO_UDP ? "udp" : "icmp";
}

static void print_states(const struct printer *p, unsigned states)
{
	const char *comma = " ";
	static const struct { unsigned bit; const char *word; } words[] = {
		{ NFTW_CT_INVALID, "invalid" }, { NFTW_CT_ESTABLISHED, "established" }, { NFTW_CT_RELATED, "related" },
	};
	fputs("ct state", p->to);
	for (size_t i = 0; i < array_len(words); i++) {
		if (states & words[i].bit) {
			fprintf(p->to, "%s%s", comma, words[i].word);
			comma = ",";
		}
	}
}

static void print_match(const struct printer *p, const struct nft_match *m, unsigned proto)
{
	static const char *const words[] = {
		[NFTW_IIF] = "iifname", [NFTW_OIF] = "oifname", [NFTW_IIF_SADDR] = "iifname . ip saddr",
		[NFTW_SADDR] = "ip saddr", [NFTW_DADDR] = "ip daddr",
	};
	switch (m->key) {
	case NFTW_IIF:
	case NFTW_OIF:
	case NFTW_IIF_SADDR:
	case NFTW_SADDR:
	case NFTW_DADDR:
		fputs(words[m->key], p->to);
		print_value(p, m);
		break;
	case NFTW_PROTO:
		fprintf(p->to, "meta l4proto %s", proto_word(m->lo));
		break;
	case NFTW_DPORT:
		fprintf(p->to, m->lo == m->hi ? "%s dport %u" : "%s dport %u-%u", proto_word(proto), m->lo, m->hi);
		break;
	case NFTW_ICMP_TYPE:
		fprintf(p->to, "icmp type %u", m->lo);
		break;
	case NFTW_CT_STATE:
		print_states(p, m->lo);
		break;
	case NFTW_CT_DNAT:
		fputs("ct status dnat", p->to);
		break;
	}
	fputc(' ', p->to);
}

static void print_action(const struct printer *p, const struct nft_statement *s)
{
	char ip[IP_TEXT];
	switch (s->action) {
	case NFTW_ACCEPT:
		fputs("counter accept", p->to);
		break;
	case NFTW_DROP:
		fputs("counter drop", p->to);
		break;
	case NFTW_PROHIBITED:
		fputs("counter reject with icmp admin-prohibited", p->to);
		break;
	case NFTW_HOST_PROHIBITED:
		fputs("counter reject with icmp host-prohibited", p->to);
		break;
	case NFTW_GOTO:
		fprintf(p->to, "goto %s", s->target);
		break;
	case NFTW_VERDICT_OF_SADDR:
		fprintf(p->to, "ip saddr vmap @%s", s->target);
		break;
	case NFTW_MASQUERADE:
		fputs("counter masquerade", p->to);
		break;
	case NFTW_DNAT:
		fprintf(p->to, "counter dnat to %s", ip_text(s->to, ip));
		if (s->to_port)
			fprintf(p->to, ":%u", s->to_port);
		break;
	}
}

static void print_statement(void *context, const struct nft_chain *chain, const struct nft_statement *s)
{
	const struct printer *p = context;
	unsigned proto = 0;
	(void)chain;
	fputs("\t\t", p->to);
	for (size_t i = 0; i < s->matches; i++) {
		const struct nft_match *m = &s->match[i];
		/* a port or type names its protocol itself */
		bool implied = m->key == NFTW_PROTO && i + 1 < s->matches &&
			       (m[1].key == NFTW_DPORT || m[1].key == NFTW_ICMP_TYPE);
		proto = m->key == NFTW_PROTO ? m->lo : proto;
		if (!implied)
			print_match(p, m, proto);
	}
	print_action(p, s);
	if (*s->comment)
		fprintf(p->to, " comment \"%s\"", s->comment);
	fputc('\n', p->to);
}

static void print_note(void *context, const char *note)
{
	const struct printer *p = context;
	fprintf(p->to, "\t\t# %s\n", note);
}

void nft_text(const struct nft_house *house, FILE *to)
{
	struct printer p = { .house = house, .to = to };
	const struct nft_sink sink = {
		&p, print_table, print_set, print_element, print_chain, print_statement, print_note,
	};
	fputs("#!/usr/sbin/nft -f\n# The rules of a Postern firewall; replaces its tables and touches no others.\n", to);
	nft_walk(house, &sink);
	end_table(&p);
}
