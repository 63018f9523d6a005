// SPDX-License-Identifier: ISC
/* Two free lists of frames, each buffer on pages of its own. */
#include "framepool.h"

enum {
	SHARE = 16, /* of the memory, for each size */
	PAGE_BYTES = 4096,
	SMALL_MIN = 256, SMALL_MAX = 8192,
	LARGE_MIN = 16, LARGE_MAX = 512,
};

static struct size {
	uint32_t bytes, count;
	uint64_t none; /* times there was no such frame */
	struct frame_queue free;
} sizes[2] = { { .bytes = FRAMEPOOL_SMALL_BYTES }, { .bytes = FRAMEPOOL_LARGE_BYTES } };
enum { SMALL, LARGE };

static uint32_t share_of(size_t memory, uint32_t bytes, uint32_t least, uint32_t most)
{
	size_t n = memory / SHARE / bytes;
	return n < least ? least : n > most ? most : (uint32_t)n;
}

static void fill(struct arena *arena, uint32_t which, uint32_t count)
{
	struct size *s = &sizes[which];
	struct frame *frames = arena_take(arena, count, sizeof(*frames));
	/* one more, for the way to the next page */
	uint8_t *at = arena_take_raw(arena, (size_t)count * s->bytes + PAGE_BYTES, 1);
	if (!frames || !at)
		panic("not enough memory for frames");
	at += -(uintptr_t)at % PAGE_BYTES;
	s->count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct frame *f = &frames[i];
		f->buffer = at + (size_t)i * s->bytes;
		f->room = s->bytes;
		f->handle = which;
		f->data = f->buffer;
		frames_put(&s->free, f);
	}
}

void framepool_init(struct arena *arena)
{
	size_t memory = arena->left;
	fill(arena, SMALL, share_of(memory, FRAMEPOOL_SMALL_BYTES, SMALL_MIN, SMALL_MAX));
	fill(arena, LARGE, share_of(memory, FRAMEPOOL_LARGE_BYTES, LARGE_MIN, LARGE_MAX));
}

static struct size *size_for(size_t len)
{
	for (uint32_t i = 0; i < array_len(sizes); i++)
		if (len <= sizes[i].bytes - FRAME_HEADROOM_BYTES)
			return &sizes[i];
	return NULL;
}

struct frame *framepool_take(size_t len)
{
	struct size *s = size_for(len);
	struct frame *f = s ? frames_take(&s->free) : NULL;
	if (f)
		(void)frame_reset(f, 0);
	else if (s)
		s->none++;
	return f;
}

void framepool_give(struct frame *f)
{
	ensure(f->handle < array_len(sizes));
	frames_put(&sizes[f->handle].free, f);
}

uint32_t framepool_left(size_t len)
{
	const struct size *s = size_for(len);
	return s ? s->free.count : 0;
}

void framepool_status(struct text *t)
{
	static const char *const names[] = { "small", "large" };
	for (uint32_t i = 0; i < array_len(sizes); i++) {
		const uint64_t values[] = { sizes[i].count, sizes[i].free.count, sizes[i].none };
		static const char *const what[] = { "", "_free", "_wanting" };
		for (uint32_t k = 0; k < array_len(values); k++) {
			text_put(t, i + k ? ",\"frames_" : "\"frames_");
			text_put(t, names[i]);
			text_put(t, what[k]);
			text_put(t, "\":");
			text_u64(t, values[k]);
		}
	}
}
