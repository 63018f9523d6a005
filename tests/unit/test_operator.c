/* links: @pure tests/unit/lab.c */
// SPDX-License-Identifier: ISC
/* An operator who only talks holds up nobody, and is answered when the line ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lab.h"
#include "operator.h"

enum { ROUND_MOST = 16 * OPERATOR_REQUEST_BYTES };

static struct { uint64_t talk, taken; size_t said; char answer[4096]; } channel;

static size_t on_read(void *bytes, size_t len)
{
	char *to = bytes;
	size_t n = 0;
	for (; n < len && channel.talk; n++)
		to[n] = --channel.talk ? 'x' : '\n';
	channel.taken += n;
	if (channel.taken > ROUND_MOST)
		fail_msg("a round has no end");
	return n;
}

static size_t on_write(const void *bytes, size_t len)
{
	assert_true(channel.said + len < sizeof(channel.answer));
	memcpy(channel.answer + channel.said, bytes, len);
	channel.said += len;
	return len;
}

static bool on_confirm(void) { return false; }

static bool on_ask(const char *words, size_t len, const char **error)
{
	(void)words, (void)len, (void)error;
	return false;
}

static void test_talk(void **state)
{
	static const struct operator_io io = { on_read, on_write, on_confirm, on_ask };
	static struct operator o;
	struct lab *lab = lab_new(64);
	struct status_facts facts = { .platform = "test", .store = "down" };
	(void)state;
	operator_open(&o);
	channel.talk = 1 << 20;
	while (channel.talk) {
		channel.taken = 0;
		bool more = operator_round(&o, &io, &lab->fw, &facts, 1);
		assert_true(more || !channel.talk);
	}
	while (operator_round(&o, &io, &lab->fw, &facts, 1))
		;
	assert_string_equal(channel.answer,
			    "{\"type\":\"error\",\"error\":\"a request is at most 1024 bytes long\"}\n.\n");
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_talk) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
