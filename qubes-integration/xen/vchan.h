/* SPDX-License-Identifier: ISC */
/*
 * vchan.h: byte streams between domains (libxenvchan's ABI, as Qubes uses it:
 * a server advertises ring-ref and event-channel under data/vchan/<client
 * domain>/<port> of its home).
 *
 * Nothing here waits: vchan_poll once a round moves the connection on, read and
 * write move what goes now. A peer whose indices lie ends the connection.
 *
 *   OFF -connect/listen-> WAITING -> OPEN -> ENDED -vchan_close-> OFF
 *
 * Every xenstore watch made here carries the token given; when its event
 * comes, call vchan_look.
 */
#ifndef VCHAN_H
#define VCHAN_H

#include "vchan_ring.h"

enum { VCHAN_PATH_BYTES = 80, VCHAN_RETRY_MS = 1000, VCHAN_LINGER_MAX = 8 };

enum vchan_state { VCHAN_OFF, VCHAN_WAITING, VCHAN_OPEN, VCHAN_ENDED };

struct vchan {
	enum vchan_state state;
	bool server;
	bool look;       /* the advertisement may have changed */
	bool watching;
	bool lied;       /* ended because the peer's indices made no sense */
	uint16_t peer;
	uint32_t token;
	uint32_t evtchn;
	uint32_t ref;    /* server: of the page */
	uint64_t retry_ns;
	struct vchan_page *page;
	struct vchan_ring in, out;
	char path[VCHAN_PATH_BYTES]; /* of the advertisement */
};

/* Our own domain id, asked of xenstore once; false: it did not say. */
bool vchan_self(uint16_t *domid);

/* Becomes a client: connects as soon as, and whenever, the server advertises. False: no watch to be had. */
bool vchan_connect(struct vchan *, uint16_t server, uint32_t port, uint32_t token);
/* Becomes a server of one client domain, 1 KiB in and 2 KiB out. False: no page, grant or port now. */
bool vchan_listen(struct vchan *, uint16_t client, uint32_t port);
/* The watched advertisement changed. */
void vchan_look(struct vchan *);
enum vchan_state vchan_poll(struct vchan *, uint64_t now_ns);
/* When vchan_poll wants to run though nothing happened; UINT64_MAX: never. */
uint64_t vchan_deadline(const struct vchan *);

/* As much as goes now, 0..len; asks the peer to signal when it was less. Only OPEN moves anything. */
size_t vchan_read(struct vchan *, void *bytes, size_t len);
size_t vchan_write(struct vchan *, const void *bytes, size_t len);
/* Bytes that vchan_write would take now. */
size_t vchan_room(struct vchan *);
/* Bytes wait to be read, for which nobody signals again: do not sleep. */
bool vchan_ready(const struct vchan *);
/* The peer has read all we wrote. */
bool vchan_drained(const struct vchan *);

/* Gives everything back; a page the peer still maps is kept aside until it does not. */
void vchan_close(struct vchan *);

#endif
