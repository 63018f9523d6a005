/* links: tools/child.c */
// SPDX-License-Identifier: ISC
/* Programs that are kept running: their words, when they are started again, and their ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

static struct child c;

static int begin(void **state)
{
	(void)state;
	c = (struct child){ .name = "it" };
	return 0;
}

static int end(void **state)
{
	(void)state;
	child_forget_words(&c);
	return 0;
}

static void words(const char *shell)
{
	child_forget_words(&c);
	child_word(&c, "/bin/sh");
	child_option(&c, "-c", shell);
}

static int status_of(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_words(void **state)
{
	(void)state;
	child_word(&c, "a");
	child_option(&c, "--b", "c");
	child_option(&c, "--none", "");
	child_option(&c, "--none", NULL);
	assert_int_equal(c.words, 3);
	assert_string_equal(c.word[2], "c");
	assert_null(c.word[3]);
	child_forget_words(&c);
	assert_int_equal(c.words, 0);
	assert_null(c.word[0]);
}

/* Twice as long each time it dies young, up to a limit; anew when it had lived. */
static void test_again(void **state)
{
	(void)state;
	int64_t now = 1000, wait = CHILD_AGAIN_MS;
	for (int i = 0; i < 20; i++) {
		c.pid = 7;
		c.ready = true;
		c.born_ms = now;
		now += CHILD_OLD_MS - 1;
		child_died(&c, now);
		assert_int_equal(c.pid, 0);
		assert_false(c.ready);
		assert_true(c.wait_ms == wait && c.again_ms == now + wait);
		wait = wait * 2 < CHILD_AGAIN_MAX_MS ? wait * 2 : CHILD_AGAIN_MAX_MS;
	}
	assert_true(c.wait_ms == CHILD_AGAIN_MAX_MS);
	c.born_ms = now;
	child_died(&c, now + CHILD_OLD_MS);
	assert_true(c.wait_ms == CHILD_AGAIN_MS);
}

static void test_start(void **state)
{
	(void)state;
	words("exit 3");
	c.ready = true;
	assert_true(child_start(&c, 50));
	assert_true(c.pid > 0 && c.born_ms == 50);
	assert_false(c.ready);
	int status = status_of(c.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	/* signals that we hold back are not held back there */
	sigset_t set, before;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	words("kill -TERM $$; exit 4");
	assert_true(child_start(&c, 60));
	sigprocmask(SIG_SETMASK, &before, NULL);
	status = status_of(c.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Whoever started it is gone: so is the child. */
static void test_ends_with_its_parent(void **state)
{
	(void)state;
	int ends[2];
	char byte;
	alarm(120); /* it may hang if it fails */
	assert_int_equal(pipe(ends), 0);
	pid_t parent = fork();
	if (parent == 0) {
		close(ends[0]);
		words("echo up >&2; exec sleep 1000"); /* holds the pipe open for as long as it lives */
		dup2(ends[1], STDERR_FILENO);
		child_start(&c, 0);
		pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	kill(parent, SIGKILL);
	status_of(parent);
	while (read(ends[0], &byte, 1) == 1)
		;
	close(ends[0]);
	alarm(0);
}

static void test_run(void **state)
{
	(void)state;
	char shell[] = "/bin/sh", option[] = "-c", five[] = "exit 5", nowhere[] = "/nowhere", crash[] = "kill -9 $$";
	assert_int_equal(child_run((char *[]){ shell, option, five, NULL }), 5);
	assert_int_equal(child_run((char *[]){ nowhere, NULL }), 127);
	assert_int_equal(child_run((char *[]){ shell, option, crash, NULL }), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_words),
		TEST(test_again),
		TEST(test_start),
		TEST(test_ends_with_its_parent),
		TEST(test_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
