// SPDX-License-Identifier: ISC
/* Serves one call of the guest: everything that waits on either side moves on. */
#include "tender.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EPOLL_BATCH = 64, SPINS = 16 };

static bool progress; /* since the last wait returned */
static bool busy;     /* the last look found frames: worth spinning */

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

static void tell_time(void)
{
	struct timespec now, wall;
	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_REALTIME, &wall);
	tender.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	uint64_t wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
	__atomic_store_n(&tender.shared->now_ns, tender.now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&tender.shared->wall_ns, wall_ns, __ATOMIC_RELAXED);
}

static void dispatch(const struct epoll_event *e)
{
	uint32_t number = (uint32_t)e->data.u64;
	switch ((enum watch)(e->data.u64 >> 32)) {
	case WATCH_PORT:
		busy = true;
		ports_readable((uint16_t)number, e->events);
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

/* Looks at the descriptors, for at most that long; how many spoke. */
static int look(uint64_t ns)
{
	struct epoll_event e[EPOLL_BATCH];
	struct timespec ts = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
	int n = epoll_pwait2(FD_EPOLL, e, EPOLL_BATCH, &ts, NULL);
	if (n <= 0)
		return 0;
	for (int i = 0; i < n; i++)
		dispatch(&e[i]);
	return n;
}

/* Everything but the sleep. */
static void move(bool first)
{
	tell_time();
	console_flush();
	buffers_collect();
	ports_transmit();
	if (first)
		look(0);
	store_pump();
	control_pump();
	ports_announce();
	buffers_grant();
	if (stop_asked && !tender.shutdown_said && pump_event_room() > 0) {
		pump_event(&(struct ring_event){ .kind = RING_SHUTDOWN });
		tender.shutdown_said = true;
	}
}

static bool guest_has_work(void)
{
	if (progress || ring_get(&tender.shared->event_cons) != tender.event_prod)
		return true;
	for (uint32_t i = 0; i < RING_PORT_WORDS; i++)
		if (ring_word(&tender.shared->rx_ready[i]))
			return true;
	return false;
}

static uint64_t sooner(uint64_t a, uint64_t b) /* 0: never */
{
	return !b || (a && a < b) ? a : b;
}

static void sleep_until(uint64_t deadline)
{
	deadline = sooner(deadline, ports_tick());
	deadline = sooner(deadline, store_deadline());
	deadline = sooner(deadline, control_deadline());
	bool spin = busy;
	busy = false;
	for (int i = 0; spin && i < SPINS; i++)
		if (look(0))
			return;
	if (deadline <= tender.now_ns)
		return;
	tender.sleeps++;
	look(deadline - tender.now_ns);
}

static void wait_for_work(void)
{
	uint64_t deadline = __atomic_load_n(&tender.shared->deadline_ns, __ATOMIC_RELAXED);
	tender.waits++;
	while (!guest_has_work() && tender.now_ns < deadline) {
		sleep_until(deadline);
		move(false);
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
	move(true);
	if (call == CALL_WAIT)
		wait_for_work();
}
