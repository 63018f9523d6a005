// SPDX-License-Identifier: ISC
/* Reads the image and lays the guest's memory out; spt and hvt map it. */
#include "tender.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { IMAGE_BYTES_MAX = 64 << 20, ARENA_MIN_BYTES = 1 << 20 };

static uint8_t *file;

static size_t read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		die_errno("image ", path);
	if (!S_ISREG(st.st_mode) || st.st_size > IMAGE_BYTES_MAX)
		die(EXIT_BAD_IMAGE, "image is not a file of at most 64 MiB: ", path);
	size_t want = (size_t)st.st_size, len = 0;
	file = malloc(want + 1);
	if (!file)
		die(EXIT_SETUP, "no memory for ", path);
	while (len < want) {
		ssize_t n = read(fd, file + len, want - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	return len;
}

static uint64_t page_up(uint64_t at)
{
	return at + -at % ABI_PAGE_BYTES;
}

static uint32_t buffers_for(uint64_t bytes)
{
	uint32_t n = ABI_BUFFERS_MIN;
	while (n < ABI_BUFFERS_MAX / 2 && n * 2 * (uint64_t)ABI_BUFFER_BYTES <= bytes / 16)
		n *= 2;
	return n;
}

static uint32_t large_for(uint64_t bytes)
{
	uint64_t n = bytes / 16 / ABI_LARGE_BYTES;
	return n < ABI_LARGE_MIN ? ABI_LARGE_MIN : n > ABI_LARGE_MAX ? ABI_LARGE_MAX : (uint32_t)n;
}

void memory_load(struct memory *m, const char *path)
{
	size_t len = read_file(path);
	m->guard = m->bytes - ABI_STACK_BYTES - ABI_PAGE_BYTES;
	const char *why = elf_parse(file, len, ABI_IMAGE_MIN, m->guard, &m->image);
	if (why)
		die(EXIT_BAD_IMAGE, "image refused: ", why);
	m->buffer_count = buffers_for(m->bytes);
	m->shared = m->image.end + ABI_PAGE_BYTES; /* an unmapped page between */
	m->pool = page_up(m->shared + sizeof(struct shared));
	m->large_count = large_for(m->bytes);
	m->large = page_up(m->pool + (uint64_t)m->buffer_count * ABI_BUFFER_BYTES);
	m->arena = page_up(m->large + (uint64_t)m->large_count * ABI_LARGE_BYTES);
	if (m->arena > m->guard || m->guard - m->arena < ARENA_MIN_BYTES)
		die(EXIT_SETUP, "--mem is too small for ", path);
}

static uint64_t wall_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void memory_fill(const struct memory *m, uint64_t spt_call)
{
	for (uint32_t i = 0; i < m->image.count; i++) {
		const struct elf_segment *s = &m->image.segment[i];
		memcpy(memory_at(m, s->vaddr), file + s->offset, s->file_bytes);
	}
	free(file);
	struct boot_info *boot = memory_at(m, ABI_BOOT_ADDR);
	*boot = (struct boot_info){
		.magic = ABI_MAGIC,
		.version = ABI_VERSION,
		.mode = spt_call ? MODE_SPT : MODE_HVT,
		.mem_bytes = m->bytes,
		.kernel_end = m->image.end,
		.shared = m->shared,
		.pool = m->pool,
		.large = m->large,
		.arena = m->arena,
		.arena_bytes = m->guard - m->arena,
		.spt_call = spt_call,
		.buffer_count = m->buffer_count,
		.large_count = m->large_count,
	};
	if (getrandom(boot->entropy, sizeof(boot->entropy), 0) != sizeof(boot->entropy))
		die_errno("getrandom", "");
	tender.shared->wall_ns = wall_ns();
}
