/* libs: */
// SPDX-License-Identifier: ISC
/*
 * Sends every datagram back to where it came from, for ever; or plays a name server to which every name
 * has the one address NAMED.
 *
 *   reflect ADDRESS PORT [NAMED]
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 12, RECORD = 16, BYTES = 65536 };

/* Makes the question its own answer (RFC 1035, 4.1); AAAA and others get an empty one. */
static ssize_t named(uint8_t *at, ssize_t len, struct in_addr address)
{
	static const uint8_t record[RECORD - 4] = { 0xc0, HEAD, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
	ssize_t end = HEAD;
	if (len < HEAD + 5 || at[5] != 1)
		return 0;
	while (end < len && at[end])
		end += at[end] + 1;
	if ((end += 5) > len)
		return 0;
	int wanted = at[end - 4] == 0 && at[end - 3] == 1;
	at[2] |= 0x80;
	at[3] = 0x80;
	memset(at + 6, 0, 6);
	at[7] = (uint8_t)wanted;
	memcpy(at + end, record, sizeof(record));
	memcpy(at + end + sizeof(record), &address, 4);
	return wanted ? end + RECORD : end;
}

int main(int argc, char **argv)
{
	static uint8_t bytes[BYTES + RECORD];
	struct sockaddr_in self = { .sin_family = AF_INET }, from;
	struct in_addr address;
	int room = 16 << 20, s = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc < 3 || inet_pton(AF_INET, argv[1], &self.sin_addr) != 1 ||
	    (argc > 3 && inet_pton(AF_INET, argv[3], &address) != 1))
		return 2;
	self.sin_port = htons((unsigned short)atoi(argv[2]));
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (s < 0 || bind(s, (struct sockaddr *)&self, sizeof(self)) < 0) {
		perror("reflect");
		return 1;
	}
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, bytes, BYTES, 0, (struct sockaddr *)&from, &len);
		if (n > 0 && argc > 3)
			n = named(bytes, n, address);
		if (n > 0)
			sendto(s, bytes, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}
