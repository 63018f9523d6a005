/* SPDX-License-Identifier: ISC */
/*
 * frame.h: one frame in one contiguous buffer, and queues of frames.
 *
 * The platform owns the buffers; whoever holds a frame owns it until it hands
 * it on (to another queue, to the platform's tx or free). Frames circulate:
 * none is made or destroyed after boot.
 */
#ifndef FRAME_H
#define FRAME_H

#include "base.h"

enum {
	FRAME_HEADROOM_BYTES = 64, /* free bytes before data when a frame arrives */
	FRAME_HELD_ROOM_MAX = 4096, /* larger buffers are few: no frame in one waits for anything, it is dropped */
	PORT_UPLINK = 0,           /* port numbers: 0 is the uplink, */
	PORT_CLIENT_FIRST = 1,     /* 1..PORT_COUNT-1 are clients */
	PORT_COUNT = 257,
	PORT_NONE = 0xffff,
};

/* Offload metadata with the meaning of virtio_net_hdr (virtio 1.1, 5.1.6), host byte order. */
enum { OFFLOAD_NEEDS_CSUM = 1, OFFLOAD_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_UDP = 3, GSO_TCPV6 = 4, GSO_UDP_L4 = 5, GSO_ECN = 0x80 };
struct offload {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;  /* from data */
	uint16_t csum_offset; /* from csum_start */
};

struct frame {
	/* fixed by the platform */
	uint8_t *buffer;
	uint32_t room;   /* bytes in buffer */
	uint32_t handle; /* the platform's own */
	/* per packet */
	uint8_t *data;   /* first byte of the Ethernet header, inside buffer */
	uint32_t len;    /* bytes from data */
	uint16_t port;   /* where it came from; on the way out, where it goes */
	struct offload offload;
	struct frame *next; /* in a frame_queue */
	uint32_t flow, flow_serial; /* that it is of, while it waits for a neighbour */
};

struct frame_queue {
	struct frame *head, *tail;
	uint32_t count;
};

static inline void frames_put(struct frame_queue *q, struct frame *f)
{
	f->next = NULL;
	if (q->tail)
		q->tail->next = f;
	else
		q->head = f;
	q->tail = f;
	q->count++;
}

static inline struct frame *frames_take(struct frame_queue *q)
{
	struct frame *f = q->head;
	if (!f)
		return NULL;
	q->head = f->next;
	if (!q->head)
		q->tail = NULL;
	q->count--;
	f->next = NULL;
	return f;
}

/* Bytes of buffer at and behind data. */
static inline size_t frame_room(const struct frame *f)
{
	return f->room - (size_t)(f->data - f->buffer);
}

/* Empties f for a new frame of len bytes, headroom restored; false when len does not fit. */
static inline bool frame_reset(struct frame *f, size_t len)
{
	if (f->room < FRAME_HEADROOM_BYTES || len > f->room - FRAME_HEADROOM_BYTES)
		return false;
	f->data = f->buffer + FRAME_HEADROOM_BYTES;
	f->len = (uint32_t)len;
	f->offload = (struct offload){ 0 };
	return true;
}

#endif
