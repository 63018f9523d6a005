/* libs: */
// SPDX-License-Identifier: ISC
/*
 * Sends datagrams as fast as the kernel takes them: the bursts that a count of hypercalls is about.
 *
 *   blast ADDRESS PORT COUNT BYTES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char bytes[1472];
	struct sockaddr_in to = { .sin_family = AF_INET };
	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((unsigned short)atoi(argv[2]));
	long count = atol(argv[3]), sent = 0;
	size_t len = (size_t)atol(argv[4]) < sizeof(bytes) ? (size_t)atol(argv[4]) : sizeof(bytes);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	for (long i = 0; i < count; i++) {
		if (send(s, bytes, len, 0) >= 0)
			sent++;
		else if (errno == ENOBUFS)
			usleep(1000);
	}
	printf("%ld datagrams of %zu bytes\n", sent, len);
	return sent > count / 2 ? 0 : 1;
}
