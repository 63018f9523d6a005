// SPDX-License-Identifier: ISC
/* Matches and verdicts as loads, comparisons and lookups of the kernel's virtual machine. */
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "nft_sentence.h"

enum {
	IP_SADDR_AT = 12, IP_DADDR_AT = 16, IP_BYTES = 4, /* RFC 791 */
	DPORT_AT = 2, PORT_BYTES = 2, ICMP_TYPE_AT = 0,   /* RFC 768, 9293, 792 */
	V4_AT = 12, /* of an IPv4 address in struct ip_addr */
	ICMP_HOST_PROHIBITED_CODE = 10, ICMP_PROHIBITED_CODE = 13,
};

static struct nftnl_expr *expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);
	if (!e)
		panic("out of memory");
	nftnl_rule_add_expr(r, e);
	return e;
}

/* --- into a register ---------------------------------------------------------------- */

static void load_meta(struct nftnl_rule *r, enum nft_meta_keys key, uint32_t to)
{
	struct nftnl_expr *e = expr(r, "meta");
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, to);
}

static void load_bytes(struct nftnl_rule *r, enum nft_payload_bases base, uint32_t at, uint32_t len, uint32_t to)
{
	struct nftnl_expr *e = expr(r, "payload");
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, at);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, to);
}

static void mask(struct nftnl_rule *r, const void *bits, uint32_t len)
{
	static const uint8_t zero[IP_BYTES];
	struct nftnl_expr *e = expr(r, "bitwise");
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bits, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

/* --- out of it ------------------------------------------------------------------------- */

static void compare(struct nftnl_rule *r, enum nft_cmp_ops op, const void *with, uint32_t len)
{
	struct nftnl_expr *e = expr(r, "cmp");
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, with, len);
}

static void look_up(struct nftnl_rule *r, const struct nft_match *m)
{
	struct nftnl_expr *e = expr(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, m->set);
	if (m->not)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void match_name(struct nftnl_rule *r, const struct nft_match *m)
{
	char name[NFTW_IFNAME] = { 0 };
	load_meta(r, m->key == NFTW_IIF ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1);
	if (m->set) {
		look_up(r, m);
		return;
	}
	memcpy(name, m->name, strlen(m->name));
	compare(r, m->not ? NFT_CMP_NEQ : NFT_CMP_EQ, name, sizeof(name));
}

static void match_address(struct nftnl_rule *r, const struct nft_match *m)
{
	load_bytes(r, NFT_PAYLOAD_NETWORK_HEADER, m->key == NFTW_SADDR ? IP_SADDR_AT : IP_DADDR_AT, IP_BYTES, NFT_REG_1);
	if (m->set) {
		look_up(r, m);
		return;
	}
	be32 bits = be32_of(UINT32_MAX << (32 - m->net.len));
	if (m->net.len < 32)
		mask(r, &bits, IP_BYTES);
	compare(r, m->not ? NFT_CMP_NEQ : NFT_CMP_EQ, m->net.addr.b + V4_AT, IP_BYTES);
}

static void match_ports(struct nftnl_rule *r, const struct nft_match *m)
{
	be16 lo = be16_of(m->lo), hi = be16_of(m->hi);
	load_bytes(r, NFT_PAYLOAD_TRANSPORT_HEADER, DPORT_AT, PORT_BYTES, NFT_REG_1);
	if (m->lo == m->hi) {
		compare(r, NFT_CMP_EQ, &lo, PORT_BYTES);
		return;
	}
	compare(r, NFT_CMP_GTE, &lo, PORT_BYTES);
	compare(r, NFT_CMP_LTE, &hi, PORT_BYTES);
}

/* Any of them is set. */
static void match_bits(struct nftnl_rule *r, enum nft_ct_keys key, uint32_t bits)
{
	/* host byte order, as the kernel loads it */
	uint32_t none = 0;
	struct nftnl_expr *e = expr(r, "ct");
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	mask(r, &bits, sizeof(bits));
	compare(r, NFT_CMP_NEQ, &none, sizeof(none));
}

static void match_states(struct nftnl_rule *r, unsigned states)
{
	uint32_t bits = 0;
	if (states & NFTW_CT_INVALID)
		bits |= NF_CT_STATE_INVALID_BIT;
	if (states & NFTW_CT_ESTABLISHED)
		bits |= NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
	if (states & NFTW_CT_RELATED)
		bits |= NF_CT_STATE_BIT(IP_CT_RELATED);
	match_bits(r, NFT_CT_STATE, bits);
}

static void match(struct nftnl_rule *r, const struct nft_match *m)
{
	uint8_t byte = (uint8_t)m->lo;
	switch (m->key) {
	case NFTW_IIF:
	case NFTW_OIF:
		match_name(r, m);
		break;
	case NFTW_IIF_SADDR:
		load_meta(r, NFT_META_IIFNAME, NFT_REG_1);
		load_bytes(r, NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR_AT, IP_BYTES, NFT_REG_2);
		look_up(r, m);
		break;
	case NFTW_SADDR:
	case NFTW_DADDR:
		match_address(r, m);
		break;
	case NFTW_PROTO:
		load_meta(r, NFT_META_L4PROTO, NFT_REG_1);
		compare(r, NFT_CMP_EQ, &byte, sizeof(byte));
		break;
	case NFTW_DPORT:
		match_ports(r, m);
		break;
	case NFTW_ICMP_TYPE:
		load_bytes(r, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_TYPE_AT, sizeof(byte), NFT_REG_1);
		compare(r, NFT_CMP_EQ, &byte, sizeof(byte));
		break;
	case NFTW_CT_STATE:
		match_states(r, m->lo);
		break;
	case NFTW_CT_DNAT:
		match_bits(r, NFT_CT_STATUS, IPS_DST_NAT);
		break;
	}
}

/* --- verdicts ----------------------------------------------------------------------------- */

static void decide(struct nftnl_rule *r, uint32_t verdict, const char *chain)
{
	struct nftnl_expr *e = expr(r, "immediate");
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void reject(struct nftnl_rule *r, uint8_t code)
{
	struct nftnl_expr *e = expr(r, "reject");
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
}

static void verdict_of_saddr(struct nftnl_rule *r, const char *map)
{
	load_bytes(r, NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR_AT, IP_BYTES, NFT_REG_1);
	struct nftnl_expr *e = expr(r, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, map);
}

static void put_in(struct nftnl_rule *r, uint32_t to, const void *bytes, uint32_t len)
{
	struct nftnl_expr *e = expr(r, "immediate");
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, to);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, bytes, len);
}

static void lead(struct nftnl_rule *r, const struct nft_statement *s)
{
	be16 port = be16_of(s->to_port);
	put_in(r, NFT_REG_1, s->to.b + V4_AT, IP_BYTES);
	if (s->to_port)
		put_in(r, NFT_REG_2, &port, PORT_BYTES);
	struct nftnl_expr *e = expr(r, "nat");
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	if (s->to_port)
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
}

static void act(struct nftnl_rule *r, const struct nft_statement *s)
{
	switch (s->action) {
	case NFTW_ACCEPT:
		decide(r, NF_ACCEPT, NULL);
		break;
	case NFTW_DROP:
		decide(r, NF_DROP, NULL);
		break;
	case NFTW_PROHIBITED:
		reject(r, ICMP_PROHIBITED_CODE);
		break;
	case NFTW_HOST_PROHIBITED:
		reject(r, ICMP_HOST_PROHIBITED_CODE);
		break;
	case NFTW_GOTO:
		decide(r, (uint32_t)NFT_GOTO, s->target);
		break;
	case NFTW_VERDICT_OF_SADDR:
		verdict_of_saddr(r, s->target);
		break;
	case NFTW_MASQUERADE:
		expr(r, "masq");
		break;
	case NFTW_DNAT:
		lead(r, s);
		break;
	}
}

void nft_sentence(struct nftnl_rule *r, const struct nft_statement *s)
{
	for (size_t i = 0; i < s->matches; i++)
		match(r, &s->match[i]);
	if (s->action != NFTW_GOTO && s->action != NFTW_VERDICT_OF_SADDR)
		expr(r, "counter");
	act(r, s);
}
