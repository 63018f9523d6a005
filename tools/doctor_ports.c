// SPDX-License-Identifier: ISC
/* The interfaces that a configuration names, each looked at from inside its namespace. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#include "doctor.h"
#include "supervisor.h"

enum { XDP_MTU_MAX = 1774 };

struct look {
	bool entered, exists, up, tun, free, addressed, merges;
	int error; /* why not entered, or not free */
	int mtu;
	unsigned channels; /* 0: unknown */
};

static bool enter(const char *netns)
{
	char path[128];
	if (!*netns)
		return true;
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return good;
}

static void ask(struct look *l, int s, const char *iface)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_flags = 0 };
	memcpy(r.ifr_name, iface, strlen(iface));
	l->exists = ioctl(s, SIOCGIFFLAGS, &r) == 0;
	l->up = l->exists && (r.ifr_flags & IFF_UP);
	if (ioctl(s, SIOCGIFMTU, &r) == 0)
		l->mtu = r.ifr_mtu;
	l->addressed = ioctl(s, SIOCGIFADDR, &r) == 0;
	r.ifr_data = (void *)&driver;
	l->tun = ioctl(s, SIOCETHTOOL, &r) == 0 && !strcmp(driver.driver, "tun");
	r.ifr_data = (void *)&flags;
	l->merges = ioctl(s, SIOCETHTOOL, &r) == 0 && (flags.data & ETH_FLAG_LRO);
	r.ifr_data = (void *)&channels;
	if (ioctl(s, SIOCETHTOOL, &r) == 0)
		l->channels = channels.combined_count > channels.rx_count ? channels.combined_count : channels.rx_count;
}

/* A tap that somebody has open cannot be opened again. Only one that exists is tried: none is made. */
static void try_tap(struct look *l, const char *iface)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	memcpy(r.ifr_name, iface, strlen(iface));
	l->free = fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0;
	l->error = l->free ? 0 : errno;
	if (fd >= 0)
		close(fd);
}

/* In a process of its own: a namespace cannot be left again. */
static struct look look_at(const struct runconf_port *p)
{
	struct look l = { .entered = false };
	int pipes[2], status;
	pid_t pid = pipe(pipes) ? -1 : fork();
	if (pid == 0) {
		l.entered = enter(p->netns);
		l.error = l.entered ? 0 : errno;
		int s = l.entered ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
		if (s >= 0)
			ask(&l, s, p->iface);
		if (l.exists && l.tun && p->kind == RUNCONF_TAP)
			try_tap(&l, p->iface);
		_exit(write(pipes[1], &l, sizeof(l)) != (ssize_t)sizeof(l));
	}
	if (pid < 0)
		return l;
	close(pipes[1]);
	if (read(pipes[0], &l, sizeof(l)) != (ssize_t)sizeof(l))
		l = (struct look){ .error = EIO };
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return l;
}

static void tap(struct doctor *d, const char *check, const struct runconf_port *p, const struct look *l, bool running)
{
	char help[160];
	if (!l->exists) {
		doctor_say(d, check, DOCTOR_OK, NULL, "%s will be made", p->iface);
	} else if (!l->tun) {
		snprintf(help, sizeof(help), "auto %s in its section", p->iface);
		doctor_say(d, check, DOCTOR_WRONG, help, "%s is no tap", p->iface);
	} else if (l->free) {
		doctor_say(d, check, DOCTOR_OK, NULL, "tap %s, MTU %d", p->iface, l->mtu);
	} else if (l->error == EBUSY && running) {
		doctor_say(d, check, DOCTOR_OK, NULL, "tap %s, MTU %d, in use", p->iface, l->mtu);
	} else if (l->error == EBUSY) {
		snprintf(help, sizeof(help), "fuser -v /dev/net/tun");
		doctor_say(d, check, DOCTOR_WRONG, help, "%s: another program has it open", p->iface);
	} else {
		snprintf(help, sizeof(help), "ip%s%s tuntap add dev %s mode tap", *p->netns ? " -n " : "", p->netns, p->iface);
		doctor_say(d, check, l->error == EPERM && geteuid() ? DOCTOR_NOTE : DOCTOR_WRONG, help, "%s: %s", p->iface,
			   strerror(l->error));
	}
}

static void nic(struct doctor *d, const char *check, const struct runconf_port *p, const struct look *l)
{
	char help[160], in[80] = "";
	if (*p->netns)
		snprintf(in, sizeof(in), "ip netns exec %s ", p->netns);
	if (!l->exists) {
		snprintf(help, sizeof(help), "%sip link", in);
		doctor_say(d, check, DOCTOR_WRONG, help, "%s: no such interface", p->iface);
	} else if (p->kind == RUNCONF_XDP && l->mtu > XDP_MTU_MAX) {
		snprintf(help, sizeof(help), "%sip link set %s mtu 1500", in, p->iface);
		doctor_say(d, check, DOCTOR_WRONG, help, "%s: its MTU is %d; of xdp, %d at most", p->iface, l->mtu, XDP_MTU_MAX);
	} else if (p->kind == RUNCONF_XDP && l->channels > 1) {
		snprintf(help, sizeof(help), "%sethtool -L %s combined 1", in, p->iface);
		doctor_say(d, check, DOCTOR_WRONG, help, "%s: %u queues; xdp wants one", p->iface, l->channels);
	} else if (l->merges) {
		snprintf(help, sizeof(help), "%sethtool -K %s lro off", in, p->iface);
		doctor_say(d, check, DOCTOR_WRONG, help, "%s: it merges packets (LRO) that were not its own", p->iface);
	} else if (l->addressed) {
		snprintf(help, sizeof(help), "%sip addr flush dev %s", in, p->iface);
		doctor_say(d, check, DOCTOR_NOTE, help, "%s: the host has an address on it, which will not answer any more",
			   p->iface);
	} else {
		doctor_say(d, check, DOCTOR_OK, NULL, "%s, MTU %d%s", p->iface, l->mtu, l->up ? "" : ", down");
	}
}

static void port(struct doctor *d, const struct runconf_port *p, bool uplink, bool running)
{
	char check[40], help[160];
	snprintf(check, sizeof(check), uplink ? "uplink" : "client %s", p->name);
	struct look l = look_at(p);
	if (!l.entered && l.error == EPERM && geteuid()) {
		doctor_say(d, check, DOCTOR_NOTE, "sudo postern doctor", "netns %s: only root can look into it", p->netns);
	} else if (!l.entered) {
		snprintf(help, sizeof(help), "ip netns add %s", p->netns);
		doctor_say(d, check, DOCTOR_WRONG, help, "netns %s: %s", p->netns, strerror(l.error));
	} else if (p->kind == RUNCONF_TAP || (p->kind == RUNCONF_AUTO && l.tun)) {
		tap(d, check, p, &l, running);
	} else {
		nic(d, check, p, &l);
	}
}

void doctor_ports(struct doctor *d, const struct runconf *conf)
{
	char path[RUNCONF_SOCKETS + 20];
	snprintf(path, sizeof(path), "%s/control.sock", *conf->sockets ? conf->sockets : "/run/postern");
	bool running = access(path, F_OK) == 0;
	if (conf->has_uplink)
		port(d, &conf->uplink, true, running);
	for (size_t i = 0; i < conf->count; i++)
		port(d, &conf->client[i], false, running);
}

void doctor_programs(struct doctor *d, const struct runconf *conf)
{
	const struct { const char *name, *path; int how; } program[] = {
		{ "postern-tender", conf->tender, X_OK }, { "postern-store", conf->store, X_OK },
		{ "postern.elf", conf->image, R_OK },
	};
	char self[RUNCONF_PATH], path[RUNCONF_PATH * 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = 0;
	for (size_t i = 0; i < sizeof(program) / sizeof(program[0]); i++) {
		bool given = *program[i].path;
		if (given)
			snprintf(path, sizeof(path), "%s", program[i].path);
		if ((given || runplan_find(self, program[i].name, path, sizeof(path))) && access(path, program[i].how) == 0)
			doctor_say(d, program[i].name, DOCTOR_OK, NULL, "%s", path);
		else if (given)
			doctor_say(d, program[i].name, DOCTOR_WRONG, "make install", "%s: %s", path, strerror(errno));
		else
			doctor_say(d, program[i].name, DOCTOR_WRONG, "make install", "not installed beside %s", self);
	}
}
