/* links: tools/controlclient.c */
// SPDX-License-Identifier: ISC
/* The control client against a peer that this test plays, honest and otherwise. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlclient.h"

struct pair {
	struct controlclient client;
	int peer;
};

static void begin(struct pair *p)
{
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	controlclient_on(&p->client, fd[0]);
	p->client.silence_ms = 20;
	p->peer = fd[1];
	/* The longest line goes out before anybody reads it. */
	int room = 4 * CONTROL_LINE_MAX;
	assert_int_equal(setsockopt(p->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
}

static void end(struct pair *p)
{
	controlclient_close(&p->client);
	if (p->peer >= 0)
		close(p->peer);
}

static void say(struct pair *p, const void *bytes, size_t len)
{
	assert_int_equal(write(p->peer, bytes, len), (ssize_t)len);
}

static void hang_up(struct pair *p)
{
	close(p->peer);
	p->peer = -1;
}

/* What a peer says, then hangs up or falls silent; the lines heard, and how it ends. */
static const struct {
	const char *said;
	bool hangs_up;
	const char *lines[4];
	enum controlclient_result ends;
} answers[] = {
	{ ".\n", false, { NULL }, CONTROL_END },
	{ "ok 3\n.\n", false, { "ok 3" }, CONTROL_END },
	{ "a\n\nb\n.\nmore\n", true, { "a", "", "b" }, CONTROL_END },
	{ "..\n .\n.\n", false, { "..", " ." }, CONTROL_END },
	{ "a\nb", true, { "a" }, CONTROL_CLOSED },
	{ "a\nb", false, { "a" }, CONTROL_TIMEOUT },
	{ "a\n.", false, { "a" }, CONTROL_TIMEOUT },
	{ "", true, { NULL }, CONTROL_CLOSED },
	{ "", false, { NULL }, CONTROL_TIMEOUT },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct pair p;
		const char *line = NULL;
		begin(&p);
		say(&p, answers[i].said, strlen(answers[i].said));
		if (answers[i].hangs_up)
			hang_up(&p);
		for (size_t n = 0; answers[i].lines[n]; n++) {
			assert_int_equal(controlclient_read(&p.client, &line), CONTROL_LINE);
			assert_string_equal(line, answers[i].lines[n]);
		}
		assert_int_equal(controlclient_read(&p.client, &line), answers[i].ends);
		end(&p);
	}
}

/* One write of the peer is not one line: every way to cut the stream in two gives the same. */
static void test_cuts(void **state)
{
	(void)state;
	static const char said[] = "first\nsecond line\n.\n";
	for (size_t cut = 0; cut < sizeof(said) - 1; cut++) {
		struct pair p;
		const char *line = "";
		begin(&p);
		say(&p, said, cut);
		size_t heard = 0;
		enum controlclient_result r;
		while ((r = controlclient_read(&p.client, &line)) == CONTROL_LINE)
			assert_string_equal(line, heard++ ? "second line" : "first");
		assert_int_equal(r, CONTROL_TIMEOUT);
		say(&p, said + cut, sizeof(said) - 1 - cut);
		while ((r = controlclient_read(&p.client, &line)) == CONTROL_LINE)
			assert_string_equal(line, heard++ ? "second line" : "first");
		assert_int_equal(r, CONTROL_END);
		assert_int_equal(heard, 2);
		end(&p);
	}
}

static void test_length(void **state)
{
	(void)state;
	static char text[CONTROL_LINE_MAX + 2];
	for (int over = 0; over <= 2; over++) {
		struct pair p;
		const char *line = NULL;
		size_t len = CONTROL_LINE_MAX + (over ? 1u : 0u);
		memset(text, 'x', sizeof(text));
		begin(&p);
		say(&p, "a\n", 2);
		say(&p, text, len);
		if (over < 2) /* 2: a line that never ends */
			say(&p, "\n.\n", 3);
		assert_int_equal(controlclient_read(&p.client, &line), CONTROL_LINE);
		enum controlclient_result r = controlclient_read(&p.client, &line);
		assert_int_equal(r, over ? CONTROL_MALFORMED : CONTROL_LINE);
		if (!over) {
			assert_int_equal(strlen(line), CONTROL_LINE_MAX);
			assert_int_equal(controlclient_read(&p.client, &line), CONTROL_END);
		}
		end(&p);
	}
}

static void test_nul(void **state)
{
	(void)state;
	struct pair p;
	const char *line;
	begin(&p);
	say(&p, "a\0b\n.\n", 6);
	assert_int_equal(controlclient_read(&p.client, &line), CONTROL_MALFORMED);
	end(&p);
}

static void test_endless(void **state)
{
	(void)state;
	struct pair p;
	const char *line;
	begin(&p);
	p.client.lines = CONTROL_LINES_MAX - 1;
	say(&p, "a\nb\n", 4);
	assert_int_equal(controlclient_read(&p.client, &line), CONTROL_LINE);
	assert_int_equal(controlclient_read(&p.client, &line), CONTROL_MALFORMED);
	end(&p);
	/* A drip that never lets a single line's patience run out still ends. */
	begin(&p);
	p.client.began_ms -= CONTROL_TOTAL_MS;
	assert_int_equal(controlclient_read(&p.client, &line), CONTROL_TIMEOUT);
	end(&p);
}

static void test_send(void **state)
{
	(void)state;
	struct pair p;
	char heard[CONTROL_REQUEST_MAX + 2];
	static char longest[CONTROL_REQUEST_MAX + 2];
	begin(&p);
	assert_int_equal(controlclient_send(&p.client, "status", -1), CONTROL_LINE);
	assert_int_equal(read(p.peer, heard, sizeof(heard)), 7);
	assert_memory_equal(heard, "status\n", 7);
	memset(longest, 'y', CONTROL_REQUEST_MAX);
	assert_int_equal(controlclient_send(&p.client, longest, -1), CONTROL_LINE);
	assert_int_equal(read(p.peer, heard, sizeof(heard)), CONTROL_REQUEST_MAX + 1);
	longest[CONTROL_REQUEST_MAX] = 'y';
	assert_int_equal(controlclient_send(&p.client, longest, -1), CONTROL_MALFORMED);
	assert_int_equal(controlclient_send(&p.client, "a\nb", -1), CONTROL_MALFORMED);
	hang_up(&p);
	assert_int_equal(controlclient_send(&p.client, "status", -1), CONTROL_CLOSED);
	end(&p);
}

/* A peer that does not read: the socket fills, and the sender gives up. */
static void test_send_blocked(void **state)
{
	(void)state;
	struct pair p;
	static char line[CONTROL_REQUEST_MAX + 1];
	memset(line, 'z', CONTROL_REQUEST_MAX);
	begin(&p);
	enum controlclient_result r = CONTROL_LINE;
	for (int i = 0; i < 10000 && r == CONTROL_LINE; i++)
		r = controlclient_send(&p.client, line, -1);
	assert_int_equal(r, CONTROL_TIMEOUT);
	end(&p);
}

static int receive_fd(int peer, char *text, size_t room, size_t *len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec part = { .iov_base = text, .iov_len = room };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	int fd = -1;
	*len = (size_t)recvmsg(peer, &m, 0);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

static void test_pass_fd(void **state)
{
	(void)state;
	struct pair p;
	int pipe_end[2];
	char text[64], byte = 0;
	size_t len;
	begin(&p);
	assert_int_equal(pipe(pipe_end), 0);
	assert_int_equal(controlclient_send(&p.client, "attach client", pipe_end[1]), CONTROL_LINE);
	int got = receive_fd(p.peer, text, sizeof(text), &len);
	assert_int_equal(len, 14);
	assert_memory_equal(text, "attach client\n", 14);
	assert_true(got >= 0 && got != pipe_end[1]);
	/* It is that pipe, and the sender's own end is still open. */
	assert_int_equal(write(got, "x", 1), 1);
	assert_int_equal(read(pipe_end[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_true(fcntl(pipe_end[1], F_GETFD) >= 0);
	close(got);
	close(pipe_end[0]);
	close(pipe_end[1]);
	end(&p);
}

static void test_path(void **state)
{
	(void)state;
	struct controlclient c;
	char path[200];
	unsetenv("POSTERN_CONTROL");
	assert_string_equal(controlclient_path(NULL), "/run/postern/control.sock");
	setenv("POSTERN_CONTROL", "", 1);
	assert_string_equal(controlclient_path(NULL), "/run/postern/control.sock");
	setenv("POSTERN_CONTROL", "/x", 1);
	assert_string_equal(controlclient_path(NULL), "/x");
	assert_string_equal(controlclient_path("/y"), "/y");
	assert_false(controlclient_open(&c, "/nonexistent/control.sock"));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(c.fd, -1);
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_false(controlclient_open(&c, path));
	assert_int_equal(errno, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	     cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_length),	     cmocka_unit_test(test_nul),
		cmocka_unit_test(test_endless),	     cmocka_unit_test(test_send),
		cmocka_unit_test(test_send_blocked), cmocka_unit_test(test_pass_fd),
		cmocka_unit_test(test_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
