// SPDX-License-Identifier: ISC
/* From a command's start to the first frame it forwards; and forgetting the kernel's connections. */
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UDP_DPORT_AT = 36, PROTO_AT = 23, STOP_WAIT_MS = 3000 };

static int listen_on(const char *dev)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex(dev);
	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		gen_fail(dev);
	return fd;
}

/* Is one of the frames waiting at fd ours, come in from the device? */
static bool came_through(int fd, const struct gen_options *o)
{
	uint8_t b[GEN_FRAME_BYTES];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	for (ssize_t n; (n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &size)) >= 0; size = sizeof(from))
		if (n > UDP_DPORT_AT + 2 && from.sll_pkttype != PACKET_OUTGOING && b[PROTO_AT] == IPPROTO_UDP &&
		    (b[UDP_DPORT_AT] << 8 | b[UDP_DPORT_AT + 1]) == o->port)
			return true;
	return false;
}

static void stop(pid_t child)
{
	kill(child, SIGTERM);
	for (int i = 0; i < STOP_WAIT_MS; i++) {
		if (waitpid(child, NULL, WNOHANG) != 0)
			return;
		usleep(1000);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int gen_first(const struct gen_options *o)
{
	uint8_t frame[GEN_FRAME_BYTES], mac[6];
	bool passed = false;
	if (!o->dev || !o->peer_dev || !o->command[0])
		return 2;
	gen_enter(o->peer_ns);
	int far = listen_on(o->peer_dev);
	gen_enter(o->ns);
	int near = gen_packet_socket(o->dev, mac);
	size_t len = gen_frame(frame, o, mac);
	gen_frame_flow(frame, gen_frame_sum(frame), (struct gen_flow){ 5000, o->port });
	double begin = gen_now();
	pid_t child = fork();
	if (child == 0) {
		gen_pin(o->peer_cpu);
		execvp(o->command[0], o->command);
		_exit(127);
	}
	gen_pin(o->cpu);
	while (!passed && gen_now() < begin + o->secs && waitpid(child, NULL, WNOHANG) == 0) {
		if (send(near, frame, len, 0) < 0 && errno != ENETDOWN && errno != ENOBUFS && errno != EIO)
			gen_fail("send");
		for (double until = gen_now() + 50e-6; !passed && gen_now() < until;)
			passed = came_through(far, o);
	}
	double took = gen_now() - begin;
	stop(child);
	if (!passed) {
		fprintf(stderr, "gen: no frame came through\n");
		return 1;
	}
	printf("{\"ms\":%.3f}\n", took * 1e3);
	return 0;
}

int gen_ctflush(const struct gen_options *o)
{
	struct {
		struct nlmsghdr head;
		struct nfgenmsg body;
	} ask = {
		{ sizeof(ask), NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ AF_INET, NFNETLINK_V0, 0 },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
		char rest[256];
	} says = { 0 };
	gen_enter(o->ns);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	gen_give_up_after(fd, 5);
	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0 || recv(fd, &says, sizeof(says), 0) < 0)
		gen_fail("conntrack netlink");
	errno = -says.body.error;
	if (says.head.nlmsg_type != NLMSG_ERROR || says.body.error)
		gen_fail("conntrack flush");
	printf("{\"flushed\":true}\n");
	return 0;
}
