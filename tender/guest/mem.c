// SPDX-License-Identifier: ISC
/* The memory functions and checks that the compiler and BearSSL expect to link. */
#include "runtime.h"

/* gcc would otherwise turn the loops below into calls to themselves */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void (*runtime_panic)(const char *reason) __attribute__((noreturn));

size_t strlen(const char *s);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int byte, size_t n, size_t room);
_Noreturn void __stack_chk_fail(void);

/*
 * String instructions a word at a time: fast on silicon, and a KVM that
 * emulates its guest pays by the iteration or, for a loop, several times that.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;
	size_t words = n / 8, rest = n % 8;
	__asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;
	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(to, from, n);
	while (n) {
		n--;
		d[n] = s[n];
	}
	return to;
}

/*
 * The arena comes zeroed, and arena_take zeroes whatever it hands out before
 * anyone writes there: from the highest byte handed out to its end it still is
 * zero. Not doing it twice halves the start of a guest whose memory is large.
 */
static uintptr_t fresh, fresh_end;

void mem_fresh(const void *from, size_t n)
{
	fresh = (uintptr_t)from;
	fresh_end = fresh + n;
}

void *memset(void *to, int byte, size_t n)
{
	void *at = to;
	if (byte == 0 && (uintptr_t)to >= fresh && (uintptr_t)to < fresh_end &&
	    n <= fresh_end - (uintptr_t)to) {
		fresh = (uintptr_t)to + n;
		return to;
	}
	size_t words = n / 8, rest = n % 8;
	const uint64_t all = UINT64_C(0x0101010101010101) * (uint8_t)byte;
	__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(all) : "memory");
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(all) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	ensure(n <= room);
	return memcpy(to, from, n);
}

void *__memset_chk(void *to, int byte, size_t n, size_t room)
{
	ensure(n <= room);
	return memset(to, byte, n);
}

_Noreturn void panic(const char *reason)
{
	runtime_panic(reason);
}

_Noreturn void __stack_chk_fail(void)
{
	panic("stack smashed");
}
