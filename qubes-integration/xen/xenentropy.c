// SPDX-License-Identifier: ISC
/* The boot seed: the CPU's generator when there is one, and the jitter of calls into Xen always, hashed. */
#include <bearssl.h>

#include "hypercall.h"
#include "xenboot.h"
#include "xenclock.h"

enum {
	JITTER_ROUNDS = 512,
	RANDOM_WORDS = 16,
	RANDOM_TRIES = 32,
	CPUID_FEATURES = 1, RDRAND_BIT = 30,
	CPUID_EXTENDED = 7, RDSEED_BIT = 18,
};

static uint64_t tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void cpuid(uint32_t leaf, uint32_t *ebx, uint32_t *ecx)
{
	uint32_t eax = leaf, edx;
	*ecx = 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(*ecx), "=d"(edx));
}

static void hash_word(br_sha512_context *hash, uint64_t word)
{
	br_sha512_update(hash, &word, sizeof(word));
}

/* Each false when the processor has nothing to give just now. */
static bool rdrand(uint64_t *word)
{
	uint8_t ok;
	__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*word), "=qm"(ok) : : "cc");
	return ok;
}

static bool rdseed(uint64_t *word)
{
	uint8_t ok;
	__asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(*word), "=qm"(ok) : : "cc");
	return ok;
}

static void hash_drawn(br_sha512_context *hash, bool (*draw)(uint64_t *word))
{
	uint64_t word;
	for (uint32_t i = 0; i < RANDOM_WORDS; i++) {
		uint32_t tries = 0;
		while (!draw(&word) && ++tries < RANDOM_TRIES)
			__asm__ volatile("pause");
		if (tries < RANDOM_TRIES)
			hash_word(hash, word);
	}
}

void xenentropy_draw(void *bytes, size_t len)
{
	br_sha512_context hash;
	uint8_t digest[br_sha512_SIZE];
	uint32_t ebx, ecx, none;
	ensure(len <= sizeof(digest));
	br_sha512_init(&hash);
	cpuid(CPUID_FEATURES, &none, &ecx);
	if (ecx >> RDRAND_BIT & 1)
		hash_drawn(&hash, rdrand);
	cpuid(CPUID_EXTENDED, &ebx, &none);
	if (ebx >> RDSEED_BIT & 1)
		hash_drawn(&hash, rdseed);
	hash_word(&hash, xenclock_wall_ns());
	for (uint32_t i = 0; i < JITTER_ROUNDS; i++) {
		(void)hypercall_sched(SCHEDOP_yield, NULL);
		hash_word(&hash, tsc());
	}
	br_sha512_out(&hash, digest);
	memcpy(bytes, digest, len);
	memset(digest, 0, sizeof(digest));
	memset(&hash, 0, sizeof(hash));
}
