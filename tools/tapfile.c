// SPDX-License-Identifier: ISC
/* Opens a tap where the client's cable ends. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "tapfile.h"

enum { QUEUE_FRAMES = 10000, QUEUE_USUAL_MAX = 1000 };

static bool failed(const char *what, char *reason, size_t room)
{
	snprintf(reason, room, "%s: %s", what, strerror(errno));
	return false;
}

static bool enter(const char *netns, char *reason, size_t room)
{
	char path[128];
	if (!*netns || strchr(netns, '/') || !strcmp(netns, ".") || !strcmp(netns, "..") ||
	    strlen(netns) > 100) {
		snprintf(reason, room, "netns: not a name under /run/netns");
		return false;
	}
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(path, reason, room);
	int error = setns(fd, CLONE_NEWNET) ? errno : 0;
	close(fd);
	errno = error;
	return !error || failed(path, reason, room);
}

static bool bring_up(struct ifreq *request, int *mtu, char *reason, size_t room)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return failed("socket", reason, room);
	/* a burst of many senders needs more than the kernel's own choice; it works without, with more loss */
	if (!ioctl(s, SIOCGIFTXQLEN, request) && request->ifr_qlen <= QUEUE_USUAL_MAX) {
		request->ifr_qlen = QUEUE_FRAMES;
		(void)ioctl(s, SIOCSIFTXQLEN, request);
	}
	bool good = !ioctl(s, SIOCGIFMTU, request);
	*mtu = request->ifr_mtu;
	good = good && !ioctl(s, SIOCGIFFLAGS, request);
	request->ifr_flags |= IFF_UP;
	good = good && !ioctl(s, SIOCSIFFLAGS, request);
	int error = errno;
	close(s);
	errno = error;
	return good || failed(request->ifr_name, reason, room);
}

bool tapfile_open(struct tapfile *tap, const char *name, const char *netns, bool offload,
		  char *reason, size_t room)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int header = sizeof(struct virtio_net_hdr);
	if (offload)
		request.ifr_flags |= IFF_VNET_HDR;
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/%: \t\n")) {
		snprintf(reason, room, "tap: not an interface name");
		return false;
	}
	memcpy(request.ifr_name, name, strlen(name));
	/* A tap belongs to the namespace of whoever opens /dev/net/tun. */
	if (netns && !enter(netns, reason, room))
		return false;
	tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0)
		return failed("/dev/net/tun", reason, room);
	if (!ioctl(tap->fd, TUNSETIFF, &request) &&
	    (!offload || !ioctl(tap->fd, TUNSETVNETHDRSZ, &header))) {
		if (bring_up(&request, &tap->mtu, reason, room))
			return true;
	} else {
		failed(name, reason, room);
	}
	close(tap->fd);
	tap->fd = -1;
	return false;
}
