/* SPDX-License-Identifier: ISC */
/*
 * tender.h: the tender's state and the calls between its files. Everything is
 * set up once; after the sandbox stands nothing allocates.
 */
#ifndef TENDER_H
#define TENDER_H

#include <signal.h>

#include "driver.h"
#include "elf.h"
#include "options.h"
#include "ring.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_SETUP = 1,
	EXIT_USAGE = 2,
	EXIT_CRASH = 3,
	EXIT_BAD_IMAGE = 60,
	EXIT_BAD_CONFIG = 61,
	EXIT_PANIC = 255,
};

/* Descriptor numbers are fixed, so that the sandbox can name ranges by a mask. */
enum {
	FD_EPOLL = 16,
	FD_LISTEN = 17,
	FD_WAKE = 18, /* eventfd: a signal came */
	FD_BROKER = 19,
	FD_SOCKET_FIRST = 32, FD_SOCKET_MASK = 31,
	FD_STORE = FD_SOCKET_FIRST,
	FD_PEER_FIRST = FD_STORE + 1,
	FD_PORT_FIRST = 512, FD_PORT_MASK = 511,
	FD_LIMIT = 1280,
	PEERS_MAX = 16,
};

/* epoll data: a kind above a number */
enum watch { WATCH_PORT, WATCH_WAKE, WATCH_LISTEN, WATCH_STORE, WATCH_BROKER, WATCH_PEER };

enum port_state { PORT_FREE, PORT_UP, PORT_DOWN, PORT_GONE };

struct port_counters {
	uint64_t rx, tx, rx_bytes, tx_bytes;
	uint64_t rx_drop;   /* read failed, or frame larger than a buffer */
	uint64_t tx_drop;   /* the interface refused it */
	uint64_t tx_cut;    /* super-frames cut up here, their pieces count in tx */
	uint64_t tx_bad;    /* the guest's descriptor was wrong */
	uint64_t link_down;
};

struct port {
	enum port_state state;
	uint32_t serial;   /* of the last DETACHED event */
	uint32_t rx_prod, tx_cons;
	bool link_said;    /* the guest was told the link is up */
	bool watched;
	struct option_port about;
	struct driver_port way;
	struct port_counters count;
};

struct memory {
	uintptr_t base; /* host address of guest address 0; 0 under spt */
	uint64_t bytes;
	struct elf_image image;
	/* guest addresses; guard is one page, stack behind it */
	uint64_t shared, pool, large, arena, guard;
	uint32_t buffer_count, large_count;
};

struct tender {
	const struct options *options;
	enum abi_mode mode;
	struct memory memory;
	struct shared *shared;
	struct port port[PORT_COUNT];
	uint64_t now_ns;
	uint64_t calls, waits, sleeps, exits;
	bool shutdown_said;
	uint32_t free_cons, grant_prod;
	uint64_t bad_frees;
	bool guest_owns[ABI_BUFFERS_MAX]; /* by buffer number */
	uint32_t event_prod, progress, time_prod;
};

extern struct tender tender;
extern volatile sig_atomic_t stop_asked;

/* --- set-up: each says its reason and exits --- */
_Noreturn void die(int status, const char *what, const char *detail); /* no errno */
_Noreturn void die_errno(const char *what, const char *detail);
void say(const char *what, const char *detail);

/* memory.c */
void memory_load(struct memory *, const char *path); /* judges the image, lays memory out */
void memory_fill(const struct memory *, uint64_t spt_call); /* copies it, writes boot_info */
static inline void *memory_at(const struct memory *m, uint64_t guest)
{
	return (void *)(m->base + guest);
}

/* spt.c, hvt.c */
void spt_setup(struct memory *);
_Noreturn void spt_run(const struct memory *);
bool hvt_available(void);
void hvt_setup(struct memory *);
_Noreturn void hvt_run(const struct memory *);
int hvt_vcpu_fd(void); /* -1 under spt */
_Noreturn void hvt_loop(void); /* runs the guest; of its thread */

/* vcpu.c: the guest's thread, and what this thread does beside it */
void vcpu_start(void); /* it comes to be, and waits */
_Noreturn void vcpu_serve(void); /* lets it run */
void vcpu_call(uint32_t call); /* of its thread: a guest call, until it is answered */
_Noreturn void vcpu_crash(const char *line, size_t len); /* of its thread; line stays */

/* sandbox.c */
void sandbox_enter(void);
void sandbox_enter_broker(void);

/* broker.c: the process beside; store is "" for none */
void broker_setup(const char *store);
int broker_connect(const char *store); /* what it does itself when asked; -1: not now */
bool broker_ask_store(void);      /* false: it cannot be asked now */
bool broker_answer(int *store);   /* the answer came; *store is the connection, or -1 */
/* It closes fd for good after we have closed ours; the number of this burial, from 1. */
uint64_t broker_bury(int fd);
bool broker_buried(uint64_t burial);

/* --- while the guest runs: nothing below ends the tender --- */
/* pump.c */
void pump_call(uint32_t call); /* spt: a guest call; returns unless it is CALL_EXIT */
void pump_time(void);            /* renews tender.now_ns and the guest's clocks */
bool pump_look(void);            /* what descriptors have to say now; true: pump_move is due */
bool pump_move(bool receive_too); /* all that waits on either side; true: something came */
void pump_sleep(uint64_t deadline_ns); /* until a descriptor speaks; time is renewed */
bool pump_guest_has_work(void);
void pump_guest_goes_on(void); /* it saw what pump_progress told of */
bool pump_watch(int fd, uint32_t events, enum watch kind, uint32_t number);
void pump_rewatch(int fd, uint32_t events, enum watch kind, uint32_t number);
void pump_ignore(int fd);
void pump_progress(void); /* something changed that the guest waits for */
uint32_t pump_event_room(void);
void pump_event(const struct ring_event *);
_Noreturn void pump_exit(int status);

/* cpus.c: which CPUs the threads run on */
void cpus_setup(void); /* places this thread */
void cpus_place(uint32_t thread); /* the calling thread, by its number from 0 */
bool cpus_are_shared(void); /* the threads share one: nothing happens while one of them looks */

/* spin.c */
void spin_setup(void);
bool spin_for(uint64_t deadline_ns); /* true: something came; false: sleep */
void spin_learn(uint64_t slept_ns);
void spin_yield(void); /* lets others have this CPU, renews time */
bool spin_is_useful(void); /* there is another CPU on which something can happen */
uint64_t spin_window_ns(void); /* how long it pays now to look again, 0: not at all */

/* ports.c */
void ports_setup(void);
/* Opens what `about` names and attaches it; before the sandbox; says why and exits if it cannot. */
void ports_open(int number, struct option_port *about);
/* Which kind of port a passed descriptor is; false: none that we know. */
bool ports_adopt(struct driver_port *, int fd, const struct option_port *about);
/* The number, way.fd taken over; -1: none free now, it is left alone; -2: none will be, closed. */
int ports_attach(int number, const struct option_port *, const struct driver_port *way);
uint64_t ports_detach(uint16_t number); /* the burial of its descriptor */
int ports_find(const char *name, size_t len); /* by number or name; -1 */
void ports_readable(uint16_t number, uint32_t events); /* of epoll */
void ports_result(uint16_t number, const struct driver_result *); /* what it says of the link */
uint64_t ports_tick(void); /* retries links; when to call again, 0 never */
void ports_announce(void); /* events that had no room */
uint64_t ports_received(void); /* packets, on all ports that stand */
void ports_status(struct text *);

/* traffic.c: frames between ports and rings */
void traffic_receive(uint16_t number); /* one burst; nothing when there is nothing */
void ports_transmit(void); /* all that the guest has queued */
void traffic_discard(uint16_t number); /* takes back what the guest had queued for a port */

/* wayout.c: what the way out must be able to do, and what is done when it is not */
uint32_t wayout_needs(const struct offload *); /* enum driver_can */
/* Completes the checksum of a frame that need not be cut up: it can go now. False: wayout_send. */
bool wayout_complete(struct driver_frame *);
/* Cuts the frame up and sends it, or loses it; its buffer goes back. */
void wayout_send(struct driver_port *, struct driver_frame *, struct driver_result *);

/* buffers.c: small ones are numbered from 0, large ones behind them */
enum buffer_class { BUFFER_SMALL, BUFFER_LARGE };
void buffers_setup(void);
bool buffers_take(enum buffer_class, uint32_t *number);
void buffers_back(uint32_t number); /* one the tender had taken, or got from the guest */
uint32_t buffers_left(enum buffer_class);
uint64_t buffers_addr(uint32_t number); /* guest address of its first byte */
/* The buffer around a guest address, the bytes from there to its end; false: not the guest's. */
bool buffers_find(uint64_t addr, uint32_t *number, uint32_t *room);
static inline uint8_t *buffers_at(uint32_t number)
{
	return memory_at(&tender.memory, buffers_addr(number));
}
void buffers_collect(void);
void buffers_grant(void);

/* console.c */
void console_flush(void);

/* channel.c: one end of a byte channel */
struct channel {
	uint32_t number; /* enum platform_channel */
	uint32_t down_prod, up_cons;
	uint32_t serial;
	bool open;
};
void channel_open(struct channel *);
void channel_close(struct channel *);
bool channel_quiet(const struct channel *); /* may be opened (again) */
bool channel_left(const struct channel *);  /* the guest wants no more of this stream */
uint32_t channel_down_room(const struct channel *);
void channel_down(struct channel *, const void *bytes, uint32_t len); /* len fits */
uint32_t channel_up(struct channel *, void *bytes, uint32_t max); /* consumes */

/* store.c, control.c */
void store_setup(void); /* connects, if it can be done at once */
void store_pump(void);
void store_event(uint32_t events);
void store_answer(void); /* the broker says something */
uint64_t store_deadline(void); /* 0: none */
void control_setup(const char *path);
void control_pump(void);
void control_accept(void);
void control_event(uint32_t peer, uint32_t events);
uint64_t control_deadline(void);

#endif
