// SPDX-License-Identifier: ISC
/* The machine that shall carry an appliance: devices, kernel and limits. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base.h"
#include "doctor.h"

enum { DESCRIPTORS = 1280, MUCH_MIB = 256 };

/* The first line of a file in /proc or /sys; "": none. */
static const char *line_of(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);
	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = 0;
	to[strcspn(to, "\n")] = 0;
	return to;
}

static void privileges(struct doctor *d)
{
	if (geteuid() == 0)
		doctor_say(d, "privileges", DOCTOR_OK, NULL, "root");
	else
		doctor_say(d, "privileges", DOCTOR_NOTE, "sudo postern doctor",
			   "not root: taps, namespaces and sockets may be out of reach");
}

static void tun(struct doctor *d)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		doctor_say(d, "/dev/net/tun", DOCTOR_OK, NULL, "taps can be opened");
	else if (errno == EACCES || errno == EPERM)
		doctor_say(d, "/dev/net/tun", geteuid() ? DOCTOR_NOTE : DOCTOR_WRONG, "sudo postern doctor", "%s",
			   strerror(errno));
	else
		doctor_say(d, "/dev/net/tun", DOCTOR_WRONG, "modprobe tun", "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void kvm(struct doctor *d, const struct runconf *conf)
{
	enum doctor_state state = conf && !strcmp(conf->mode, "hvt") ? DOCTOR_WRONG : DOCTOR_NOTE;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		doctor_say(d, "/dev/kvm", DOCTOR_OK, NULL, "mode hvt is possible");
		close(fd);
	} else if (errno == EACCES || errno == EPERM) {
		doctor_say(d, "/dev/kvm", state, "usermod -aG kvm USER, or be root",
			   "%s: only mode spt is possible", strerror(errno));
	} else {
		doctor_say(d, "/dev/kvm", state, "modprobe kvm_intel || modprobe kvm_amd, or mode spt",
			   "%s: only mode spt is possible", strerror(errno));
	}
}

static void kernel(struct doctor *d)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 12)))
		doctor_say(d, "kernel", DOCTOR_OK, NULL, "%s %s", u.sysname, u.release);
	else
		doctor_say(d, "kernel", DOCTOR_WRONG, "apt install linux-image-amd64", "%s: 5.12 or later is needed",
			   u.release);
	if (access("/proc/sys/kernel/seccomp/actions_avail", R_OK) == 0)
		doctor_say(d, "seccomp", DOCTOR_OK, NULL, "system calls can be filtered");
	else
		doctor_say(d, "seccomp", DOCTOR_WRONG, "a kernel with CONFIG_SECCOMP_FILTER",
			   "no system call filter: the tender refuses to run without");
}

static void clock_source(struct doctor *d)
{
	static const char *const fast[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen" };
	char line[128];
	line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource", line, sizeof(line));
	for (size_t i = 0; i < array_len(fast); i++)
		if (!strcmp(line, fast[i])) {
			doctor_say(d, "clock", DOCTOR_OK, NULL, "%s", line);
			return;
		}
	doctor_say(d, "clock", DOCTOR_NOTE,
		   "echo tsc >/sys/devices/system/clocksource/clocksource0/current_clocksource",
		   "%s: slow to read; packets and latency figures suffer", *line ? line : "unknown");
}

static void descriptors(struct doctor *d)
{
	struct rlimit files = { 0, 0 };
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max >= DESCRIPTORS || geteuid() == 0)
		doctor_say(d, "descriptors", DOCTOR_OK, NULL, "enough for 256 clients");
	else
		doctor_say(d, "descriptors", DOCTOR_WRONG, "ulimit -Hn 4096", "%llu at most: the tender wants %d",
			   (unsigned long long)files.rlim_max, DESCRIPTORS);
}

static void memory(struct doctor *d, const struct runconf *conf)
{
	unsigned long long kib = 0, wanted = conf && conf->memory ? conf->memory : 32;
	char text[512] = "";
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *at = strstr(text, "MemAvailable:");
	if (!at || sscanf(at, "MemAvailable: %llu kB", &kib) != 1)
		return;
	if (kib / 1024 > wanted * 2)
		doctor_say(d, "memory", DOCTOR_OK, NULL, "%llu MiB are available, %llu are wanted", kib / 1024, wanted);
	else
		doctor_say(d, "memory", DOCTOR_WRONG, "a smaller memory in the configuration, 8 at least",
			   "%llu MiB are available, %llu are wanted", kib / 1024, wanted);
}

static void huge_pages(struct doctor *d, const struct runconf *conf)
{
	char line[128];
	line_of("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	if (strstr(line, "[always]"))
		doctor_say(d, "huge pages", DOCTOR_OK, NULL, "used");
	else if (!conf || conf->memory < MUCH_MIB)
		doctor_say(d, "huge pages", DOCTOR_OK, NULL, "not used; a small memory does well without");
	else
		doctor_say(d, "huge pages", DOCTOR_NOTE, "echo always >/sys/kernel/mm/transparent_hugepage/enabled",
			   "not used: with much memory each packet costs more");
}

/* Bridged frames must not meet the host's own rules on their way to a tap. */
static void sysctls(struct doctor *d)
{
	char line[32];
	line_of("/proc/sys/net/bridge/bridge-nf-call-iptables", line, sizeof(line));
	if (!strcmp(line, "1"))
		doctor_say(d, "bridges", DOCTOR_NOTE, "sysctl -w net.bridge.bridge-nf-call-iptables=0",
			   "the host's firewall sees bridged frames and may drop them");
	line_of("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line));
	if (!strcmp(line, "0"))
		doctor_say(d, "bpf", DOCTOR_NOTE, "sysctl -w net.core.bpf_jit_enable=1",
			   "filters are interpreted: each system call of the tender costs more");
}

void doctor_host(struct doctor *d, const struct runconf *conf)
{
	privileges(d);
	kernel(d);
	tun(d);
	kvm(d, conf);
	clock_source(d);
	descriptors(d);
	memory(d, conf);
	huge_pages(d, conf);
	sysctls(d);
}
