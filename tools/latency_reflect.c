// SPDX-License-Identifier: ISC
/* postern latency reflect: sends the probe's datagrams and bytes back to where they came from. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "controlclient.h"
#include "latency_host.h"
#include "latency_verbs.h"
#include "latency_wire.h"
#include "verbs.h"

enum { CONNECTIONS_MAX = 32, BUFFER_BYTES = 65536, UDP = 0, LISTENER = 1, FIRST = 2, SLOTS = FIRST + CONNECTIONS_MAX };

struct reflector {
	struct pollfd slot[SLOTS];
	struct {
		uint8_t *bytes; /* BUFFER_BYTES; owned */
		size_t start, end;
	} held[CONNECTIONS_MAX]; /* read but not yet written back */
};

/* The answer leaves from the address that was asked: of what came with the message only that goes back. */
static void answer_from(struct msghdr *m)
{
	struct in_pktinfo info = { .ipi_ifindex = 0 };
	bool known = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c && !known; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			known = true;
		}
	info.ipi_ifindex = 0;
	info.ipi_spec_dst = info.ipi_addr;
	m->msg_controllen = known ? CMSG_SPACE(sizeof(info)) : 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	if (!c)
		return;
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

/* Drains the socket; a datagram that is not a request is nobody's business. */
static void reflect_datagrams(int fd)
{
	static uint8_t bytes[LATENCY_WIRE_MAX];
	for (;;) {
		union {
			struct cmsghdr align;
			char room[256];
		} control;
		struct sockaddr_in from;
		struct iovec part = { bytes, sizeof(bytes) };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
				    .msg_control = control.room, .msg_controllen = sizeof(control.room) };
		struct latency_wire w;
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n < 0)
			return;
		if (!latency_wire_get(bytes, (size_t)n, &w) || w.kind != LATENCY_REQUEST || m.msg_flags & MSG_TRUNC)
			continue;
		w.kind = LATENCY_REPLY;
		w.arrival = latency_stamp(&m);
		w.departure = latency_now();
		if (!w.arrival)
			w.arrival = w.departure;
		latency_wire_put(bytes, (size_t)n, &w);
		part.iov_len = (size_t)n;
		answer_from(&m);
		sendmsg(fd, &m, MSG_DONTWAIT);
	}
}

static void take_connection(struct reflector *r)
{
	int one = 1, fd = accept4(r->slot[LISTENER].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	for (int i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++)
		if (r->slot[FIRST + i].fd < 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			r->slot[FIRST + i] = (struct pollfd){ fd, POLLIN, 0 };
			r->held[i].start = r->held[i].end = 0;
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* Back and forth until neither side moves. False: the connection is over. */
static bool reflect_bytes(struct reflector *r, int i)
{
	struct pollfd *p = &r->slot[FIRST + i];
	for (;;) {
		if (r->held[i].start == r->held[i].end) {
			ssize_t n = read(p->fd, r->held[i].bytes, BUFFER_BYTES);
			p->events = POLLIN;
			if (n <= 0)
				return n && errno == EAGAIN;
			r->held[i].start = 0;
			r->held[i].end = (size_t)n;
		}
		ssize_t n = send(p->fd, r->held[i].bytes + r->held[i].start, r->held[i].end - r->held[i].start,
				 MSG_NOSIGNAL);
		if (n < 0) {
			p->events = POLLOUT;
			return errno == EAGAIN;
		}
		r->held[i].start += (size_t)n;
	}
}

static int reflect(struct reflector *r, uint64_t until)
{
	for (;;) {
		int64_t left = (int64_t)(until - latency_now()) / 1000000;
		if (until && left <= 0)
			return EXIT_YES;
		if (poll(r->slot, SLOTS, until ? (int)left + 1 : -1) < 0 && errno != EINTR)
			return complain(EXIT_NO, "poll: %m");
		if (r->slot[UDP].revents)
			reflect_datagrams(r->slot[UDP].fd);
		if (r->slot[LISTENER].revents)
			take_connection(r);
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			if (r->slot[FIRST + i].fd >= 0 && r->slot[FIRST + i].revents && !reflect_bytes(r, i)) {
				close(r->slot[FIRST + i].fd);
				r->slot[FIRST + i].fd = -1;
			}
	}
}

static int bound(int type, const struct sockaddr_in *at)
{
	int one = 1, room = 4 << 20, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) || (type == SOCK_STREAM && listen(fd, 16))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int serve(const struct sockaddr_in *at, unsigned seconds)
{
	static struct reflector r;
	int one = 1;
	for (int i = 0; i < SLOTS; i++)
		r.slot[i] = (struct pollfd){ -1, POLLIN, 0 };
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		if (!(r.held[i].bytes = malloc(BUFFER_BYTES)))
			return complain(EXIT_NO, "out of memory");
	r.slot[UDP].fd = bound(SOCK_DGRAM, at);
	r.slot[LISTENER].fd = bound(SOCK_STREAM, at);
	if (r.slot[UDP].fd < 0 || r.slot[LISTENER].fd < 0)
		return complain(EXIT_REFUSED, "port %u: %m", ntohs(at->sin_port));
	latency_stamps_on(r.slot[UDP].fd, false);
	setsockopt(r.slot[UDP].fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	prctl(PR_SET_TIMERSLACK, 1);
	printf("reflecting UDP and TCP on port %u\n", ntohs(at->sin_port));
	fflush(stdout);
	return reflect(&r, seconds ? latency_now() + seconds * 1000000000ull : 0);
}

/* The appliance's own reflector: a port, "off", or "state". */
static int at_appliance(const char *control, const char *what, bool json)
{
	char request[64];
	bool asks = !strcmp(what, "state");
	snprintf(request, sizeof(request), "latency reflect%s%.32s", asks ? "" : " ", asks ? "" : what);
	return latency_tell(control, request, json);
}

int latency_reflect(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "bind", required_argument, NULL, 'b' },
		{ "for", required_argument, NULL, 'f' },
		{ "appliance", required_argument, NULL, 'a' },
		{ "control", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(LATENCY_PORT) };
	const char *appliance = NULL, *control = NULL;
	unsigned long seconds = 0, port;
	bool json = false;
	for (int o; (o = getopt_long(argc, argv, "p:b:f:jh", options, NULL)) != -1;) {
		char *end = optarg;
		if (o == 'p' && (port = strtoul(optarg, &end, 10)) && !*end && port < 65536)
			at.sin_port = htons((uint16_t)port);
		else if (o == 'b' && inet_pton(AF_INET, optarg, &at.sin_addr) == 1)
			continue;
		else if (o == 'f' && (seconds = strtoul(optarg, &end, 10)) && !*end && seconds < 1u << 30)
			continue;
		else if (o == 'a')
			appliance = optarg;
		else if (o == 'c')
			control = optarg;
		else if (o == 'j')
			json = true;
		else
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	}
	if (optind == argc && appliance)
		return at_appliance(controlclient_path(control), appliance, json);
	return optind == argc ? serve(&at, (unsigned)seconds) : verb_usage("latency");
}
