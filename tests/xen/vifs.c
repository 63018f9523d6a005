/* libs: xengnttab xenevtchn xenstore xenctrl */
// SPDX-License-Identifier: ISC
/*
 * Clients of a guest's netback by the dozen, their frontends in this program (front.h).
 *
 *   vifs DOMID make HANDLE IP FRONTEND-DIR   only the folders of one, in state 1
 *   vifs DOMID drop HANDLE FRONTEND-DIR      detaches it and waits until the guest removed its own
 *   vifs DOMID cycle COUNT IP                each connects, sends a frame, is detached; the next one
 *   vifs DOMID first HANDLE IP SERVER
 *            unpauses the guest, has one connect and ping SERVER until an answer comes, then detached; says at
 *            which second since boot each was
 *   vifs DOMID bursts COUNT IP SERVER        one connects; with a line of its input it sends COUNT times BURST datagrams,
 *            a burst at once when the one before is answered on the ring; with the next one it is detached
 *   vifs DOMID quota NODES                   that xenstored lets any guest own (it says 1000)
 *   vifs DOMID load CLIENTS FLOWS SERVER PORT FIFO
 *            clients 10.139.0.1 and on; each opens its share of FLOWS datagram flows to what echoes
 *            at SERVER:PORT, until every one was answered. Then obeys lines from FIFO: `again` has
 *            all flows answered once more, `end` detaches everybody.
 *
 * Status 1, with a word, when something does not come about.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <xenctrl.h>

#include "front.h"

enum { FIRST_HANDLE = 100, CLIENTS_MAX = 250, PORT_FIRST = 1024,
       FLOWS_MAX = 65536 - PORT_FIRST, WINDOW = 256, STALL_MS = 3000, STALLS_MAX = 20, PING_MS = 50, BURST = 64 };

/* --- frames ---------------------------------------------------------------------------------- */

enum { FRAME_BYTES = 46, IP_AT = 14, UDP_AT = 34, UDP = 17, ICMP = 1, ECHO_REQUEST = 8 };

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned checksum(const uint8_t *at, int len) /* of an even number of bytes */
{
	uint32_t sum = 0;
	for (int i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static void packet(uint8_t frame[FRAME_BYTES], const char *ip, const char *to, uint8_t protocol)
{
	static const uint8_t head[] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0x16, 0x3e, 0x5e, 0, 0, 8, 0,
					0x45, 0, 0, FRAME_BYTES - IP_AT, 0, 0, 0, 0, 64 };
	memset(frame, 0, FRAME_BYTES);
	memcpy(frame, head, sizeof(head));
	frame[23] = protocol;
	inet_pton(AF_INET, ip, frame + 26);
	inet_pton(AF_INET, to, frame + 30);
	put16(frame + 24, checksum(frame + IP_AT, UDP_AT - IP_AT));
}

static void ping(uint8_t frame[FRAME_BYTES], const char *ip, const char *to, unsigned number)
{
	packet(frame, ip, to, ICMP);
	frame[UDP_AT] = ECHO_REQUEST;
	put16(frame + UDP_AT + 6, number);
	put16(frame + UDP_AT + 2, checksum(frame + UDP_AT, FRAME_BYTES - UDP_AT));
}

static void datagram(uint8_t frame[FRAME_BYTES], const char *ip, unsigned sport, const char *to, unsigned dport)
{
	packet(frame, ip, to, UDP);
	put16(frame + UDP_AT, sport);
	put16(frame + UDP_AT + 2, dport);
	put16(frame + UDP_AT + 4, FRAME_BYTES - UDP_AT);
}

/* --- one after another -------------------------------------------------------------------------- */

static int cycle(struct front *f)
{
	uint8_t frame[FRAME_BYTES];
	double end = front_now() + FRONT_LIMIT_S;
	datagram(frame, f->ip, 1, f->ip, 1); /* whatever becomes of it, the ring answers */
	if (!front_await(f, FRONT_INITWAIT) || !front_offer(f) || !front_await(f, FRONT_CONNECTED))
		return 0;
	front_send(f, frame, sizeof(frame));
	front_push(f);
	while (f->answered == 0 && front_now() < end) {
		front_wait(100);
		(void)front_reap(f);
	}
	front_detach(f);
	if (!f->answered || !front_await(f, FRONT_CLOSED)) {
		printf("%s: %s\n", f->back, f->answered ? "is not closed" : "its frame is not answered");
		return 0;
	}
	front_put(f, "state", FRONT_CLOSED);
	if (!front_await(f, FRONT_GONE))
		return 0;
	front_free(f);
	return 1;
}

static int cycles(unsigned count, const char *ip)
{
	static struct front f;
	char dir[64];
	for (unsigned i = 0; i < count; i++) {
		snprintf(dir, sizeof(dir), "/local/domain/0/vifs/%u", FIRST_HANDLE + i % 8);
		front_make(&f, FIRST_HANDLE + i % 8, ip, dir);
		if (!cycle(&f))
			return 1;
	}
	return 0;
}

/* --- the first ------------------------------------------------------------------------------------ */

static int pinged(struct front *f, const char *to) /* is a ping answered? One is sent every PING_MS */
{
	uint8_t frame[FRAME_BYTES];
	double end = front_now() + FRONT_LIMIT_S;
	for (unsigned number = 0; front_now() < end; number++) {
		const uint8_t *at;
		uint16_t buffer;
		uint32_t len;
		ping(frame, f->ip, to, number);
		front_send(f, frame, sizeof(frame));
		front_push(f);
		front_wait(PING_MS);
		(void)front_reap(f);
		while ((at = front_receive(f, &buffer, &len))) {
			int answer = len >= UDP_AT + 8 && at[IP_AT + 9] == ICMP && at[UDP_AT] == 0;
			front_post(f, buffer);
			if (answer)
				return 1;
		}
	}
	printf("%s: no ping of %s is answered\n", f->ip, to);
	return 0;
}

static int first(unsigned handle, const char *ip, const char *to)
{
	static struct front f;
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);
	char dir[64];
	snprintf(dir, sizeof(dir), "/local/domain/0/vifs/%u", handle);
	printf("unpaused %.2f\n", front_now());
	if (!xen || xc_domain_unpause(xen, front_backend) < 0)
		return 1;
	front_make(&f, handle, ip, dir);
	if (!front_await(&f, FRONT_INITWAIT) || !front_offer(&f) || !front_await(&f, FRONT_CONNECTED))
		return 1;
	printf("connected %.2f\n", front_now());
	if (!pinged(&f, to))
		return 1;
	printf("served %.2f\n", front_now());
	front_detach(&f);
	if (!front_await(&f, FRONT_GONE))
		return 1;
	front_free(&f);
	return 0;
}

/* --- bursts ---------------------------------------------------------------------------------------- */

static void await_line(void)
{
	for (int c = 0; c != '\n' && c != EOF;)
		c = getchar();
}

static int bursts(unsigned count, const char *ip, const char *to)
{
	static struct front f;
	uint8_t frame[FRAME_BYTES];
	double end = front_now() + 2 * FRONT_LIMIT_S;
	front_make(&f, FIRST_HANDLE, ip, "/local/domain/0/vifs/bursts");
	if (!front_await(&f, FRONT_INITWAIT) || !front_offer(&f) || !front_await(&f, FRONT_CONNECTED))
		return 1;
	printf("connected\n");
	await_line();
	for (unsigned i = 0; i < count && front_now() < end; i++) {
		for (unsigned k = 0; k < BURST; k++) {
			datagram(frame, ip, PORT_FIRST + k, to, 9);
			front_send(&f, frame, sizeof(frame));
		}
		front_push(&f);
		while (f.answered + f.failed < f.sent && front_now() < end) {
			front_wait(100);
			(void)front_reap(&f);
		}
	}
	printf("%u bursts: %lu datagrams, %lu answered\n", count, (unsigned long)f.sent, (unsigned long)f.answered);
	await_line();
	front_detach(&f);
	if (!front_await(&f, FRONT_GONE))
		return 1;
	front_free(&f);
	return 0;
}

/* --- all at once ----------------------------------------------------------------------------------- */

static struct front client[CLIENTS_MAX];
static unsigned clients, flows, share, echo_port, under_way;
static unsigned in_flight[CLIENTS_MAX], next[CLIENTS_MAX]; /* next: the flow of its own to be sent */
static const char *server;
static enum { UNSENT, SENT, ANSWERED } *flow; /* of client f / share, from port PORT_FIRST + f */

static int connect_all(void)
{
	double from = front_now();
	for (unsigned i = 0; i < clients; i++) {
		char ip[16], dir[64];
		snprintf(ip, sizeof(ip), "10.139.0.%u", i + 1);
		snprintf(dir, sizeof(dir), "/local/domain/0/vifs/%u", FIRST_HANDLE + i);
		front_make(&client[i], FIRST_HANDLE + i, ip, dir);
	}
	for (unsigned i = 0; i < clients; i++)
		if (!front_await(&client[i], FRONT_INITWAIT) || !front_offer(&client[i]))
			return 0;
	for (unsigned i = 0; i < clients; i++)
		if (!front_await(&client[i], FRONT_CONNECTED))
			return 0;
	printf("%u clients connected in %.1f s\n", clients, front_now() - from);
	return 1;
}

/* As many of a client at once as it has buffers for their answers: a few events for many frames. */
static void send_of(unsigned c)
{
	uint8_t frame[FRAME_BYTES];
	unsigned before = under_way;
	for (; next[c] < share && in_flight[c] < FRONT_RX; next[c]++) {
		unsigned f = c * share + next[c];
		if (f >= flows || flow[f] != UNSENT)
			continue;
		datagram(frame, client[c].ip, PORT_FIRST + f, server, echo_port);
		front_send(&client[c], frame, sizeof(frame));
		flow[f] = SENT;
		in_flight[c]++;
		under_way++;
	}
	if (under_way > before)
		front_push(&client[c]);
}

static void send_some(void)
{
	static unsigned c;
	for (unsigned tried = 0; tried < clients && under_way < WINDOW; tried++, c = (c + 1) % clients)
		if (in_flight[c] < FRONT_RX / 2)
			send_of(c);
}

/* The flow whose answer this frame is. */
static int answers(const uint8_t *at, uint32_t len, unsigned c)
{
	if (len < UDP_AT + 8 || at[12] != 8 || at[IP_AT + 9] != 17)
		return -1;
	int f = (at[UDP_AT + 2] << 8 | at[UDP_AT + 3]) - PORT_FIRST;
	return f >= 0 && (unsigned)f < flows && (unsigned)f / share == c ? f : -1;
}

static unsigned take_answers(void)
{
	unsigned taken = 0;
	for (unsigned c = 0; c < clients; c++) {
		uint16_t buffer;
		uint32_t len;
		const uint8_t *at;
		int any = 0;
		(void)front_reap(&client[c]);
		while ((at = front_receive(&client[c], &buffer, &len))) {
			int f = answers(at, len, c);
			any = 1;
			front_post(&client[c], buffer);
			if (f < 0 || flow[f] != SENT)
				continue;
			flow[f] = ANSWERED;
			in_flight[c]--;
			under_way--;
			taken++;
		}
		if (any)
			front_push(&client[c]);
	}
	return taken;
}

static int all_answered(const char *what)
{
	unsigned done = 0, again = 0, stalls = 0;
	double from = front_now(), news = from;
	memset(flow, 0, flows * sizeof(*flow));
	memset(next, 0, sizeof(next));
	while (done < flows) {
		send_some();
		unsigned n = take_answers();
		done += n;
		if (n) {
			news = front_now();
			continue;
		}
		front_wait(100);
		if (front_now() - news < STALL_MS / 1e3)
			continue;
		if (++stalls > STALLS_MAX) {
			printf("%u of %u flows answered, no more to come\n", done, flows);
			return 0;
		}
		for (unsigned f = 0; f < flows; f++)
			if (flow[f] == SENT) {
				flow[f] = UNSENT;
				again++;
			}
		memset(in_flight, 0, sizeof(in_flight));
		memset(next, 0, sizeof(next));
		under_way = 0;
		news = front_now();
	}
	printf("%u flows %s in %.1f s, %u datagrams sent again\n", flows, what, front_now() - from, again);
	return 1;
}

static int leave_all(void)
{
	double from = front_now();
	for (unsigned i = 0; i < clients; i++)
		front_detach(&client[i]);
	for (unsigned i = 0; i < clients; i++) {
		if (!front_await(&client[i], FRONT_GONE))
			return 0;
		front_free(&client[i]);
	}
	printf("%u clients detached in %.1f s\n", clients, front_now() - from);
	return 1;
}

static int load(const char *fifo)
{
	char line[16];
	FILE *orders = fopen(fifo, "r+"); /* for writing too: it never ends */
	flow = calloc(flows, sizeof(*flow));
	if (!orders || !flow || clients > CLIENTS_MAX || flows > FLOWS_MAX || !connect_all() || !all_answered("opened"))
		return 1;
	while (fgets(line, sizeof(line), orders) && strcmp(line, "end\n"))
		if (!strcmp(line, "again\n") && !all_answered("answered again"))
			return 1;
	return !leave_all();
}

static int quota(const char *nodes)
{
	char words[64];
	int len = snprintf(words, sizeof(words), "set%cnodes%c%s", 0, 0, nodes);
	char *said = xs_control_command(front_xs, "quota", words, (unsigned)len + 1);
	int done = said && !strcmp(said, "OK");
	if (!done)
		printf("xenstored: %s\n", said ? said : "no answer");
	free(said);
	return !done;
}

static int drop(unsigned handle, const char *dir)
{
	struct front f = { .channel = -1 };
	snprintf(f.back, sizeof(f.back), "/local/domain/%u/backend/vif/0/%u", front_backend, handle);
	snprintf(f.front, sizeof(f.front), "%s", dir);
	front_detach(&f);
	if (!front_await(&f, FRONT_GONE))
		return 1;
	front_free(&f);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4 || !front_open((unsigned)atoi(argv[1])))
		return 2;
	if (argc == 4 && !strcmp(argv[2], "quota"))
		return quota(argv[3]);
	if (argc == 6 && !strcmp(argv[2], "make")) {
		static struct front f;
		front_make(&f, (unsigned)atoi(argv[3]), argv[4], argv[5]);
		return 0;
	}
	if (argc == 5 && !strcmp(argv[2], "drop"))
		return drop((unsigned)atoi(argv[3]), argv[4]);
	if (argc == 6 && !strcmp(argv[2], "bursts"))
		return bursts((unsigned)atoi(argv[3]), argv[4], argv[5]);
	if (argc == 6 && !strcmp(argv[2], "first"))
		return first((unsigned)atoi(argv[3]), argv[4], argv[5]);
	if (argc == 5 && !strcmp(argv[2], "cycle"))
		return cycles((unsigned)atoi(argv[3]), argv[4]);
	if (argc != 8 || strcmp(argv[2], "load"))
		return 2;
	clients = (unsigned)atoi(argv[3]);
	flows = (unsigned)atoi(argv[4]);
	share = clients ? (flows + clients - 1) / clients : 1;
	server = argv[5];
	echo_port = (unsigned)atoi(argv[6]);
	return load(argv[7]);
}
