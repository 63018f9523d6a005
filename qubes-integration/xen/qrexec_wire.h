/* SPDX-License-Identifier: ISC */
/*
 * qrexec_wire.h: messages and words of the qrexec protocol (qubes.md 6),
 * versions 2 to 4: {u32 type, u32 len} and len bytes, little-endian.
 */
#ifndef QREXEC_WIRE_H
#define QREXEC_WIRE_H

#include "bytes.h"
#include "vchan.h"

enum {
	QREXEC_VERSION = 3, /* what we say; the lower one of both sides holds */
	QREXEC_VERSION_MIN = 2,
	QREXEC_HEADER_BYTES = 8,
	QREXEC_MESSAGE_MAX = 65536, /* longer ones break the protocol */
	QREXEC_KEPT_BYTES = 512,    /* of a message; the rest is read and forgotten */
	QREXEC_OUT_BYTES = 4096,
	QREXEC_SERVICE_BYTES = 64,
	QREXEC_ARG_BYTES = 192,
};

enum qrexec_type {
	QREXEC_STDIN = 0x190, QREXEC_STDOUT, QREXEC_STDERR, QREXEC_EXIT_CODE,
	QREXEC_EXEC = 0x200, QREXEC_JUST_EXEC, QREXEC_SERVICE_CONNECT, QREXEC_SERVICE_REFUSED,
	QREXEC_TRIGGER = 0x210, QREXEC_TERMINATED, QREXEC_TRIGGER3,
	QREXEC_HELLO = 0x300,
};

/* One message being received. */
struct qrexec_in {
	uint32_t have;   /* bytes of it so far, header included */
	uint32_t type, len;
	uint8_t header[QREXEC_HEADER_BYTES];
	uint8_t kept[QREXEC_KEPT_BYTES];
};

enum qrexec_got { QREXEC_NOTHING, QREXEC_MESSAGE, QREXEC_BROKEN };

/* Reads on. MESSAGE: type, len and the first bytes of its body are there, until the next call. */
enum qrexec_got qrexec_receive(struct qrexec_in *, struct vchan *);
/* The body as far as it was kept. */
struct cursor qrexec_body(const struct qrexec_in *);

/* What waits to be sent; messages go in whole or not at all. */
struct qrexec_out {
	uint32_t at, len;
	uint8_t bytes[QREXEC_OUT_BYTES];
};

/* False: no room, nothing was added. */
bool qrexec_send(struct qrexec_out *, enum qrexec_type, const void *body, uint32_t len);
/* The bytes of a body that qrexec_send would take now. */
uint32_t qrexec_send_room(const struct qrexec_out *);
void qrexec_flush(struct qrexec_out *, struct vchan *);

static inline uint32_t le32(const uint8_t *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static inline void le32_put(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
	at[2] = (uint8_t)(v >> 16);
	at[3] = (uint8_t)(v >> 24);
}

struct qrexec_command {
	char service[QREXEC_SERVICE_BYTES];
	char arg[QREXEC_ARG_BYTES]; /* what stands behind the first '+'; "" when there is none */
};

/* "user:[nogui:]QUBESRPC service[+arg] source ..."; false: another command, or words too long. */
bool qrexec_command_parse(struct cursor, struct qrexec_command *);
/* `date -Iseconds`: 2026-11-21T08:12:54+00:00, Z or an offset; seconds since 1970. Trailing space is fine. */
bool qrexec_date_parse(struct cursor, uint64_t *seconds);

#endif
