/* SPDX-License-Identifier: ISC */
/*
 * tapfile.h: opens a tap, in this network namespace or a named one.
 */
#ifndef TAPFILE_H
#define TAPFILE_H

#include <stdbool.h>
#include <stddef.h>

struct tapfile {
	int fd; /* non-blocking, whole frames; the caller closes it */
	int mtu;
};

/*
 * Opens (or creates, for as long as the descriptor lives) the tap, with a
 * virtio_net_hdr before each frame if it is to offload, and brings it up. With a
 * namespace (a name under /run/netns) the calling process stays in it.
 * False: reason says what failed and why.
 */
bool tapfile_open(struct tapfile *, const char *name, const char *netns, bool offload, char *reason,
		  size_t room);

#endif
