/* links: qubes-integration/xen/evtchn.c */
// SPDX-License-Identifier: ISC
/* Event channels on a shared page of the test's own: pending, masked, closed, and the timer's calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "evtchn.h"
#include "hypercall.h"
#include "trap.h"
#include "xenclock.h"
#include "xenmem.h"
#include "xenwait.h"

enum { TIMER = 9 };

static struct xen_shared_info shared;
static uint64_t clock_ns = 1000;
static struct {
	uint32_t next_port, closed, sent, timers, polls;
	uint64_t timer_ns;
	bool fail;
} xen;

struct xen_shared_info *xen_shared(void)
{
	return &shared;
}

uint64_t xenclock_now_ns(void)
{
	return clock_ns;
}

int64_t hypercall_hvm(uint32_t cmd, void *arg)
{
	const struct xen_hvm_param *param = arg;
	assert_int_equal(cmd, HVMOP_set_param);
	assert_int_equal(param->index, HVM_PARAM_CALLBACK_IRQ);
	assert_true(param->value >> 56 == 2);
	return 0;
}

int64_t hypercall_vcpu(uint32_t cmd, uint32_t vcpu, void *arg)
{
	assert_int_equal(cmd, VCPUOP_set_singleshot_timer);
	assert_int_equal(vcpu, 0);
	xen.timer_ns = ((struct xen_singleshot *)arg)->timeout_ns;
	xen.timers++;
	return 0;
}

int64_t hypercall_sched(uint32_t cmd, void *arg)
{
	const struct xen_sched_poll *poll = arg;
	assert_int_equal(cmd, SCHEDOP_poll);
	assert_int_equal(poll->count, 1);
	xen.polls += poll->ports[0];
	return 0;
}

int64_t hypercall_evtchn(uint32_t cmd, void *arg)
{
	switch (cmd) {
	case EVTCHNOP_bind_virq:
		((struct xen_evtchn_bind_virq *)arg)->port = TIMER;
		return 0;
	case EVTCHNOP_alloc_unbound:
		((struct xen_evtchn_alloc_unbound *)arg)->port = xen.next_port;
		return xen.fail ? XEN_ENOSPC : 0;
	case EVTCHNOP_bind_interdomain:
		((struct xen_evtchn_bind_interdomain *)arg)->local_port = xen.next_port;
		return xen.fail ? XEN_EINVAL : 0;
	case EVTCHNOP_close:
		xen.closed = *(uint32_t *)arg;
		return 0;
	case EVTCHNOP_send:
		xen.sent = *(uint32_t *)arg;
		return 0;
	}
	fail();
	return -1;
}

static void set_pending(uint32_t port)
{
	shared.pending[port / 64] |= UINT64_C(1) << port % 64;
}

static uint32_t halts;

/* Xen signals what becomes pending from here on, if the flags allow it. */
void trap_halt(void)
{
	assert_int_equal(shared.vcpu[0].upcall_pending, 0);
	assert_true(shared.vcpu[0].pending_sel == 0);
	halts++;
	set_pending(TIMER);
}

static bool masked(uint32_t port)
{
	return shared.mask[port / 64] >> port % 64 & 1;
}

static int setup(void **state)
{
	(void)state;
	xenwait_boot();
	return 0;
}

static void all_ports_begin_masked(void **state)
{
	(void)state;
	for (uint32_t port = 0; port < EVTCHN_PORTS; port++)
		assert_int_equal(masked(port), port != TIMER);
}

static void a_port_lives_and_ends(void **state)
{
	(void)state;
	static const uint32_t ports[] = { 1, 63, 64, 65, 127, 2000, EVTCHN_PORTS - 1 };
	for (size_t i = 0; i < array_len(ports); i++) {
		uint32_t port = 0;
		xen.next_port = ports[i];
		set_pending(ports[i]); /* came between the call and its return */
		assert_true(i % 2 ? evtchn_alloc_unbound(3, &port) : evtchn_bind_interdomain(3, 8, &port));
		assert_int_equal(port, ports[i]);
		assert_false(masked(port));
		assert_true(evtchn_pending(port));
		assert_false(evtchn_pending(port));
		evtchn_notify(port);
		assert_int_equal(xen.sent, port);
		evtchn_mask(port, true);
		assert_true(masked(port));
		evtchn_mask(port, false);
		set_pending(port);
		evtchn_close(port);
		assert_int_equal(xen.closed, port);
		assert_true(masked(port));
		assert_false(evtchn_pending(port));
	}
}

static void what_is_no_port_is_left_alone(void **state)
{
	(void)state;
	static const uint32_t ports[] = { 0, EVTCHN_PORTS, UINT32_MAX };
	uint32_t port = 77;
	xen.sent = xen.closed = 0;
	for (size_t i = 0; i < array_len(ports); i++) {
		xen.next_port = ports[i];
		assert_false(evtchn_alloc_unbound(3, &port));
		evtchn_notify(ports[i]);
		evtchn_close(ports[i]);
		evtchn_mask(ports[i], false);
		assert_false(evtchn_pending(ports[i]));
	}
	xen.next_port = 5;
	xen.fail = true;
	assert_false(evtchn_alloc_unbound(3, &port));
	assert_false(evtchn_bind_interdomain(3, 8, &port));
	xen.fail = false;
	assert_int_equal(port, 77);
	assert_int_equal(xen.sent + xen.closed, 0);
	assert_true(masked(5));
}

static void sleep_sets_the_timer_when_it_must(void **state)
{
	(void)state;
	uint32_t port;
	xen.next_port = 70;
	assert_true(evtchn_alloc_unbound(3, &port));
	set_pending(port);
	shared.vcpu[0].upcall_pending = 1;
	shared.vcpu[0].pending_sel = UINT64_MAX;
	xen.timers = 0;
	xenwait_until(clock_ns); /* over already */
	assert_int_equal(xen.timers, 0);
	xenwait_until(5000);
	assert_int_equal(xen.timers, 1);
	assert_true(xen.timer_ns == 5000);
	assert_int_equal(shared.vcpu[0].upcall_pending, 0);
	assert_true(shared.vcpu[0].pending_sel == 0);
	xenwait_until(9000); /* the one that is set comes first: a wake too many, a call less */
	assert_int_equal(xen.timers, 1);
	xenwait_until(3000);
	assert_int_equal(xen.timers, 2);
	clock_ns = 4000;
	xenwait_until(9000);
	assert_int_equal(xen.timers, 3);
	set_pending(TIMER); /* fired */
	xenwait_until(20000);
	assert_int_equal(xen.timers, 3);
	xenwait_until(20000);
	assert_int_equal(xen.timers, 4);
	xenwait_until(UINT64_MAX);
	assert_int_equal(xen.timers, 4);
	assert_int_equal(halts, 0); /* something was pending all the time */
	assert_true(evtchn_pending(port));
	xenwait_until(20000);
	assert_int_equal(halts, 1);
	assert_false(evtchn_pending(TIMER));
	evtchn_mask(port, true);
	set_pending(port); /* of no interest */
	xenwait_until(20000);
	assert_int_equal(halts, 2);
	evtchn_close(port);
}

static void one_port_is_waited_for_by_poll(void **state)
{
	(void)state;
	xen.polls = 0;
	xenwait_port(12, 5000);
	assert_int_equal(xen.polls, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ports_begin_masked),
		cmocka_unit_test(a_port_lives_and_ends),
		cmocka_unit_test(what_is_no_port_is_left_alone),
		cmocka_unit_test(sleep_sets_the_timer_when_it_must),
		cmocka_unit_test(one_port_is_waited_for_by_poll),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
