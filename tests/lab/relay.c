// SPDX-License-Identifier: ISC
/*
 * A cable that delays: forwards frames between two interfaces after a seeded random time, and says
 * what it really did.
 *
 *     relay IF IF LOG SEED DELAY-US JITTER-US SLOW-PERMILLE SLOW-US STALL-EVERY-MS STALL-MS
 *
 * Delays are DELAY to DELAY + JITTER, evenly, and for some frames SLOW more; order is kept. Every
 * STALL-EVERY-MS (0: never) nothing leaves for STALL-MS. When it is told to end (TERM) it writes a line
 * for every probe of latency_wire.h it carried: direction (0: from the first interface),
 * sequence, and nanoseconds from the kernel's stamp of arrival to its departure from here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 2048, HELD_MAX = 1 << 14, LOG_MAX = 1 << 20, SPIN_NS = 100000 };

struct held {
	uint64_t came, release;
	size_t len;
	uint8_t bytes[FRAME_MAX];
};

static struct way {
	int in, out;
	uint64_t first, last; /* of those held: numbers of the ring */
	uint64_t latest;      /* release of the last one */
	struct held ring[HELD_MAX];
} way[2];

static struct {
	uint8_t direction;
	uint64_t sequence, ns;
} entry[LOG_MAX];
static size_t entries;

static uint64_t seed, delay_ns, jitter_ns, slow_permille, slow_ns, stall_every_ns, stall_ns, begun;
static volatile sig_atomic_t over;

static void end(int signal)
{
	(void)signal;
	over = 1;
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t random_below(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return n ? (seed >> 24) % n : 0;
}

static uint64_t release_of(uint64_t came)
{
	uint64_t at = came + delay_ns + random_below(jitter_ns);
	if (random_below(1000) < slow_permille)
		at += slow_ns;
	if (stall_every_ns && (at - begun) % stall_every_ns < stall_ns)
		at += stall_ns - (at - begun) % stall_every_ns;
	return at;
}

static void take(struct way *w)
{
	while (w->last - w->first < HELD_MAX) {
		struct held *h = &w->ring[w->last % HELD_MAX];
		_Alignas(struct cmsghdr) char control[128];
		struct iovec part = { h->bytes, FRAME_MAX };
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(w->in, &m, MSG_DONTWAIT);
		if (n < 0)
			return;
		h->came = now();
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
				struct timespec t;
				memcpy(&t, CMSG_DATA(c), sizeof(t));
				h->came = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
			}
		h->len = (size_t)n;
		h->release = release_of(h->came);
		if (h->release < w->latest)
			h->release = w->latest;
		w->latest = h->release;
		w->last++;
	}
}

static void note(const struct way *w, const struct held *h)
{
	enum { PAYLOAD = sizeof(struct virtio_net_hdr) + 14 + 20 + 8 };
	uint64_t sequence = 0;
	if (h->len < PAYLOAD + 16 || memcmp(h->bytes + PAYLOAD, "PLT", 3) || entries == LOG_MAX)
		return;
	for (int i = 0; i < 8; i++)
		sequence = sequence << 8 | h->bytes[PAYLOAD + 8 + i];
	entry[entries].direction = w != way;
	entry[entries].sequence = sequence;
	entry[entries++].ns = now() - h->came;
}

static void let_go(struct way *w)
{
	while (w->first < w->last && w->ring[w->first % HELD_MAX].release <= now()) {
		struct held *h = &w->ring[w->first++ % HELD_MAX];
		if (send(w->out, h->bytes, h->len, 0) >= 0)
			note(w, h);
	}
}

static int port(const char *name)
{
	int one = 1, room = 16 << 20, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror(name);
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static void wait_for_next(void)
{
	uint64_t next = UINT64_MAX, at = now();
	for (int i = 0; i < 2; i++)
		if (way[i].first < way[i].last && way[i].ring[way[i].first % HELD_MAX].release < next)
			next = way[i].ring[way[i].first % HELD_MAX].release;
	if (next <= at + SPIN_NS)
		return;
	uint64_t gap = next == UINT64_MAX ? 100000000 : next - at - SPIN_NS;
	struct timespec t = { (time_t)(gap / 1000000000), (long)(gap % 1000000000) };
	struct pollfd p[2] = { { way[0].in, POLLIN, 0 }, { way[1].in, POLLIN, 0 } };
	ppoll(p, 2, &t, NULL);
}

int main(int argc, char **argv)
{
	uint64_t *const number[] = { &seed,    &delay_ns,	&jitter_ns, &slow_permille,
				     &slow_ns, &stall_every_ns, &stall_ns };
	static const uint64_t unit[] = { 1, 1000, 1000, 1, 1000, 1000000, 1000000 };
	if (argc != 11)
		return 2;
	for (int i = 0; i < 7; i++)
		*number[i] = strtoull(argv[4 + i], NULL, 10) * unit[i];
	way[0].in = way[1].out = port(argv[1]);
	way[1].in = way[0].out = port(argv[2]);
	signal(SIGTERM, end);
	prctl(PR_SET_TIMERSLACK, 1);
	begun = now();
	puts("ready");
	fflush(stdout);
	while (!over) {
		for (int i = 0; i < 2; i++) {
			take(&way[i]);
			let_go(&way[i]);
		}
		wait_for_next();
	}
	FILE *log = fopen(argv[3], "w");
	for (size_t i = 0; log && i < entries; i++)
		fprintf(log, "%u %llu %llu\n", entry[i].direction, (unsigned long long)entry[i].sequence,
			(unsigned long long)entry[i].ns);
	return log && !fclose(log) ? 0 : 1;
}
