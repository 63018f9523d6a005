/* libs: xengnttab xenevtchn xenstore */
// SPDX-License-Identifier: ISC
/*
 * A hostile frontend of a guest's netback, by real grants and event channels: connects, says what
 * it likes on both rings, and connects again when it was closed for it.
 *
 *   liar BACKEND-DOMID BACKEND-DIR FRONTEND-DIR SECONDS
 *
 * Both folders are the caller's to make, in state 1. Prints how often it was closed and connected;
 * status 0 when it ran its time, 1 when it could not.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

enum { INITIALISING = 1, INITWAIT = 2, CONNECTED = 4, CLOSING = 5, CLOSED = 6, PAGES = 10, WORDS = 1024, BURST = 60 };

static struct xs_handle *xs;
static const char *front, *back;
static uint32_t refs[PAGES];
static uint32_t *pages;

static void put(const char *key, unsigned value)
{
	char path[256], text[16];
	snprintf(path, sizeof(path), "%s/%s", front, key);
	snprintf(text, sizeof(text), "%u", value);
	xs_write(xs, XBT_NULL, path, text, (unsigned)strlen(text));
}

static int state(const char *dir)
{
	char path[256];
	unsigned len;
	snprintf(path, sizeof(path), "%s/state", dir);
	char *value = xs_read(xs, XBT_NULL, path, &len);
	int n = value ? atoi(value) : 0;
	free(value);
	return n;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int await(int wanted, double until)
{
	while (state(back) != wanted && now() < until)
		usleep(20000);
	return state(back) == wanted;
}

/* Slots that could nearly be true: references that are lent, sizes about a page, every flag. */
static void scribble(uint32_t *ring, unsigned words)
{
	for (int i = 0; i < 256; i++) {
		uint32_t *slot = ring + 16 + (unsigned)(random() % 256) * words;
		slot[0] = random() % 4 ? refs[random() % PAGES] : (uint32_t)random();
		slot[1] = random() % 4 ? (uint32_t)(random() % 4000) | (uint32_t)(random() % 16) << 16 : (uint32_t)random();
		if (words == 3)
			slot[2] = (uint32_t)(random() % 256) | (uint32_t)(random() % 5000) << 16;
	}
	ring[0] += (uint32_t)(random() % 16 ? random() % 30 : random());
	ring[1 + random() % 3] = (uint32_t)random() % 400;
}

static void offer(unsigned channel)
{
	memset(pages, 0, 2 * WORDS * sizeof(*pages));
	put("tx-ring-ref", random() % 8 ? refs[0] : (unsigned)random() % 5000);
	put("rx-ring-ref", random() % 8 ? refs[1] : refs[0]);
	put("event-channel", random() % 8 ? channel : (unsigned)random() % 5000);
	put("request-rx-copy", random() % 16 != 0);
	put("feature-sg", random() % 2);
	put("feature-gso-tcpv4", random() % 2);
	put("state", CONNECTED);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	uint32_t domid = (uint32_t)atoi(argv[1]);
	xengntshr_handle *share = xengntshr_open(NULL, 0);
	xenevtchn_handle *channels = xenevtchn_open(NULL, 0);
	back = argv[2];
	front = argv[3];
	xs = xs_open(0);
	if (!share || !channels || !xs)
		return 1;
	pages = xengntshr_share_pages(share, domid, PAGES, refs, 1);
	xenevtchn_port_or_error_t channel = xenevtchn_bind_unbound_port(channels, domid);
	if (!pages || channel < 0)
		return 1;
	unsigned connected = 0, closed = 0, rounds = 0;
	double end = now() + atoi(argv[4]);
	srandom(4);
	while (now() < end) {
		put("state", INITIALISING);
		if (!await(INITWAIT, end))
			continue;
		/* a channel that the peer closed is not to be bound again */
		xenevtchn_unbind(channels, (evtchn_port_t)channel);
		channel = xenevtchn_bind_unbound_port(channels, domid);
		if (channel < 0)
			return 1;
		offer((unsigned)channel);
		connected += await(CONNECTED, now() + 1 < end ? now() + 1 : end) != 0;
		for (int i = 0; i < BURST && state(back) == CONNECTED; i++, rounds++) {
			scribble(pages + (random() % 2 ? WORDS : 0), random() % 2 ? 3 : 2);
			xenevtchn_notify(channels, (evtchn_port_t)channel);
			usleep(1000);
		}
		put("state", random() % 2 ? CLOSING : CLOSED);
		closed += await(CLOSED, now() + 5) != 0;
	}
	printf("liar: connected %u times, closed %u times, %u bursts\n", connected, closed, rounds);
	xenevtchn_unbind(channels, (evtchn_port_t)channel);
	xengntshr_unshare(share, pages, PAGES);
	return 0;
}
