/* SPDX-License-Identifier: ISC */
/*
 * rule.h: one firewall rule, parsed once into numbers.
 *
 * A store line is one QubesDB value: `key=value` elements separated by single
 * spaces, for example "action=accept dst4=10.0.0.0/8 proto=tcp dstports=80-90".
 *   action         accept | drop; must be there
 *   dst4 dst6 dsthost   at most one of them; dst4 only in the tree of an IPv4
 *                  client, dst6 only in that of an IPv6 client; host bits may be set
 *   proto          tcp | udp | icmp ("icmp" is ICMPv6 in the tree of an IPv6 client)
 *   specialtarget  dns
 *   dstports       lo-hi or one port; not with proto=icmp; without proto: tcp and udp
 *   icmptype       0..255; only with proto=icmp
 * As for the Linux agent, any order is good, a key stands once, and dpi is refused.
 * Three more are Postern's own; Qubes sends none of them:
 *   dstset         the name of a set of networks (/postern/set/NAME), instead of dst4, dst6, dsthost
 *   expire         seconds since 1970, not 0: from then on the rule is not there
 *   label          what the operator calls the rule
 * Names and labels are 1 to 24 of A-Z a-z 0-9 _ . -
 *
 * The canonical order is: action, the destination (dst4, dst6, dsthost or dstset), proto, specialtarget, dstports,
 * icmptype, expire, label.
 */
#ifndef RULE_H
#define RULE_H

#include "addr.h"

enum rule_verdict { VERDICT_DROP, VERDICT_ACCEPT };

/* Whom a rule is about. Only cross_rule.h makes the last two, which Qubes cannot send. */
enum rule_kind {
	RULE_OUTWARD, /* a client, towards the world */
	RULE_INBOUND, /* the world, towards a client: dst is the network it comes from */
	RULE_BETWEEN, /* one client, towards another */
};

enum rule_flag {
	RULE_HAS_DST = 1,
	RULE_HAS_HOST = 2,
	RULE_HAS_PROTO = 4,
	RULE_DNS = 8,
	RULE_HAS_PORTS = 16,
	RULE_HAS_TYPE = 32,
	RULE_HAS_SET = 64, /* with RULE_HAS_DST: dst is the member that this copy of the rule stands for */
	RULE_VOID = 128,   /* matches nothing: its time has come, or its set has nobody to permit */
};

enum {
	RULE_NUMBER_MAX = 9999,
	RULE_POLICY = 0xffff,  /* instead of a rule's number: the policy behind the last rule */
	RULE_HOST_MAX = 253,   /* RFC 1035 2.3.4, as text */
	RULE_LABEL_MAX = 24,   /* of labels and names of sets */
	RULE_TEXT = 400,       /* buffer that holds any canonical line, with the NUL */
	RULE_ERROR_TEXT = 96,  /* buffer that holds any rule_error_text, with the NUL */
	RULE_WORD_BYTES = 20,
};

struct rule {
	struct ip_prefix dst; /* RULE_HAS_DST */
	uint8_t action;       /* enum rule_verdict */
	uint8_t proto;        /* RULE_HAS_PROTO: IANA number, 58 for icmp in an IPv6 tree */
	uint8_t flags;        /* enum rule_flag */
	uint8_t icmp_type;    /* RULE_HAS_TYPE */
	uint8_t kind : 2;     /* enum rule_kind */
	uint8_t peer_len : 6; /* between: of the network that peer is in; inbound, 1: peer_port is for port_lo, and so on */
	uint16_t port_lo, port_hi; /* RULE_HAS_PORTS */
	uint16_t number;      /* its key in the store, 0..9999; 0 from the parsers */
	uint32_t expire;      /* seconds since 1970; 0: never */
	union {
		uint32_t host; /* RULE_OUTWARD. RULE_HAS_HOST: handle of the name (hosts.h), or NONE: never resolved;
				* RULE_HAS_SET: that of the set (sets.h), or NONE; from the parsers NONE */
		be32 peer;     /* inbound, accept: where it leads; between: who sends */
	};
	uint16_t peer_port;   /* inbound: the port there; 0: the one it came to */
	uint16_t account;     /* where its hits are counted (firewall/accounts.h); 0: nowhere; 0 from the parsers */
};
_Static_assert(sizeof(struct rule) == 40, "rules are walked: keep them small");

/* A rule that decided, in 32 bits: its number, or RULE_POLICY, and its account above (firewall/accounts.h; 0: none). */
static inline uint32_t rule_ref(uint32_t number, uint16_t account)
{
	return number | (uint32_t)account << 16;
}

static inline uint32_t rule_ref_number(uint32_t ref)
{
	return ref & UINT16_MAX;
}

static inline uint16_t rule_ref_account(uint32_t ref)
{
	return (uint16_t)(ref >> 16);
}

struct parsed_rule {
	struct rule rule;
	const char *host; /* inside the line parsed; RULE_HAS_HOST */
	size_t host_len;
	const char *set;  /* likewise; RULE_HAS_SET */
	size_t set_len;
	const char *label; /* likewise; NULL: none */
	size_t label_len;
};

enum rule_fault {
	RULE_FAULT_SPACING,
	RULE_FAULT_NO_VALUE,
	RULE_FAULT_KEY,
	RULE_FAULT_DUPLICATE,
	RULE_FAULT_UNSUPPORTED,
	RULE_FAULT_NO_ACTION,
	RULE_FAULT_ACTION,
	RULE_FAULT_DST4,
	RULE_FAULT_DST6,
	RULE_FAULT_DST4_IN_V6,
	RULE_FAULT_DST6_IN_V4,
	RULE_FAULT_TWO_DST,
	RULE_FAULT_HOST,
	RULE_FAULT_PROTO,
	RULE_FAULT_TARGET,
	RULE_FAULT_PORTS,
	RULE_FAULT_PORTS_REVERSED,
	RULE_FAULT_PORTS_ICMP,
	RULE_FAULT_TYPE,
	RULE_FAULT_TYPE_PROTO,
	RULE_FAULT_SET,
	RULE_FAULT_LABEL,
	RULE_FAULT_EXPIRE,
	/* only of cross_rule.h */
	RULE_FAULT_TO,
	RULE_FAULT_TO_RANGE,
	RULE_FAULT_TO_MISSING,
	RULE_FAULT_TO_DROP,
	RULE_FAULT_PORTS_MISSING,
	RULE_FAULT_PROTO_INBOUND,
	RULE_FAULT_SRC4,
	/* only in lines as an operator writes them (qvm_rule.h) */
	RULE_FAULT_MANY_WORDS,
	RULE_FAULT_PROTO_AS_DST,
	RULE_FAULT_NUMBER_AS_DST,
	RULE_FAULT_COUNT
};

/* Why a line was refused. Small enough to be kept for every rule. */
struct rule_error {
	const char *meant;  /* the known word the line perhaps meant, or NULL */
	uint16_t column;    /* 1-based */
	uint8_t fault;      /* enum rule_fault */
	uint8_t word_len;
	char word[RULE_WORD_BYTES]; /* the offending word, cut, printable */
};

/* v6: the line is for an IPv6 client. On failure *out is untouched; *err says where and why. */
bool rule_parse(const char *line, size_t len, bool v6, struct parsed_rule *out,
		struct rule_error *err);
/* The canonical line, in the documented order; rule_parse of it gives the same rule. */
void rule_text(struct text *, const struct parsed_rule *);
/* "column 22: unknown key 'dstport' (did you mean 'dstports'?)" */
void rule_error_text(struct text *, const struct rule_error *);

/* --- for other notations and kinds: qvm_rule.c, cross_rule.c, cross_line.c ------------------------------------ */

enum rule_key {
	RULE_KEY_ACTION,
	RULE_KEY_DST4,
	RULE_KEY_DST6,
	RULE_KEY_DSTHOST,
	RULE_KEY_DSTSET,
	RULE_KEY_PROTO,
	RULE_KEY_TARGET,
	RULE_KEY_PORTS,
	RULE_KEY_TYPE,
	RULE_KEY_EXPIRE,
	RULE_KEY_LABEL,
	RULE_KEY_COUNT
};

/* One `key=value` as a view into the line. */
struct rule_word {
	const char *at;
	size_t len;
	size_t column; /* 1-based, of at[0] */
};

/* A rule under construction; starts as zeros. */
struct rule_draft {
	struct parsed_rule parsed;
	bool v6;
	uint16_t column[RULE_KEY_COUNT]; /* where the key's value stands; 0: not seen */
};

bool rule_word_is(struct rule_word, const char *word);
/* The key so named, or RULE_KEY_COUNT. */
enum rule_key rule_key_of(struct rule_word);
/* false, with *err filled for this word: the tail call of every refusal. */
bool rule_refuse(struct rule_error *err, enum rule_fault, struct rule_word);
/* As rule_refuse for an unknown key, with the nearest of all known keys. */
bool rule_refuse_key(struct rule_error *err, struct rule_word);
/* As rule_refuse, with the nearest of these words. */
bool rule_refuse_word(struct rule_error *err, enum rule_fault, struct rule_word, const char *const *words, size_t count);
/* Splits the next `key=value` off a store line; rest->len 0: none is left behind it. */
bool rule_split(struct rule_word *rest, struct rule_word *key, struct rule_word *value, struct rule_error *);
bool rule_draft_set(struct rule_draft *, enum rule_key, struct rule_word value,
		    struct rule_error *);
/* Judges what concerns several keys; then draft->parsed is the rule. */
bool rule_draft_finish(struct rule_draft *, struct rule_error *);

#endif
