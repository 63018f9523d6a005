// SPDX-License-Identifier: ISC
/* Interfaces by name: their namespace, what they are, and bringing them up. */
#include "nic.h"

#include "tender.h" /* before ethtool.h, which has a PORT_NONE of its own */

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_KEPT_FIRST = FD_PORT_FIRST + FD_PORT_MASK + 1 };

int nic_enter(const char *netns)
{
	char path[128];
	struct text t = text_on(path);
	if (!netns[0])
		return -1;
	text_put(&t, "/run/netns/");
	text_put(&t, netns);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die_errno("network namespace ", netns);
	close(there);
	return home;
}

void nic_leave(int home)
{
	if (home < 0)
		return;
	if (setns(home, CLONE_NEWNET))
		die_errno("network namespace: the way back", "");
	close(home);
}

static int ask(const char *name, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die_errno("interface ", name);
	memcpy(request->ifr_name, name, strlen(name) + 1); /* options.c: it fits */
	return fd;
}

struct nic nic_up(const char *name)
{
	struct ifreq r = { 0 };
	struct nic nic = { 0 };
	int fd = ask(name, &r);
	if (ioctl(fd, SIOCGIFINDEX, &r))
		die_errno("interface ", name);
	nic.index = r.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &r))
		die_errno("interface ", name);
	memcpy(nic.mac.b, r.ifr_hwaddr.sa_data, sizeof(nic.mac.b));
	if (ioctl(fd, SIOCGIFMTU, &r))
		die_errno("interface ", name);
	nic.mtu = (uint16_t)(r.ifr_mtu > 65535 ? 65535 : r.ifr_mtu);
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		die_errno("interface ", name);
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		die_errno("bringing up ", name);
	close(fd);
	return nic;
}

bool nic_driven_by(const char *name, const char *driver)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq r = { 0 };
	int fd = ask(name, &r);
	if (ioctl(fd, SIOCGIFINDEX, &r))
		die_errno("interface ", name);
	r.ifr_data = (char *)&info;
	bool known = !ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	return known && !strncmp(info.driver, driver, sizeof(info.driver));
}

uint32_t nic_queues(const char *name)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { 0 };
	int fd = ask(name, &r);
	r.ifr_data = (char *)&c;
	bool known = !ioctl(fd, SIOCETHTOOL, &r);
	close(fd);
	return known && c.rx_count + c.combined_count > 1 ? c.rx_count + c.combined_count : 1;
}

int nic_keep(int fd)
{
	if (fd < 0)
		return -1;
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, FD_KEPT_FIRST), why = errno;
	close(fd);
	errno = why;
	return kept;
}

int nic_promiscuous(const struct nic *nic)
{
	const struct packet_mreq want = { .mr_ifindex = nic->index, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: it receives nothing */
	if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &want, sizeof(want))) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return nic_keep(fd);
}
