/* SPDX-License-Identifier: ISC */
/*
 * netbus.h: what both ends of a network device do in xenstore (io/xenbus.h):
 * keys below a device's folder, and its state.
 */
#ifndef NETBUS_H
#define NETBUS_H

#include "netoffload.h"
#include "text.h"
#include "xenstore.h"

enum xenbus_state {
	XENBUS_UNKNOWN, /* also: there is no such node */
	XENBUS_INITIALISING,
	XENBUS_INITWAIT,
	XENBUS_INITIALISED,
	XENBUS_CONNECTED,
	XENBUS_CLOSING,
	XENBUS_CLOSED,
};

enum { NETBUS_DIR_BYTES = 96 }; /* a device's folder, with the NUL */

/* The key's value; false, untouched: not there, not readable, too long. */
bool netbus_text(const char *dir, const char *key, char *value, size_t room);
/* A decimal number up to max, as the whole value. */
bool netbus_u32(const char *dir, const char *key, uint32_t max, uint32_t *value);
/* False: xenstored did not say (late, or not readable just now). A key that is not there, or too long: "". */
bool netbus_ask_text(const char *dir, const char *key, char *value, size_t room);
/* The same; what is no such number leaves *value as it is. */
bool netbus_ask_u32(const char *dir, const char *key, uint32_t max, uint32_t *value);
/* True for "1" and other numbers but 0; false for everything else. */
bool netbus_flag(const char *dir, const char *key);
/* What the peer with this folder takes. False: xenstored did not say all of it, and *caps is as it was. */
bool netbus_caps(const char *dir, struct netcaps *caps);
/* False: xenstored did not say; no such node is XENBUS_UNKNOWN. */
bool netbus_state(const char *dir, enum xenbus_state *);

enum xs_result netbus_put(uint32_t tx, const char *dir, const char *key, const char *value);
enum xs_result netbus_put_u32(uint32_t tx, const char *dir, const char *key, uint32_t value);
enum xs_result netbus_put_state(const char *dir, enum xenbus_state);

size_t netbus_length(const char *text);
/* Does path begin with all of above's parts? */
bool netbus_below(const char *path, const char *above);

/* Where the network devices' log lines go, without newline; nowhere until then. */
void netbus_log_to(void (*log)(const char *line, size_t len));
/* "DIR: text" */
void netbus_log(const char *dir, const char *text);

#endif
