// SPDX-License-Identifier: ISC
/* A vif's way through xenbus: the states of both ends, connecting, letting go. */
#include "evtchn.h"
#include "vif.h"

#define RETRY_NS UINT64_C(500000000)      /* xenstored did not answer, or keys were missing */
#define CLOSING_NS UINT64_C(500000000)    /* for the frontend to follow from Closing to Closed */
#define GONE_NS UINT64_C(500000000)       /* for frontend and toolstack to see Closed before the folder goes */
#define BROKEN_NS UINT64_C(1000000000)    /* before a frontend that broke the protocol may come back */
#define OFFLINE_NS UINT64_C(500000000)    /* for the toolstack to write Closing beside its 0 in `online` */
#define EXPECTED_NS UINT64_C(10000000000)
#define REMOVE_NS UINT64_C(5000000000)

enum { VIFS_FEW = 32, MTU_DEFAULT = 1500, MTU_MIN = 576, MTU_MAX = 9000, IP_TEXT_BYTES = 160, EVTCHN_MAX = 131071 };

/* The next state on the way from one to another; 0: there is no way. Closing is never skipped. */
static const uint8_t next_state[XENBUS_CLOSED + 1][XENBUS_CLOSED + 1] = {
	[XENBUS_INITWAIT] = {
		[XENBUS_UNKNOWN] = XENBUS_INITWAIT, [XENBUS_INITIALISING] = XENBUS_INITWAIT,
		[XENBUS_INITIALISED] = XENBUS_CLOSING, [XENBUS_CONNECTED] = XENBUS_CLOSING,
		[XENBUS_CLOSING] = XENBUS_CLOSED, [XENBUS_CLOSED] = XENBUS_INITWAIT,
	},
	[XENBUS_CONNECTED] = {
		[XENBUS_UNKNOWN] = XENBUS_INITWAIT, [XENBUS_INITIALISING] = XENBUS_INITWAIT,
		[XENBUS_INITWAIT] = XENBUS_CONNECTED,
	},
	[XENBUS_CLOSING] = {
		[XENBUS_UNKNOWN] = XENBUS_CLOSING, [XENBUS_INITIALISING] = XENBUS_CLOSING,
		[XENBUS_INITWAIT] = XENBUS_CLOSING, [XENBUS_INITIALISED] = XENBUS_CLOSING,
		[XENBUS_CONNECTED] = XENBUS_CLOSING,
	},
	[XENBUS_CLOSED] = {
		[XENBUS_UNKNOWN] = XENBUS_CLOSING, [XENBUS_INITIALISING] = XENBUS_CLOSING,
		[XENBUS_INITWAIT] = XENBUS_CLOSING, [XENBUS_INITIALISED] = XENBUS_CLOSING,
		[XENBUS_CONNECTED] = XENBUS_CLOSING, [XENBUS_CLOSING] = XENBUS_CLOSED,
	},
};

void vif_break(struct vif *v, const char *why)
{
	if (v->broken)
		return;
	v->broken = true;
	netback.broken++;
	vif_bit_clear(netback.rx_ready, v->number);
	vif_bit_clear(netback.tx_ready, v->number);
	vif_wake(v);
	netbus_log(v->dir, why);
}

static void disconnect(struct vif *v)
{
	if (!v->connected)
		return;
	v->connected = false;
	vif_went_down(v);
	vif_drop_backlog(v);
	evtchn_close(v->evtchn);
	grant_unmap(v->tx.page);
	grant_unmap(v->rx.page);
	v->evtchn = 0;
	v->tx = v->rx = (struct netring_back){ 0 };
	v->tx_pushed = v->rx_pushed = false;
}

/*
 * xenstored lets a guest own 1000 nodes, unless told otherwise, and counts as ours all that the toolstack writes for a
 * client: a dozen. So few keys are published (what is not there is 0; IPv6's offloads are of no use
 * while it is not forwarded), a refused one that can be done without is, and with many clients the
 * toolstack's words for scripts, of which we run none, make room.
 */
static void make_room(const struct vif *v)
{
	static const char *const keys[] = { "script", "bridge", "hotplug-status" };
	char path[NETBUS_DIR_BYTES + 16];
	for (size_t i = 0; i < array_len(keys); i++) {
		struct text t = text_on(path);
		text_put(&t, v->dir);
		text_char(&t, '/');
		text_put(&t, keys[i]);
		(void)xs_rm(XS_NO_TX, path);
	}
}

static bool publish(struct vif *v)
{
	if (netback_held().vifs > VIFS_FEW)
		make_room(v);
	enum xs_result copy = netbus_put(XS_NO_TX, v->dir, "feature-rx-copy", "1");
	if (copy == XS_RESULT_ERROR && !v->told_full)
		netbus_log(v->dir, "waits: xenstored lets this guest have no more nodes; its quota can be raised");
	v->told_full = copy == XS_RESULT_ERROR;
	if (copy != XS_RESULT_OK)
		return false;
	enum xs_result sg = netbus_put(XS_NO_TX, v->dir, "feature-sg", "1");
	if (sg == XS_RESULT_OK)
		sg = netbus_put(XS_NO_TX, v->dir, "feature-gso-tcpv4", "1");
	return sg == XS_RESULT_OK || sg == XS_RESULT_ERROR;
}

/* "10.137.0.5 fd09::1": the addresses of one client; what is no address is left out. */
static void parse_addrs(struct netport *port, const char *text, size_t len)
{
	struct cursor c = cursor_of(text, len);
	while (c.left && port->addr_count < PORT_ADDRS_MAX) {
		struct ip_prefix p;
		if (parse_prefix(&c, &p))
			port->addr[port->addr_count++] = p.addr;
		while (c.left && *c.at != ' ' && *c.at != ',')
			(void)take(&c, 1);
		while (c.left && (*c.at == ' ' || *c.at == ','))
			(void)take(&c, 1);
	}
}

/* Says it once when there are none, until there are. */
static bool has_addrs(struct vif *v, const struct netport *port)
{
	if (port->addr_count == 0 && !v->told_no_ip)
		netbus_log(v->dir, "waits: its key ip in xenstore has no address");
	v->told_no_ip = port->addr_count == 0;
	return port->addr_count > 0;
}

static bool describe(struct vif *v, struct netport *port)
{
	char text[IP_TEXT_BYTES];
	uint32_t mtu = MTU_DEFAULT;
	*port = (struct netport){ .domid = v->domid, .handle = v->handle };
	if (!netbus_ask_u32(v->dir, "mtu", MTU_MAX, &mtu) || !netbus_text(v->dir, "mac", text, sizeof(text)))
		return false;
	struct cursor c = cursor_of(text, MAC_TEXT - 1);
	if (!parse_mac(&c, &port->mac) || !netbus_ask_text(v->dir, "ip", text, sizeof(text)))
		return false;
	parse_addrs(port, text, netbus_length(text));
	port->mtu = (uint16_t)(mtu < MTU_MIN ? MTU_MIN : mtu);
	return has_addrs(v, port);
}

struct offer { uint32_t tx_ref, rx_ref, evtchn; };

static bool read_offer(struct vif *v, struct offer *o)
{
	return netbus_u32(v->frontend, "tx-ring-ref", UINT32_MAX, &o->tx_ref) &&
	       netbus_u32(v->frontend, "rx-ring-ref", UINT32_MAX, &o->rx_ref) &&
	       netbus_u32(v->frontend, "event-channel", EVTCHN_MAX, &o->evtchn);
}

static bool attach_rings(struct vif *v, const struct offer *o)
{
	v->tx.page = grant_map(v->domid, o->tx_ref, false);
	v->rx.page = v->tx.page ? grant_map(v->domid, o->rx_ref, false) : NULL;
	if (v->rx.page && evtchn_bind_interdomain(v->domid, o->evtchn, &v->evtchn)) {
		v->tx.req_cons = v->tx.rsp_prod = v->tx.pushed = shared_get32(&v->tx.page->rsp_prod);
		v->rx.req_cons = v->rx.rsp_prod = v->rx.pushed = shared_get32(&v->rx.page->rsp_prod);
		return true;
	}
	if (v->rx.page)
		grant_unmap(v->rx.page);
	if (v->tx.page)
		grant_unmap(v->tx.page);
	v->tx = v->rx = (struct netring_back){ 0 };
	v->evtchn = 0;
	return false;
}

/* False: not yet (its keys are not all there), or broken. */
static bool connect(struct vif *v)
{
	struct offer offer;
	struct netport port;
	struct netcaps caps;
	uint32_t copies = 0;
	if (!read_offer(v, &offer) || !describe(v, &port) ||
	    !netbus_ask_u32(v->frontend, "request-rx-copy", UINT32_MAX, &copies) || !netbus_caps(v->frontend, &caps))
		return false;
	if (!copies) {
		vif_break(v, "refused: the frontend does not take copies");
		return false;
	}
	uint16_t old = v->port;
	v->port = netport_for(&port);
	if (old != PORT_NONE)
		netport_leave(old);
	if (v->port == PORT_NONE) {
		vif_break(v, "refused: no port is free");
		return false;
	}
	if (!attach_rings(v, &offer)) {
		vif_break(v, "refused: its rings or event channel cannot be had");
		return false;
	}
	v->caps = caps;
	v->connected = true;
	netback.connects++;
	vif_went_live(v);
	return true;
}

/* False: stopped on the way, to be tried again when xenstore has news or the timer fires. */
static bool enter(struct vif *v, enum xenbus_state state, uint64_t now_ns)
{
	if ((state == XENBUS_INITWAIT && !publish(v)) || (state == XENBUS_CONNECTED && !connect(v)))
		return false;
	if (state == XENBUS_CLOSING)
		disconnect(v);
	if (netbus_put_state(v->dir, state) != XS_RESULT_OK) {
		disconnect(v); /* a frontend is not kept that was not told so */
		return false;
	}
	v->state = state;
	v->since_ns = now_ns;
	return true;
}

static enum xenbus_state wanted(const struct vif *v, enum xenbus_state front, uint64_t now_ns)
{
	bool fresh = v->state == XENBUS_UNKNOWN || v->state == XENBUS_INITIALISING;
	if (v->leaving || v->broken)
		return XENBUS_CLOSED;
	if (fresh && front != XENBUS_INITIALISED && front != XENBUS_CONNECTED)
		return XENBUS_INITWAIT; /* at once: the toolstack waits for it */
	switch (front) {
	case XENBUS_UNKNOWN:
		return v->state == XENBUS_INITWAIT ? XENBUS_INITWAIT : XENBUS_CLOSED;
	case XENBUS_INITIALISING:
		return XENBUS_INITWAIT; /* again, from whatever came before */
	case XENBUS_INITWAIT:
		return v->state;
	case XENBUS_INITIALISED:
	case XENBUS_CONNECTED:
		return fresh || v->state == XENBUS_INITWAIT ? XENBUS_CONNECTED : v->state;
	case XENBUS_CLOSING:
		if (v->state == XENBUS_CLOSED ||
		    (v->state == XENBUS_CLOSING && now_ns - v->since_ns >= CLOSING_NS))
			return XENBUS_CLOSED;
		return XENBUS_CLOSING;
	case XENBUS_CLOSED:
		return XENBUS_CLOSED;
	}
	return XENBUS_CLOSED;
}

/* The toolstack says Closing in the same node as we say how far we are: what we write just then hides it. */
static bool overwritten(struct vif *v, enum xenbus_state own, uint64_t now_ns)
{
	if (v->online || own >= XENBUS_CLOSING)
		v->offline_ns = 0;
	else if (!v->offline_ns)
		v->offline_ns = now_ns;
	return v->offline_ns && now_ns - v->offline_ns >= OFFLINE_NS;
}

/* The toolstack's hand in our own folder. False: there is nothing more to do for now. */
static bool read_own(struct vif *v, uint64_t now_ns)
{
	enum xenbus_state own;
	char text[NETBUS_DIR_BYTES];
	uint32_t domid, online = 1;
	if (!netbus_state(v->dir, &own))
		return false;
	if (own == XENBUS_UNKNOWN && xs_read(XS_NO_TX, v->dir, text, sizeof(text)) == XS_RESULT_NOENT) {
		disconnect(v);
		vif_free(v);
		return false;
	}
	if (own == XENBUS_INITIALISING && v->state != XENBUS_INITIALISING) { /* made anew in the same place */
		disconnect(v);
		v->state = XENBUS_INITIALISING;
		v->since_ns = now_ns;
		v->frontend[0] = 0;
	}
	if (!v->frontend[0]) {
		if (!netbus_u32(v->dir, "frontend-id", UINT16_MAX, &domid) ||
		    !netbus_text(v->dir, "frontend", text, sizeof(text)))
			return false;
		v->domid = (uint16_t)domid;
		memcpy(v->frontend, text, sizeof(v->frontend));
	}
	if (!netbus_ask_u32(v->dir, "online", UINT32_MAX, &online))
		return false;
	v->online = online != 0;
	bool told = own == XENBUS_CLOSING && v->state != XENBUS_CLOSING && v->state != XENBUS_CLOSED;
	told |= overwritten(v, own, now_ns);
	v->leaving = told || (!v->online && (v->leaving || own >= XENBUS_CLOSING));
	return true;
}

/* At Closed, and not to come back: the folder is ours to remove. The toolstack waits for that, or did it. */
static void depart(struct vif *v, uint64_t now_ns)
{
	if (v->online) {
		v->leaving = false;
		return;
	}
	/* libxl reads the state once its watch says so: a folder that is gone by then is an error to it */
	if (now_ns - v->since_ns < GONE_NS) {
		v->timer_ns = v->since_ns + GONE_NS;
		return;
	}
	enum xs_result result = xs_rm(XS_NO_TX, v->dir);
	if (result == XS_RESULT_OK || result == XS_RESULT_NOENT)
		vif_free(v);
	else
		v->timer_ns = now_ns + (result == XS_RESULT_TIMEOUT ? RETRY_NS : REMOVE_NS);
}

void vif_step(struct vif *v, uint64_t now_ns)
{
	enum xenbus_state front, target;
	v->timer_ns = now_ns + RETRY_NS;
	if (!read_own(v, now_ns) || !netbus_state(v->frontend, &front))
		return;
	if (v->broken && v->state == XENBUS_CLOSED && now_ns - v->since_ns >= BROKEN_NS)
		v->broken = false;
	if (!v->online && (front >= XENBUS_CLOSING || front == XENBUS_UNKNOWN))
		v->leaving = true;
	target = wanted(v, front, now_ns);
	while (v->state != target) {
		enum xenbus_state next = (enum xenbus_state)next_state[target][v->state];
		if (next == XENBUS_UNKNOWN || !enter(v, next, now_ns))
			return;
	}
	v->timer_ns = UINT64_MAX;
	if (v->broken)
		v->timer_ns = v->since_ns + BROKEN_NS;
	else if (v->state == XENBUS_CLOSING)
		v->timer_ns = v->since_ns + CLOSING_NS;
	else if (v->state == XENBUS_INITWAIT && now_ns - v->since_ns < EXPECTED_NS)
		v->timer_ns = now_ns + RETRY_NS; /* should a watch event not have reached us */
	else if (v->offline_ns)
		v->timer_ns = v->offline_ns + OFFLINE_NS;
	if (v->state == XENBUS_CLOSED && v->leaving)
		depart(v, now_ns);
}
