// SPDX-License-Identifier: ISC
/* The traffic of the benchmark: options, and what its verbs share. */
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: gen VERB [options]\n"
	"  pps      frames out of --dev      --dmac --src --dst --port --payload --flows|--new --rate\n"
	"  sink     receives and verifies    --port --payload [--echo]\n"
	"  rtt      UDP ping-pong            --peer-ns --dst --port --payload [--spin]\n"
	"  cps      TCP connections          --peer-ns --dst --port --conc\n"
	"  first    runs the command after -- until a frame passes from --dev to --peer-dev\n"
	"  ctflush  forgets the kernel's connections of --ns\n"
	"  everywhere: --ns --secs --cpu --peer-cpu\n";

_Noreturn void gen_fail(const char *what)
{
	fprintf(stderr, "gen: %s: %s\n", what, strerror(errno));
	exit(1);
}

double gen_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double gen_cpu_seconds(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

void gen_pin(int cpu)
{
	cpu_set_t set;
	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		gen_fail("pinning to a CPU");
}

void gen_enter(const char *ns)
{
	char path[256];
	if (!ns)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		gen_fail(path);
	close(fd);
}

int gen_udp(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 8 << 20;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	if (fd < 0)
		gen_fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		gen_fail("bind");
	return fd;
}

void gen_give_up_after(int fd, double secs)
{
	struct timeval t = { (time_t)secs, (suseconds_t)((secs - (double)(time_t)secs) * 1e6) };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

void gen_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

void gen_sort(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
}

double gen_quantile(const double *sorted, size_t n, double q)
{
	size_t at = (size_t)((double)n * q);
	return n ? sorted[at < n ? at : n - 1] : 0;
}

/* --- options ---------------------------------------------------------------------- */

static const struct option names[] = {
	{ "ns", 1, NULL, 'n' },	   { "peer-ns", 1, NULL, 'N' }, { "dev", 1, NULL, 'd' },
	{ "peer-dev", 1, NULL, 'D' }, { "dmac", 1, NULL, 'm' },  { "src", 1, NULL, 's' },
	{ "dst", 1, NULL, 't' },   { "port", 1, NULL, 'p' },	{ "payload", 1, NULL, 'l' },
	{ "flows", 1, NULL, 'f' }, { "new", 0, NULL, 'w' },	{ "first", 1, NULL, 'i' },
	{ "conc", 1, NULL, 'k' },  { "secs", 1, NULL, 'S' },	{ "rate", 1, NULL, 'r' },
	{ "cpu", 1, NULL, 'c' },   { "peer-cpu", 1, NULL, 'C' }, { "spin", 0, NULL, 'x' },
	{ "echo", 0, NULL, 'e' },  { 0 },
};

static uint32_t number(const char *text, unsigned long max)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || *end || !*text || n > max) {
		errno = EINVAL;
		gen_fail(text);
	}
	return (uint32_t)n;
}

static void take_mac(uint8_t mac[6], const char *text)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) == 6)
		return;
	errno = EINVAL;
	gen_fail(text);
}

static void take_ip(struct in_addr *ip, const char *text)
{
	errno = EINVAL;
	if (!inet_aton(text, ip))
		gen_fail(text);
}

static bool take(struct gen_options *o, int option)
{
	switch (option) {
	case 'n': o->ns = optarg; return true;
	case 'N': o->peer_ns = optarg; return true;
	case 'd': o->dev = optarg; return true;
	case 'D': o->peer_dev = optarg; return true;
	case 'm': take_mac(o->dmac, optarg); return true;
	case 's': take_ip(&o->src, optarg); return true;
	case 't': take_ip(&o->dst, optarg); return true;
	case 'p': o->port = (uint16_t)number(optarg, 65535); return true;
	case 'l': o->payload = number(optarg, 1472); return true;
	case 'f': o->flows = number(optarg, 1 << 24); return true;
	case 'w': o->fresh = true; return true;
	case 'i': o->first = number(optarg, UINT32_MAX); return true;
	case 'k': o->conc = number(optarg, 1024); return true;
	case 'S': o->secs = strtod(optarg, NULL); return true;
	case 'r': o->rate = strtod(optarg, NULL); return true;
	case 'c': o->cpu = (int)number(optarg, CPU_SETSIZE - 1); return true;
	case 'C': o->peer_cpu = (int)number(optarg, CPU_SETSIZE - 1); return true;
	case 'x': o->spin = true; return true;
	case 'e': o->echo = true; return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct gen_options *);
	} verbs[] = {
		{ "pps", gen_pps }, { "sink", gen_sink }, { "rtt", gen_rtt },
		{ "cps", gen_cps }, { "first", gen_first }, { "ctflush", gen_ctflush },
	};
	struct gen_options o = {
		.port = 7000, .payload = 64, .flows = 1, .conc = 64, .secs = 1, .cpu = -1, .peer_cpu = -1,
	};
	struct rlimit files = { 65536, 65536 };
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (!take(&o, option)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	const char *verb = optind < argc ? argv[optind] : "";
	o.command = &argv[optind + (optind < argc)];
	if (o.secs <= 0 || o.secs > 60 || o.payload < 8 || !o.flows || !o.conc) {
		fputs("gen: secs 0..60, payload from 8, flows and conc from 1\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verb, verbs[i].name))
			return verbs[i].run(&o);
	fputs(usage, stderr);
	return 2;
}
