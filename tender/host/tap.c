// SPDX-License-Identifier: ISC
/*
 * Tap ports: one frame a system call, with a virtio_net_hdr in front of it
 * when the tap has one.
 */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "nic.h"
#include "sandbox.h"
#include "vnet.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	SMALL_DATA_BYTES = ABI_BUFFER_BYTES - FRAME_HEADROOM_BYTES,
	LARGE_DATA_BYTES = ABI_LARGE_BYTES - FRAME_HEADROOM_BYTES,
	HEADER_BYTES = VNET_BYTES,
	HEADER_MAX_BYTES = 32, /* of a tap opened elsewhere; less than the headroom */
	QUEUE_FRAMES = 10000,  /* a burst of many senders; the kernel's own choice is 500 or 1000 */
	QUEUE_USUAL_MAX = 1000,
	NO_BUFFER = UINT32_MAX,
};
_Static_assert((int)HEADER_MAX_BYTES < (int)FRAME_HEADROOM_BYTES, "the header goes before the data");

/* --- opening --- */

static uint16_t bring_up(struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die_errno("tap ", request->ifr_name);
	if (!ioctl(fd, SIOCGIFTXQLEN, request) && request->ifr_qlen <= QUEUE_USUAL_MAX) {
		request->ifr_qlen = QUEUE_FRAMES;
		(void)ioctl(fd, SIOCSIFTXQLEN, request); /* it works without, with more loss */
	}
	if (ioctl(fd, SIOCGIFFLAGS, request))
		die_errno("tap ", request->ifr_name);
	request->ifr_flags = (short)(request->ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, request) || ioctl(fd, SIOCGIFMTU, request))
		die_errno("tap ", request->ifr_name);
	close(fd);
	return (uint16_t)(request->ifr_mtu > 65535 ? 65535 : request->ifr_mtu);
}

/* Asks for all, and for less while the kernel refuses; what is not asked for, it does itself. */
static void set_offload(struct driver_port *p, bool wanted)
{
	static const struct { unsigned long flags; uint32_t can; } steps[] = {
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
		  DRIVER_CSUM | DRIVER_TSO4 | DRIVER_TSO6 | DRIVER_USO },
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		  DRIVER_CSUM | DRIVER_TSO4 | DRIVER_TSO6 },
		{ TUN_F_CSUM, DRIVER_CSUM },
		{ 0, 0 },
	};
	size_t step = wanted && p->header_bytes ? 0 : array_len(steps) - 1;
	while (step < array_len(steps) - 1 && ioctl(p->fd, TUNSETOFFLOAD, steps[step].flags))
		step++;
	if (step == array_len(steps) - 1)
		(void)ioctl(p->fd, TUNSETOFFLOAD, 0UL); /* whoever had it before may have asked for more */
	p->can = steps[step].can;
}

static bool tap_open(struct driver_port *p, const struct option_port *about)
{
	int home, header = HEADER_BYTES;
	if (about->kind != OPTION_TAP && about->kind != OPTION_ANY)
		return false;
	home = nic_enter(about->netns);
	if (about->kind == OPTION_ANY && !nic_driven_by(about->iface, "tun")) {
		nic_leave(home);
		return false;
	}
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	if (about->offload)
		request.ifr_flags |= IFF_VNET_HDR;
	memcpy(request.ifr_name, about->iface, OPTION_NAME_BYTES);
	p->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->fd < 0 || ioctl(p->fd, TUNSETIFF, &request))
		die_errno("tap ", about->iface);
	if (about->offload && ioctl(p->fd, TUNSETVNETHDRSZ, &header))
		die_errno("tap ", about->iface);
	p->header_bytes = about->offload ? HEADER_BYTES : 0;
	set_offload(p, about->offload);
	p->mtu = bring_up(&request);
	nic_leave(home);
	return true;
}

static bool tap_adopt(struct driver_port *p, int fd, const struct option_port *about)
{
	struct ifreq request = { 0 };
	int header = 0;
	if (ioctl(fd, TUNGETIFF, &request))
		return false;
	unsigned flags = (unsigned short)request.ifr_flags;
	if (!(flags & IFF_TAP) || !(flags & IFF_NO_PI))
		return false;
	if (flags & IFF_VNET_HDR && (ioctl(fd, TUNGETVNETHDRSZ, &header) || header < HEADER_BYTES ||
	    header > HEADER_MAX_BYTES))
		return false;
	int mode = fcntl(fd, F_GETFL);
	if (mode < 0 || fcntl(fd, F_SETFL, mode | O_NONBLOCK))
		return false;
	p->fd = fd;
	p->header_bytes = (uint16_t)header;
	set_offload(p, about->offload);
	return true;
}

/* --- frames --- */

/*
 * One frame, read into the large buffer at hand. One that fits a small buffer
 * is copied there: that costs less than a second part to every read.
 * False: there is no more now.
 */
static bool receive_one(const struct driver_port *p, uint32_t small, uint32_t *large,
	struct driver_frame *f, struct driver_result *r)
{
	uint8_t *data = buffers_at(*large) + FRAME_HEADROOM_BYTES;
	ssize_t n;
	do {
		n = read(p->fd, data - p->header_bytes, (size_t)LARGE_DATA_BYTES + p->header_bytes);
	} while (n < 0 && errno == EINTR);
	if (n <= p->header_bytes) {
		if (n < 0 && errno != EAGAIN) {
			r->lost++;
			r->error = errno;
		}
		return false;
	}
	f->len = (uint32_t)n - p->header_bytes;
	f->offload = (struct offload){ 0 };
	if (p->header_bytes)
		vnet_read(data - p->header_bytes, &f->offload);
	if (f->len > SMALL_DATA_BYTES) {
		f->buffer = *large;
		f->data = data;
		*large = NO_BUFFER;
		return true;
	}
	f->buffer = small;
	f->data = buffers_at(small) + FRAME_HEADROOM_BYTES;
	memcpy(f->data, data, f->len);
	return true;
}

static void tap_receive(struct driver_port *p, struct driver_frame out[], uint32_t max,
	struct driver_result *r)
{
	uint32_t small, large = NO_BUFFER;
	while (r->frames < max && r->bytes < DRIVER_BURST_BYTES) {
		/* without both, what is there stays in the tap's own queue */
		if (large == NO_BUFFER && !buffers_take(BUFFER_LARGE, &large))
			break;
		if (!buffers_take(BUFFER_SMALL, &small))
			break;
		struct driver_frame *f = &out[r->frames];
		bool more = receive_one(p, small, &large, f, r);
		if (!more || f->buffer != small)
			buffers_back(small);
		if (!more)
			break;
		r->frames++;
		r->bytes += f->len;
	}
	if (large != NO_BUFFER)
		buffers_back(large);
}

static void sent(ssize_t n, uint32_t len, struct driver_result *r)
{
	if (n < 0) {
		r->lost++;
		if (errno != EAGAIN)
			r->error = errno;
		return;
	}
	r->frames++;
	r->bytes += len;
}

static void tap_put(struct driver_port *p, struct iovec *part, int count, struct driver_result *r)
{
	uint8_t header[HEADER_MAX_BYTES] = { 0 };
	size_t len = 0;
	ssize_t n;
	for (int i = 0; i < count; i++)
		len += part[i].iov_len;
	part[-1] = (struct iovec){ header, p->header_bytes };
	do {
		n = writev(p->fd, part - 1, count + 1);
	} while (n < 0 && errno == EINTR);
	sent(n, (uint32_t)len, r);
}

static void send_one(const struct driver_port *p, const struct driver_frame *f,
	struct driver_result *r)
{
	uint8_t header[HEADER_MAX_BYTES];
	size_t before = (size_t)(f->data - buffers_at(f->buffer)), bytes = p->header_bytes;
	/* in front of the frame if there is room, one part is cheaper than two; but not where the guest runs meanwhile */
	bool in_front = before >= bytes && tender.mode == MODE_SPT;
	uint8_t *at = in_front ? f->data - bytes : header;
	const struct iovec part[] = { { header, bytes }, { f->data, f->len } };
	ssize_t n;
	if (bytes)
		vnet_write(at, &f->offload, bytes);
	do {
		n = at == header ? writev(p->fd, part, 2) : write(p->fd, at, bytes + f->len);
	} while (n < 0 && errno == EINTR);
	sent(n, f->len, r);
}

static void tap_send(struct driver_port *p, const struct driver_frame frames[], uint32_t count,
	struct driver_result *r)
{
	for (uint32_t i = 0; i < count; i++) {
		send_one(p, &frames[i], r);
		buffers_back(frames[i].buffer);
	}
}

static void tap_allow(void)
{
	SANDBOX_ALLOW(read, SANDBOX_PORT(0));
	SANDBOX_ALLOW(write, SANDBOX_PORT(0));
	SANDBOX_ALLOW(writev, SANDBOX_PORT(0));
	if (!tender.options->control[0])
		return;
	/* a descriptor passed along is looked at, and told what we can do */
	SANDBOX_ALLOW(ioctl, SANDBOX_EQ(1, TUNGETIFF));
	SANDBOX_ALLOW(ioctl, SANDBOX_EQ(1, TUNGETVNETHDRSZ));
	SANDBOX_ALLOW(ioctl, SANDBOX_EQ(1, TUNSETOFFLOAD));
	SANDBOX_ALLOW(fcntl, SANDBOX_EQ(1, F_GETFL));
	SANDBOX_ALLOW(fcntl, SANDBOX_EQ(1, F_SETFL));
}

const struct driver driver_tap = {
	.name = "tap",
	.open = tap_open,
	.adopt = tap_adopt,
	.receive = tap_receive,
	.send = tap_send,
	.put = tap_put,
	.allow = tap_allow,
};
