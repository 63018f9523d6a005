// SPDX-License-Identifier: ISC
/* Keeps the host's stack away from an interface for as long as a netlink socket is open. */
#include "nic.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <unistd.h>

#include "options.h"
#include "tender.h"

enum { MESSAGES_BYTES = 2048, SEQ_TABLE = 1, SEQ_CHAIN = 2 };

struct request {
	struct mnl_nlmsg_batch *batch;
	const char *table, *interface;
};

static bool add_table(struct request *r)
{
	struct nftnl_table *t = nftnl_table_alloc();
	if (!t)
		return false;
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, r->table);
	nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	struct nlmsghdr *m = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(r->batch), NFT_MSG_NEWTABLE,
		NFPROTO_NETDEV, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, SEQ_TABLE);
	nftnl_table_nlmsg_build_payload(m, t);
	nftnl_table_free(t);
	return mnl_nlmsg_batch_next(r->batch);
}

/* It needs no rule: its policy is the rule. */
static bool add_chain(struct request *r)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	if (!c)
		return false;
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, r->table);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, "ingress");
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_str(c, NFTNL_CHAIN_DEV, r->interface);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, NF_NETDEV_INGRESS);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, 0);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_DROP);
	struct nlmsghdr *m = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(r->batch), NFT_MSG_NEWCHAIN,
		NFPROTO_NETDEV, NLM_F_CREATE | NLM_F_ACK, SEQ_CHAIN);
	nftnl_chain_nlmsg_build_payload(m, c);
	nftnl_chain_free(c);
	return mnl_nlmsg_batch_next(r->batch);
}

/* Both acknowledgements; errno otherwise. */
static bool answered(struct mnl_socket *s)
{
	char bytes[MESSAGES_BYTES];
	for (uint32_t seq = SEQ_TABLE; seq <= SEQ_CHAIN; seq++) {
		ssize_t n = mnl_socket_recvfrom(s, bytes, sizeof(bytes));
		if (n < 0 || mnl_cb_run(bytes, (size_t)n, 0, mnl_socket_get_portid(s), NULL, NULL) < 0)
			return false;
	}
	return true;
}

static bool ask(struct mnl_socket *s, struct request *r)
{
	static char bytes[2 * MESSAGES_BYTES]; /* the batch wants room for one message more */
	r->batch = mnl_nlmsg_batch_start(bytes, MESSAGES_BYTES);
	if (!r->batch)
		return false;
	nftnl_batch_begin(mnl_nlmsg_batch_current(r->batch), 0);
	bool ok = mnl_nlmsg_batch_next(r->batch) && add_table(r) && add_chain(r);
	if (ok) {
		nftnl_batch_end(mnl_nlmsg_batch_current(r->batch), 0);
		mnl_nlmsg_batch_next(r->batch);
		ok = mnl_socket_sendto(s, mnl_nlmsg_batch_head(r->batch),
			mnl_nlmsg_batch_size(r->batch)) >= 0 && answered(s);
	}
	mnl_nlmsg_batch_stop(r->batch);
	return ok;
}

int nic_guard(const char *name)
{
	char table[sizeof("postern-") + OPTION_NAME_BYTES];
	struct text t = text_on(table);
	text_put(&t, "postern-");
	text_put(&t, name);
	struct request r = { .table = table, .interface = name };
	struct mnl_socket *s = mnl_socket_open(NETLINK_NETFILTER);
	if (!s)
		return -1;
	int kept = -1, why;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) >= 0 && ask(s, &r))
		kept = nic_keep(dup(mnl_socket_get_fd(s)));
	why = errno;
	mnl_socket_close(s);
	errno = why;
	return kept;
}
