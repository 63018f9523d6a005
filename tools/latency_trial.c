// SPDX-License-Identifier: ISC
/* Sends probes on their schedule, whatever becomes of them, and takes the replies in. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "latency_host.h"
#include "latency_ring.h"
#include "latency_wire.h"
#include "verbs.h"

enum { ICMP_BYTES = 8, IPV4_MAX = 60, SOCKET_ROOM = 8 << 20, CONNECT_S = 3, LEAD_NS = 20000000, BURST = 64 };

struct stream {
	const struct latency_trial *trial;
	struct latency_ring ring;
	int fd;
	uint32_t session;
	uint64_t due_count; /* how many there are to send in all */
	uint8_t out[ICMP_BYTES + LATENCY_WIRE_MAX];
	uint8_t in[IPV4_MAX + ICMP_BYTES + LATENCY_WIRE_MAX];
	size_t out_at, in_at; /* TCP: sent of the message under way; received of the next */
};

static uint64_t due_of(const struct stream *s, uint64_t i)
{
	return s->ring.start + (uint64_t)((double)i * 1e9 / s->trial->rate);
}

/* RFC 1071, over an even number of bytes or one more. */
static uint16_t internet_sum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t compose(struct stream *s, uint64_t sequence)
{
	struct latency_wire w = { .kind = LATENCY_REQUEST, .session = s->session, .sequence = sequence };
	bool icmp = s->trial->carrier == LATENCY_ICMP;
	size_t head = icmp ? ICMP_BYTES : 0;
	latency_wire_put(s->out + head, s->trial->size, &w);
	if (icmp) {
		uint8_t h[ICMP_BYTES] = { ICMP_ECHO, 0, 0, 0, (uint8_t)(s->session >> 8), (uint8_t)s->session,
					  (uint8_t)(sequence >> 8), (uint8_t)sequence };
		memcpy(s->out, h, sizeof(h));
		uint16_t sum = internet_sum(s->out, head + s->trial->size);
		s->out[2] = (uint8_t)(sum >> 8);
		s->out[3] = (uint8_t)sum;
	}
	return head + s->trial->size;
}

/* What is due goes out; false: the other side has closed. */
static bool send_due(struct stream *s, uint64_t now)
{
	uint64_t interval = (uint64_t)(1e9 / s->trial->rate);
	for (int burst = 0; burst < BURST && (s->out_at || s->ring.sent < s->due_count); burst++) {
		if (!s->out_at) {
			uint64_t due = due_of(s, s->ring.sent);
			if (due > now)
				break;
			s->ring.outcome.overrun += now - due > interval;
			compose(s, s->ring.sent);
			now = latency_now();
			latency_ring_sent(&s->ring, due, now);
		}
		size_t len = s->trial->size + (s->trial->carrier == LATENCY_ICMP ? ICMP_BYTES : 0u);
		ssize_t n = send(s->fd, s->out + s->out_at, len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (s->trial->carrier != LATENCY_TCP) {
			s->ring.outcome.refused += n < 0;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		s->out_at += (size_t)n;
		if (s->out_at == len)
			s->out_at = 0;
		else
			break;
	}
	return true;
}

static void take_reply(struct stream *s, const uint8_t *at, size_t len, uint64_t stamp)
{
	struct latency_wire w;
	bool udp = s->trial->carrier == LATENCY_UDP;
	if (!latency_wire_get(at, len, &w) || w.session != s->session || (udp && w.kind != LATENCY_REPLY))
		return;
	latency_ring_came(&s->ring, w.sequence, stamp, udp ? w.arrival : 0, udp ? w.departure : 0);
}

static ssize_t receive(struct stream *s, uint8_t *into, size_t room, int flags, struct msghdr *m, char control[512])
{
	struct iovec part = { into, room };
	*m = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 512 };
	return recvmsg(s->fd, m, MSG_DONTWAIT | flags);
}

/* The kernel's stamps of what we sent come back on the error queue, numbered as they went. */
static void take_departures(struct stream *s)
{
	_Alignas(struct cmsghdr) char control[512];
	struct msghdr m;
	while (receive(s, s->in, sizeof(s->in), MSG_ERRQUEUE, &m, control) >= 0) {
		uint64_t stamp = latency_stamp(&m);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err e;
			if (c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR)
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			/* A refused packet may have had a number or not: from then on they tell nothing. */
			if (stamp && e.ee_origin == SO_EE_ORIGIN_TIMESTAMPING && !s->ring.outcome.refused) {
				/* 32 bits of the number are told; the rest follows from what was sent. */
				uint64_t sequence = s->ring.sent - (uint32_t)((uint32_t)s->ring.sent - e.ee_data);
				latency_ring_left(&s->ring, sequence, stamp);
			}
		}
	}
}

/* False: the connection is over. */
static bool take_replies(struct stream *s)
{
	_Alignas(struct cmsghdr) char control[512];
	struct msghdr m;
	bool tcp = s->trial->carrier == LATENCY_TCP;
	for (int burst = 0; burst < BURST; burst++) {
		size_t room = tcp ? s->trial->size - s->in_at : sizeof(s->in);
		ssize_t n = receive(s, s->in + s->in_at, room, 0, &m, control);
		if (n < 0 || (!n && tcp))
			return !tcp || (n && errno == EAGAIN);
		uint64_t stamp = latency_stamp(&m);
		if (!stamp)
			stamp = latency_now();
		if (tcp) {
			s->in_at += (size_t)n;
			if (s->in_at == s->trial->size) {
				take_reply(s, s->in, s->in_at, stamp);
				s->in_at = 0;
			}
		} else if (s->trial->carrier == LATENCY_ICMP) {
			size_t head = (size_t)(s->in[0] & 15) * 4 + ICMP_BYTES;
			if ((size_t)n > head && s->in[head - ICMP_BYTES] == ICMP_ECHOREPLY)
				take_reply(s, s->in + head, (size_t)n - head, stamp);
		} else
			take_reply(s, s->in, (size_t)n, stamp);
	}
	return true;
}

/* Sleeps until shortly before something is due; the rest of the time is spent looking. */
static void idle(struct stream *s, uint64_t until)
{
	uint64_t now = latency_now();
	if (now + s->trial->spin_ns >= until)
		return;
	uint64_t gap = until - now - s->trial->spin_ns;
	struct timespec t = { (time_t)(gap / 1000000000u), (long)(gap % 1000000000u) };
	struct pollfd p = { s->fd, POLLIN, 0 };
	if (s->out_at)
		p.events |= POLLOUT;
	ppoll(&p, 1, &t, NULL);
}

static bool stream_all(struct stream *s)
{
	uint64_t last = due_of(s, s->due_count) + LATENCY_REPLY_WAIT_NS;
	for (;;) {
		uint64_t now = latency_now();
		if (!send_due(s, now) || !take_replies(s))
			return false;
		if (s->trial->carrier != LATENCY_TCP)
			take_departures(s);
		bool all_sent = s->ring.sent == s->due_count && !s->out_at;
		if (all_sent && (latency_ring_complete(&s->ring) || now > last))
			return true;
		idle(s, s->ring.sent == s->due_count ? last : due_of(s, s->ring.sent));
	}
}

static int open_socket(const struct latency_trial *t)
{
	static const struct {
		int type, protocol;
	} kind[] = { [LATENCY_UDP] = { SOCK_DGRAM, 0 }, [LATENCY_TCP] = { SOCK_STREAM, 0 },
		     [LATENCY_ICMP] = { SOCK_RAW, IPPROTO_ICMP } };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = t->from };
	struct timeval patience = { CONNECT_S, 0 };
	int one = 1, room = SOCKET_ROOM;
	int fd = socket(AF_INET, kind[t->carrier].type | SOCK_CLOEXEC, kind[t->carrier].protocol);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if ((t->from.s_addr && bind(fd, (struct sockaddr *)&from, sizeof(from))) ||
	    connect(fd, (const struct sockaddr *)&t->to, sizeof(t->to))) {
		close(fd);
		return -1;
	}
	if (t->carrier == LATENCY_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	latency_stamps_on(fd, t->carrier != LATENCY_TCP);
	return fd;
}

int latency_trial_run(const struct latency_trial *t, struct latency_run *run, const char *name,
		      struct latency_outcome *outcome)
{
	static struct stream s;
	s = (struct stream){ .trial = t, .fd = open_socket(t) };
	if (s.fd < 0)
		return complain(EXIT_UNREACHED, "%s: %m", name);
	prctl(PR_SET_TIMERSLACK, 1);
	s.session = (uint32_t)(latency_now() * 2654435761u >> 7);
	s.due_count = (uint64_t)(t->rate * (double)t->duration_ns / 1e9);
	latency_ring_init(&s.ring, t, run, name, latency_now() + LEAD_NS);
	bool whole = stream_all(&s);
	latency_ring_finish(&s.ring);
	*outcome = s.ring.outcome;
	close(s.fd);
	latency_ring_free(&s.ring);
	if (!whole)
		return complain(EXIT_UNREACHED, "%s: the connection broke", name);
	return EXIT_YES;
}
