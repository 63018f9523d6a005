// SPDX-License-Identifier: ISC
/* Frames by the hundred thousand: built once, then only their ports change. */
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IP_AT = 14, UDP_AT = 34, PAYLOAD_AT = 42, SPORT_FIRST = 1024, SPORTS = 60000 };

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return len & 1 ? sum + ((uint32_t)at[len - 1] << 8) : sum;
}

static uint16_t finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t gen_frame(uint8_t *at, const struct gen_options *o, const uint8_t smac[6])
{
	memset(at, 0, PAYLOAD_AT);
	memcpy(at, o->dmac, 6);
	memcpy(at + 6, smac, 6);
	put16(at + 12, ETH_P_IP);
	at[IP_AT] = 0x45;
	put16(at + IP_AT + 2, 28 + o->payload);
	at[IP_AT + 6] = 0x40;
	at[IP_AT + 8] = 64;
	at[IP_AT + 9] = IPPROTO_UDP;
	memcpy(at + IP_AT + 12, &o->src, 4);
	memcpy(at + IP_AT + 16, &o->dst, 4);
	put16(at + IP_AT + 10, finish(sum16(0, at + IP_AT, 20)));
	put16(at + UDP_AT + 4, 8 + o->payload);
	for (uint32_t i = 0; i < o->payload; i++)
		at[PAYLOAD_AT + i] = (uint8_t)i;
	return PAYLOAD_AT + o->payload;
}

uint32_t gen_frame_sum(const uint8_t *at)
{
	size_t len = (size_t)at[UDP_AT + 4] << 8 | at[UDP_AT + 5];
	uint32_t sum = sum16((uint32_t)(IPPROTO_UDP + len), at + IP_AT + 12, 8);
	sum = sum16(sum, at + UDP_AT + 4, 2);
	return sum16(sum, at + PAYLOAD_AT, len - 8);
}

void gen_frame_flow(uint8_t *at, uint32_t base_sum, struct gen_flow f)
{
	put16(at + UDP_AT, f.sport);
	put16(at + UDP_AT + 2, f.dport);
	uint16_t sum = finish(base_sum + f.sport + f.dport);
	put16(at + UDP_AT + 6, sum ? sum : 0xffff);
}

int gen_packet_socket(const char *dev, uint8_t mac[6])
{
	struct ifreq request = { 0 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, bytes = 8 << 20;
	if (fd < 0)
		gen_fail("packet socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", dev);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		gen_fail(dev);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	at.sll_ifindex = (int)if_nametoindex(dev);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		gen_fail(dev);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

/* The flow of the n-th packet: ports of the client first, then ports of the server. */
static struct gen_flow flow_of(const struct gen_options *o, uint64_t n)
{
	uint64_t k = o->fresh ? o->first + n : n % o->flows;
	return (struct gen_flow){ (uint16_t)(SPORT_FIRST + k % SPORTS), (uint16_t)(o->port + k / SPORTS) };
}

/* All of the burst, or until the time is over; frames that left. */
static uint64_t send_burst(int fd, struct mmsghdr *m, double end)
{
	int at = 0;
	while (at < GEN_BURST) {
		int n = sendmmsg(fd, m + at, (unsigned)(GEN_BURST - at), 0);
		if (n > 0)
			at += n;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			gen_fail("sendmmsg");
		else if (gen_now() > end)
			break;
	}
	return (uint64_t)at;
}

int gen_pps(const struct gen_options *o)
{
	static uint8_t frames[GEN_BURST][GEN_FRAME_BYTES];
	struct mmsghdr m[GEN_BURST] = { 0 };
	struct iovec v[GEN_BURST];
	uint8_t mac[6];
	uint64_t n = 0, sent = 0;
	gen_pin(o->cpu);
	gen_enter(o->ns);
	if (!o->dev)
		return 2;
	int fd = gen_packet_socket(o->dev, mac);
	for (int i = 0; i < GEN_BURST; i++) {
		v[i] = (struct iovec){ frames[i], gen_frame(frames[i], o, mac) };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	uint32_t base = gen_frame_sum(frames[0]);
	double begin = gen_now(), cpu = gen_cpu_seconds(), end = begin + o->secs, next = begin;
	for (double t; (t = gen_now()) < end;) {
		if (o->rate > 0 && t < next) {
			if (next - t > 200e-6)
				usleep(100);
			continue;
		}
		if (o->rate > 0)
			next += GEN_BURST / o->rate;
		for (int i = 0; i < GEN_BURST; i++)
			gen_frame_flow(frames[i], base, flow_of(o, n++));
		sent += send_burst(fd, m, end);
	}
	double took = gen_now() - begin;
	printf("{\"sent\":%lu,\"secs\":%.4f,\"pps\":%.0f,\"cpu\":%.4f}\n", sent, took, (double)sent / took,
	       gen_cpu_seconds() - cpu);
	return 0;
}

/* Receives what pps sends and looks at every byte; with echo it answers, which establishes the flows. */
int gen_sink(const struct gen_options *o)
{
	enum { PORTS_MAX = 64 };
	uint8_t b[GEN_FRAME_BYTES];
	uint64_t received = 0, bad = 0;
	fd_set all, ready;
	int fd[PORTS_MAX], top = 0, ports = (int)((o->flows + SPORTS - 1) / SPORTS);
	gen_die_with_parent();
	gen_pin(o->peer_cpu);
	gen_enter(o->ns);
	FD_ZERO(&all);
	for (int i = 0; i < ports && i < PORTS_MAX; i++) {
		fd[i] = gen_udp((uint16_t)(o->port + i));
		FD_SET(fd[i], &all);
		top = fd[i];
	}
	printf("ready\n");
	fflush(stdout);
	for (double end = gen_now() + o->secs; gen_now() < end;) {
		struct timeval wait = { 0, 50000 };
		ready = all;
		if (select(top + 1, &ready, NULL, NULL, &wait) <= 0)
			continue;
		for (int i = 0; i < ports && i < PORTS_MAX; i++) {
			struct sockaddr_in from;
			socklen_t size = sizeof(from);
			ssize_t n = FD_ISSET(fd[i], &ready) ?
				recvfrom(fd[i], b, sizeof(b), MSG_DONTWAIT, (struct sockaddr *)&from, &size) : -1;
			if (n < 0)
				continue;
			received++;
			bad += n != (ssize_t)o->payload;
			for (ssize_t k = 0; k < n; k++)
				if (b[k] != (uint8_t)k) {
					bad++;
					break;
				}
			if (o->echo)
				sendto(fd[i], b, (size_t)n, 0, (struct sockaddr *)&from, size);
		}
	}
	printf("{\"received\":%lu,\"bad\":%lu}\n", received, bad);
	return 0;
}
