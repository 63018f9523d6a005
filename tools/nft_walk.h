/* SPDX-License-Identifier: ISC */
/*
 * nft_walk.h: the firewall's verdicts as an nftables ruleset.
 *
 * nft_walk() describes the ruleset piece by piece to a sink: one prints it
 * (nft_text), one hands it to the kernel (nft_apply). So what is printed is
 * what is applied. The chains do what qubes.md 3.3 and 4 say, in one table of
 * our own that only concerns packets from, to and for client ports:
 *   prerouting   a client's packets bear its own address, nobody else's do
 *   input        to the firewall itself: ICMP, else 3/10; nothing from the uplink
 *   inbound      what of the uplink leads to a client (cross_rule.h)
 *   forward      what is established, or leads inside; else the client's rules; else 3/13; between clients theirs
 *   postrouting  masquerade behind the uplink
 */
#ifndef NFT_WALK_H
#define NFT_WALK_H

#include "rule.h"

enum {
	NFTW_IFNAME = 16,      /* with the NUL, as in the kernel */
	NFTW_MATCHES_MAX = 5,
	NFTW_NAME_BYTES = 64,
};

/* --- what is exported: the caller's, unchanged during the walk ------------------- */

struct nft_rule {
	struct parsed_rule parsed; /* host: NUL-terminated as well */
	const struct ip_addr *found; /* RULE_HAS_HOST: the name's addresses, */
	size_t found_count;          /* 0: not resolved */
};

struct nft_client {
	struct ip_addr ip;        /* IPv4; or cross_owner: the rules are of that kind */
	char port[NFTW_IFNAME];    /* interface; "": not here now */
	bool closed;              /* no valid rules: all is refused */
	bool isolated;            /* by an operator: nothing passes, established or not */
	char why[96];             /* closed: the reason */
	enum rule_verdict policy;
	struct nft_rule *rule;
	size_t count;
	struct sets *sets;        /* the house's; or NULL */
};

struct nft_house {
	char table[NFTW_NAME_BYTES];
	char uplink[NFTW_IFNAME];
	struct ip_addr uplink_ip;  /* zero: not known */
	struct nft_client inbound, between; /* without rules: off */
	bool panic;                /* all are isolated */
	struct nft_client *client;
	size_t clients;
	struct ip_addr *away;     /* connected-ips that are none of the clients above */
	size_t aways;
	struct ip_addr dns[4];
	size_t dns_count;
	struct sets *sets;        /* that rules refer to; NULL: none is known */
};

/* --- what a sink is told ----------------------------------------------------------- */

enum nft_family { NFTW_IP, NFTW_IP6 };

enum nft_set_type { NFTW_SET_PORTS, NFTW_SET_SOURCES, NFTW_SET_ADDRESSES, NFTW_SET_VERDICTS };

struct nft_element {
	const char *port;  /* PORTS, SOURCES */
	struct ip_addr ip; /* all but PORTS */
	const char *chain; /* VERDICTS: goto */
};

struct nft_set {
	const char *name;
	enum nft_set_type type;
};

enum nft_hook { NFTW_NO_HOOK, NFTW_PREROUTING, NFTW_DSTNAT, NFTW_INPUT, NFTW_FORWARD, NFTW_POSTROUTING };

struct nft_chain {
	const char *name;
	enum nft_hook hook; /* priority raw, dstnat, filter, filter, srcnat; policy accept */
};

enum nft_key {
	NFTW_IIF, NFTW_OIF,         /* value: set or name */
	NFTW_IIF_SADDR,            /* set */
	NFTW_SADDR, NFTW_DADDR,     /* set or net */
	NFTW_PROTO,                /* lo */
	NFTW_DPORT,                /* lo..hi, only behind NFTW_PROTO tcp or udp */
	NFTW_ICMP_TYPE,            /* lo, only behind NFTW_PROTO icmp */
	NFTW_CT_STATE,             /* lo: any of enum nft_ct */
	NFTW_CT_DNAT,              /* it was led elsewhere */
};

enum nft_ct { NFTW_CT_INVALID = 1, NFTW_CT_ESTABLISHED = 2, NFTW_CT_RELATED = 4 };

struct nft_match {
	enum nft_key key;
	bool not;
	const char *set;      /* NULL: a value */
	const char *name;
	struct ip_prefix net; /* IPv4, host bits zero, not /0 */
	uint16_t lo, hi;
};

enum nft_action {
	NFTW_ACCEPT, NFTW_DROP,
	NFTW_PROHIBITED,       /* ICMP 3/13 */
	NFTW_HOST_PROHIBITED,  /* ICMP 3/10 */
	NFTW_GOTO,             /* target: a chain */
	NFTW_VERDICT_OF_SADDR, /* target: a set of VERDICTS */
	NFTW_MASQUERADE,
	NFTW_DNAT,             /* to, to_port (0: as it is) */
};

struct nft_statement {
	struct nft_match match[NFTW_MATCHES_MAX];
	size_t matches;
	enum nft_action action;
	const char *target;
	struct ip_addr to;
	uint16_t to_port;
	const char *comment; /* "": none */
};

/* Called in the order in which text wants it: a set, its elements; a chain, its statements. */
struct nft_sink {
	void *context;
	void (*table)(void *, enum nft_family);
	void (*set)(void *, const struct nft_set *);
	void (*element)(void *, const struct nft_set *, const struct nft_element *);
	void (*chain)(void *, const struct nft_chain *);
	void (*statement)(void *, const struct nft_chain *, const struct nft_statement *);
	void (*note)(void *, const char *); /* for a reader: what stands behind a comment sign */
};

void nft_walk(const struct nft_house *, const struct nft_sink *);

#endif
