// SPDX-License-Identifier: ISC
/* Event channels on the shared page, and the sleep that they end. */
#include "evtchn.h"

#include "hypercall.h"
#include "trap.h"
#include "xenclock.h"
#include "xenmem.h"
#include "xenwait.h"

enum { WORD_BITS = 64, WORDS = EVTCHN_PORTS / WORD_BITS };

static const uint64_t SLEEP_MAX_NS = UINT64_C(60) * 1000 * 1000 * 1000;

static uint32_t timer_port;
static uint32_t words_used; /* of the shared bitmaps */
static uint64_t armed_ns;   /* when the timer fires; 0: it does not */
static uint32_t open_count;

static uint64_t bit_of(uint32_t port)
{
	return UINT64_C(1) << port % WORD_BITS;
}

static bool known(uint32_t port)
{
	return port > 0 && port < EVTCHN_PORTS;
}

void evtchn_mask(uint32_t port, bool masked)
{
	if (!known(port))
		return;
	uint64_t *word = &xen_shared()->mask[port / WORD_BITS];
	if (masked)
		__atomic_fetch_or(word, bit_of(port), __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(word, ~bit_of(port), __ATOMIC_SEQ_CST);
}

static bool adopt(int64_t result, uint32_t port, uint32_t *out)
{
	if (result != 0 || !known(port))
		return false;
	if (words_used < port / WORD_BITS + 1)
		words_used = port / WORD_BITS + 1;
	evtchn_mask(port, false); /* an event that came since stays pending */
	*out = port;
	open_count++;
	return true;
}

bool evtchn_alloc_unbound(uint16_t domid, uint32_t *port)
{
	struct xen_evtchn_alloc_unbound op = { .domid = XEN_DOMID_SELF, .remote = domid };
	int64_t result = hypercall_evtchn(EVTCHNOP_alloc_unbound, &op);
	return adopt(result, op.port, port);
}

bool evtchn_bind_interdomain(uint16_t domid, uint32_t remote, uint32_t *port)
{
	struct xen_evtchn_bind_interdomain op = { .remote = domid, .remote_port = remote };
	int64_t result = hypercall_evtchn(EVTCHNOP_bind_interdomain, &op);
	return adopt(result, op.local_port, port);
}

bool evtchn_given(uint32_t port)
{
	return adopt(0, port, &port);
}

void evtchn_close(uint32_t port)
{
	if (!known(port))
		return;
	evtchn_mask(port, true);
	if (hypercall_evtchn(EVTCHNOP_close, &port) == 0)
		open_count--;
	(void)evtchn_pending(port);
}

uint32_t evtchn_open_count(void)
{
	return open_count;
}

void evtchn_notify(uint32_t port)
{
	if (known(port))
		(void)hypercall_evtchn(EVTCHNOP_send, &port);
}

bool evtchn_pending(uint32_t port)
{
	if (!known(port))
		return false;
	uint64_t *word = &xen_shared()->pending[port / WORD_BITS];
	if (!(__atomic_load_n(word, __ATOMIC_ACQUIRE) & bit_of(port)))
		return false;
	return __atomic_fetch_and(word, ~bit_of(port), __ATOMIC_SEQ_CST) & bit_of(port);
}

static bool any_pending(void)
{
	const struct xen_shared_info *shared = xen_shared();
	for (uint32_t i = 0; i < words_used; i++)
		if (__atomic_load_n(&shared->pending[i], __ATOMIC_ACQUIRE) & ~shared->mask[i])
			return true;
	return false;
}

/* --- sleep ---------------------------------------------------------------------------- */

void xenwait_boot(void)
{
	struct xen_evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
	struct xen_hvm_param param = {
		.domid = XEN_DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = HVM_CALLBACK_VECTOR(TRAP_UPCALL_VECTOR),
	};
	for (uint32_t i = 0; i < WORDS; i++)
		__atomic_store_n(&xen_shared()->mask[i], UINT64_MAX, __ATOMIC_SEQ_CST);
	if (hypercall_hvm(HVMOP_set_param, &param) != 0)
		panic("Xen takes no event vector");
	int64_t result = hypercall_evtchn(EVTCHNOP_bind_virq, &virq);
	if (!adopt(result, virq.port, &timer_port))
		panic("Xen gives no timer");
}

static void arm(uint64_t now, uint64_t deadline)
{
	if (armed_ns > now && armed_ns <= deadline)
		return;
	struct xen_singleshot timer = { .timeout_ns = deadline };
	(void)hypercall_vcpu(VCPUOP_set_singleshot_timer, 0, &timer);
	armed_ns = deadline;
}

void xenwait_until(uint64_t deadline_ns)
{
	struct xen_vcpu_info *vcpu = &xen_shared()->vcpu[0];
	uint64_t now = xenclock_now_ns();
	if (deadline_ns <= now)
		return;
	arm(now, deadline_ns - now < SLEEP_MAX_NS ? deadline_ns : now + SLEEP_MAX_NS);
	/*
	 * Whatever becomes pending after the flags are cleared raises the
	 * upcall, which then ends the halt; whatever was before is found in the
	 * bitmaps.
	 */
	__atomic_store_n(&vcpu->upcall_pending, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->pending_sel, 0, __ATOMIC_SEQ_CST);
	if (!any_pending())
		trap_halt();
	if (evtchn_pending(timer_port))
		armed_ns = 0;
}

void xenwait_port(uint32_t port, uint64_t deadline_ns)
{
	uint32_t ports[1] = { port };
	struct xen_sched_poll poll = { .ports = ports, .count = 1, .timeout_ns = deadline_ns };
	(void)hypercall_sched(SCHEDOP_poll, &poll);
}
