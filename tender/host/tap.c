// SPDX-License-Identifier: ISC
/* Opens tap interfaces, in another network namespace if asked. */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int enter(const char *netns)
{
	char path[128];
	struct text t = text_on(path);
	text_put(&t, "/run/netns/");
	text_put(&t, netns);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die_errno("network namespace ", netns);
	close(there);
	return home;
}

static uint16_t bring_up(struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, request))
		die_errno("tap ", request->ifr_name);
	request->ifr_flags = (short)(request->ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, request) || ioctl(fd, SIOCGIFMTU, request))
		die_errno("tap ", request->ifr_name);
	close(fd);
	return (uint16_t)(request->ifr_mtu > 65535 ? 65535 : request->ifr_mtu);
}

int tap_open(const char *name, const char *netns, uint16_t *mtu)
{
	int home = netns[0] ? enter(netns) : -1;
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	memcpy(request.ifr_name, name, OPTION_NAME_BYTES);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die_errno("tap ", name);
	*mtu = bring_up(&request);
	if (home >= 0) {
		if (setns(home, CLONE_NEWNET))
			die_errno("network namespace: way back from ", netns);
		close(home);
	}
	return fd;
}

bool tap_is_usable(int fd)
{
	struct ifreq request = { 0 };
	if (ioctl(fd, TUNGETIFF, &request))
		return false;
	unsigned flags = (unsigned short)request.ifr_flags;
	if (!(flags & IFF_TAP) || !(flags & IFF_NO_PI) || flags & IFF_VNET_HDR)
		return false;
	int mode = fcntl(fd, F_GETFL);
	return mode >= 0 && fcntl(fd, F_SETFL, mode | O_NONBLOCK) == 0;
}
