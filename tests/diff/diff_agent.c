// SPDX-License-Identifier: ISC
/*
 * The kernel's side once more, with the chains that the Linux agent of Qubes has
 * (qubes.md 4), written down here without a line of our own export.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "diff_lab.h"

/* connected-ips: the clients, and one that is not running */
#define CLIENTS "10.137.0.5, 10.137.0.6"
#define CONNECTED CLIENTS ", 10.137.0.99"

/*
 * Of two chains at one hook and priority the younger comes first. That "nothing passes between
 * clients, silently, whatever the rules" (qubes.md 3.3) holds when this table is the younger one.
 */
static const char qubes[] =
	"table ip qubes {\n"
	"  set downstream { type ipv4_addr; elements = { " CLIENTS " }; }\n"
	"  set allowed { type ifname . ipv4_addr;\n"
	"    elements = { \"vif1.0\" . 10.137.0.5, \"vif2.0\" . 10.137.0.6 }; }\n"
	"  chain antispoof { iifname . ip saddr @allowed accept; counter drop; }\n"
	"  chain prerouting { type filter hook prerouting priority raw; policy accept;\n"
	"    iifgroup 2 goto antispoof\n    ip saddr @downstream counter drop\n  }\n"
	"  chain postrouting { type nat hook postrouting priority srcnat; policy accept;\n"
	"    oifgroup 2 accept\n    oif lo accept\n    masquerade\n  }\n"
	"  chain input { type filter hook input priority filter; policy drop;\n"
	"    ct state invalid drop\n    iifgroup 2 udp dport 68 drop\n    ct state related,established accept\n"
	"    iifgroup 2 meta l4proto icmp accept\n    iif lo accept\n"
	"    iifgroup 2 reject with icmp host-prohibited\n  }\n"
	"  chain forward { type filter hook forward priority filter; policy accept;\n"
	"    ct state invalid drop\n    ct state related,established accept\n    oifgroup 2 counter drop\n  }\n"
	"}\n";

static const char firewall[] =
	"flush ruleset\n"
	"table ip qubes-firewall {\n"
	"  set dns-addr { type ipv4_addr; elements = { 10.139.1.1, 10.139.1.2 }; }\n"
	"  chain prerouting { type filter hook prerouting priority raw; policy accept;\n"
	"    iifname != \"vif*\" ip saddr { " CONNECTED " } drop\n  }\n"
	"  chain postrouting { type filter hook postrouting priority raw; policy accept;\n"
	"    oifname != \"vif*\" ip daddr { " CONNECTED " } drop\n  }\n";

static const char forward[] =
	"  chain forward { type filter hook forward priority filter; policy drop;\n"
	"    ct state established,related accept\n    iifname != \"vif*\" accept\n"
	"    ip saddr 10.137.0.5 jump qbs-10-137-0-5\n    ip saddr 10.137.0.6 jump qbs-10-137-0-6\n  }\n}\n";

static const char *verdict_of(unsigned verdict)
{
	return verdict == VERDICT_ACCEPT ? "accept" : "reject with icmp admin-prohibited";
}

static void write_for(const struct rule *r, const char *proto, FILE *to)
{
	char dst[IP_PREFIX_TEXT];
	struct text t = text_on(dst);
	fputs("    ", to);
	if (proto)
		fprintf(to, "ip protocol %s ", proto);
	if (r->flags & RULE_HAS_DST) {
		text_prefix(&t, r->dst);
		fprintf(to, "ip daddr %s ", dst);
	}
	if (r->flags & RULE_DNS)
		fprintf(to, "ip daddr @dns-addr %s dport 53 ", proto);
	else if (r->flags & RULE_HAS_PORTS)
		fprintf(to, r->port_lo == r->port_hi ? "%s dport %u " : "%s dport %u-%u ", proto, r->port_lo, r->port_hi);
	if (r->flags & RULE_HAS_TYPE)
		fprintf(to, "icmp type %u ", r->icmp_type);
	fprintf(to, "%s\n", verdict_of(r->action));
}

static void write_rule(const struct rule *r, FILE *to)
{
	bool both = !(r->flags & RULE_HAS_PROTO) && r->flags & (RULE_HAS_PORTS | RULE_DNS);
	bool other_port = r->flags & RULE_HAS_PORTS && !(r->port_lo == 53 && r->port_hi == 53);
	if (r->flags & RULE_DNS && (other_port || (r->flags & RULE_HAS_PROTO && r->proto == PROTO_ICMP)))
		return;
	if (both) {
		write_for(r, "tcp", to);
		write_for(r, "udp", to);
	} else if (r->flags & RULE_HAS_PROTO) {
		write_for(r, r->proto == PROTO_TCP ? "tcp" : r->proto == PROTO_UDP ? "udp" : "icmp", to);
	} else {
		write_for(r, NULL, to);
	}
}

static void write_client(const struct diff_rules *rules, size_t client, FILE *to)
{
	struct parsed_rule parsed;
	struct rule_error error;
	fprintf(to, "  chain qbs-10-137-0-%zu {\n", 5 + client);
	for (size_t i = 0; !rules->closed && i < rules->count; i++)
		if (rule_parse(rules->line[i], strlen(rules->line[i]), false, &parsed, &error))
			write_rule(&parsed.rule, to);
	fprintf(to, "    %s\n  }\n", verdict_of(rules->closed ? VERDICT_DROP : rules->policy));
}

static bool load(const struct diff_rules *rules)
{
	FILE *nft = popen("nft -f -", "w");
	if (!nft)
		return false;
	fputs(firewall, nft);
	for (size_t i = 0; i < DIFF_CLIENTS; i++)
		write_client(&rules[i], i, nft);
	fputs(forward, nft);
	fputs(qubes, nft);
	if (pclose(nft)) {
		fputs("diff: nft refuses the agent's chains\n", stderr);
		return false;
	}
	return true;
}

static bool begin(const struct diff_case *c)
{
	return load(c->rules) && diff_kernel_forget();
}

/* The agent, too, goes through the connections and ends those that are blocked now. */
static bool change(const struct diff_case *c)
{
	return load(c->later) && diff_kernel_cut(c->later);
}

const struct diff_side diff_agent = { "agent", begin, change, diff_kernel_send };
