// SPDX-License-Identifier: ISC
/* One datagram for each word; what cannot be sent is nobody's loss. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"

static struct sockaddr_un manager = { .sun_family = AF_UNIX };
static socklen_t manager_len;

void notify_begin(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	if (len > 0 && len < sizeof(manager.sun_path)) {
		memcpy(manager.sun_path, path, len);
		if (path[0] == '@')
			manager.sun_path[0] = 0;
		manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	unsetenv("NOTIFY_SOCKET");
}

void notify_say(const char *format, ...)
{
	char words[256];
	va_list ap;
	if (!manager_len)
		return;
	va_start(ap, format);
	int n = vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(words) ? (size_t)n : sizeof(words) - 1;
	(void)sendto(fd, words, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&manager, manager_len);
	close(fd);
}
