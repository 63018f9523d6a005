// SPDX-License-Identifier: ISC
/* Super-frames and partial checksums for a way out that knows neither: done in software. */
#include "tender.h"

#include <sys/uio.h>

#include "segment.h"

uint32_t wayout_needs(const struct offload *o)
{
	uint32_t sum = o->flags & OFFLOAD_NEEDS_CSUM ? DRIVER_CSUM : 0;
	switch (o->gso_type & ~GSO_ECN) {
	case GSO_NONE:
		return sum;
	case GSO_TCPV4:
		return DRIVER_CSUM | DRIVER_TSO4;
	case GSO_TCPV6:
		return DRIVER_CSUM | DRIVER_TSO6;
	}
	return DRIVER_CSUM | DRIVER_USO;
}

static void send_pieces(struct driver_port *port, const struct frame *whole, struct driver_result *r)
{
	struct segments s;
	struct segment piece;
	if (!segment_begin(&s, whole)) {
		r->lost++; /* it was judged: only a guest that changed it meanwhile comes here */
		return;
	}
	while (segment_next(&s, &piece)) {
		union { const uint8_t *from; void *to; } payload = { .from = piece.payload };
		struct iovec part[] = {
			{ 0 }, /* the driver's */
			{ piece.header, piece.header_bytes },
			{ payload.to, piece.payload_bytes },
		};
		port->driver->put(port, &part[1], piece.payload_bytes ? 2 : 1, r);
	}
	if (port->driver->flush)
		port->driver->flush(port, r);
}

bool wayout_complete(struct driver_frame *f)
{
	struct frame whole = { .data = f->data, .len = f->len, .offload = f->offload };
	if (segment_needed(&whole) || !segment_finish_checksum(&whole))
		return false;
	f->offload = whole.offload;
	return true;
}

void wayout_send(struct driver_port *port, struct driver_frame *f, struct driver_result *r)
{
	const struct frame whole = { .data = f->data, .len = f->len, .offload = f->offload };
	if (segment_needed(&whole))
		send_pieces(port, &whole, r);
	else
		r->lost++;
	buffers_back(f->buffer);
}
