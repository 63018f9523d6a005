/* SPDX-License-Identifier: ISC */
/*
 * qrexec_call.h: one service call: we connect to the vchan the caller serves,
 * greet, do what was asked, say the exit code and go. For qrexec.c.
 */
#ifndef QREXEC_CALL_H
#define QREXEC_CALL_H

#include "qrexec_wire.h"

enum { QREXEC_NOT_FOUND = 127, QREXEC_LINE_BYTES = 64, QREXEC_REQUEST_BYTES = 224 };

enum call_stage { CALL_FREE, CALL_CONNECTING, CALL_GREETING, CALL_RUNNING, CALL_ENDING };

enum call_service {
	SERVICE_UNKNOWN,
	SERVICE_WAIT_FOR_SESSION,
	SERVICE_WAIT_FOR_UPLINK,
	SERVICE_SET_DATE_TIME,
	SERVICE_STATUS,
	SERVICE_FLOWS,
	SERVICE_EXPLAIN,
};

struct call {
	enum call_stage stage;
	enum call_service service;
	uint16_t domain;
	uint32_t port;
	uint64_t deadline_ns;
	char request[QREXEC_REQUEST_BYTES]; /* of the control protocol, with its newline */
	uint32_t request_len, request_sent;
	char line[QREXEC_LINE_BYTES]; /* standard input so far */
	uint32_t line_len;
	struct vchan vchan;
	struct qrexec_in in;
	struct qrexec_out out;
};

/* What the services need; the functions may be called at any time from qrexec_poll. */
struct qrexec_host {
	bool (*uplink_up)(void);
	void (*set_wall)(uint64_t seconds); /* since 1970 */
};

/* False: no watch to be had; the call stays free. */
bool call_begin(struct call *, uint16_t domain, uint32_t port, struct cursor command, uint32_t token,
		uint64_t now_ns);
/* Moves on; false: it is over and free again. */
bool call_poll(struct call *, const struct qrexec_host *, uint64_t now_ns);
uint64_t call_deadline(const struct call *);
/* It waits for, or uses, the control channel. */
bool call_wants_control(const struct call *);
/* Output went to it: it has its time anew. */
void call_progress(struct call *, uint64_t now_ns);
/* Says the exit code, after a line of standard error when there is one. */
void call_finish(struct call *, uint32_t code, const char *why, uint64_t now_ns);

#endif
