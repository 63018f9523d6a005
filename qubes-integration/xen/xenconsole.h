/* SPDX-License-Identifier: ISC */
/*
 * xenconsole.h: lines to the PV console. Nothing here waits for its reader but
 * xenconsole_last().
 */
#ifndef XENCONSOLE_H
#define XENCONSOLE_H

#include "text.h"
#include "xen_abi.h"

void xenconsole_boot(struct xen_console_ring *, uint32_t port);
/* One line; at most CONSOLE_LINES_BURST at once and CONSOLE_LINES_PER_S on, the rest is counted and lost. */
void xenconsole_line(const char *line, size_t len);
/* The last words: past the limit, waits until they are read or a second is over. */
void xenconsole_last(const char *line, size_t len);
/* Tells the reader of what was written. Also says how many lines were lost. */
void xenconsole_flush(void);
void xenconsole_status(struct text *); /* JSON members, without a leading comma */

enum { CONSOLE_LINES_BURST = 100, CONSOLE_LINES_PER_S = 20 };

#endif
