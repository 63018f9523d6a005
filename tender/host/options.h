/* SPDX-License-Identifier: ISC */
/*
 * options.h: the command line, and the configuration file that says the same.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "addr.h"
#include "frame.h"

enum {
	OPTION_PATH_BYTES = 108, /* what a Unix socket address holds */
	OPTION_MEM_MIN_MIB = 8,
	OPTION_MEM_MAX_MIB = 2048,
	OPTION_NAME_BYTES = 16, /* with the NUL, as interface names */
	OPTION_ADDRS_MAX = 2,
	OPTION_CPUS_MAX = 16,
	OPTION_CPU_LAST = 1023,
};

/* How a port is opened; OPTION_ANY: whichever suits the interface (drivers.c). */
enum option_kind { OPTION_TAP, OPTION_PACKET, OPTION_XDP, OPTION_ANY };
enum option_mode { OPTION_AUTO, OPTION_HVT, OPTION_SPT };

struct option_port {
	enum option_kind kind;
	char iface[OPTION_NAME_BYTES]; /* "" when fd is given */
	int fd;                        /* -1 when iface is given */
	char netns[64];
	char name[OPTION_NAME_BYTES];
	uint16_t mtu; /* 0: ask the interface */
	bool offload; /* take and give super-frames and partial checksums, where the port can */
	bool has_ours;
	struct mac ours, theirs;
	uint8_t addr_count, prefix_len;
	struct ip_addr addr[OPTION_ADDRS_MAX];
	struct ip_addr gateway;
};

struct options {
	bool help;
	enum option_mode mode;
	uint32_t mem_mib;
	uint32_t cpu_count; /* 0: wherever the host puts us */
	uint16_t cpu[OPTION_CPUS_MAX];
	char image[256];
	char store[OPTION_PATH_BYTES];
	char control[OPTION_PATH_BYTES];
	char name[64];
	char config[256]; /* to be read by the caller and given to options_file */
	bool has_uplink;
	uint32_t client_count;
	struct option_port uplink;
	struct option_port client[PORT_COUNT - PORT_CLIENT_FIRST];
};

extern const char options_usage[];

void options_init(struct options *);
/* One long option without its dashes; false and why filled when it is wrong. */
bool options_set(struct options *, const char *key, const char *value, struct text *why);
bool options_args(struct options *, int argc, char **argv, struct text *why);
bool options_file(struct options *, const char *bytes, size_t len, struct text *why);
/* "tap=..,ip=.." of a client or of the uplink; value is no string, it has len bytes. */
bool options_port(struct option_port *, const char *value, size_t len, bool uplink,
	struct text *why);
/* After all is read: what is missing or contradicts. */
bool options_check(const struct options *, struct text *why);

#endif
