// SPDX-License-Identifier: ISC
/* Reads packets by libpcap, to the nanosecond, from files and interfaces. */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "latency_capture.h"

/* Link, IP and transport headers with their options; what a short capture keeps beyond is payload. */
enum { HEADERS_MAX = 14 + 8 + 60 + 60, LIVE_BYTES = HEADERS_MAX + LATENCY_PAYLOAD_BYTES, LIVE_WAIT_MS = 10,
       LIVE_ROOM = 16 << 20 };

static bool fit(struct latency_capture *c, pcap_t *in, char reason[LATENCY_CAPTURE_REASON])
{
	int cut = pcap_snapshot(in);
	c->pcap = in;
	c->link = pcap_datalink(in);
	c->payload_max = LATENCY_PAYLOAD_BYTES;
	if (cut > 0 && cut < LIVE_BYTES)
		c->payload_max = cut > HEADERS_MAX ? (uint32_t)(cut - HEADERS_MAX) : 0;
	if (latency_link_known(c->link))
		return true;
	snprintf(reason, LATENCY_CAPTURE_REASON, "frames of a kind that is not read here");
	latency_capture_close(c);
	return false;
}

bool latency_capture_file(struct latency_capture *c, const char *file, char reason[LATENCY_CAPTURE_REASON])
{
	char why[PCAP_ERRBUF_SIZE];
	*c = (struct latency_capture){ .live = false };
	pcap_t *in = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (in)
		return fit(c, in, reason);
	snprintf(reason, LATENCY_CAPTURE_REASON, "%s", why);
	return false;
}

static pcap_t *activate(const char *name, const char *filter, char reason[LATENCY_CAPTURE_REASON])
{
	char why[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	pcap_t *in = pcap_create(name, why);
	if (!in) {
		snprintf(reason, LATENCY_CAPTURE_REASON, "%s", why);
		return NULL;
	}
	pcap_set_snaplen(in, LIVE_BYTES);
	pcap_set_timeout(in, LIVE_WAIT_MS);
	pcap_set_buffer_size(in, LIVE_ROOM);
	pcap_set_tstamp_precision(in, PCAP_TSTAMP_PRECISION_NANO);
	bool ok = pcap_activate(in) >= 0 && pcap_setnonblock(in, 1, why) >= 0;
	if (ok && filter) {
		ok = !pcap_compile(in, &program, filter, 1, PCAP_NETMASK_UNKNOWN) && !pcap_setfilter(in, &program);
		if (ok)
			pcap_freecode(&program);
	}
	if (ok)
		return in;
	snprintf(reason, LATENCY_CAPTURE_REASON, "%s: %s", name, pcap_geterr(in));
	pcap_close(in);
	return NULL;
}

bool latency_capture_live(struct latency_capture *c, const char *interface, const char *filter,
			  char reason[LATENCY_CAPTURE_REASON])
{
	char name[64], path[128];
	const char *at = strchr(interface, '@');
	int home = -1, there = -1;
	*c = (struct latency_capture){ .live = true };
	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - interface) : 63, interface);
	if (at) {
		snprintf(path, sizeof(path), "/run/netns/%.100s", at + 1);
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		there = open(path, O_RDONLY | O_CLOEXEC);
		if (home < 0 || there < 0 || setns(there, CLONE_NEWNET)) {
			snprintf(reason, LATENCY_CAPTURE_REASON, "%s: %m", path);
			if (home >= 0)
				close(home);
			if (there >= 0)
				close(there);
			return false;
		}
		close(there);
	}
	pcap_t *in = activate(name, filter, reason);
	if (at && (setns(home, CLONE_NEWNET), close(home)) && in) {
		pcap_close(in);
		in = NULL;
	}
	return in && fit(c, in, reason);
}

int latency_capture_next(struct latency_capture *c, struct latency_packet *p, char reason[LATENCY_CAPTURE_REASON])
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	int got;
	while ((got = pcap_next_ex(c->pcap, &header, &bytes)) == 1) {
		size_t at = latency_find_ipv4(c->link, bytes, header->caplen);
		c->packets++;
		/* With nanosecond precision the field of microseconds holds nanoseconds. */
		p->ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
		if (latency_key_of(bytes + at, header->caplen - at, c->payload_max, &p->key))
			return 1;
		c->passed_over++;
	}
	if (c->live && !got)
		return 0;
	c->over = true;
	if (got != PCAP_ERROR)
		return 0;
	snprintf(reason, LATENCY_CAPTURE_REASON, "%s", pcap_geterr(c->pcap));
	return -1;
}

int latency_capture_fd(const struct latency_capture *c)
{
	return c->live ? pcap_get_selectable_fd(c->pcap) : -1;
}

uint64_t latency_capture_dropped(const struct latency_capture *c)
{
	struct pcap_stat s;
	return c->live && !pcap_stats(c->pcap, &s) ? s.ps_drop : 0;
}

void latency_capture_close(struct latency_capture *c)
{
	if (c->pcap)
		pcap_close(c->pcap);
	c->pcap = NULL;
}
