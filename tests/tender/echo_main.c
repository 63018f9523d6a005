// SPDX-License-Identifier: ISC
/* A guest that sends every frame back with its MACs swapped, and echoes both channels. */
#include "arena.h"
#include "platform.h"

static void say(const struct platform *p, const char *word, uint64_t number)
{
	char line[128];
	struct text t = text_on(line);
	text_put(&t, "echo: ");
	text_put(&t, word);
	text_char(&t, ' ');
	text_u64(&t, number);
	p->log(line, t.len);
}

static void swap(struct frame *f)
{
	uint8_t mac[6];
	memcpy(mac, f->data, 6);
	memcpy(f->data, f->data + 6, 6);
	memcpy(f->data + 6, mac, 6);
}

static void frames(const struct platform *p)
{
	struct frame *burst[PLATFORM_BURST_MAX];
	struct frame_queue out = { 0 }, lost = { 0 };
	size_t n = p->rx(burst, PLATFORM_BURST_MAX);
	for (size_t i = 0; i < n; i++) {
		swap(burst[i]);
		frames_put(burst[i]->len < 14 ? &lost : &out, burst[i]);
	}
	p->tx(&out);
	p->give(&lost);
}

/* The compiler must not know the address, or it would refuse it. */
static uintptr_t hidden(uintptr_t at)
{
	__asm__("" : "+r"(at));
	return at;
}

static void poke(uint8_t *at)
{
	*(volatile uint8_t *)at = 0;
}

/* A return instruction, in memory that is not code. */
static uint8_t ret[16] = { 0xc3 };

static uint64_t deep(uint64_t depth)
{
	volatile uint64_t room[64];
	room[depth % 64] = depth;
	return depth + (hidden(depth) ? deep(depth + 1) : 0) + room[(depth + 1) % 64];
}

/* A frame of our own to the uplink. */
static void send(const struct platform *p)
{
	struct frame_queue out = { 0 };
	struct frame *f = p->frame();
	if (!f || !frame_reset(f, 60))
		return;
	memset(f->data, 0, 60);
	memset(f->data, 0xff, 6);
	f->data[12] = 0x88;
	f->data[13] = 0xb6;
	f->port = PORT_UPLINK;
	frames_put(&out, f);
	p->tx(&out);
}

/*
 * A control line "hang" hangs, "panic" panics, "null" writes page zero, "text" writes its own
 * code, "data" runs data, "stack" overflows, "syscall" opens a file, "send" sends. */
static void command(const struct platform *p, const char *line, size_t len)
{
	struct cursor c = cursor_of(line, len);
	if (parse_word(&c, "panic"))
		panic("asked to");
	if (parse_word(&c, "null"))
		poke((uint8_t *)hidden(8));
	if (parse_word(&c, "text"))
		poke((uint8_t *)hidden(0x200000));
	if (parse_word(&c, "data"))
		((void (*)(void))(uintptr_t)hidden((uintptr_t)ret))();
	if (parse_word(&c, "stack"))
		(void)deep(1);
	if (parse_word(&c, "syscall"))
		__asm__ volatile("syscall" : : "a"(2), "D"(0), "S"(0) : "rcx", "r11", "memory");
	if (parse_word(&c, "send"))
		send(p);
	if (parse_word(&c, "hang"))
		for (;;)
			__asm__ volatile("pause");
	if (parse_word(&c, "status")) {
		char out[512];
		struct text t = text_on(out);
		p->status(&t);
		text_put(&t, "\n.\n");
		p->write(CHANNEL_CONTROL, out, t.len);
		return;
	}
	if (parse_word(&c, "mute"))
		return;
	p->write(CHANNEL_CONTROL, line, len);
	p->write(CHANNEL_CONTROL, ".\n", 2);
}

static void channels(const struct platform *p)
{
	static char line[512];
	static size_t used;
	char bytes[512];
	size_t n = p->read(CHANNEL_STORE, bytes, sizeof(bytes));
	p->write(CHANNEL_STORE, bytes, n);
	n = p->read(CHANNEL_CONTROL, bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++) {
		if (used < sizeof(line))
			line[used++] = bytes[i];
		if (bytes[i] == '\n') {
			command(p, line, used);
			used = 0;
		}
	}
}

_Noreturn void postern_main(const struct platform *p)
{
	uint8_t seed[48];
	p->entropy(seed, sizeof(seed));
	say(p, p->name, p->memory()->left);
	for (;;) {
		for (struct platform_event e; p->event(&e);) {
			say(p, e.kind == EVENT_PORT_ATTACHED ? e.name : "event", e.kind);
			if (e.kind == EVENT_SHUTDOWN)
				p->exit(0);
		}
		frames(p);
		channels(p);
		p->wait(p->now_ns() + UINT64_C(1000000000));
	}
}
