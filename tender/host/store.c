// SPDX-License-Identifier: ISC
/* Keeps the guest's store channel connected to the host's store, whatever becomes of it. */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_MIN_NS UINT64_C(10000000)
#define BACKOFF_MAX_NS UINT64_C(1000000000)

static struct channel channel = { .number = 0 };
static bool asked; /* the broker, for a connection */
static uint64_t retry_ns, backoff_ns = BACKOFF_MIN_NS;
static uint32_t watched;
static bool readable; /* there may be bytes: a look costs a system call */
static uint8_t unsent[RING_CHANNEL_BYTES];
static uint32_t unsent_at, unsent_len;

static void watch(uint32_t events)
{
	if (events != watched)
		pump_rewatch(FD_STORE, events, WATCH_STORE, 0);
	watched = events;
}

static void lose(void)
{
	pump_ignore(FD_STORE);
	close(FD_STORE);
	channel_close(&channel);
	unsent_len = 0;
	retry_ns = tender.now_ns + backoff_ns;
}

static void ask(void)
{
	retry_ns = tender.now_ns + backoff_ns;
	backoff_ns = backoff_ns * 2 > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : backoff_ns * 2;
	asked = broker_ask_store();
}

/* A connection becomes the channel's, or is closed. */
static void adopt(int fd)
{
	bool ok = !channel.open && dup3(fd, FD_STORE, O_CLOEXEC) >= 0;
	close(fd);
	if (!ok)
		return;
	watched = EPOLLIN;
	readable = true;
	if (!pump_watch(FD_STORE, EPOLLIN, WATCH_STORE, 0)) {
		close(FD_STORE);
		return;
	}
	channel_open(&channel);
	pump_progress();
}

void store_setup(void)
{
	/* asking the broker would cost the boot two switches between processes */
	int fd = broker_connect(tender.options->store);
	retry_ns = 1;
	if (fd >= 0)
		adopt(fd);
}

void store_answer(void)
{
	int fd;
	if (!broker_answer(&fd))
		return;
	asked = false;
	if (fd >= 0)
		adopt(fd);
}

/* As much as the guest has room for; false at the end of the stream. */
static bool receive(void)
{
	for (uint32_t room; readable && (room = channel_down_room(&channel)) > 0;) {
		uint8_t bytes[4096];
		ssize_t n = recv(FD_STORE, bytes, room < sizeof(bytes) ? room : sizeof(bytes), MSG_DONTWAIT);
		if (n <= 0) {
			readable = n < 0 && errno == EINTR;
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		}
		channel_down(&channel, bytes, (uint32_t)n);
		backoff_ns = BACKOFF_MIN_NS; /* it talks: a real store */
	}
	return true;
}

static bool transmit(void)
{
	for (;;) {
		if (unsent_len == 0) {
			unsent_at = 0;
			unsent_len = channel_up(&channel, unsent, sizeof(unsent));
		}
		if (unsent_len == 0)
			return true;
		ssize_t n = send(FD_STORE, unsent + unsent_at, unsent_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		unsent_at += (uint32_t)n;
		unsent_len -= (uint32_t)n;
	}
}

void store_pump(void)
{
	if (!tender.options->store[0])
		return;
	if (!channel.open) {
		if (!asked && tender.now_ns >= retry_ns && channel_quiet(&channel))
			ask();
		return;
	}
	if (channel_left(&channel) || !transmit() || !receive()) {
		lose();
		return;
	}
	watch((channel_down_room(&channel) > 0 ? EPOLLIN : 0u) | (unsent_len > 0 ? EPOLLOUT : 0u));
}

void store_event(uint32_t events)
{
	readable = true;
	if (channel.open && events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN))
		lose();
}

uint64_t store_deadline(void)
{
	return tender.options->store[0] && !channel.open && !asked ? retry_ns : 0;
}
