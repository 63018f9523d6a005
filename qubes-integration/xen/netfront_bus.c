// SPDX-License-Identifier: ISC
/* The uplink's device: found, connected, let go when its backend goes, found again. */
#include "netfront_nic.h"

#define LOOK_AGAIN_NS UINT64_C(30000000000) /* should a watch event have been lost */
#define RETRY_NS UINT64_C(500000000)
#define HOLD_NS UINT64_C(1000000000)        /* after a backend that broke the protocol */
#define REOPEN_NS UINT64_C(5000000000)      /* between questions to a closed backend */

enum { MTU_DEFAULT = 1500, MTU_MIN = 576, MTU_MAX = 9000, NAMES_BYTES = 512, TX_TRIES = 8 };

static const char vif_dir[] = "device/vif";

static void let_go(enum nic_stage stage, uint64_t now_ns)
{
	if (nic.stage == NIC_OFFERED || nic.stage == NIC_CONNECTED)
		nic_take_back();
	if (nic.stage == NIC_CONNECTED)
		netbus_log(nic.dir, "disconnected");
	nic.stage = stage;
	nic.since_ns = now_ns;
	if (stage == NIC_ABSENT)
		nic.dir[0] = nic.backend[0] = 0;
}

static bool write_state(enum xenbus_state state)
{
	if (nic.state == state)
		return true;
	if (netbus_put_state(nic.dir, state) != XS_RESULT_OK)
		return false;
	nic.state = state;
	return true;
}

static void dir_of(char dir[NETBUS_DIR_BYTES], const char *handle)
{
	struct text t = text_of(dir, NETBUS_DIR_BYTES);
	text_put(&t, vif_dir);
	text_char(&t, '/');
	text_put(&t, handle);
}

struct peer { char backend[NETBUS_DIR_BYTES]; uint32_t domid; };
enum { DOMID_NONE = UINT32_MAX };

/* Its keys may come one after another. False: xenstored did not say. */
static bool identify(const char *dir, struct peer *p)
{
	p->domid = DOMID_NONE;
	return netbus_ask_text(dir, "backend", p->backend, sizeof(p->backend)) &&
	       netbus_ask_u32(dir, "backend-id", UINT16_MAX, &p->domid);
}

static bool complete(const struct peer *p)
{
	return p->backend[0] && p->domid != DOMID_NONE;
}

/* The first device whose keys are there and whose backend is not closed, or else the first with keys. */
static bool find(uint64_t now_ns)
{
	char names[NAMES_BYTES], dir[NETBUS_DIR_BYTES];
	struct peer peer;
	size_t len = 0;
	bool found = false;
	enum xs_result result = xs_directory(XS_NO_TX, vif_dir, names, sizeof(names), &len);
	if (result == XS_RESULT_NOENT)
		return false;
	nic.timer_ns = now_ns + RETRY_NS; /* there is one, incomplete, or xenstored did not say */
	if (result != XS_RESULT_OK)
		return false;
	for (size_t i = 0; i < len; i++) {
		enum xenbus_state state;
		dir_of(dir, names + i);
		if (identify(dir, &peer) && complete(&peer)) {
			bool alive = netbus_state(peer.backend, &state) && state != XENBUS_UNKNOWN &&
				     state < XENBUS_CLOSING;
			if (!found || alive) {
				memcpy(nic.dir, dir, sizeof(dir));
				memcpy(nic.backend, peer.backend, sizeof(peer.backend));
				nic.domid = (uint16_t)peer.domid;
				found = true;
			}
			if (alive)
				break;
		}
		while (i < len && names[i])
			i++;
	}
	return found;
}

static bool contains(const char *text, const char *word)
{
	for (; *text; text++) {
		size_t i = 0;
		while (word[i] && text[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

/* A routed backend, as in Qubes, is fe:ff:ff:ff:ff:ff and need not answer ARP; behind a bridge stand others. */
static void describe(void)
{
	char text[NETBUS_DIR_BYTES];
	uint32_t mtu = MTU_DEFAULT;
	if (!netbus_u32(nic.dir, "mtu", MTU_MAX, &mtu))
		(void)netbus_u32(nic.backend, "mtu", MTU_MAX, &mtu);
	nic.mtu = (uint16_t)(mtu < MTU_MIN ? MTU_MIN : mtu);
	bool bridge = netbus_text(nic.backend, "script", text, sizeof(text)) && contains(text, "bridge");
	nic.theirs = bridge ? (struct mac){ { 0 } } : (struct mac){ { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
}

static bool read_mac(void)
{
	char text[MAC_TEXT] = "";
	if (!netbus_text(nic.dir, "mac", text, sizeof(text)))
		return false;
	struct cursor c = cursor_of(text, sizeof(text) - 1);
	return parse_mac(&c, &nic.mac);
}

static bool write_keys(uint32_t tx)
{
	static const struct { const char *key, *value; } fixed[] = {
		{ "request-rx-copy", "1" }, { "feature-rx-notify", "1" }, { "feature-sg", "1" },
		{ "feature-gso-tcpv4", "1" }, { "feature-gso-tcpv6", "1" }, { "feature-ipv6-csum-offload", "1" },
	};
	for (size_t i = 0; i < array_len(fixed); i++)
		if (netbus_put(tx, nic.dir, fixed[i].key, fixed[i].value) != XS_RESULT_OK)
			return false;
	return netbus_put_u32(tx, nic.dir, "tx-ring-ref", nic.tx_ref) == XS_RESULT_OK &&
	       netbus_put_u32(tx, nic.dir, "rx-ring-ref", nic.rx_ref) == XS_RESULT_OK &&
	       netbus_put_u32(tx, nic.dir, "event-channel", nic.evtchn) == XS_RESULT_OK;
}

static bool publish(void)
{
	for (uint32_t i = 0; i < TX_TRIES; i++) {
		uint32_t tx;
		if (xs_transaction_start(&tx) != XS_RESULT_OK)
			return false;
		bool ok = write_keys(tx);
		enum xs_result result = xs_transaction_end(tx, ok);
		if (!ok || result != XS_RESULT_AGAIN)
			return ok && result == XS_RESULT_OK;
	}
	return false;
}

static void offer(uint64_t now_ns)
{
	nic.broken = false;
	if (now_ns < nic.hold_ns) {
		nic.timer_ns = nic.hold_ns;
		return;
	}
	nic.timer_ns = now_ns + RETRY_NS;
	if (!read_mac() || !netbus_caps(nic.backend, &nic.caps))
		return;
	describe();
	if (!nic_lend(nic.domid)) {
		if (!nic.told_bad)
			netbus_log(nic.dir, "waits: a former backend still holds our pages, or Xen gives none");
		nic.told_bad = true;
		return;
	}
	nic.stage = NIC_OFFERED;
	if (publish() && write_state(XENBUS_CONNECTED))
		return;
	let_go(NIC_WAITING, now_ns);
}

static void close_down(uint64_t now_ns)
{
	let_go(NIC_WAITING, now_ns);
	if (nic.state != XENBUS_CLOSED)
		(void)(write_state(XENBUS_CLOSING) && write_state(XENBUS_CLOSED));
	nic.timer_ns = now_ns + RETRY_NS;
}

/* No rings: what does the backend wait for? */
static void wait_for(enum xenbus_state backend, uint64_t now_ns)
{
	switch (backend) {
	case XENBUS_INITWAIT:
		offer(now_ns);
		return;
	case XENBUS_CLOSING:
		if (nic.state != XENBUS_INITIALISING)
			close_down(now_ns);
		return;
	case XENBUS_CLOSED:
	case XENBUS_CONNECTED:
		/* Left over from a connection that ended on one side only: ask it to begin anew, now and then. */
		if (now_ns - nic.since_ns >= REOPEN_NS && netbus_flag(nic.backend, "online")) {
			nic.since_ns = now_ns;
			if (backend == XENBUS_CONNECTED)
				(void)(write_state(XENBUS_CLOSING) && write_state(XENBUS_CLOSED));
			nic.state = XENBUS_UNKNOWN; /* written even if it stands there: for the event */
			(void)write_state(XENBUS_INITIALISING);
		}
		nic.timer_ns = nic.since_ns + REOPEN_NS;
		return;
	case XENBUS_UNKNOWN:
	case XENBUS_INITIALISING:
	case XENBUS_INITIALISED:
		return;
	}
}

static bool rings_step(enum xenbus_state own, enum xenbus_state backend, uint64_t now_ns)
{
	if (nic.broken)
		nic.hold_ns = now_ns + HOLD_NS;
	if (nic.broken || backend == XENBUS_UNKNOWN || backend >= XENBUS_CLOSING) {
		close_down(now_ns);
		return true;
	}
	if (own == XENBUS_INITIALISING) { /* made anew in the same place */
		let_go(NIC_WAITING, now_ns);
		return true;
	}
	if (nic.stage == NIC_OFFERED && backend == XENBUS_CONNECTED) {
		nic.stage = NIC_CONNECTED;
		nic.since_ns = now_ns;
		nic.connects++;
		nic.rx_ready = true;
		nic.told_bad = false;
		netbus_log(nic.dir, "connected");
	}
	return false;
}

static bool same(const char *a, const char *b)
{
	return memcmp(a, b, netbus_length(a) + 1) == 0; /* both of NETBUS_DIR_BYTES */
}

bool nic_step(uint64_t now_ns)
{
	enum xenbus_state own, theirs;
	struct peer peer;
	nic.timer_ns = now_ns + LOOK_AGAIN_NS;
	if (!nic_sweep() && nic.stage < NIC_OFFERED)
		nic.timer_ns = now_ns + RETRY_NS;
	bool late = nic.dir[0] && !identify(nic.dir, &peer);
	if (nic.dir[0] && !late && !(complete(&peer) && peer.domid == nic.domid && same(peer.backend, nic.backend)))
		let_go(NIC_ABSENT, now_ns);
	if (nic.stage == NIC_ABSENT) {
		if (!find(now_ns))
			return false;
		nic.stage = NIC_WAITING;
		nic.since_ns = now_ns;
	}
	if (late || !netbus_state(nic.dir, &own) || !netbus_state(nic.backend, &theirs)) {
		nic.timer_ns = now_ns + RETRY_NS;
		return false;
	}
	nic.state = own;
	if (nic.stage != NIC_WAITING)
		return rings_step(own, theirs, now_ns);
	wait_for(theirs, now_ns);
	return false;
}
