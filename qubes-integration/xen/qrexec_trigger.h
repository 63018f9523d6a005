/* SPDX-License-Identifier: ISC */
/*
 * qrexec_trigger.h: the one service that we ask dom0 for, once: it shall read
 * /features-request/qubes-firewall out of QubesDB (qubes.FeaturesRequest), so
 * that Qubes knows that this qube filters. A refusal changes nothing. For qrexec.c.
 */
#ifndef QREXEC_TRIGGER_H
#define QREXEC_TRIGGER_H

#include "qrexec_wire.h"

enum { TRIGGER_AFTER_MS = 3000 }; /* the key goes out as soon as the store is in step */

enum trigger_stage { TRIGGER_IDLE, TRIGGER_DUE, TRIGGER_ASKED, TRIGGER_SERVING, TRIGGER_DONE };

struct trigger {
	enum trigger_stage stage;
	uint16_t domain;
	uint32_t port;
	uint64_t at_ns; /* when it is due, or given up */
	bool greeted;
	struct vchan vchan; /* we serve it */
	struct qrexec_in in;
	struct qrexec_out out;
};

/* The agent has greeted a daemon that knows this version: ask soon, unless that was done. */
void trigger_ready(struct trigger *, uint32_t version, uint64_t now_ns);
/* The daemon's SERVICE_CONNECT or SERVICE_REFUSED. */
void trigger_answer(struct trigger *, enum qrexec_type, struct cursor body, uint64_t now_ns);
/* Moves on; asks through the agent's `out`. True: the connection with the daemon's `port` is over. */
bool trigger_poll(struct trigger *, struct qrexec_out *out, uint64_t now_ns);
uint64_t trigger_deadline(const struct trigger *);
/* The daemon is gone: what was asked is forgotten, and asked of the next one. */
void trigger_reset(struct trigger *);

#endif
