// SPDX-License-Identifier: ISC
/* Opens AF_XDP ports: memory, rings, and the program that steers every frame to them. */
#include "port_xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "nic.h"

enum {
	DATA_BYTES_MAX = ABI_BUFFER_BYTES - XDP_PACKET_HEADROOM,
	HEADERS_BYTES = 14 + 4, /* Ethernet, a VLAN tag */
	MTU_MAX = DATA_BYTES_MAX - HEADERS_BYTES,
	QUEUE = 0,
	BUSY_TRIES = 60, BUSY_WAIT_NS = 50000000,
};
_Static_assert((int)XDP_PACKET_HEADROOM >= (int)FRAME_HEADROOM_BYTES, "frames arrive with headroom");

static uint32_t shared; /* buffers, by all ports */

static uint32_t share(void)
{
	uint32_t n = tender.memory.buffer_count / XDP_UMEM_SHARES;
	return n < XDP_ENTRIES ? n : XDP_ENTRIES;
}

/*
 * libxdp, and libbpf behind it: loaded when the first such port is opened. They
 * would make every start of a tender without one a tenth longer.
 */
#define CALLS(X) \
	X(xsk_umem__create) X(xsk_umem__delete) X(xsk_socket__create) X(xsk_socket__delete) \
	X(xsk_socket__fd) X(xsk_socket__update_xskmap) X(libxdp_set_print) X(libbpf_set_print) \
	X(bpf_map_create) X(bpf_prog_load) X(bpf_link_create)
#define FIELD(name) __typeof__(&name) name;
#define FIND(name) *(void **)&lib.name = dlsym(handle, #name); \
	if (!lib.name) \
		return false;

static struct { CALLS(FIELD) } lib;
static bool loaded;

static bool load_library(void)
{
	void *handle = dlopen("libxdp.so.1", RTLD_NOW);
	if (!handle)
		return false;
	CALLS(FIND)
	lib.libbpf_set_print(NULL);
	lib.libxdp_set_print(NULL);
	loaded = true;
	return true;
}

static int failed(int error) /* of libxdp: negative */
{
	errno = -error;
	return -1;
}

/* --- the program: to the socket of the queue; what finds none there is dropped, the host never sees it --- */

static int load_program(int sockets)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = sockets },
		{ .code = 0 }, /* the other half of that */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	return lib.bpf_prog_load(BPF_PROG_TYPE_XDP, "postern", "ISC", program, array_len(program), NULL);
}

/* In the driver where it can, in front of the stack where it cannot. */
static int attach(int program, const struct nic *nic, bool *generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, in_driver, .flags = XDP_FLAGS_DRV_MODE);
	LIBBPF_OPTS(bpf_link_create_opts, in_front, .flags = XDP_FLAGS_SKB_MODE);
	int link = lib.bpf_link_create(program, nic->index, BPF_XDP, &in_driver);
	*generic = link < 0 && errno != EBUSY;
	return *generic ? lib.bpf_link_create(program, nic->index, BPF_XDP, &in_front) : link;
}

static bool steer(struct xdp_port *x, const struct nic *nic, struct xsk_socket *socket)
{
	int map = lib.bpf_map_create(BPF_MAP_TYPE_XSKMAP, "postern", sizeof(int), sizeof(int), QUEUE + 1, NULL);
	int program = map < 0 ? -1 : load_program(map), why = 0;
	x->link = -1;
	if (program >= 0 && !(why = lib.xsk_socket__update_xskmap(socket, map)))
		x->link = nic_keep(attach(program, nic, &x->generic));
	why = why ? -why : errno;
	if (program >= 0)
		close(program);
	if (map >= 0)
		close(map);
	errno = why;
	return x->link >= 0;
}

/* --- memory and rings --- */

static int create(struct xdp_port *x, const struct option_port *about, uint16_t mode,
	struct xsk_umem **umem, struct xsk_socket **socket)
{
	const struct xsk_umem_config memory = { .fill_size = XDP_ENTRIES, .comp_size = XDP_ENTRIES,
		.frame_size = ABI_BUFFER_BYTES };
	const struct xsk_socket_config rings = { .rx_size = XDP_ENTRIES, .tx_size = XDP_TX_ENTRIES,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(mode | XDP_USE_NEED_WAKEUP) };
	const struct memory *m = &tender.memory;
	int error = lib.xsk_umem__create(umem, memory_at(m, m->pool),
		(uint64_t)m->buffer_count * ABI_BUFFER_BYTES, &x->fill, &x->comp, &memory);
	if (error)
		return failed(error);
	error = lib.xsk_socket__create(socket, about->iface, QUEUE, *umem, &x->rx, &x->tx, &rings);
	if (error) {
		lib.xsk_umem__delete(*umem);
		return failed(error);
	}
	return lib.xsk_socket__fd(*socket);
}

static void fill(struct xdp_port *x)
{
	uint32_t at, number;
	if (xsk_ring_prod__reserve(&x->fill, x->share, &at) != x->share)
		panic("xdp fill ring");
	for (uint32_t i = 0; i < x->share; i++) {
		ensure(buffers_take(BUFFER_SMALL, &number)); /* half of them are never shared out */
		*xsk_ring_prod__fill_addr(&x->fill, at + i) = (uint64_t)number * ABI_BUFFER_BYTES;
	}
	xsk_ring_prod__submit(&x->fill, x->share);
	shared += x->share;
}

static void remember(struct xdp_port *x, uint32_t i, const void *index, const void *ring, size_t bytes)
{
	x->mapping[i].at = (uintptr_t)index & ~(uintptr_t)(ABI_PAGE_BYTES - 1);
	x->mapping[i].bytes = (uintptr_t)ring + bytes - x->mapping[i].at;
}

/* libxdp does not say what it mapped: the indices lie on the first page, the entries end it. */
static void remember_mappings(struct xdp_port *x)
{
	remember(x, 0, x->fill.producer, x->fill.ring, x->fill.size * sizeof(uint64_t));
	remember(x, 1, x->comp.producer, x->comp.ring, x->comp.size * sizeof(uint64_t));
	remember(x, 2, x->rx.producer, x->rx.ring, x->rx.size * sizeof(struct xdp_desc));
	remember(x, 3, x->tx.producer, x->tx.ring, x->tx.size * sizeof(struct xdp_desc));
}

static bool is_zero_copy(int fd)
{
	struct xdp_options options = { 0 };
	socklen_t len = sizeof(options);
	return !getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len) && options.flags & XDP_OPTIONS_ZEROCOPY;
}

static const char *cannot(const struct nic *nic, const struct option_port *about)
{
	errno = 0;
	if (nic->mtu > MTU_MAX)
		return "the MTU is more than 1774";
	if (nic_queues(about->iface) > 1)
		return "it has more than one queue, see ethtool -L";
	if (shared + share() > tender.memory.buffer_count / 2)
		return "too many such ports for this --mem";
	if (!loaded && !load_library())
		return "libxdp.so.1 is not installed, or another version";
	return NULL;
}

/* Socket and program, all or nothing. */
static const char *open_once(struct driver_port *p, struct xdp_port *x, const struct nic *nic,
	const struct option_port *about, bool only_zero_copy)
{
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	p->fd = create(x, about, XDP_ZEROCOPY, &umem, &socket);
	if (p->fd < 0 && errno != EBUSY && !only_zero_copy)
		p->fd = create(x, about, XDP_COPY, &umem, &socket);
	if (p->fd < 0)
		return "no AF_XDP socket";
	if (steer(x, nic, socket))
		return NULL;
	int error = errno;
	lib.xsk_socket__delete(socket);
	lib.xsk_umem__delete(umem);
	errno = error;
	return "no program on it";
}

/* A tender that ended just now leaves the interface busy: the kernel tidies up later. */
static const char *open_patiently(struct driver_port *p, struct xdp_port *x, const struct nic *nic,
	const struct option_port *about, bool only_zero_copy)
{
	const struct timespec wait = { .tv_nsec = BUSY_WAIT_NS };
	const char *why = NULL;
	for (int i = 0; i < BUSY_TRIES; i++) {
		why = open_once(p, x, nic, about, only_zero_copy);
		if (!why || errno != EBUSY)
			break;
		nanosleep(&wait, NULL);
		errno = EBUSY;
	}
	return why;
}

const char *xdp_setup(struct driver_port *p, struct xdp_port *x, const struct option_port *about,
	bool only_zero_copy)
{
	struct nic nic = nic_up(about->iface);
	const char *why = cannot(&nic, about);
	if (why)
		return why;
	why = open_patiently(p, x, &nic, about, only_zero_copy);
	if (why)
		return why;
	x->promiscuous = about->has_ours && !mac_eq(about->ours, nic.mac) ? nic_promiscuous(&nic) : -1;
	x->share = share();
	x->zero_copy = is_zero_copy(p->fd);
	remember_mappings(x);
	fill(x);
	p->mtu = nic.mtu;
	p->mac = nic.mac;
	return NULL;
}
