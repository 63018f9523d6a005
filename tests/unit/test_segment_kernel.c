/* links: netstack/segment.c netstack/checksum.c netstack/addr.c netstack/text.c */
/* SPDX-License-Identifier: ISC */
/*
 * test_segment_kernel.c: the kernel as judge. Pieces of super-frames go into a
 * tap without offloads, in a network namespace of this process's own; the
 * kernel's counters tell whether it found each a good packet. Needs root.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "craft_super.h"

enum { DEADLINE_S = 30 };

struct in6_request { struct in6_addr addr; uint32_t prefix_len; int index; }; /* struct in6_ifreq of linux/ipv6.h */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		print_message("%s is not set\n", path);
	if (fd >= 0)
		close(fd);
}

static void give_ipv4(int s, struct ifreq *r)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000209) };
	struct rtentry all = { .rt_flags = RTF_UP, .rt_dev = r->ifr_name };

	memcpy(&r->ifr_addr, &at, sizeof(at));
	assert_int_equal(ioctl(s, SIOCSIFADDR, r), 0);
	r->ifr_flags = IFF_UP | IFF_RUNNING;
	assert_int_equal(ioctl(s, SIOCSIFFLAGS, r), 0);
	all.rt_dst.sa_family = all.rt_genmask.sa_family = AF_INET;
	assert_int_equal(ioctl(s, SIOCADDRT, &all), 0);
}

/* Both addresses that crafted packets go to, on a tap of ours; -1 when we may not. */
static int open_tap(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "judge" };
	struct in6_request six = { .prefix_len = 16 };
	int tap = unshare(CLONE_NEWNET) ? -1 : open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (tap < 0 || ioctl(tap, TUNSETIFF, &r))
		return -1;
	int s = socket(AF_INET, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0);
	assert_true(s >= 0 && s6 >= 0);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, (uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
	assert_int_equal(ioctl(s, SIOCSIFHWADDR, &r), 0);
	write_file("/proc/sys/net/ipv6/conf/judge/accept_dad", "0");
	write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	give_ipv4(s, &r);
	assert_int_equal(ioctl(s, SIOCGIFINDEX, &r), 0);
	six.index = r.ifr_ifindex;
	memcpy(&six.addr, (uint8_t[16]){ 0x20, 1, 0x0d, 0xb8, 0, 1, [15] = 9 }, 16);
	assert_int_equal(ioctl(s6, SIOCSIFADDR, &six), 0);
	close(s);
	close(s6);
	return tap;
}

/* `name` of the lines that begin with `head`: the first of the two holds the names. */
static unsigned long counter(const char *head, const char *name)
{
	char names[1024], values[1024];
	unsigned long found = 0;
	FILE *f = fopen("/proc/self/net/snmp", "r");

	assert_non_null(f);
	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		char *n = NULL, *v = NULL, *name_at = strtok_r(names, " \n", &n), *at = strtok_r(values, " \n", &v);
		bool ours = !strcmp(name_at, head);
		while (ours && (name_at = strtok_r(NULL, " \n", &n)) && (at = strtok_r(NULL, " \n", &v)))
			if (!strcmp(name_at, name))
				found = strtoul(at, NULL, 10);
	}
	fclose(f);
	return found;
}

static unsigned long counter6(const char *name)
{
	char line[256], word[64];
	unsigned long value, found = 0;
	FILE *f = fopen("/proc/self/net/snmp6", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu", word, &value) == 2 && !strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

static unsigned long send_pieces(int tap, const struct shape *shape)
{
	static uint8_t super[SUPER_ROOM];
	struct frame f = { .buffer = super, .data = super, .room = SUPER_ROOM };
	struct segments cut;
	struct segment g;
	unsigned long pieces = 0;

	f.len = (uint32_t)craft_super(shape, super, &f.offload);
	assert_true(segment_begin(&cut, &f));
	for (; segment_next(&cut, &g); pieces++) {
		struct iovec parts[2] = { { g.header, g.header_bytes }, { (void *)(uintptr_t)g.payload, g.payload_bytes } };
		assert_int_equal(writev(tap, parts, 2), g.header_bytes + g.payload_bytes);
	}
	return pieces;
}

static void kernel_takes_every_piece(void **state)
{
	int tap = open_tap();
	unsigned long tcp = 0, udp = 0, udp6 = 0;
	(void)state;
	if (tap < 0)
		skip();
	unsigned long segments = counter("Tcp:", "InSegs");
	for (size_t i = 0; i < array_len(shapes); i++) {
		unsigned long pieces = send_pieces(tap, &shapes[i]);
		*(!shapes[i].udp ? &tcp : shapes[i].v6 ? &udp6 : &udp) += pieces;
	}
	for (time_t end = time(NULL) + DEADLINE_S; time(NULL) < end; usleep(1000))
		if (counter("Tcp:", "InSegs") - segments >= tcp && counter("Udp:", "NoPorts") >= udp &&
		    counter6("Udp6NoPorts") >= udp6)
			break;
	/* no listener: a good one is counted as such, a bad one as an error */
	assert_int_equal(counter("Tcp:", "InSegs") - segments, tcp);
	assert_int_equal(counter("Tcp:", "InErrs") + counter("Tcp:", "InCsumErrors"), 0);
	assert_int_equal(counter("Udp:", "NoPorts"), udp);
	assert_int_equal(counter6("Udp6NoPorts"), udp6);
	assert_int_equal(counter("Udp:", "InCsumErrors") + counter6("Udp6InCsumErrors"), 0);
	assert_int_equal(counter("Ip:", "InHdrErrors") + counter6("Ip6InHdrErrors"), 0);

	/* it is a judge: one bit in a payload, one complaint */
	static uint8_t super[SUPER_ROOM];
	struct frame f = { .buffer = super, .data = super, .room = SUPER_ROOM };
	struct segments cut;
	struct segment g;
	f.len = (uint32_t)craft_super(&shapes[0], super, &f.offload);
	assert_true(segment_begin(&cut, &f) && segment_next(&cut, &g));
	super[g.header_bytes] ^= 1;
	struct iovec parts[2] = { { g.header, g.header_bytes }, { (void *)(uintptr_t)g.payload, g.payload_bytes } };
	assert_true(writev(tap, parts, 2) > 0);
	for (time_t end = time(NULL) + DEADLINE_S; time(NULL) < end; usleep(1000))
		if (counter("Tcp:", "InCsumErrors"))
			break;
	assert_int_equal(counter("Tcp:", "InCsumErrors"), 1);
	close(tap); /* the namespace goes with the process */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_takes_every_piece),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
