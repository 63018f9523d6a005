// SPDX-License-Identifier: ISC
/* Blocks of a pcapng file: each is built whole, so that its length is known. */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "pcapng.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6,
	MAGIC = 0x1a2b3c4d,
	LINK_ETHERNET = 1,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2, INTERFACE_DESCRIPTION = 3, INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2, PACKET_ID = 5,
	STATISTICS_BEGUN = 2, STATISTICS_ENDED = 3, STATISTICS_SEEN = 4, STATISTICS_LOST = 5,
	NANOSECONDS = 9, /* stamps count in 10 to the minus this */
};

struct block {
	uint8_t *at;
	size_t len, room;
};

static void put(struct block *b, const void *bytes, size_t n)
{
	static const uint8_t zeros[4];
	size_t padding = (4 - n % 4) % 4;
	if (b->room - b->len < n + padding) {
		b->room = 2 * b->room + n + 64;
		b->at = realloc(b->at, b->room);
		if (!b->at)
			panic("out of memory");
	}
	if (n)
		memcpy(b->at + b->len, bytes, n);
	memcpy(b->at + b->len + n, zeros, padding);
	b->len += n + padding;
}

static void put_u32(struct block *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static void put_stamp(struct block *b, uint64_t ns)
{
	put_u32(b, (uint32_t)(ns >> 32));
	put_u32(b, (uint32_t)ns);
}

static void put_option(struct block *b, uint16_t code, const void *value, size_t len)
{
	const uint16_t head[2] = { code, (uint16_t)len };
	put(b, head, sizeof(head));
	put(b, value, len);
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	if (len)
		put_option(b, code, text, len < UINT16_MAX ? len : UINT16_MAX);
}

static void put_stamp_option(struct block *b, uint16_t code, uint64_t ns)
{
	const uint32_t halves[2] = { (uint32_t)(ns >> 32), (uint32_t)ns };
	put_option(b, code, halves, sizeof(halves));
}

static struct block begin(uint32_t type)
{
	struct block b = { NULL, 0, 0 };
	put_u32(&b, type);
	put_u32(&b, 0); /* its length, when it is known */
	return b;
}

static void end(struct block *b, FILE *to)
{
	uint32_t whole;
	put_option(b, 0, NULL, 0);
	whole = (uint32_t)(b->len + sizeof(whole));
	put_u32(b, whole);
	memcpy(b->at + sizeof(whole), &whole, sizeof(whole));
	fwrite(b->at, 1, b->len, to);
	free(b->at);
}

void pcapng_begin(FILE *to, const char *application, const char *comment)
{
	const uint16_t version[2] = { 1, 0 };
	const int64_t unknown = -1;
	struct block b = begin(BLOCK_SECTION);
	put_u32(&b, MAGIC);
	put(&b, version, sizeof(version));
	put(&b, &unknown, sizeof(unknown));
	put_text(&b, OPTION_COMMENT, comment);
	put_text(&b, SECTION_APPLICATION, application);
	end(&b, to);
}

void pcapng_interface(FILE *to, const char *name, const char *description, uint32_t snaplen)
{
	const uint16_t link[2] = { LINK_ETHERNET, 0 };
	const uint8_t resolution = NANOSECONDS;
	struct block b = begin(BLOCK_INTERFACE);
	put(&b, link, sizeof(link));
	put_u32(&b, snaplen);
	put_text(&b, INTERFACE_NAME, name);
	put_text(&b, INTERFACE_DESCRIPTION, description);
	put_option(&b, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	end(&b, to);
}

void pcapng_put(FILE *to, const struct pcapng_packet *p)
{
	struct block b = begin(BLOCK_PACKET);
	put_u32(&b, p->interface);
	put_stamp(&b, p->unix_ns);
	put_u32(&b, p->kept);
	put_u32(&b, p->len);
	put(&b, p->bytes, p->kept);
	put_text(&b, OPTION_COMMENT, p->comment);
	if (p->way != PCAPNG_NO_WAY)
		put_option(&b, PACKET_FLAGS, &(uint32_t){ p->way }, sizeof(uint32_t));
	if (p->id)
		put_option(&b, PACKET_ID, &p->id, sizeof(p->id));
	end(&b, to);
}

void pcapng_statistics(FILE *to, const struct pcapng_statistics *s)
{
	struct block b = begin(BLOCK_STATISTICS);
	put_u32(&b, s->interface);
	put_stamp(&b, s->ended_ns);
	put_stamp_option(&b, STATISTICS_BEGUN, s->begun_ns);
	put_stamp_option(&b, STATISTICS_ENDED, s->ended_ns);
	put_option(&b, STATISTICS_SEEN, &s->seen, sizeof(s->seen));
	put_option(&b, STATISTICS_LOST, &s->lost, sizeof(s->lost));
	end(&b, to);
}
