// SPDX-License-Identifier: ISC
/*
 * Two threads under hvt: the first owns all of the tender's state and
 * moves everything; the other runs the guest and hands its calls over, one at
 * a time. While the first is awake the guest needs no call. Before either goes
 * to sleep it says so and then looks once more, so that no wake-up is lost.
 */
#include "hvt.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024 };
/* How long to stay awake beside a guest that has not said it waits. */
#define GUEST_RUNS_NS UINT64_C(1000000)

enum { NOTHING, STARTING, READY, CALLED /* + enum abi_call */, CRASHED = 16 };

static uint32_t post; /* between the threads: the other one waits for it to become NOTHING */
static uint32_t asleep;
static const char *last_words;
static size_t last_words_len;

static void wait_while(uint32_t value)
{
	while (__atomic_load_n(&post, __ATOMIC_ACQUIRE) == value)
		syscall(SYS_futex, &post, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void set_post(uint32_t value)
{
	__atomic_store_n(&post, value, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &post, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* --- the guest's thread --- */

static void hand_over(uint32_t what)
{
	const uint64_t one = 1;
	__atomic_store_n(&post, what, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST))
		(void)!write(FD_WAKE, &one, sizeof(one));
	wait_while(what);
}

void vcpu_call(uint32_t call)
{
	__atomic_fetch_add(&tender.calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&tender.waits, call == CALL_WAIT, __ATOMIC_RELAXED);
	hand_over(CALLED + call);
}

_Noreturn void vcpu_crash(const char *line, size_t len)
{
	last_words = line;
	last_words_len = len;
	for (;;)
		hand_over(CRASHED);
}

static void *run_guest(void *unused)
{
	(void)unused;
	cpus_place(1);
	set_post(READY);
	wait_while(READY);
	hvt_loop();
}

/* Returns when it runs and waits for the sandbox: all that a thread needs to begin is behind it. */
void vcpu_start(void)
{
	pthread_t thread;
	pthread_attr_t about;
	sigset_t ours, old;
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGALRM);
	__atomic_store_n(&post, STARTING, __ATOMIC_SEQ_CST);
	pthread_sigmask(SIG_BLOCK, &ours, &old); /* signals are the first thread's: they wake it */
	errno = pthread_attr_init(&about);
	if (!errno)
		errno = pthread_attr_setstacksize(&about, STACK_BYTES);
	if (!errno)
		errno = pthread_create(&thread, &about, run_guest, NULL);
	if (errno)
		die_errno("guest thread", "");
	pthread_attr_destroy(&about);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	wait_while(STARTING);
}

/* --- the first thread --- */

static _Noreturn void crash(void)
{
	console_flush();
	(void)!write(STDERR_FILENO, last_words, last_words_len);
	_exit(EXIT_CRASH);
}

/* What the guest leaves for us; the indices as they were before the last move. */
static struct { uint32_t free, console, up[RING_CHANNELS]; } seen;

static bool differs(uint32_t *was, const struct ring_index *is)
{
	uint32_t now = ring_get(is);
	bool changed = *was != now;
	*was = now;
	return changed;
}

static bool guest_left_work(void)
{
	const struct shared *s = tender.shared;
	bool left = differs(&seen.free, &s->free_prod) | differs(&seen.console, &s->console_prod);
	for (uint32_t i = 0; i < RING_CHANNELS; i++)
		left |= differs(&seen.up[i], &s->channel[i].up_prod);
	for (uint32_t i = 0; i < RING_PORT_WORDS; i++)
		left |= ring_word(&s->tx_pending[i]) != 0;
	return left;
}

static void sleep_beside(bool guest_waits, uint64_t deadline)
{
	struct shared *s = tender.shared;
	uint64_t begun = tender.now_ns;
	__atomic_store_n(&s->awake, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&asleep, 1, __ATOMIC_SEQ_CST);
	bool called = __atomic_load_n(&post, __ATOMIC_SEQ_CST) != NOTHING;
	if (called == guest_waits && !guest_left_work())
		pump_sleep(guest_waits ? deadline : UINT64_MAX);
	__atomic_store_n(&asleep, 0, __ATOMIC_SEQ_CST);
	pump_time(); /* before the guest may trust it */
	__atomic_store_n(&s->awake, spin_is_useful(), __ATOMIC_SEQ_CST);
	if (guest_waits)
		spin_learn(tender.now_ns - begun);
}

/* Answers a call, when all was moved after it came; true when the guest's thread waits on. */
static bool serve(uint32_t posted, uint64_t deadline)
{
	if (posted == NOTHING)
		return false;
	if (posted == CRASHED)
		crash();
	if (posted == CALLED + CALL_EXIT)
		pump_exit((int)(tender.shared->exit_status & 0xff));
	if (posted == CALLED + CALL_WAIT && !pump_guest_has_work() && tender.now_ns < deadline)
		return true;
	pump_guest_goes_on();
	set_post(NOTHING);
	return false;
}

_Noreturn void vcpu_serve(void)
{
	uint64_t busy_ns = 0;
	__atomic_store_n(&tender.shared->awake, spin_is_useful(), __ATOMIC_SEQ_CST);
	set_post(NOTHING);
	for (;;) {
		uint32_t posted = __atomic_load_n(&post, __ATOMIC_SEQ_CST);
		bool moved = guest_left_work();
		moved |= pump_move(true);
		uint64_t deadline = __atomic_load_n(&tender.shared->deadline_ns, __ATOMIC_RELAXED);
		bool waits = serve(posted, deadline);
		if (moved || (posted != NOTHING && !waits))
			busy_ns = tender.now_ns;
		uint64_t window = waits ? spin_window_ns() : GUEST_RUNS_NS;
		if (spin_is_useful() && tender.now_ns - busy_ns < window)
			spin_yield();
		else
			sleep_beside(waits, deadline);
	}
}
