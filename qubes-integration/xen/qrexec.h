/* SPDX-License-Identifier: ISC */
/*
 * qrexec.h: the least of a qrexec agent (qubes.md 6): a vchan server on port
 * 512 for dom0 that greets, runs the services below by itself and refuses
 * every other command with exit code 127.
 *
 *   qubes.WaitForSession         0 at once
 *   qubes.WaitForNetworkUplink   0 when the uplink is up, 1 after 9 s
 *   qubes.SetDateTime            one line, `date -Iseconds`: the time of log lines
 *   postern.Status, .Flows, .Explain+WORD+WORD...
 *                                the answer of the control protocol (status.h), one JSON object a line;
 *                                each '+' of the argument is a space of the request; 1 when it is an error
 *
 * The postern services speak to the firewall over CHANNEL_CONTROL, one call at
 * a time; the others of up to QREXEC_CALLS wait. Nothing here changes a rule. Of its own
 * accord the agent asks dom0 for one service, once (qrexec_trigger.h).
 */
#ifndef QREXEC_H
#define QREXEC_H

#include "platform.h"
#include "qrexec_call.h"

enum { QREXEC_CALLS = 4, QREXEC_PORT = 512, QREXEC_TOKEN = 0x03000100 /* .. + QREXEC_CALLS - 1 */ };

void qrexec_init(const struct qrexec_host *);
/* At an event of token QREXEC_TOKEN .. QREXEC_TOKEN + QREXEC_CALLS - 1. */
void qrexec_look(uint32_t token);
/* Once a round. */
void qrexec_poll(uint64_t now_ns);
uint64_t qrexec_deadline(void);
/* EVENT_CHANNEL_OPEN of CHANNEL_CONTROL before each request, _CLOSED after it. */
bool qrexec_event(struct platform_event *);
size_t qrexec_read(void *bytes, size_t len);
size_t qrexec_write(const void *bytes, size_t len);
/* JSON members, no comma before the first. */
void qrexec_status(struct text *);

#endif
