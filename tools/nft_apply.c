// SPDX-License-Identifier: ISC
/*
 * The ruleset as one netlink batch, through libnftnl and libmnl.
 *
 * The walk is made twice: a rule may name only chains and sets that stand in
 * front of it, so these go first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "must.h"
#include "nft_apply.h"
#include "nft_sentence.h"

enum {
	PAGE_BYTES = 1 << 15,
	PAGE_OVERRUN = 1 << 13,     /* one message may lie across a page's end */
	SEND_BUFFER = 64 << 20,
	TYPE_IP = 7, TYPE_IFNAME = 41, TYPE_BITS = 6, TYPE_VERDICT = 0xffffff00, /* nft's own, kept for listings */
	HOST_ORDER = 1,
	IP_BYTES = 4,
};

struct batch {
	const struct nft_house *house;
	struct nftnl_batch *pages;
	uint32_t seq, last; /* last: of the message that asks for an answer */
	uint16_t family;
};

/* A message begins; it is complete once pushed. */
static struct nlmsghdr *begin(struct batch *b, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(nftnl_batch_buffer(b->pages), type, b->family, flags, b->seq++);
}

static void push(struct batch *b)
{
	if (nftnl_batch_update(b->pages) < 0)
		panic("out of memory");
}

/* --- declarations ---------------------------------------------------------------------- */

static void put_table(void *context, enum nft_family family)
{
	static const struct { uint16_t type, flags; } steps[] = {
		{ NFT_MSG_NEWTABLE, NLM_F_CREATE }, { NFT_MSG_DELTABLE, 0 }, { NFT_MSG_NEWTABLE, NLM_F_CREATE },
	};
	struct batch *b = context;
	struct nftnl_table *t = must(nftnl_table_alloc());
	b->family = family == NFTW_IP ? NFPROTO_IPV4 : NFPROTO_IPV6;
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, b->house->table);
	nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, b->family);
	for (size_t i = 0; i < array_len(steps); i++) {
		nftnl_table_nlmsg_build_payload(begin(b, steps[i].type, steps[i].flags), t);
		push(b);
	}
	nftnl_table_free(t);
}

static struct nftnl_set *set_of(const struct batch *b, const struct nft_set *set)
{
	static const struct { uint32_t type, bytes; } keys[] = {
		[NFTW_SET_PORTS] = { TYPE_IFNAME, NFTW_IFNAME },
		[NFTW_SET_SOURCES] = { TYPE_IFNAME << TYPE_BITS | TYPE_IP, NFTW_IFNAME + IP_BYTES },
		[NFTW_SET_ADDRESSES] = { TYPE_IP, IP_BYTES },
		[NFTW_SET_VERDICTS] = { TYPE_IP, IP_BYTES },
	};
	struct nftnl_set *s = must(nftnl_set_alloc());
	nftnl_set_set_str(s, NFTNL_SET_TABLE, b->house->table);
	nftnl_set_set_str(s, NFTNL_SET_NAME, set->name);
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, b->family);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, keys[set->type].type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, keys[set->type].bytes);
	nftnl_set_set_u32(s, NFTNL_SET_ID, 1);
	if (set->type == NFTW_SET_PORTS) {
		/* only listings need it: nft takes a name for a number in network order otherwise */
		struct nftnl_udata_buf *order = must(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));
		nftnl_udata_put_u32(order, NFTNL_UDATA_SET_KEYBYTEORDER, HOST_ORDER);
		nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(order), nftnl_udata_buf_len(order));
		nftnl_udata_buf_free(order);
	}
	if (set->type == NFTW_SET_VERDICTS) {
		nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_MAP);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, TYPE_VERDICT);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, 0);
	}
	return s;
}

static void put_set(void *context, const struct nft_set *set)
{
	struct batch *b = context;
	struct nftnl_set *s = set_of(b, set);
	nftnl_set_nlmsg_build_payload(begin(b, NFT_MSG_NEWSET, NLM_F_CREATE), s);
	push(b);
	nftnl_set_free(s);
}

static void put_chain(void *context, const struct nft_chain *chain)
{
	static const struct { const char *type; uint32_t hook; int32_t priority; } hooks[] = {
		[NFTW_PREROUTING] = { "filter", NF_INET_PRE_ROUTING, -300 },
		[NFTW_DSTNAT] = { "nat", NF_INET_PRE_ROUTING, -100 },
		[NFTW_INPUT] = { "filter", NF_INET_LOCAL_IN, 0 },
		[NFTW_FORWARD] = { "filter", NF_INET_FORWARD, 0 },
		[NFTW_POSTROUTING] = { "nat", NF_INET_POST_ROUTING, 100 },
	};
	struct batch *b = context;
	struct nftnl_chain *c = must(nftnl_chain_alloc());
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, b->house->table);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain->name);
	if (chain->hook != NFTW_NO_HOOK) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, hooks[chain->hook].type);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hooks[chain->hook].hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, hooks[chain->hook].priority);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(begin(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE), c);
	push(b);
	nftnl_chain_free(c);
}

/* --- contents -------------------------------------------------------------------------- */

static void put_element(void *context, const struct nft_set *set, const struct nft_element *element)
{
	struct batch *b = context;
	struct nftnl_set *s = set_of(b, set);
	struct nftnl_set_elem *e = must(nftnl_set_elem_alloc());
	uint8_t key[NFTW_IFNAME + IP_BYTES] = { 0 };
	size_t n = 0;
	if (set->type == NFTW_SET_PORTS || set->type == NFTW_SET_SOURCES) {
		memcpy(key, element->port, strlen(element->port));
		n = NFTW_IFNAME;
	}
	if (set->type != NFTW_SET_PORTS) {
		be32 ip = ip_to_v4(element->ip);
		memcpy(key + n, &ip, IP_BYTES);
		n += IP_BYTES;
	}
	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, (uint32_t)n);
	if (set->type == NFTW_SET_VERDICTS) {
		nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_VERDICT, (uint32_t)NFT_GOTO);
		nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, element->chain);
	}
	nftnl_set_elem_add(s, e);
	nftnl_set_elems_nlmsg_build_payload(begin(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE), s);
	push(b);
	nftnl_set_free(s);
}

static void put_statement(void *context, const struct nft_chain *chain, const struct nft_statement *statement)
{
	struct batch *b = context;
	struct nftnl_rule *r = must(nftnl_rule_alloc());
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, b->house->table);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain->name);
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, b->family);
	nft_sentence(r, statement);
	if (*statement->comment) {
		struct nftnl_udata_buf *words = must(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));
		nftnl_udata_put_strz(words, NFTNL_UDATA_RULE_COMMENT, statement->comment);
		nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(words), nftnl_udata_buf_len(words));
		nftnl_udata_buf_free(words);
	}
	nftnl_rule_nlmsg_build_payload(begin(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), r);
	push(b);
	nftnl_rule_free(r);
}

/* A table that is there already changes nothing; but the answer says that all before it was judged. */
static void put_question(struct batch *b)
{
	struct nftnl_table *t = must(nftnl_table_alloc());
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, b->house->table);
	nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, b->family);
	b->last = b->seq;
	nftnl_table_nlmsg_build_payload(begin(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK), t);
	push(b);
	nftnl_table_free(t);
}

static void no_table(void *context, enum nft_family family)
{
	struct batch *b = context;
	b->family = family == NFTW_IP ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

static void no_set(void *context, const struct nft_set *set)
{
	(void)context, (void)set;
}

static void no_element(void *context, const struct nft_set *set, const struct nft_element *element)
{
	(void)context, (void)set, (void)element;
}

static void no_chain(void *context, const struct nft_chain *chain)
{
	(void)context, (void)chain;
}

static void no_statement(void *context, const struct nft_chain *chain, const struct nft_statement *statement)
{
	(void)context, (void)chain, (void)statement;
}

static void no_note(void *context, const char *note)
{
	(void)context, (void)note;
}

static void build(struct batch *b)
{
	const struct nft_sink first = { b, put_table, put_set, no_element, put_chain, no_statement, no_note };
	const struct nft_sink second = { b, no_table, no_set, put_element, no_chain, put_statement, no_note };
	nftnl_batch_begin(nftnl_batch_buffer(b->pages), b->seq++);
	push(b);
	nft_walk(b->house, &first);
	nft_walk(b->house, &second);
	put_question(b);
	nftnl_batch_end(nftnl_batch_buffer(b->pages), b->seq++);
	push(b);
}

/* --- the kernel ------------------------------------------------------------------------- */

static bool failed(const char *what, int error, char reason[NFT_REASON])
{
	snprintf(reason, NFT_REASON, "%s: %s", what, strerror(error));
	return false;
}

static bool send_all(struct mnl_socket *socket, struct batch *b)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int pages = nftnl_batch_iovec_len(b->pages);
	struct iovec *page = must(calloc((size_t)pages, sizeof(*page)));
	struct msghdr message = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = page, .msg_iovlen = (size_t)pages,
	};
	nftnl_batch_iovec(b->pages, page, (uint32_t)pages);
	ssize_t sent = sendmsg(mnl_socket_get_fd(socket), &message, 0);
	free(page);
	return sent >= 0;
}

/* Every refused message is answered, and at last, for it asks, the one of sequence `last`. */
static bool await(struct mnl_socket *socket, uint32_t last, char reason[NFT_REASON])
{
	char answer[PAGE_BYTES];
	int error = 0;
	bool done = false;
	while (!done) {
		ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
		if (n <= 0)
			return failed("netlink", n ? errno : EPIPE, reason);
		int left = (int)n;
		for (const struct nlmsghdr *m = (const void *)answer; mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);
			if (m->nlmsg_type != NLMSG_ERROR)
				continue;
			error = error ? error : -e->error;
			/* without the right to it the whole batch is refused under its first number */
			done |= m->nlmsg_seq == last || e->error == -EPERM;
		}
	}
	return !error || failed("the kernel refuses the ruleset", error, reason);
}

static bool exchange(struct batch *b, char reason[NFT_REASON])
{
	int room = SEND_BUFFER;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!socket)
		return failed("netlink", errno, reason);
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	bool good = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) >= 0 || failed("netlink", errno, reason);
	if (good)
		good = send_all(socket, b) || failed("netlink", errno, reason);
	if (good)
		good = await(socket, b->last, reason);
	mnl_socket_close(socket);
	return good;
}

bool nft_apply(const struct nft_house *house, char reason[NFT_REASON])
{
	struct batch b = { .house = house, .seq = (uint32_t)time(NULL) };
	b.pages = must(nftnl_batch_alloc(PAGE_BYTES, PAGE_OVERRUN));
	build(&b);
	bool good = exchange(&b, reason);
	nftnl_batch_free(b.pages);
	return good;
}
