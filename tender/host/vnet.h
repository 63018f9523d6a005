/* SPDX-License-Identifier: ISC */
/*
 * vnet.h: struct virtio_net_hdr, little-endian, as taps and packet sockets put
 * it in front of a frame, from and to struct offload.
 */
#ifndef VNET_H
#define VNET_H

#include <endian.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "frame.h"

enum { VNET_BYTES = sizeof(struct virtio_net_hdr) };

static inline void vnet_read(const uint8_t *at, struct offload *o)
{
	struct virtio_net_hdr h;
	memcpy(&h, at, sizeof(h));
	*o = (struct offload){
		.flags = h.flags & (OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID),
		.gso_type = h.gso_type,
		.hdr_len = le16toh(h.hdr_len),
		.gso_size = le16toh(h.gso_size),
		.csum_start = le16toh(h.csum_start),
		.csum_offset = le16toh(h.csum_offset),
	};
}

/* The header is one of `bytes` bytes; those behind ours are zero. */
static inline void vnet_write(uint8_t *at, const struct offload *o, size_t bytes)
{
	const struct virtio_net_hdr h = {
		.flags = o->flags,
		.gso_type = o->gso_type,
		.hdr_len = htole16(o->hdr_len),
		.gso_size = htole16(o->gso_size),
		.csum_start = htole16(o->csum_start),
		.csum_offset = htole16(o->csum_offset),
	};
	memcpy(at, &h, sizeof(h));
	if (bytes > sizeof(h))
		memset(at + sizeof(h), 0, bytes - sizeof(h));
}

#endif
