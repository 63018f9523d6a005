// SPDX-License-Identifier: ISC
/*
 * The kernel's side: this process lives in a network namespace of its own that
 * forwards between three taps, which it holds itself. A frame written to a tap
 * has gone its whole way when write() returns, so what came of it is there to
 * be read: no waiting, no guessing. All of it ends with the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "cross_rule.h"
#include "diff.h"
#include "diff_lab.h"
#include "nft_cut.h"
#include "nft_house.h"

enum { PORTS = DIFF_CLIENTS + 1 };
static const char *const names[PORTS] = { "eth0", "vif1.0", "vif2.0" };
static int tap[PORTS];

/* --- the namespace ------------------------------------------------------------------ */

static bool failed(const char *what)
{
	fprintf(stderr, "diff: %s: %s\n", what, strerror(errno));
	return false;
}

static bool open_tap(size_t i)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	memcpy(request.ifr_name, names[i], strlen(names[i]));
	tap[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return (tap[i] >= 0 && !ioctl(tap[i], TUNSETIFF, &request)) || failed("/dev/net/tun");
}

/* Rates are for the core's own tests; here every answer counts. */
static bool set_up(void)
{
	static const char script[] =
		"set -e\n"
		"w() { [ ! -e /proc/sys/net/$1 ] || echo $2 >/proc/sys/net/$1; }\n"
		"for n in all default eth0 vif1/0 vif2/0; do w ipv6/conf/$n/disable_ipv6 1; w ipv4/conf/$n/rp_filter 0;"
		" w ipv4/conf/$n/send_redirects 0; w ipv4/conf/$n/accept_source_route 0; done\n"
		"w ipv4/ip_forward 1; w ipv4/icmp_ratelimit 0; w ipv4/icmp_ratemask 0\n"
		"w ipv4/icmp_msgs_per_sec 100000000; w ipv4/icmp_msgs_burst 100000000\n"
		"ip link set lo up\n"
		"ip link set eth0 group 1 address 02:00:00:00:00:02 up\n"
		"ip link set vif1.0 group 2 address fe:ff:ff:ff:ff:ff up\n"
		"ip link set vif2.0 group 2 address fe:ff:ff:ff:ff:ff up\n"
		"ip addr add 10.0.0.2/24 dev eth0\n"
		"ip route add default via 10.0.0.1\n"
		"ip route add 10.137.0.5 dev vif1.0 src 10.0.0.2\n"
		"ip route add 10.137.0.6 dev vif2.0 src 10.0.0.2\n"
		"ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n"
		"ip neigh replace 10.137.0.5 lladdr 02:00:00:00:01:05 dev vif1.0 nud permanent\n"
		"ip neigh replace 10.137.0.6 lladdr 02:00:00:00:01:06 dev vif2.0 nud permanent\n";
	return system(script) == 0 || failed("the links of the namespace");
}

bool diff_kernel_init(void)
{
	if (unshare(CLONE_NEWNET))
		return failed("a network namespace (root is needed)");
	for (size_t i = 0; i < PORTS; i++)
		if (!open_tap(i))
			return false;
	return set_up();
}

/* --- a case --------------------------------------------------------------------------- */

bool diff_kernel_forget(void)
{
	char buffer[4096];
	struct mnl_socket *s = mnl_socket_open(NETLINK_NETFILTER);
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	m->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	head->nfgen_family = AF_INET;
	bool good = s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) >= 0 && mnl_socket_sendto(s, m, m->nlmsg_len) >= 0;
	ssize_t n = good ? mnl_socket_recvfrom(s, buffer, sizeof(buffer)) : -1;
	good = n > 0 && mnl_cb_run(buffer, (size_t)n, 0, mnl_socket_get_portid(s), NULL, NULL) >= 0;
	if (s)
		mnl_socket_close(s);
	return good || failed("forgetting the flows");
}

static struct nft_house house_of(const struct diff_rules *rules)
{
	struct nft_house house = { .table = "postern", .uplink = "eth0" };
	for (size_t i = 0; i < DIFF_CLIENTS; i++) {
		struct nft_client *client = nft_house_client(&house, diff_client(i));
		memcpy(client->port, names[i + 1], strlen(names[i + 1]));
		if (!rules[i].closed)
			nft_client_open(client, rules[i].policy);
		for (size_t r = 0; !rules[i].closed && r < rules[i].count; r++)
			nft_client_rule(client, (unsigned)r, rules[i].line[r], strlen(rules[i].line[r]));
	}
	for (size_t i = DIFF_INBOUND; i < DIFF_OWNERS; i++) {
		enum rule_kind kind = i == DIFF_INBOUND ? RULE_INBOUND : RULE_BETWEEN;
		for (size_t r = 0; !rules[i].closed && r < rules[i].count; r++)
			nft_client_rule(nft_house_client(&house, cross_owner(kind)), (unsigned)r, rules[i].line[r],
					strlen(rules[i].line[r]));
	}
	house.uplink_ip = DIFF_FIREWALL;
	nft_house_away(&house, "10.137.0.99");
	nft_house_finish(&house);
	return house;
}

static bool apply(const struct diff_rules *rules)
{
	struct nft_house house = house_of(rules);
	char reason[NFT_REASON];
	bool good = nft_apply(&house, reason);
	if (!good)
		fprintf(stderr, "diff: %s\n", reason);
	nft_house_free(&house);
	return good;
}

bool diff_kernel_cut(const struct diff_rules rules[DIFF_OWNERS])
{
	struct nft_house house = house_of(rules);
	char reason[NFT_REASON];
	unsigned cut;
	bool good = nft_cut(&house, &cut, reason);
	if (!good)
		fprintf(stderr, "diff: %s\n", reason);
	nft_house_free(&house);
	return good;
}

static bool begin(const struct diff_case *c)
{
	return apply(c->rules) && diff_kernel_forget();
}

static bool change(const struct diff_case *c)
{
	return apply(c->later) && diff_kernel_cut(c->later);
}

/* --- packets ---------------------------------------------------------------------------- */

static bool is_ipv4(const struct diff_frame *f)
{
	const struct eth_hdr *eth = (const struct eth_hdr *)f->bytes;
	return f->len >= ETH_BYTES + IPV4_MIN_BYTES && be16_get(eth->type) == ETHERTYPE_IPV4;
}

static void take_all(struct diff_frames *out)
{
	for (uint16_t i = 0; i < PORTS; i++) {
		struct diff_frame f = { .port = i };
		for (ssize_t n; (n = read(tap[i], f.bytes, sizeof(f.bytes))) > 0;) {
			f.len = (size_t)n;
			if (is_ipv4(&f) && out->count < DIFF_FRAMES_MAX)
				out->frame[out->count++] = f;
		}
	}
}

void diff_kernel_send(const struct diff_frame *in, struct diff_frames *out)
{
	/* a tap answers EIO for what is no frame at all; nothing came of it then */
	if (write(tap[in->port], in->bytes, in->len) < 0)
		failed("writing a frame");
	take_all(out);
}

const struct diff_side diff_kernel = { "kernel", begin, change, diff_kernel_send };
