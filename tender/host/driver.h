/* SPDX-License-Identifier: ISC */
/*
 * driver.h: what a kind of port is to the rest of the tender: how it is
 * opened, how bursts of frames come and go, and what its way out can do.
 *
 * Buffers are those of tender.h (buffers_take, buffers_back): small ones, and
 * large ones for frames that do not fit. A driver takes the buffers it
 * receives into and hands them on with the frame; of a frame to be sent it
 * owns the buffer and gives it back itself, sent or not, at once or later.
 *
 * Offload metadata has the meaning of virtio_net_hdr in host byte order
 * (frame.h). Outgoing metadata is judged before a driver sees it, and says no
 * more than `can` allows: the rest is cut and summed in software (wayout.c).
 *
 * Errors are errno values; nothing here ends the tender once it runs.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "frame.h"
#include "options.h"

enum {
	DRIVER_BURST_MAX = 64,
	DRIVER_BURST_BYTES = 256 * 1024, /* a burst ends here: more would leave the L2 cache */
	DRIVER_PARTS_MAX = 4,            /* iovecs of one put() */
};

/* What a port can take on its way out, and so may also bring in. */
enum driver_can {
	DRIVER_CSUM = 1,
	DRIVER_TSO4 = 2,
	DRIVER_TSO6 = 4,
	DRIVER_USO = 8, /* GSO_UDP_L4, both families */
};

struct driver;
struct iovec;
struct text;

/* A port as its driver sees it. */
struct driver_port {
	const struct driver *driver;
	int fd;                /* readable (epoll) when frames wait */
	uint32_t can;          /* enum driver_can */
	uint16_t mtu;          /* of the interface; 0: cannot be known from a descriptor */
	struct mac mac;        /* a NIC's own, which the uplink takes if not told otherwise; else zero */
	uint16_t header_bytes; /* tap: of the virtio_net_hdr before each frame; 0: none */
	void *own;             /* the driver's */
};

/* A frame between a driver and the rings. */
struct driver_frame {
	uint8_t *data; /* Ethernet header; inside the buffer */
	uint32_t len;
	uint32_t buffer; /* its number */
	struct offload offload;
};

/* Added to by receive, send and put. */
struct driver_result {
	uint32_t frames; /* received, or sent */
	uint64_t bytes;
	uint32_t lost;   /* refused by the interface, cut, or unreadable */
	int error;       /* the last one that is about the link; 0: none. EAGAIN is none */
};

struct driver {
	const char *name;
	/*
	 * Opens what `about` names (this driver's when it returns true); before the
	 * sandbox, with privileges; says why and exits when it cannot.
	 */
	bool (*open)(struct driver_port *, const struct option_port *about);
	/*
	 * Takes a descriptor opened elsewhere, maybe inside the sandbox (only what
	 * allow() allows). False: it is not of this kind or not usable. The
	 * descriptor stays the caller's until true.
	 */
	bool (*adopt)(struct driver_port *, int fd, const struct option_port *about);
	/* The descriptor has a new number, port->fd: it will keep it. NULL: all the same. */
	void (*moved)(struct driver_port *);
	/* Up to max (<= DRIVER_BURST_MAX) frames and about DRIVER_BURST_BYTES, never waiting. */
	void (*receive)(struct driver_port *, struct driver_frame out[], uint32_t max,
		struct driver_result *);
	/* Sends a burst, in order; never waits. */
	void (*send)(struct driver_port *, const struct driver_frame frames[], uint32_t count,
		struct driver_result *);
	/*
	 * One frame that lies in count (<= DRIVER_PARTS_MAX) parts, none of it kept:
	 * pieces of super-frames, and the link probe. part[-1] belongs to the driver.
	 */
	void (*put)(struct driver_port *, struct iovec *part, int count, struct driver_result *);
	/* After the last put() of several: sends what they queued. NULL: they queue nothing. */
	void (*flush)(struct driver_port *, struct driver_result *);
	/*
	 * epoll says that something is wrong: an errno as in driver_result.error, and
	 * the descriptor is quiet about it from now on. NULL: the port is gone then.
	 */
	int (*error)(struct driver_port *);
	/* Before the descriptor is buried: buffers that the driver still holds go back. NULL: none. */
	void (*close)(struct driver_port *);
	/* Tells the sandbox which system calls these functions make (sandbox_allow). */
	void (*allow)(void);
	/* JSON members for status, each with a comma in front; NULL: none. */
	void (*status)(const struct driver_port *, struct text *);
};

extern const struct driver driver_tap, driver_xdp, driver_packet;

/* All kinds, in the order they are asked; ends with NULL (drivers.c). */
extern const struct driver *const drivers[];

/*
 * sandbox.c: lets one system call through, with conditions on its arguments
 * (libseccomp's, combined by and). For a port's descriptor: SANDBOX_PORT(arg).
 */
struct scmp_arg_cmp;
void sandbox_allow(int syscall_number, unsigned count, const struct scmp_arg_cmp *);

#endif
