/* links: tools/http_request.c tools/http_listen.c tools/http_serve.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* test_http.c: requests taken apart, and a real server with askers who are slow, long, many and rude. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "http_serve.h"
#include "verbs.h"

enum { BIG = 3 << 20, PATIENCE_S = 60 };

/* The tools' own, without the table of verbs behind it. */
int complain(enum verb_exit code, const char *format, ...)
{
	(void)format;
	return (int)code;
}

/* --- the parser ----------------------------------------------------------------------- */

static bool view_is(struct cursor c, const char *text)
{
	return c.left == strlen(text) && !memcmp(c.at, text, c.left);
}

static void test_requests(void **state)
{
	static const struct {
		const char *text;
		enum http_status is;
		const char *path, *query, *host;
		bool openmetrics;
	} cases[] = {
		{ "GET /metrics HTTP/1.0\r\n\r\n", HTTP_OK, "/metrics", "", NULL, false },
		{ "GET /metrics?x=1&y HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OK, "/metrics", "x=1&y", "a", false },
		{ "GET /?a?b HTTP/1.1\nhOsT:\t127.0.0.1:80 \n\n", HTTP_OK, "/", "a?b", "127.0.0.1:80", false },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_OK, "/", "", "", false },
		{ "GET / HTTP/1.0\r\nAccept: a, application/openmetrics-text;q=1\r\n\r\n", HTTP_OK, "/", "", NULL, true },
		{ "GET / HTTP/1.0\r\nX: application/openmetrics-text\r\n\r\n", HTTP_OK, "/", "", NULL, false },
		{ "GET / HTTP/1.0\r\nAccept: */*\r\nX: application/openmetrics-text\r\n\r\n", HTTP_OK, "/", "", NULL, false },
		{ "HEAD / HTTP/1.0\r\n\r\n", HTTP_NOT_ALLOWED, NULL, NULL, NULL, false },
		{ "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", HTTP_NOT_ALLOWED, NULL, NULL, NULL, false },
		{ "get / HTTP/1.0\r\n\r\n", HTTP_NOT_ALLOWED, NULL, NULL, NULL, false },
		{ "GET / HTTP/2.0\r\n\r\n", HTTP_VERSION_UNKNOWN, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.2\r\n\r\n", HTTP_VERSION_UNKNOWN, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.10\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / http/1.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET /  HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET  / HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET /metrics\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET /metrics\r\nX: HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET http://127.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET /#a HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\n: nothing\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "\r\n\r\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false }, { "GET", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
		{ "", HTTP_BAD_REQUEST, NULL, NULL, NULL, false }, { "GET \n\n", HTTP_BAD_REQUEST, NULL, NULL, NULL, false },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct http_request r;
		enum http_status is = http_request_parse(&r, cases[i].text, strlen(cases[i].text));
		if (is != cases[i].is)
			fail_msg("%s: %d", cases[i].text, (int)is);
		if (is != HTTP_OK)
			continue;
		if (!http_path_is(&r, cases[i].path) || !view_is(r.query, cases[i].query) ||
		    r.openmetrics != cases[i].openmetrics || !r.host.at != !cases[i].host ||
		    (cases[i].host && !view_is(r.host, cases[i].host)))
			fail_msg("%s: other parts", cases[i].text);
	}
}

static void test_long_target(void **state)
{
	char text[HTTP_TARGET_MAX + 64] = "GET /";
	struct http_request r;
	(void)state;
	for (size_t n = HTTP_TARGET_MAX - 1; n <= HTTP_TARGET_MAX; n++) {
		memset(text + 5, 'a', n);
		strcpy(text + 5 + n, " HTTP/1.0\r\n\r\n");
		assert_int_equal(http_request_parse(&r, text, strlen(text)),
				 n < HTTP_TARGET_MAX ? HTTP_OK : HTTP_TARGET_TOO_LONG);
	}
}

static void test_head_length(void **state)
{
	static const struct { const char *text; size_t len; } cases[] = {
		{ "", 0 }, { "\n", 0 }, { "\r\n", 0 }, { "\r\n\r\n", 4 }, { "a\n\nb", 3 }, { "a\r\n\r\nb", 5 },
		{ "a\r\n\n", 4 }, { "a\r\nb\r\n", 0 }, { "a\r\nb\r\n\r\n", 8 }, { "a\n\r", 0 }, { "a\n \n\n", 5 },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(http_head_length(cases[i].text, strlen(cases[i].text)), cases[i].len);
}

static void test_query(void **state)
{
	static const struct { const char *query, *name, *value; } cases[] = {
		{ "q=a", "q", "a" }, { "x=1&q=a+b%2Fc", "q", "a b/c" }, { "q=", "q", "" }, { "q", "q", "" },
		{ "qq=1", "q", NULL }, { "", "q", NULL }, { "q=%4", "q", NULL }, { "q=%zz", "q", NULL },
		{ "q=a%00b", "q", NULL }, { "q=%0a", "q", NULL }, { "q=1&q=2", "q", "1" }, { "q=1234567", "q", "1234567" },
		{ "q=12345678", "q", NULL }, { "q=%c3%a9", "q", "\xc3\xa9" }, { "a=b=c", "a", "b=c" },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct http_request r = { .query = cursor_of(cases[i].query, strlen(cases[i].query)) };
		char value[8] = "before";
		bool there = http_query(&r, cases[i].name, value, sizeof(value));
		if (there != (cases[i].value != NULL) || strcmp(value, there ? cases[i].value : ""))
			fail_msg("%s: %s", cases[i].query, value);
	}
}

static void test_hosts(void **state)
{
	static const struct { const char *host; bool here; } cases[] = {
		{ NULL, true }, { "127.0.0.1", true }, { "127.0.0.1:8044", true }, { "127.9.9.9:1", true },
		{ "localhost", true }, { "LocalHost:8044", true }, { "[::1]", true }, { "[::1]:80", true },
		{ "", false }, { "localhost.evil.example", false }, { "localhostx", false }, { "127.0.0.1.evil.example", false },
		{ "127.0.0.1:8044x", false }, { "127.0.0.1:", false }, { "evil.example:8044", false }, { "10.0.0.1", false },
		{ "[::2]", false }, { "[::1", false }, { "::1", false }, { "127.0.0.1@evil.example", false },
		{ "2130706433", false }, { "localhost:99999", false },
	};
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct http_request r = { .openmetrics = false };
		if (cases[i].host)
			r.host = cursor_of(cases[i].host, strlen(cases[i].host));
		if (http_host_is_here(&r) != cases[i].here)
			fail_msg("%s", cases[i].host);
	}
}

/* --- the server ------------------------------------------------------------------------- */

struct lab {
	char path[64], where[80];
	pid_t server;
};

static void answer(void *context, const struct http_request *r, struct http_answer *a)
{
	(void)context;
	a->type = "text/plain";
	if (http_path_is(r, "/big")) {
		a->owned = malloc(BIG);
		memset(a->owned, 'x', BIG);
		a->body = a->owned;
		a->len = BIG;
	} else if (http_path_is(r, "/")) {
		a->body = "hello";
		a->len = 5;
	} else {
		a->status = HTTP_NOT_FOUND;
	}
}

static int tick(void *context)
{
	(void)context;
	return 50;
}

static int asking(const struct lab *lab)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	strcpy(at.sun_path, lab->path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (int i = 0; connect(fd, (struct sockaddr *)&at, sizeof(at)); i++) {
		if (i == PATIENCE_S * 100)
			fail_msg("nobody listens");
		usleep(10000);
	}
	return fd;
}

static void say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Everything up to the end; how much it was. The beginning is kept. */
static size_t hear(int fd, char *to, size_t room)
{
	char bytes[65536];
	size_t len = 0;
	for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0; len += (size_t)n)
		if (len < room - 1)
			memcpy(to + len, bytes, (size_t)n < room - 1 - len ? (size_t)n : room - 1 - len);
	to[len < room - 1 ? len : room - 1] = 0;
	close(fd);
	return len;
}

static void expect(const struct lab *lab, const char *request, const char *begins)
{
	char text[512];
	int fd = asking(lab);
	say(fd, request);
	hear(fd, text, sizeof(text));
	if (strncmp(text, begins, strlen(begins)))
		fail_msg("%s: %s", request, text);
}

static int setup(void **state)
{
	static struct lab lab;
	snprintf(lab.path, sizeof(lab.path), "/tmp/test_http.%ld", (long)getpid());
	snprintf(lab.where, sizeof(lab.where), "unix:%s", lab.path);
	lab.server = fork();
	if (!lab.server) {
		const struct http_site site = { .answer = answer, .tick = tick, .fields = "X-More: yes\r\n" };
		_exit(http_serve(lab.where, &site));
	}
	*state = &lab;
	return lab.server < 0;
}

static int teardown(void **state)
{
	const struct lab *lab = *state;
	int status = -1;
	kill(lab->server, SIGTERM);
	waitpid(lab->server, &status, 0);
	return status || !access(lab->path, F_OK);
}

static void test_answers(void **state)
{
	char text[512];
	int fd = asking(*state);
	say(fd, "GET / HT");
	say(fd, "TP/1.0\r\n\r");
	say(fd, "\nmore than was asked for");
	hear(fd, text, sizeof(text));
	assert_non_null(strstr(text, "HTTP/1.0 200 OK\r\n"));
	assert_non_null(strstr(text, "\r\nX-More: yes\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nhello"));
	expect(*state, "GET /nowhere HTTP/1.0\r\n\r\n", "HTTP/1.0 404 Not Found\r\n");
	expect(*state, "DELETE / HTTP/1.0\r\n\r\n", "HTTP/1.0 405 Method Not Allowed\r\n");
	expect(*state, "nonsense\n\n", "HTTP/1.0 400 Bad Request\r\n");
}

static void test_too_long(void **state)
{
	static char text[4 * HTTP_REQUEST_BYTES];
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "GET / HTTP/1.0\r\nX: ", 19);
	expect(*state, text, "HTTP/1.0 431 ");
}

static void test_big_answer_to_slow_reader(void **state)
{
	char text[512];
	int slow = asking(*state);
	say(slow, "GET /big HTTP/1.0\r\n\r\n");
	/* He reads nothing yet, and the others notice nothing of that. */
	for (int i = 0; i < 20; i++)
		expect(*state, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n");
	assert_true(hear(slow, text, sizeof(text)) > BIG);
	assert_non_null(strstr(text, "HTTP/1.0 200 OK\r\n"));
}

static void test_silence_is_hung_up_on(void **state)
{
	char text[64];
	int silent[3 * HTTP_PLACES];
	for (size_t i = 0; i < array_len(silent); i++) {
		silent[i] = asking(*state);
		say(silent[i], "GET /");
	}
	expect(*state, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n");
	for (size_t i = 0; i < array_len(silent); i++)
		assert_int_equal(hear(silent[i], text, sizeof(text)), 0);
}

static void test_where(void **state)
{
	static const struct { const char *where; int code; } cases[] = {
		{ "192.0.2.1:9100", EXIT_USAGE }, { "0.0.0.0:80", EXIT_USAGE }, { "127.0.0.1", EXIT_USAGE },
		{ "127.0.0.1:0", EXIT_USAGE }, { "127.0.0.1:80x", EXIT_USAGE }, { "[::]:80", EXIT_USAGE },
		{ "unix:", EXIT_USAGE }, { "localhost:80", EXIT_USAGE }, { "unix:/nowhere/at/all", EXIT_REFUSED },
	};
	const struct http_site site = { .answer = answer };
	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_int_equal(http_serve(cases[i].where, &site), cases[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_long_target), cmocka_unit_test(test_head_length),
		cmocka_unit_test(test_query), cmocka_unit_test(test_hosts), cmocka_unit_test(test_where),
		cmocka_unit_test(test_answers), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_big_answer_to_slow_reader), cmocka_unit_test(test_silence_is_hung_up_on),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
