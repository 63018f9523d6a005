// SPDX-License-Identifier: ISC
/* Both ends of a conversation: UDP round trips, TCP connections a second. */
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SAMPLES_MAX = 1 << 20,
	DATA_BYTES = 16,
	EVENTS = 256,
	FDS_MAX = 65536,
};
#define LOST_SECS 0.05
#define WARM_SECS 0.1

/* --- UDP round trips -------------------------------------------------------------- */

static void echo_for_ever(int fd)
{
	uint8_t b[GEN_FRAME_BYTES];
	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &size);
		if (n > 0)
			sendto(fd, b, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
}

/* The datagram numbered seq, or false when it does not come. */
static bool await(int fd, uint32_t seq, bool spin, uint8_t *b, struct sockaddr_in *from)
{
	for (double begin = gen_now();;) {
		uint32_t got;
		socklen_t size = sizeof(*from);
		ssize_t n = recvfrom(fd, b, GEN_FRAME_BYTES, spin ? MSG_DONTWAIT : 0, (struct sockaddr *)from, &size);
		if (n >= (ssize_t)sizeof(got)) {
			memcpy(&got, b, sizeof(got));
			if (got == seq)
				return true;
		} else if (gen_now() - begin > LOST_SECS) {
			return false;
		}
	}
}

/* spin: one thread owns both ends and never sleeps, so the path alone is measured. */
static bool round_trip(const struct gen_options *o, int near, int far, uint32_t seq)
{
	uint8_t b[GEN_FRAME_BYTES] = { 0 };
	struct sockaddr_in from;
	memcpy(b, &seq, sizeof(seq));
	if (send(near, b, o->payload, 0) < 0)
		return false;
	if (o->spin) {
		if (!await(far, seq, true, b, &from))
			return false;
		sendto(far, b, o->payload, 0, (struct sockaddr *)&from, sizeof(from));
	}
	return await(near, seq, o->spin, b, &from);
}

int gen_rtt(const struct gen_options *o)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(o->port), .sin_addr = o->dst };
	double *v = calloc(SAMPLES_MAX, sizeof(*v));
	size_t n = 0, lost = 0;
	pid_t child = 0;
	gen_enter(o->peer_ns);
	int far = gen_udp(o->port);
	if (!o->spin && (child = fork()) == 0) {
		gen_die_with_parent();
		gen_pin(o->peer_cpu);
		echo_for_ever(far);
	}
	gen_pin(o->cpu);
	gen_enter(o->ns);
	int near = gen_udp(0);
	gen_give_up_after(near, LOST_SECS);
	if (!v || connect(near, (struct sockaddr *)&to, sizeof(to)))
		gen_fail("connect");
	double begin = gen_now(), end = begin + WARM_SECS + o->secs;
	for (uint32_t seq = 1; n < SAMPLES_MAX; seq++) {
		double t = gen_now();
		if (t > end)
			break;
		bool back = round_trip(o, near, far, seq);
		if (t < begin + WARM_SECS)
			continue;
		if (back)
			v[n++] = gen_now() - t;
		else
			lost++;
	}
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	gen_sort(v, n);
	printf("{\"n\":%zu,\"lost\":%zu,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}\n", n, lost,
	       gen_quantile(v, n, 0.5) * 1e6, gen_quantile(v, n, 0.99) * 1e6, gen_quantile(v, n, 0.999) * 1e6,
	       n ? v[n - 1] * 1e6 : 0);
	free(v);
	return n ? 0 : 1;
}

/* --- TCP connections ----------------------------------------------------------------- */

static bool is_listener[FDS_MAX];

static void watch(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };
	if (epoll_ctl(ep, op, fd, &e))
		gen_fail("epoll");
}

static void answer(int ep, int fd)
{
	char b[DATA_BYTES * 4];
	for (int i = 0; is_listener[fd] && i < 32; i++) {
		int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (c < 0)
			break;
		watch(ep, EPOLL_CTL_ADD, c, EPOLLIN | EPOLLRDHUP);
	}
	if (is_listener[fd])
		return;
	ssize_t n = recv(fd, b, sizeof(b), 0);
	if (n > 0)
		send(fd, b, (size_t)n, MSG_NOSIGNAL);
	else if (n == 0 || errno != EAGAIN)
		close(fd);
}

static void serve_for_ever(int ep)
{
	struct epoll_event e[EVENTS];
	for (;;) {
		int n = epoll_wait(ep, e, EVENTS, -1);
		for (int i = 0; i < n; i++)
			answer(ep, e[i].data.fd);
	}
}

static int listeners(const struct gen_options *o)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), one = 1;
	for (uint16_t i = 0; i < GEN_CPS_PORTS; i++) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(o->port + i)) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4096))
			gen_fail("listen");
		is_listener[fd] = true;
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
	return ep;
}

static struct {
	int ep;
	uint32_t live, turn;
	uint64_t done, errors;
	bool sent[FDS_MAX];
	double begun[FDS_MAX];
	double took[SAMPLES_MAX];
} client;

static bool dial(const struct gen_options *o)
{
	uint16_t port = (uint16_t)(o->port + client.turn++ % GEN_CPS_PORTS);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = o->dst };
	struct linger reset = { 1, 0 }; /* no TIME_WAIT: the client's ports would run out */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0 || fd >= FDS_MAX)
		gen_fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) {
		client.errors++;
		close(fd);
		return false;
	}
	client.sent[fd] = false;
	client.begun[fd] = gen_now();
	client.live++;
	watch(client.ep, EPOLL_CTL_ADD, fd, EPOLLOUT);
	return true;
}

static void go_on(int fd, uint32_t events)
{
	char b[DATA_BYTES * 2] = "sixteen bytes!!";
	if (!(events & (EPOLLERR | EPOLLHUP)) && !client.sent[fd] &&
	    send(fd, b, DATA_BYTES, MSG_NOSIGNAL) == DATA_BYTES) {
		client.sent[fd] = true;
		watch(client.ep, EPOLL_CTL_MOD, fd, EPOLLIN);
		return;
	}
	ssize_t n = client.sent[fd] ? recv(fd, b, sizeof(b), 0) : -2;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == DATA_BYTES) {
		if (client.done < SAMPLES_MAX)
			client.took[client.done] = gen_now() - client.begun[fd];
		client.done++;
	} else {
		client.errors++;
	}
	close(fd);
	client.live--;
}

int gen_cps(const struct gen_options *o)
{
	struct epoll_event e[EVENTS];
	gen_enter(o->peer_ns);
	int ep = listeners(o);
	pid_t child = fork();
	if (child == 0) {
		gen_die_with_parent();
		gen_pin(o->peer_cpu);
		serve_for_ever(ep);
	}
	close(ep);
	gen_pin(o->cpu);
	gen_enter(o->ns);
	client.ep = epoll_create1(EPOLL_CLOEXEC);
	double begin = gen_now();
	while (gen_now() < begin + o->secs) {
		for (uint32_t tries = 0; client.live < o->conc && tries < o->conc; tries++)
			if (!dial(o))
				break;
		int n = epoll_wait(client.ep, e, EVENTS, 100);
		for (int i = 0; i < n; i++)
			go_on(e[i].data.fd, e[i].events);
	}
	double took = gen_now() - begin;
	size_t n = client.done < SAMPLES_MAX ? client.done : SAMPLES_MAX;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	gen_sort(client.took, n);
	printf("{\"cps\":%.0f,\"done\":%lu,\"errors\":%lu,\"p50\":%.1f,\"p99\":%.1f}\n", (double)client.done / took,
	       client.done, client.errors, gen_quantile(client.took, n, 0.5) * 1e6,
	       gen_quantile(client.took, n, 0.99) * 1e6);
	return client.done ? 0 : 1;
}
