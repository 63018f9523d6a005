// SPDX-License-Identifier: ISC
/* Gives up every privilege and every system call that the running guest does not need. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static scmp_filter_ctx filter;

void sandbox_allow(int syscall_number, unsigned count, const struct scmp_arg_cmp *args)
{
	int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, syscall_number, count, args);
	if (error) {
		errno = -error;
		die_errno("seccomp rule", "");
	}
}

#define ALLOW SANDBOX_ALLOW
#define EQ SANDBOX_EQ
#define RANGE SANDBOX_RANGE

static void allow_always(void)
{
	ALLOW(write, EQ(0, STDERR_FILENO));
	ALLOW(write, EQ(0, FD_WAKE));
	ALLOW(read, EQ(0, FD_WAKE));
	for (size_t i = 0; drivers[i]; i++)
		drivers[i]->allow();
	ALLOW(epoll_pwait2, EQ(0, FD_EPOLL));
	ALLOW(epoll_ctl, EQ(0, FD_EPOLL));
	ALLOW(ppoll, EQ(1, 1)); /* the console's readiness */
	ALLOW(setitimer, EQ(0, 0));
	sandbox_allow(SCMP_SYS(sched_yield), 0, NULL);
	sandbox_allow(SCMP_SYS(clock_gettime), 0, NULL);
	sandbox_allow(SCMP_SYS(close), 0, NULL);
	sandbox_allow(SCMP_SYS(rt_sigreturn), 0, NULL);
	sandbox_allow(SCMP_SYS(exit_group), 0, NULL);
}

static void allow_sockets(void)
{
	ALLOW(recvmsg, RANGE(0, FD_SOCKET_FIRST, FD_SOCKET_MASK));
	ALLOW(recvfrom, RANGE(0, FD_SOCKET_FIRST, FD_SOCKET_MASK));
	ALLOW(sendto, RANGE(0, FD_SOCKET_FIRST, FD_SOCKET_MASK), EQ(4, 0));
	ALLOW(dup3, RANGE(1, FD_SOCKET_FIRST, FD_SOCKET_MASK));
	ALLOW(recvmsg, EQ(0, FD_BROKER));
	ALLOW(sendmsg, EQ(0, FD_BROKER));
	if (tender.options->control[0]) {
		ALLOW(accept4, EQ(0, FD_LISTEN));
		ALLOW(dup3, RANGE(1, FD_PORT_FIRST, FD_PORT_MASK));
		sandbox_allow(SCMP_SYS(dup), 0, NULL);
	}
}

static void allow_vcpu(void)
{
	ALLOW(ioctl, EQ(0, hvt_vcpu_fd()), EQ(1, KVM_RUN));
	ALLOW(ioctl, EQ(0, hvt_vcpu_fd()), EQ(1, KVM_GET_REGS)); /* to say where it crashed */
	sandbox_allow(SCMP_SYS(futex), 0, NULL); /* the two threads */
}

/* What every packet costs is asked for first. */
static void judge_first(void)
{
	static const int often[] = { SCMP_SYS(read), SCMP_SYS(writev), SCMP_SYS(epoll_pwait2) };
	for (size_t i = 0; i < array_len(often); i++)
		(void)seccomp_syscall_priority(filter, often[i], (uint8_t)(UINT8_MAX - i)); /* only a hint */
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* not root: nothing to drop, and capset decides */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, none))
		die_errno("giving capabilities up", "");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die_errno("no_new_privs", "");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		die_errno("dumpable", "");
}

static void limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit r = { value, value };
	if (setrlimit(resource, &r))
		die_errno("resource limit", "");
}

static void begin(void)
{
	drop_capabilities();
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1))
		die(EXIT_SETUP, "seccomp", "");
}

static void load(void)
{
	int error = seccomp_load(filter);
	if (error) {
		errno = -error;
		die_errno("seccomp", "");
	}
	/* the filter stands; its description may stay in memory */
}

void sandbox_enter_broker(void)
{
	begin();
	ALLOW(recvmsg, EQ(0, FD_BROKER));
	ALLOW(sendmsg, EQ(0, FD_BROKER));
	ALLOW(socket, EQ(0, AF_UNIX), EQ(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), EQ(2, 0));
	sandbox_allow(SCMP_SYS(connect), 0, NULL); /* a filter cannot read the path; the guest has no say here */
	sandbox_allow(SCMP_SYS(close), 0, NULL);
	sandbox_allow(SCMP_SYS(exit_group), 0, NULL);
	load();
}

void sandbox_enter(void)
{
	begin();
	if (hvt_vcpu_fd() >= 0)
		vcpu_start(); /* with nothing more than we have; the filter will hold for both */
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FD_LIMIT);
	limit(RLIMIT_NPROC, 0);
	allow_always();
	allow_sockets();
	if (hvt_vcpu_fd() >= 0)
		allow_vcpu();
	judge_first();
	load();
}
