// SPDX-License-Identifier: ISC
/* postern-tender: options, descriptors, memory, sandbox, and then the guest. */
#include "tender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

struct tender tender;
volatile sig_atomic_t stop_asked;

static struct options options;

void say(const char *what, const char *detail)
{
	fprintf(stderr, "postern-tender: %s%s\n", what, detail);
}

_Noreturn void die(int status, const char *what, const char *detail)
{
	say(what, detail);
	exit(status);
}

_Noreturn void die_errno(const char *what, const char *detail)
{
	fprintf(stderr, "postern-tender: %s%s: %s\n", what, detail, strerror(errno));
	exit(EXIT_SETUP);
}

/* --- signals: async-signal-safe --- */

static void on_stop(int signal_number)
{
	(void)signal_number;
	int saved = errno;
	const struct itimerval grace = { .it_value = { .tv_sec = 1, .tv_usec = 500000 } };
	const uint64_t one = 1;
	if (!stop_asked)
		setitimer(ITIMER_REAL, &grace, NULL);
	stop_asked = 1;
	(void)!write(FD_WAKE, &one, sizeof(one));
	errno = saved;
}

static void on_grace_over(int signal_number)
{
	static const char text[] = "postern-tender: the guest did not end by itself\n";
	(void)signal_number;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_OK);
}

static void on_crash(int signal_number, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	char line[160];
	struct text t = text_on(line);
	text_put(&t, "postern-tender: crash, signal ");
	text_u64(&t, (uint64_t)signal_number);
	text_put(&t, " at ");
	text_hex(&t, (uint64_t)u->uc_mcontext.gregs[REG_RIP], 16);
	text_put(&t, ", address ");
	text_hex(&t, (uint64_t)(uintptr_t)info->si_addr, 16);
	text_char(&t, '\n');
	(void)!write(STDERR_FILENO, line, t.len);
	_exit(EXIT_CRASH);
}

static void catch_signals(void)
{
	static uint8_t stack[64 * 1024];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction stop = { .sa_handler = on_stop, .sa_flags = SA_ONSTACK };
	const struct sigaction over = { .sa_handler = on_grace_over, .sa_flags = SA_ONSTACK };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction crash = { .sa_sigaction = on_crash, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	sigset_t none;
	sigemptyset(&none);
	if (sigaltstack(&alternate, NULL) || sigprocmask(SIG_SETMASK, &none, NULL) ||
	    sigaction(SIGTERM, &stop, NULL) || sigaction(SIGINT, &stop, NULL) ||
	    sigaction(SIGALRM, &over, NULL) || sigaction(SIGPIPE, &ignore, NULL) ||
	    sigaction(SIGHUP, &ignore, NULL))
		die_errno("signals", "");
	for (size_t i = 0; i < array_len(crashes); i++)
		if (sigaction(crashes[i], &crash, NULL))
			die_errno("signals", "");
}

/* --- options --- */

static void read_config(void)
{
	static char bytes[256 * 1024];
	char reason[320];
	struct text why = text_on(reason);
	int fd = open(options.config, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (len < 0)
		die_errno("configuration ", options.config);
	if (len == (ssize_t)sizeof(bytes))
		die(EXIT_BAD_CONFIG, "configuration too large: ", options.config);
	close(fd);
	if (!options_file(&options, bytes, (size_t)len, &why))
		die(EXIT_BAD_CONFIG, "configuration, ", reason);
}

static void read_options(int argc, char **argv)
{
	char reason[320];
	struct text why = text_on(reason);
	options_init(&options);
	bool ok = options_args(&options, argc, argv, &why);
	if (ok && options.help) {
		fputs(options_usage, stdout);
		exit(EXIT_OK);
	}
	if (ok && options.config[0])
		read_config();
	if (ok)
		ok = options_check(&options, &why);
	if (!ok) {
		say(reason, "");
		fputs(options_usage, stderr);
		exit(EXIT_USAGE);
	}
	tender.options = &options;
}

/* --- descriptors --- */

static void place(int fd, int at)
{
	if (fd < 0 || dup3(fd, at, O_CLOEXEC) < 0)
		die_errno("descriptors", "");
	close(fd);
}

/* A descriptor given by number must not stand where ours will. */
static int out_of_the_way(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_PORT_FIRST + PORT_COUNT);
	if (moved < 0)
		die_errno("the descriptor given", "");
	return moved;
}

static void move_given(struct option_port *about)
{
	if (about->fd >= 0)
		about->fd = out_of_the_way(about->fd);
}

static void prepare_descriptors(void)
{
	struct rlimit files = { FD_LIMIT, FD_LIMIT };
	if (setrlimit(RLIMIT_NOFILE, &files))
		die_errno("1280 descriptors", "");
	move_given(&options.uplink);
	for (uint32_t i = 0; i < options.client_count; i++)
		move_given(&options.client[i]);
	/* nothing else that was left open may reach the guest */
	if (close_range(STDERR_FILENO + 1, FD_PORT_FIRST + PORT_COUNT - 1, 0))
		die_errno("descriptors", "");
	place(epoll_create1(EPOLL_CLOEXEC), FD_EPOLL);
	place(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FD_WAKE);
	if (!pump_watch(FD_WAKE, EPOLLIN, WATCH_WAKE, 0))
		die_errno("epoll", "");
}

static void open_ports(void)
{
	ports_setup();
	if (options.has_uplink)
		ports_open(PORT_UPLINK, &options.uplink);
	for (uint32_t i = 0; i < options.client_count; i++)
		ports_open(PORT_CLIENT_FIRST, &options.client[i]);
	if (options.store[0])
		store_setup();
	if (options.control[0])
		control_setup(options.control);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	tender.memory.bytes = (uint64_t)options.mem_mib << 20;
	tender.mode = options.mode == OPTION_HVT || (options.mode == OPTION_AUTO && hvt_available()) ?
		MODE_HVT : MODE_SPT;
	prepare_descriptors();
	broker_setup(options.store);
	memory_load(&tender.memory, options.image);
	if (tender.mode == MODE_HVT)
		hvt_setup(&tender.memory);
	else
		spt_setup(&tender.memory);
	buffers_setup();
	open_ports();
	cpus_setup();
	spin_setup();
	catch_signals();
	sandbox_enter();
	if (tender.mode == MODE_HVT)
		hvt_run(&tender.memory);
	spt_run(&tender.memory);
}
