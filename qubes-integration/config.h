/* SPDX-License-Identifier: ISC */
/*
 * config.h: the firewall's own settings, as the store's keys say (qubes.md 2.1).
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "fakeip.h"

enum {
	CONFIG_CONNECTED_MAX = 384, /* of IPv4, all that a value of QDB_VALUE_MAX bytes can hold */
	CONFIG_DNS = 2,
	CONFIG_SEED_BYTES = 128,
};

struct config {
	struct ip_addr ip;            /* /qubes-ip; zero: not said */
	struct ip_addr gateway;       /* /qubes-gateway; zero: not said */
	uint8_t prefix_len;           /* /qubes-netmask, dotted or digits; 32 */
	struct ip_addr netvm_gateway; /* /qubes-netvm-gateway: what clients use; zero: not said */
	struct ip_addr dns[CONFIG_DNS]; /* /qubes-{primary,secondary}-dns; 10.139.1.1, .2 */
	struct ip_addr connected[CONFIG_CONNECTED_MAX]; /* /connected-ips: running or not */
	uint32_t connected_count;
	/* the same of IPv6: read, kept, and nothing else yet */
	struct ip_addr ip6, gateway6, netvm_gateway6;
	struct ip_addr connected6[CONFIG_CONNECTED_MAX]; /* /connected-ips6 */
	uint32_t connected6_count;
	struct fakeip fakeip;         /* /mapped-ip/REAL/visible-ip, visible-gateway */
	bool may_request;             /* /type: a qube of a class that may ask for features (qubes.md 6) */
	/* /qubes-random-seed: the host's randomness, secret; whoever uses it sets seed_len to 0 */
	uint8_t seed[CONFIG_SEED_BYTES];
	uint32_t seed_len;
	bool changed;                 /* set by every change; the reader clears it */
};

enum config_outcome {
	CONFIG_NOT_MINE,
	CONFIG_TAKEN,
	CONFIG_MALFORMED,
	CONFIG_CUT,    /* a list, of which the first CONFIG_CONNECTED_MAX were taken */
	CONFIG_UNKEPT, /* a mapped address for which there is no room */
};

void config_init(struct config *);
/* A malformed value leaves the old one. An empty one, like removal, is back to the default. */
enum config_outcome config_write(struct config *, const char *path, const uint8_t *value,
				 size_t len);
/* path may be "/": all of it; below /mapped-ip/ also a folder. */
void config_remove(struct config *, const char *path);

#endif
