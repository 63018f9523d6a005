// SPDX-License-Identifier: ISC
/* The memory functions and checks that the compiler and BearSSL expect to link. */
#include "guest.h"

/* gcc would otherwise turn the loops below into calls to themselves */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

size_t strlen(const char *s);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int byte, size_t n, size_t room);
_Noreturn void __stack_chk_fail(void);

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
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

void *memset(void *to, int byte, size_t n)
{
	void *at = to;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
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

_Noreturn void __stack_chk_fail(void)
{
	panic("stack smashed");
}
