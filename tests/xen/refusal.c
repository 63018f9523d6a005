/* libs: */
// SPDX-License-Identifier: ISC
/*
 * Tries one connection or datagram and prints the ICMP error about it, as it came off the wire:
 * "3/13 from 10.138.0.1 ttl 64 tos c0 quotes 60"; "nothing" when none came in time.
 *
 *   refusal tcp|udp ADDRESS PORT
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 3000, ICMP_BYTES = 8, UNREACHABLE = 3 };

/* Is it about a packet of this protocol to that address and port? Then it is told. */
static int about(const uint8_t *at, size_t len, int proto, const struct sockaddr_in *to)
{
	size_t outer = (size_t)(at[0] & 15) * 4;
	const uint8_t *icmp = at + outer, *inner = icmp + ICMP_BYTES;
	if (len < outer + ICMP_BYTES + sizeof(struct iphdr) + 4 || icmp[0] != UNREACHABLE)
		return 0;
	size_t head = (size_t)(inner[0] & 15) * 4;
	if (inner[9] != proto || memcmp(inner + 16, &to->sin_addr, 4) ||
	    len < outer + ICMP_BYTES + head + 4 || memcmp(inner + head + 2, &to->sin_port, 2))
		return 0;
	printf("%u/%u from %u.%u.%u.%u ttl %u tos %02x quotes %zu\n", icmp[0], icmp[1], at[12], at[13], at[14], at[15],
	       at[8], at[1], len - outer - ICMP_BYTES);
	return 1;
}

int main(int argc, char **argv)
{
	static uint8_t packet[65536];
	struct sockaddr_in to = { .sin_family = AF_INET };
	int tcp = argc == 4 && !strcmp(argv[1], "tcp");
	if (argc != 4 || (!tcp && strcmp(argv[1], "udp")) || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	int heard = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int s = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	if (heard < 0 || s < 0) {
		perror("refusal");
		return 1;
	}
	(void)connect(s, (struct sockaddr *)&to, sizeof(to));
	if (!tcp)
		(void)send(s, "", 1, 0);
	struct pollfd fd = { .fd = heard, .events = POLLIN };
	while (poll(&fd, 1, LIMIT_MS) > 0) {
		ssize_t n = recv(heard, packet, sizeof(packet), 0);
		if (n >= (ssize_t)sizeof(struct iphdr) && about(packet, (size_t)n, tcp ? IPPROTO_TCP : IPPROTO_UDP, &to))
			return 0;
	}
	printf("nothing\n");
	return 1;
}
