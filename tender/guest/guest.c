// SPDX-License-Identifier: ISC
/* struct platform on our tender: calls, time, events, channels, log. */
#include "guest.h"
#include "runtime.h"

enum { LOOKS_MAX = 1000 }; /* some 20 us of silicon: a wake-up costs as much */

struct shared *guest_shared;
struct boot_info *guest_boot;

static struct arena left;
static bool channel_open[CHANNEL_COUNT];
static uint32_t channel_serial[CHANNEL_COUNT];
static uint64_t calls, console_lost;
static uint32_t progress; /* what shared.progress was after the last wait */

_Static_assert(RING_CHANNELS == (int)CHANNEL_COUNT, "channels are numbered alike");

void guest_call(enum abi_call call)
{
	calls++;
	if (guest_boot->spt_call) {
		((void (*)(uint32_t))guest_boot->spt_call)(call);
		return;
	}
	__asm__ volatile("outl %0, %1" : : "a"((uint32_t)call), "d"((uint16_t)ABI_CALL_PORT) : "memory");
}

static uint64_t now_ns(void)
{
	return ring_word(&guest_shared->now_ns);
}

static uint64_t wall_ns(void)
{
	return ring_word(&guest_shared->wall_ns);
}

static uint64_t ticks(void)
{
	return ring_ticks();
}

static void entropy(void *bytes, size_t len)
{
	ensure(len <= ABI_ENTROPY_BYTES);
	memcpy(bytes, guest_boot->entropy, len);
	memset(guest_boot->entropy, 0, ABI_ENTROPY_BYTES);
}

static struct arena *memory(void)
{
	return &left;
}

static uint32_t console_put(uint32_t prod, const char *bytes, size_t len)
{
	ring_bytes_in(guest_shared->console, RING_CONSOLE_BYTES, prod, bytes, (uint32_t)len);
	return prod + (uint32_t)len;
}

static void log_line(const char *line, size_t len)
{
	uint32_t prod = ring_get(&guest_shared->console_prod);
	uint32_t room = RING_CONSOLE_BYTES - (prod - ring_get(&guest_shared->console_cons));
	if (len >= room) {
		guest_shared->console_lost = (uint32_t)++console_lost;
		return;
	}
	prod = console_put(prod, line, len);
	ring_set(&guest_shared->console_prod, console_put(prod, "\n", 1));
}

static _Noreturn void leave(int status)
{
	guest_shared->exit_status = (uint32_t)status;
	for (;;)
		guest_call(CALL_EXIT);
}

static _Noreturn void die(const char *reason)
{
	char line[256];
	struct text t = text_on(line);
	text_put(&t, "panic: ");
	text_put(&t, reason);
	log_line(line, t.len);
	leave(255);
}

/* Something came since the last wait: frames, events, bytes, or room for them. */
static bool arrived(void)
{
	return buffers_ready() ||
		ring_get(&guest_shared->event_prod) != ring_get(&guest_shared->event_cons) ||
		__atomic_load_n(&guest_shared->progress, __ATOMIC_ACQUIRE) != progress;
}

static bool tender_is_awake(void)
{
	return __atomic_load_n(&guest_shared->awake, __ATOMIC_SEQ_CST) != 0;
}

/*
 * No call while the tender is awake: it looks at the rings by itself. It says
 * when it stops to and looks once more then, so a fence on this side is enough
 * for it to miss nothing.
 */
static void wait_until(uint64_t deadline_ns)
{
	__atomic_store_n(&guest_shared->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
	buffers_wanted();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	bool busy = !deadline_ns || arrived();
	for (uint32_t i = 0; !busy && i < LOOKS_MAX && tender_is_awake(); i++) {
		__builtin_ia32_pause();
		busy = arrived() || now_ns() >= deadline_ns;
	}
	if (!busy)
		guest_call(CALL_WAIT);
	else if (!tender_is_awake())
		guest_call(CALL_DOORBELL);
	progress = __atomic_load_n(&guest_shared->progress, __ATOMIC_ACQUIRE);
	buffers_take_grants();
}

/* What arrived before a byte stream ended is dropped with it, so that the next starts clean. */
static void channel_closed(struct channel_shared *c, uint32_t serial)
{
	ring_set(&c->down_cons, ring_get(&c->down_prod));
	ring_set(&c->acked, serial);
}

static enum platform_event_kind kind_of(const struct ring_event *e)
{
	static const enum platform_event_kind kind[] = {
		[RING_NONE] = EVENT_NONE,
		[RING_PORT_ATTACHED] = EVENT_PORT_ATTACHED,
		[RING_PORT_DETACHED] = EVENT_PORT_DETACHED,
		[RING_LINK_UP] = EVENT_LINK_UP,
		[RING_LINK_DOWN] = EVENT_LINK_DOWN,
		[RING_CHANNEL_OPEN] = EVENT_CHANNEL_OPEN,
		[RING_CHANNEL_CLOSED] = EVENT_CHANNEL_CLOSED,
		[RING_SHUTDOWN] = EVENT_SHUTDOWN,
	};
	_Static_assert(array_len(kind) == RING_SHUTDOWN + 1, "a kind for every ring event");
	if (e->kind >= array_len(kind) || e->port >= PORT_COUNT || e->channel >= CHANNEL_COUNT)
		return EVENT_NONE;
	return kind[e->kind];
}

static bool event(struct platform_event *out)
{
	uint32_t cons = ring_get(&guest_shared->event_cons);
	if (cons == ring_get(&guest_shared->event_prod))
		return false;
	struct ring_event e = guest_shared->event[cons % RING_EVENTS];
	ring_set(&guest_shared->event_cons, cons + 1);
	*out = (struct platform_event){
		.kind = kind_of(&e),
		.port = e.port,
		.mtu = e.mtu,
		.channel = e.channel == CHANNEL_CONTROL ? CHANNEL_CONTROL : CHANNEL_STORE,
		.ours = e.ours,
		.theirs = e.theirs,
		.addr_count = e.addr_count <= PORT_ADDRS_MAX ? e.addr_count : PORT_ADDRS_MAX,
		.addr = { e.addr[0], e.addr[1] },
		.prefix_len = e.prefix_len,
		.gateway = e.gateway,
	};
	memcpy(out->name, e.name, sizeof(out->name));
	out->name[PORT_NAME_BYTES - 1] = '\0';
	if (out->kind == EVENT_PORT_DETACHED) {
		buffers_drain(e.port);
		ring_set(&guest_shared->port[e.port].acked, e.serial);
	} else if (out->kind == EVENT_CHANNEL_CLOSED) {
		channel_open[out->channel] = false;
		channel_closed(&guest_shared->channel[out->channel], e.serial);
	} else if (out->kind == EVENT_CHANNEL_OPEN) {
		channel_open[out->channel] = true;
		channel_serial[out->channel] = e.serial;
	}
	return true;
}

static size_t channel_read(enum platform_channel channel, void *bytes, size_t len)
{
	struct channel_shared *c = &guest_shared->channel[channel];
	if (!channel_open[channel])
		return 0;
	uint32_t cons = ring_get(&c->down_cons), ready = ring_get(&c->down_prod) - cons;
	if (ready > RING_CHANNEL_BYTES)
		return 0;
	if (len > ready)
		len = ready;
	ring_bytes_out(bytes, c->down, RING_CHANNEL_BYTES, cons, (uint32_t)len);
	ring_set(&c->down_cons, cons + (uint32_t)len);
	return len;
}

static size_t channel_write(enum platform_channel channel, const void *bytes, size_t len)
{
	struct channel_shared *c = &guest_shared->channel[channel];
	if (!channel_open[channel])
		return 0;
	uint32_t prod = ring_get(&c->up_prod), used = prod - ring_get(&c->up_cons);
	if (used > RING_CHANNEL_BYTES)
		return 0;
	if (len > RING_CHANNEL_BYTES - used)
		len = RING_CHANNEL_BYTES - used;
	ring_bytes_in(c->up, RING_CHANNEL_BYTES, prod, bytes, (uint32_t)len);
	ring_set(&c->up_prod, prod + (uint32_t)len);
	return len;
}

static void reset_store(void)
{
	if (channel_open[CHANNEL_STORE])
		ring_set(&guest_shared->channel[CHANNEL_STORE].left, channel_serial[CHANNEL_STORE] + 1);
}

static void status(struct text *t)
{
	buffers_status(t);
	text_put(t, ",\"platform_calls\":");
	text_u64(t, calls);
	text_put(t, ",\"log_lost\":");
	text_u64(t, console_lost);
}

_Noreturn void guest_main(struct boot_info *boot)
{
	static struct platform platform = {
		.now_ns = now_ns,
		.wall_ns = wall_ns,
		.ticks = ticks,
		.entropy = entropy,
		.memory = memory,
		.rx = buffers_rx,
		.rx_ticks = buffers_rx_ticks,
		.tx_ticks = buffers_tx_ticks,
		.tx = buffers_tx,
		.give = buffers_give,
		.frame = buffers_free,
		.event = event,
		.read = channel_read,
		.write = channel_write,
		.reset_store = reset_store,
		.log = log_line,
		.wait = wait_until,
		.status = status,
		.exit = leave,
	};
	runtime_panic = die;
	guest_boot = boot;
	guest_shared = (struct shared *)boot->shared;
	ensure(boot->magic == ABI_MAGIC && boot->version == ABI_VERSION);
	platform.name = boot->mode == MODE_HVT ? "hvt" : "spt";
	left = (struct arena){ (uint8_t *)boot->arena, boot->arena_bytes };
	mem_fresh(left.at, left.left);
	buffers_boot(&left);
	buffers_wanted();
	guest_call(CALL_DOORBELL); /* the first grants */
	buffers_take_grants();
	postern_main(&platform);
}
