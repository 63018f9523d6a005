// SPDX-License-Identifier: ISC
/*
 * The whole appliance: store, tender and guest, on taps of this process's network
 * namespace; frames are put on and taken from their cables by packet sockets.
 *
 * What is answered last tells what came before: an ARP question behind a frame is
 * answered when the frame has been judged, and one on each other port when all that
 * was sent there is out. So nothing is waited for that may not come.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <net/if.h>

#include "diff.h"
#include "diff_lab.h"

enum { PORTS = DIFF_CLIENTS + 1, PATIENCE_S = 60, PATH_BYTES = 4096, SCRIPT_BYTES = 16384 };

static const char *const taps[PORTS] = { "t-up", "t-c1", "t-c2" };
static int cable[PORTS] = { -1, -1, -1 };
static char programs[PATH_BYTES], scratch[] = "/tmp/postern-diff.XXXXXX";
static pid_t store, tender;

static bool failed(const char *what)
{
	fprintf(stderr, "diff: %s: %s\n", what, strerror(errno));
	return false;
}

/* --- programs -------------------------------------------------------------------------- */

static bool shell(const char *format, const char *a, const char *b)
{
	char line[SCRIPT_BYTES], words[SCRIPT_BYTES - 2 * PATH_BYTES];
	snprintf(words, sizeof(words), format, a, b);
	snprintf(line, sizeof(line), "export POSTERN_STORE='%s/store.sock' POSTERN_CONTROL='%s/control'; P='%s/postern'; %s",
		 scratch, scratch, programs, words);
	return system(line) == 0;
}

static pid_t start(const char *format)
{
	char words[SCRIPT_BYTES];
	pid_t child = fork();
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when this process does not live to say so */
	snprintf(words, sizeof(words), "cd '%s' && O='%s' && %s", scratch, programs, format);
	execl("/bin/sh", "sh", "-c", words, (char *)NULL);
	_exit(127);
}

static void stop(pid_t *child)
{
	if (*child <= 0)
		return;
	kill(*child, SIGTERM);
	waitpid(*child, NULL, 0);
	*child = 0;
}

static void stop_all(void)
{
	stop(&tender);
	stop(&store);
	shell("rm -rf '%s'%s", scratch, "");
}

bool diff_tender_init(const char *directory)
{
	if (!realpath(directory, programs) || !mkdtemp(scratch))
		return failed(directory);
	atexit(stop_all);
	store = start("exec \"$O/postern-store\" --db db --socket store.sock --link link >store.log 2>&1");
	return shell("n=0; until $P store list >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done;"
		     "$P store write /connected-ips '10.137.0.5 10.137.0.6 10.137.0.99' >/dev/null%s%s", "", "") ||
	       failed("the store");
}

/* --- cables ------------------------------------------------------------------------------ */

static bool open_cable(uint16_t port)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = 0x0300 /* ETH_P_ALL, in network order */,
		.sll_ifindex = (int)if_nametoindex(taps[port]),
	};
	if (cable[port] >= 0)
		close(cable[port]);
	cable[port] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return cable[port] >= 0 && at.sll_ifindex && !bind(cable[port], (struct sockaddr *)&at, sizeof(at));
}

static bool put(uint16_t port, const void *bytes, size_t len)
{
	return send(cable[port], bytes, len, 0) == (ssize_t)len;
}

struct arp_frame { struct eth_hdr eth; struct arp_hdr arp; };

static void put_arp(uint16_t port, unsigned operation, struct ip_addr from, struct ip_addr target)
{
	const struct mac everybody = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct arp_frame f = {
		{ operation == 1 ? everybody : diff_our_mac(port), diff_mac(port), be16_of(ETHERTYPE_ARP) },
		{ be16_of(1), be16_of(ETHERTYPE_IPV4), 6, 4, be16_of((uint16_t)operation), diff_mac(port),
		  ip_to_v4(from), operation == 1 ? (struct mac){ { 0 } } : diff_our_mac(port), ip_to_v4(target) },
	};
	put(port, &f, sizeof(f));
}

/* True: it was the answer to our question. */
static bool take_arp(uint16_t port, const uint8_t *bytes, size_t len)
{
	struct arp_frame f;
	if (len < sizeof(f))
		return false;
	memcpy(&f, bytes, sizeof(f));
	if (be16_get(f.arp.operation) == 2)
		return true;
	if (port == PORT_UPLINK && ip_eq(ip_of_v4(f.arp.target_ip), DIFF_GATEWAY))
		put_arp(port, 2, DIFF_GATEWAY, DIFF_FIREWALL);
	return false;
}

/* One frame that came out of the port, if there is one; true: the awaited answer. */
static bool take_frame(uint16_t port, struct diff_frames *out)
{
	struct diff_frame f = { .port = port };
	struct sockaddr_ll from;
	socklen_t room = sizeof(from);
	ssize_t n = recvfrom(cable[port], f.bytes, sizeof(f.bytes), 0, (struct sockaddr *)&from, &room);
	if (n < ETH_BYTES || from.sll_pkttype == PACKET_OUTGOING)
		return false;
	f.len = (size_t)n;
	unsigned type = be16_get(((const struct eth_hdr *)f.bytes)->type);
	if (type == ETHERTYPE_ARP)
		return take_arp(port, f.bytes, f.len);
	if (type == ETHERTYPE_IPV4 && out && out->count < DIFF_FRAMES_MAX)
		out->frame[out->count++] = f;
	return false;
}

/* Asks at the port, and takes what comes anywhere until the answer is there. */
static bool settle(uint16_t port, struct diff_frames *out, int patience_ms)
{
	struct timespec begun, now;
	struct ip_addr self = port == PORT_UPLINK ? DIFF_GATEWAY : diff_client(port - 1u);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	put_arp(port, 1, self, DIFF_FIREWALL);
	for (;;) {
		struct pollfd any[PORTS];
		for (uint16_t i = 0; i < PORTS; i++)
			any[i] = (struct pollfd){ .fd = cable[i], .events = POLLIN };
		poll(any, PORTS, 50);
		for (uint16_t i = 0; i < PORTS; i++)
			if (any[i].revents & POLLIN && take_frame(i, out) && i == port)
				return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 > patience_ms)
			return false;
	}
}

/* --- a case ------------------------------------------------------------------------------- */

static bool write_rules(const struct diff_rules *rules, size_t client)
{
	char name[PATH_BYTES], ip[IP_TEXT];
	struct text t = text_on(ip);
	text_ip(&t, diff_client(client));
	if (rules->closed)
		return shell("$P store rm /qubes-firewall/%s/ >/dev/null 2>&1; $P store rm /qubes-firewall/%s >/dev/null 2>&1; :",
			     ip, ip);
	snprintf(name, sizeof(name), "%s/rules", scratch);
	FILE *f = fopen(name, "we");
	if (!f)
		return false;
	for (size_t i = 0; i < rules->count; i++)
		fprintf(f, "%s\n", rules->line[i]);
	/* `rules set` always writes the policy drop; an accept rule behind all others is the other one */
	if (rules->policy == VERDICT_ACCEPT)
		fputs("action=accept\n", f);
	return !fclose(f) && shell("$P rules set %s '%s' >/dev/null", ip, name);
}

static bool rules_are_in(const struct diff_case *c)
{
	size_t open = 0;
	char number[16];
	for (size_t i = 0; i < DIFF_CLIENTS; i++)
		open += !c->rules[i].closed;
	snprintf(number, sizeof(number), "%zu", open);
	return shell("n=0; until [ \"$($P status -j 2>/dev/null | grep -c '\"state\": \"open\"')\" = %s ]; do n=$((n + 1));"
		     "[ $n -lt 600 ] || exit 1; sleep 0.05; done%s", number, "");
}

static bool begin(const struct diff_case *c)
{
	stop(&tender);
	for (size_t i = 0; i < DIFF_CLIENTS; i++)
		if (!write_rules(&c->rules[i], i))
			return failed("writing rules");
	tender = start("exec \"$O/postern-tender\" --image \"$O/postern.elf\" --mode \"${MODE:-spt}\" --store link --control control"
		       " --uplink tap=t-up,ip=10.0.0.2/24,gateway=10.0.0.1,mac=02:00:00:00:00:02,offload=off"
		       " --client tap=t-c1,ip=10.137.0.5,mac=02:00:00:00:01:05,offload=off"
		       " --client tap=t-c2,ip=10.137.0.6,mac=02:00:00:00:01:06,offload=off >tender.log 2>&1");
	if (!rules_are_in(c))
		return failed("the appliance has not taken the rules up");
	for (uint16_t i = 0; i < PORTS; i++)
		if (!open_cable(i))
			return failed(taps[i]);
	for (uint16_t i = 0; i < PORTS; i++)
		if (!settle(i, NULL, PATIENCE_S * 1000))
			return failed("no answer to ARP");
	return true;
}

static void send_frame(const struct diff_frame *in, struct diff_frames *out)
{
	if (!put(in->port, in->bytes, in->len) || !settle(in->port, out, PATIENCE_S * 1000))
		failed("the appliance is silent");
	for (uint16_t i = 0; i < PORTS; i++)
		if (i != in->port && !settle(i, out, PATIENCE_S * 1000))
			failed("the appliance is silent");
}

const struct diff_side diff_tender = { "appliance", begin, NULL, send_frame };
