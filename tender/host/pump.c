// SPDX-License-Identifier: ISC
/* Moves everything that waits on either side: frames, events, bytes, log lines. */
#include "tender.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
	EPOLL_BATCH = 64,
	LIVELY_MAX = 4,         /* ports that are read without being asked about */
	LIVELY_MISSES = 32,     /* looks that brought frames, but none of that port */
	LOOKS_PER_EPOLL = 8,    /* of lively ports, before all descriptors are asked again */
	WALL_PERIOD_NS = 50000000,
};

static bool progress; /* since the last wait returned */
static uint64_t wall_offset_ns, wall_due_ns;

/* Ports that brought frames lately: to read one directly costs less than to ask. */
static struct lively { uint16_t port, misses; } lively[LIVELY_MAX];
static uint32_t lively_count, looks;

bool pump_watch(int fd, uint32_t events, enum watch kind, uint32_t number)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)kind << 32 | number };
	return epoll_ctl(FD_EPOLL, EPOLL_CTL_ADD, fd, &e) == 0;
}

void pump_rewatch(int fd, uint32_t events, enum watch kind, uint32_t number)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)kind << 32 | number };
	epoll_ctl(FD_EPOLL, EPOLL_CTL_MOD, fd, &e);
}

void pump_ignore(int fd)
{
	epoll_ctl(FD_EPOLL, EPOLL_CTL_DEL, fd, NULL);
}

void pump_progress(void)
{
	progress = true;
	__atomic_store_n(&tender.shared->progress, ++tender.progress, __ATOMIC_RELEASE);
}

uint32_t pump_event_room(void)
{
	uint32_t used = tender.event_prod - ring_get(&tender.shared->event_cons);
	return used > RING_EVENTS ? 0 : RING_EVENTS - used;
}

void pump_event(const struct ring_event *e)
{
	if (pump_event_room() == 0)
		return; /* only a guest that does not listen gets here: callers look before */
	tender.shared->event[tender.event_prod % RING_EVENTS] = *e;
	ring_set(&tender.shared->event_prod, ++tender.event_prod);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void pump_time(void)
{
	tender.now_ns = clock_ns(CLOCK_MONOTONIC);
	if (tender.now_ns >= wall_due_ns) {
		wall_due_ns = tender.now_ns + WALL_PERIOD_NS;
		wall_offset_ns = clock_ns(CLOCK_REALTIME) - tender.now_ns;
	}
	__atomic_store_n(&tender.shared->now_ns, tender.now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&tender.shared->wall_ns, tender.now_ns + wall_offset_ns, __ATOMIC_RELAXED);
}

/* Reads a port; true when frames came. */
static bool receive(uint16_t number, uint32_t events)
{
	uint32_t before = tender.port[number].rx_prod;
	ports_readable(number, events);
	return tender.port[number].rx_prod != before;
}

static void is_lively(uint16_t number)
{
	for (uint32_t i = 0; i < lively_count; i++)
		if (lively[i].port == number)
			return;
	if (lively_count < LIVELY_MAX)
		lively[lively_count++] = (struct lively){ number, 0 };
}

static void dispatch(const struct epoll_event *e)
{
	uint32_t number = (uint32_t)e->data.u64;
	switch ((enum watch)(e->data.u64 >> 32)) {
	case WATCH_PORT:
		if (receive((uint16_t)number, e->events))
			is_lively((uint16_t)number);
		break;
	case WATCH_WAKE: {
		uint64_t count;
		(void)!read(FD_WAKE, &count, sizeof(count));
		break;
	}
	case WATCH_LISTEN:
		control_accept();
		break;
	case WATCH_STORE:
		store_event(e->events);
		break;
	case WATCH_BROKER:
		store_answer();
		break;
	case WATCH_PEER:
		control_event(number, e->events);
		break;
	}
}

/* Asks all descriptors, for at most that long; true when any spoke. */
static bool ask(uint64_t ns)
{
	struct epoll_event e[EPOLL_BATCH];
	struct timespec ts = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
	int n = epoll_pwait2(FD_EPOLL, e, EPOLL_BATCH, &ts, NULL);
	looks = 0;
	for (int i = 0; i < n; i++)
		dispatch(&e[i]);
	return n > 0;
}

bool pump_look(void)
{
	bool came = false, hit[LIVELY_MAX];
	for (uint32_t i = 0; i < lively_count; i++) {
		hit[i] = receive(lively[i].port, EPOLLIN);
		came |= hit[i];
	}
	for (uint32_t i = lively_count; came && i-- > 0;) {
		lively[i].misses = hit[i] ? 0 : (uint16_t)(lively[i].misses + 1);
		if (lively[i].misses > LIVELY_MISSES)
			lively[i] = lively[--lively_count]; /* others are livelier */
	}
	if (lively_count == 0 || ++looks >= LOOKS_PER_EPOLL)
		came |= ask(0);
	return came;
}

bool pump_move(bool receive_too)
{
	bool came = false;
	pump_time();
	console_flush();
	buffers_collect();
	ports_transmit();
	if (receive_too)
		came = pump_look();
	store_pump();
	control_pump();
	ports_announce();
	buffers_grant();
	if (stop_asked && !tender.shutdown_said && pump_event_room() > 0) {
		pump_event(&(struct ring_event){ .kind = RING_SHUTDOWN });
		tender.shutdown_said = true;
	}
	return came;
}

bool pump_guest_has_work(void)
{
	if (progress || ring_get(&tender.shared->event_cons) != tender.event_prod)
		return true;
	for (uint32_t i = 0; i < RING_PORT_WORDS; i++)
		if (ring_word(&tender.shared->rx_ready[i]))
			return true;
	return false;
}

void pump_guest_goes_on(void)
{
	progress = false;
}

static uint64_t sooner(uint64_t a, uint64_t b) /* 0: never */
{
	return !b || (a && a < b) ? a : b;
}

void pump_sleep(uint64_t deadline)
{
	deadline = sooner(deadline, ports_tick());
	deadline = sooner(deadline, store_deadline());
	deadline = sooner(deadline, control_deadline());
	lively_count = 0;
	if (deadline <= tender.now_ns)
		return;
	tender.sleeps++;
	ask(deadline - tender.now_ns);
	pump_time();
}

static void wait_for_work(void)
{
	uint64_t deadline = __atomic_load_n(&tender.shared->deadline_ns, __ATOMIC_RELAXED);
	tender.waits++;
	while (!pump_guest_has_work() && tender.now_ns < deadline) {
		if (!spin_for(deadline)) {
			uint64_t begun = tender.now_ns;
			pump_sleep(deadline);
			spin_learn(tender.now_ns - begun);
		}
		pump_move(false);
	}
	progress = false;
}

_Noreturn void pump_exit(int status)
{
	console_flush();
	_exit(status);
}

void pump_call(uint32_t call)
{
	tender.calls++;
	if (call == CALL_EXIT)
		pump_exit((int)(tender.shared->exit_status & 0xff));
	pump_move(true);
	if (call == CALL_WAIT)
		wait_for_work();
}
