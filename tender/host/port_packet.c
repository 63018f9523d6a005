// SPDX-License-Identifier: ISC
/*
 * Packet ports: a NIC or one end of a veth by an AF_PACKET socket.
 *
 * Frames come through a ring of slots that the kernel fills; one that is too
 * long for its slot, a super-frame, waits whole in the socket's queue, in the
 * order of the slots that tell of it. So each is copied once, and the ring is small.
 */
#include "tender.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "nic.h"
#include "sandbox.h"
#include "vnet.h"

enum {
	SMALL_DATA_BYTES = ABI_BUFFER_BYTES - FRAME_HEADROOM_BYTES,
	LARGE_DATA_BYTES = ABI_LARGE_BYTES - FRAME_HEADROOM_BYTES,
	SLOT_BYTES = 2048,
	SLOTS = 2048,
	BLOCK_BYTES = 64 * 1024,
	RING_BYTES = SLOT_BYTES * SLOTS,
	QUEUE_IN_BYTES = 16 << 20,  /* super-frames that wait */
	QUEUE_OUT_BYTES = 4 << 20,
	VLAN_ID_MASK = 0xfff,
};

struct own {
	uint8_t *ring;
	uint32_t next; /* slot */
	int guard;     /* nic.h; -1: none */
};

static struct own *opened[PORT_COUNT];
static uint32_t opened_count;

/* --- opening --- */

static void set(int fd, int level, int name, int value, const char *iface)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die_errno("packet socket on ", iface);
}

/* More than the system's usual limit if we may. */
static void set_queue(int fd, int name, int forced_name, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, forced_name, &bytes, sizeof(bytes)))
		(void)setsockopt(fd, SOL_SOCKET, name, &bytes, sizeof(bytes)); /* it works with less */
}

static void set_options(int fd, const char *iface)
{
	const struct tpacket_req ring = { .tp_block_size = BLOCK_BYTES,
		.tp_block_nr = RING_BYTES / BLOCK_BYTES, .tp_frame_size = SLOT_BYTES, .tp_frame_nr = SLOTS };
	set(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, iface);
	set(fd, SOL_PACKET, PACKET_VNET_HDR, 1, iface);
	set(fd, SOL_PACKET, PACKET_COPY_THRESH, 1, iface);
	set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, iface);
	set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, iface);
	set_queue(fd, SO_RCVBUF, SO_RCVBUFFORCE, QUEUE_IN_BYTES);
	set_queue(fd, SO_SNDBUF, SO_SNDBUFFORCE, QUEUE_OUT_BYTES);
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)))
		die_errno("packet ring on ", iface);
}

static void want_foreign(int fd, const struct nic *nic, const char *iface)
{
	const struct packet_mreq want = { .mr_ifindex = nic->index, .mr_type = PACKET_MR_PROMISC };
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &want, sizeof(want)))
		die_errno("promiscuous mode of ", iface);
}

static void guard(struct own *own, const char *iface)
{
	own->guard = nic_guard(iface);
	if (own->guard < 0) {
		say("no nftables guard, the host's own stack sees what comes in on ", iface);
		say("  because: ", strerror(errno));
	}
}

/* Segments of UDP in one frame: refused as a bad header before Linux 6.2. */
static bool kernel_knows_uso(void)
{
	struct utsname u;
	uint32_t major, minor;
	if (uname(&u))
		return false;
	struct cursor c = cursor_of(u.release, strlen(u.release));
	return parse_u32(&c, 1000, &major) && parse_word(&c, ".") && parse_u32(&c, 1000, &minor) &&
		(major > 6 || (major == 6 && minor >= 2));
}

static struct own *open_ring(int fd, const char *iface)
{
	struct own *own = calloc(1, sizeof(*own));
	if (!own)
		die_errno("packet port ", iface);
	own->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (own->ring == MAP_FAILED)
		die_errno("packet ring on ", iface);
	opened[opened_count++] = own;
	return own;
}

static bool packet_open(struct driver_port *p, const struct option_port *about)
{
	if (about->kind != OPTION_PACKET && about->kind != OPTION_ANY)
		return false;
	int home = nic_enter(about->netns);
	struct nic nic = nic_up(about->iface);
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htobe16(ETH_P_ALL),
		.sll_ifindex = nic.index };
	/* of no protocol until it is set up: nothing arrives in the wrong form */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		die_errno("packet socket on ", about->iface);
	set_options(p->fd, about->iface);
	struct own *own = open_ring(p->fd, about->iface);
	guard(own, about->iface);
	if (about->has_ours && memcmp(about->ours.b, nic.mac.b, sizeof(nic.mac.b)))
		want_foreign(p->fd, &nic, about->iface);
	if (bind(p->fd, (struct sockaddr *)&at, sizeof(at)))
		die_errno("packet socket on ", about->iface);
	nic_leave(home);
	p->own = own;
	p->mtu = nic.mtu;
	p->mac = nic.mac;
	p->header_bytes = VNET_BYTES;
	if (about->offload)
		p->can = DRIVER_CSUM | DRIVER_TSO4 | DRIVER_TSO6 | (kernel_knows_uso() ? DRIVER_USO : 0);
	return true;
}

/* --- receiving --- */

static bool is_tagged(const struct tpacket2_hdr *h, uint32_t status)
{
	return status & TP_STATUS_VLAN_VALID && h->tp_vlan_tci & VLAN_ID_MASK;
}

/* Out of the slot, into the small buffer at f. */
static bool copy_slot(const uint8_t *slot, struct driver_frame *f)
{
	struct tpacket2_hdr h;
	memcpy(&h, slot, sizeof(h));
	if (h.tp_snaplen < h.tp_len || h.tp_snaplen > SMALL_DATA_BYTES ||
	    h.tp_mac > SLOT_BYTES - h.tp_snaplen)
		return false; /* cut: the socket's queue was full */
	f->len = h.tp_snaplen;
	vnet_read(slot + h.tp_mac - VNET_BYTES, &f->offload);
	memcpy(f->data, slot + h.tp_mac, f->len);
	return true;
}

/* Out of the socket's queue, into the large buffer at f. */
static bool read_whole(const struct driver_port *p, struct driver_frame *f)
{
	ssize_t n;
	do {
		n = recvfrom(p->fd, f->data - VNET_BYTES, LARGE_DATA_BYTES + VNET_BYTES,
			MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);
	} while (n < 0 && errno == EINTR);
	if (n <= VNET_BYTES || n > LARGE_DATA_BYTES + VNET_BYTES)
		return false;
	f->len = (uint32_t)n - VNET_BYTES;
	vnet_read(f->data - VNET_BYTES, &f->offload);
	return true;
}

/* How many the kernel dropped because the ring was full, since it was last asked. */
static uint32_t overrun(const struct driver_port *p)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);
	return getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? 0 : stats.tp_drops;
}

static void packet_receive(struct driver_port *p, struct driver_frame out[], uint32_t max,
	struct driver_result *r)
{
	struct own *own = p->own;
	bool losing = false;
	while (r->frames < max && r->bytes < DRIVER_BURST_BYTES) {
		uint8_t *slot = own->ring + (size_t)own->next * SLOT_BYTES;
		struct tpacket2_hdr *h = (struct tpacket2_hdr *)(void *)slot;
		struct driver_frame *f = &out[r->frames];
		uint32_t status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
		bool whole = status & TP_STATUS_COPY;
		if (!(status & TP_STATUS_USER) ||
		    !buffers_take(whole ? BUFFER_LARGE : BUFFER_SMALL, &f->buffer))
			break;
		f->data = buffers_at(f->buffer) + FRAME_HEADROOM_BYTES;
		bool good = whole ? read_whole(p, f) : copy_slot(slot, f);
		good = good && !is_tagged(h, status);
		losing |= (status & TP_STATUS_LOSING) != 0;
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		own->next = (own->next + 1) % SLOTS;
		if (good) {
			r->frames++;
			r->bytes += f->len;
		} else {
			r->lost++;
			buffers_back(f->buffer);
		}
	}
	if (losing)
		r->lost += overrun(p);
}

/* --- sending --- */

static bool is_of_link(int error)
{
	return error == ENETDOWN || error == ENXIO || error == ENODEV;
}

static void packet_put(struct driver_port *p, struct iovec *part, int count, struct driver_result *r)
{
	uint8_t header[VNET_BYTES] = { 0 };
	size_t len = 0;
	ssize_t n;
	for (int i = 0; i < count; i++)
		len += part[i].iov_len;
	part[-1] = (struct iovec){ header, sizeof(header) };
	do {
		n = writev(p->fd, part - 1, count + 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		r->lost++;
		if (is_of_link(errno))
			r->error = errno;
		return;
	}
	r->frames++;
	r->bytes += len;
}

struct message {
	struct iovec part[2];
	uint8_t header[VNET_BYTES];
};

static void compose(struct msghdr *h, struct message *m, const struct driver_frame *f)
{
	size_t before = (size_t)(f->data - buffers_at(f->buffer));
	/* in front of the frame one part is cheaper than two; but not where the guest runs meanwhile */
	bool room = before >= VNET_BYTES && tender.mode == MODE_SPT;
	uint8_t *at = room ? f->data - VNET_BYTES : m->header;
	vnet_write(at, &f->offload, VNET_BYTES);
	m->part[0] = (struct iovec){ at, VNET_BYTES + (room ? f->len : 0) };
	m->part[1] = (struct iovec){ f->data, f->len };
	*h = (struct msghdr){ .msg_iov = m->part, .msg_iovlen = room ? 1 : 2 };
}

/* How many were sent. Under spt the guest could call it too, and a message may name another interface: there it is writev. */
static int send_some(const struct driver_port *p, struct mmsghdr *call, uint32_t count)
{
	if (tender.mode == MODE_HVT)
		return sendmmsg(p->fd, call, count, MSG_DONTWAIT);
	return writev(p->fd, call->msg_hdr.msg_iov, (int)call->msg_hdr.msg_iovlen) < 0 ? -1 : 1;
}

static void packet_send(struct driver_port *p, const struct driver_frame frames[], uint32_t count,
	struct driver_result *r)
{
	struct mmsghdr call[DRIVER_BURST_MAX];
	struct message message[DRIVER_BURST_MAX];
	for (uint32_t i = 0; i < count; i++)
		compose(&call[i].msg_hdr, &message[i], &frames[i]);
	for (uint32_t at = 0; at < count;) {
		int n = send_some(p, &call[at], count - at);
		if (n > 0) {
			for (uint32_t end = at + (uint32_t)n; at < end; at++)
				r->bytes += frames[at].len;
			r->frames += (uint32_t)n;
		} else if (n == 0 || errno == EAGAIN || is_of_link(errno)) {
			if (n < 0 && errno != EAGAIN)
				r->error = errno;
			r->lost += count - at; /* none of the others would fare better */
			break;
		} else if (errno != EINTR) {
			r->lost++; /* this one was refused */
			at++;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		buffers_back(frames[i].buffer);
}

/* --- the rest --- */

static int packet_error(struct driver_port *p)
{
	int error = 0;
	socklen_t len = sizeof(error);
	return getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static void packet_close(struct driver_port *p)
{
	struct own *own = p->own;
	(void)munmap(own->ring, RING_BYTES); /* the mapping would hold the socket */
	if (own->guard >= 0) {
		(void)broker_bury(own->guard);
		close(own->guard);
	}
}

static void packet_allow(void)
{
	if (opened_count == 0)
		return;
	SANDBOX_ALLOW(writev, SANDBOX_PORT(0));
	if (tender.mode == MODE_HVT)
		SANDBOX_ALLOW(sendmmsg, SANDBOX_PORT(0));
	SANDBOX_ALLOW(recvfrom, SANDBOX_PORT(0));
	SANDBOX_ALLOW(getsockopt, SANDBOX_PORT(0), SANDBOX_EQ(1, SOL_PACKET), SANDBOX_EQ(2, PACKET_STATISTICS));
	SANDBOX_ALLOW(getsockopt, SANDBOX_PORT(0), SANDBOX_EQ(1, SOL_SOCKET), SANDBOX_EQ(2, SO_ERROR));
	for (uint32_t i = 0; i < opened_count; i++)
		SANDBOX_ALLOW(munmap, SANDBOX_EQ(0, (uintptr_t)opened[i]->ring), SANDBOX_EQ(1, RING_BYTES));
}

static void packet_status(const struct driver_port *p, struct text *t)
{
	const struct own *own = p->own;
	text_put(t, own->guard >= 0 ? ",\"guarded\":true" : ",\"guarded\":false");
}

const struct driver driver_packet = {
	.name = "packet",
	.open = packet_open,
	.receive = packet_receive,
	.send = packet_send,
	.put = packet_put,
	.error = packet_error,
	.close = packet_close,
	.allow = packet_allow,
	.status = packet_status,
};
