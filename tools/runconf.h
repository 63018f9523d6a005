/* SPDX-License-Identifier: ISC */
/*
 * runconf.h: what `postern run` starts, as postern.conf(5) writes it.
 *
 * Lines of a key and its value; `[uplink]` and `[client NAME]` begin the ports. What is
 * read is complete and right in itself: names, addresses and numbers are judged here,
 * files and interfaces are not touched.
 */
#ifndef RUNCONF_H
#define RUNCONF_H

#include "rulefile.h"

#define RUNCONF_FILE "/etc/postern/postern.conf"

enum {
	RUNCONF_CLIENTS_MAX = 256,
	RUNCONF_PATH = 256,
	RUNCONF_SOCKETS = 88, /* of a directory: the longest name in it still fits a socket's address */
	RUNCONF_IFACE = 16,
	RUNCONF_WORDS = 400,
};

enum runconf_kind { RUNCONF_NO_KIND, RUNCONF_TAP, RUNCONF_PACKET, RUNCONF_XDP, RUNCONF_AUTO };

struct runconf_port {
	char name[RUNCONF_IFACE];
	enum runconf_kind kind;
	char iface[RUNCONF_IFACE];
	char netns[64];   /* "": that of whoever starts it */
	char address[2][56];
	char gateway[48]; /* uplink only */
	char mac[18], our_mac[18];
	unsigned mtu;     /* 0: the interface's */
	char offload[4];  /* on, off, or "" */
	char words[RUNCONF_WORDS]; /* all of it, as the tender and `postern attach` take it */
};

struct runconf {
	char image[RUNCONF_PATH]; /* "" in any of these: not given */
	char tender[RUNCONF_PATH], store[RUNCONF_PATH]; /* the programs */
	char mode[8];
	unsigned memory;
	char cpus[64];
	char watchdog[8]; /* seconds, off, or "" */
	char name[64];
	char sockets[RUNCONF_SOCKETS];
	char database[RUNCONF_PATH];
	char group[64];
	char log[RUNCONF_PATH];
	char metrics[RUNCONF_PATH], web[RUNCONF_PATH]; /* where they listen */
	bool has_uplink;
	struct runconf_port uplink;
	struct runconf_port *client;
	size_t count;
};

/* False: every fault is on errors as in rulefile.h. Free it either way. */
bool runconf_parse(struct runconf *, const struct rulefile_source *, FILE *errors);
/* The same file again, every value written out. */
void runconf_print(const struct runconf *, FILE *);
void runconf_free(struct runconf *);
/* A port that can come and go while the appliance runs. */
bool runconf_is_live(const struct runconf_port *);
const struct runconf_port *runconf_find(const struct runconf *, const char *name);

#endif
