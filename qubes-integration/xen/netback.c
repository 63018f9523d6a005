// SPDX-License-Identifier: ISC
/* The table of vifs: which there are, and whose turn it is. */
#include "evtchn.h"
#include "framepool.h"
#include "vif.h"

#define PAUSE_NS UINT64_C(100000000)
#define LATE_NS UINT64_C(500000000) /* after xenstored did not answer a look */
#define LOOK_AGAIN_NS UINT64_C(30000000000) /* at every folder, should a watch event have been lost */

enum { NAMES_BYTES = 4096, DOMID_BYTES = 8, HOME_BYTES = 64, KEPT_SHARE = 4, STEPS_PER_SECOND = 20, STEPS_AT_ONCE = 100 };

struct netback netback;

static struct {
	char home[HOME_BYTES];
	bool scan;            /* from the top */
	char names[NAMES_BYTES]; /* of domains to look into, from `at` */
	char handles[NAMES_BYTES]; /* of one domain's devices */
	size_t at, len;
	uint64_t timer_ns, look_ns;
	uint32_t turn;  /* the first vif that the next step may be of */
	bool scanned;   /* the last step was the scan's */
} own;

static const char vif_dir[] = "backend/vif";

uint32_t vif_bit_next(const uint64_t *bits, uint32_t from)
{
	while (from < NETBACK_VIFS_MAX) {
		uint64_t word = bits[from / 64] >> from % 64;
		if (word)
			return from + (uint32_t)__builtin_ctzll(word);
		from = (from | 63) + 1;
	}
	return NETBACK_VIFS_MAX;
}

bool netback_init(struct arena *arena, const char *home)
{
	struct text t = text_on(own.home);
	netback = (struct netback){
		.vif = arena_take(arena, NETBACK_VIFS_MAX, sizeof(struct vif)),
		.port = arena_take(arena, PORT_COUNT, sizeof(struct netport)),
		.op = arena_take(arena, VIF_OPS, sizeof(struct grant_copy_op)),
		.small_kept = framepool_left(0) / KEPT_SHARE,
		.large_kept = framepool_left(FRAMEPOOL_SMALL_BYTES) / KEPT_SHARE,
	};
	text_put(&t, home);
	own.scan = true;
	own.at = own.len = 0;
	own.timer_ns = own.look_ns = 0;
	own.turn = 0;
	own.scanned = false;
	return netback.vif && netback.port && netback.op && !t.cut;
}

/* --- vifs ----------------------------------------------------------------------------------- */

void vif_free(struct vif *v)
{
	if (v->port != PORT_NONE)
		netport_leave(v->port);
	vif_bit_clear(netback.dirty, v->number);
	v->used = false;
}

static struct vif *vif_of(uint16_t domid, uint16_t handle)
{
	for (uint16_t i = 0; i < NETBACK_VIFS_MAX; i++) {
		struct vif *v = &netback.vif[i];
		if (v->used && v->folder == domid && v->handle == handle)
			return v;
	}
	return NULL;
}

/* The vif of that folder, its turn set; a new one if need be. */
static void vif_at(uint16_t domid, uint16_t handle)
{
	struct vif *v = vif_of(domid, handle);
	if (v) {
		vif_wake(v);
		return;
	}
	for (uint16_t i = 0; i < NETBACK_VIFS_MAX && !v; i++)
		if (!netback.vif[i].used) {
			v = &netback.vif[i];
			v->number = i;
		}
	if (!v) {
		netbus_log(vif_dir, "no room for one more vif");
		return;
	}
	*v = (struct vif){ .used = true, .number = v->number, .folder = domid, .handle = handle,
			   .state = XENBUS_INITIALISING, .port = PORT_NONE, .timer_ns = UINT64_MAX,
			   .steps = limit_of(STEPS_PER_SECOND, STEPS_AT_ONCE, 0) };
	struct text t = text_on(v->dir);
	text_put(&t, vif_dir);
	text_char(&t, '/');
	text_u64(&t, domid);
	text_char(&t, '/');
	text_u64(&t, handle);
	vif_wake(v);
}

static void all_dirty(void)
{
	for (uint32_t i = 0; i < NETBACK_VIFS_MAX; i++)
		if (netback.vif[i].used)
			vif_wake(&netback.vif[i]);
}

/* A domain's folder came, went, or was touched: one domain is looked into, not all. */
static void domain_changed(uint16_t domid)
{
	for (uint32_t i = 0; i < NETBACK_VIFS_MAX; i++)
		if (netback.vif[i].used && netback.vif[i].folder == domid)
			vif_wake(&netback.vif[i]);
	if (own.at >= own.len)
		own.at = own.len = 0;
	if (sizeof(own.names) - own.len < DOMID_BYTES) {
		own.scan = true;
		return;
	}
	struct text t = text_of(own.names + own.len, DOMID_BYTES);
	text_u64(&t, domid);
	own.len += t.len + 1;
}

/*
 * Most changes in our own folders are ours, and each comes back as an event. Some keys are nobody else's; of a
 * state one read tells whether it is ours. (To count our writes would not: xenstored merges equal events.)
 */
static bool perhaps_ours(uint16_t domid, uint16_t handle, struct cursor key)
{
	static const char *const ours[] = { "/feature-", "/script", "/bridge", "/hotplug-" };
	struct vif *v = vif_of(domid, handle);
	for (size_t i = 0; i < array_len(ours); i++) {
		struct cursor c = key;
		if (parse_word(&c, ours[i]))
			return true;
	}
	if (!v || !parse_word(&key, "/state") || key.left)
		return false;
	vif_bit_set(netback.dirty, v->number);
	return true;
}

static bool in_vif_dir(const char *path)
{
	size_t len = netbus_length(own.home);
	if (!netbus_below(path, own.home))
		return netbus_below(own.home, path) && (own.scan = true);
	if (!path[len]) {
		own.scan = true;
		return true;
	}
	path += len + 1;
	if (!netbus_below(path, vif_dir))
		return netbus_below(vif_dir, path) && (own.scan = true);
	path += sizeof(vif_dir) - 1;
	struct cursor c = cursor_of(path, netbus_length(path));
	uint32_t domid, handle;
	bool domain = parse_word(&c, "/") && parse_u32(&c, UINT16_MAX, &domid);
	if (domain && !c.left) {
		domain_changed((uint16_t)domid);
	} else if (domain && parse_word(&c, "/") && parse_u32(&c, UINT16_MAX, &handle) && (!c.left || *c.at == '/')) {
		if (!perhaps_ours((uint16_t)domid, (uint16_t)handle, c))
			vif_at((uint16_t)domid, (uint16_t)handle);
	} else {
		own.scan = true;
	}
	return true;
}

/* Of a frontend's folder its state says all; other keys are read when that says so. */
static bool of_frontend(const struct vif *v, const char *path)
{
	if (!v->used || !v->frontend[0])
		return false;
	if (netbus_below(v->frontend, path))
		return true;
	return netbus_below(path, v->frontend) && netbus_below(path + netbus_length(v->frontend), "/state");
}

void netback_changed(const char *path)
{
	if (!path) {
		own.scan = true;
		return;
	}
	if (in_vif_dir(path))
		return;
	for (uint32_t i = 0; i < NETBACK_VIFS_MAX; i++)
		if (of_frontend(&netback.vif[i], path))
			vif_wake(&netback.vif[i]);
}

/* --- turns ------------------------------------------------------------------------------------- */

static bool number(const char *text, uint32_t *value)
{
	struct cursor c = cursor_of(text, netbus_length(text));
	return parse_u32(&c, UINT16_MAX, value) && !c.left;
}

/* Folders; *len is 0 when there are none. Those that xenstored does not tell in time are looked at again soon. */
static void folders(const char *path, char names[NAMES_BYTES], size_t *len, uint64_t now_ns)
{
	*len = 0;
	if (xs_directory(XS_NO_TX, path, names, NAMES_BYTES, len) == XS_RESULT_TIMEOUT)
		own.look_ns = now_ns + LATE_NS;
}

/* One domain's folders. */
static void scan_domain(const char *name, uint64_t now_ns)
{
	char path[NETBUS_DIR_BYTES];
	struct text t = text_on(path);
	uint32_t domid, handle;
	size_t len;
	text_put(&t, vif_dir);
	text_char(&t, '/');
	text_put(&t, name);
	if (!number(name, &domid))
		return;
	folders(path, own.handles, &len, now_ns);
	for (size_t i = 0; i < len; i++) {
		if (number(own.handles + i, &handle))
			vif_at((uint16_t)domid, (uint16_t)handle);
		while (i < len && own.handles[i])
			i++;
	}
}

static void scan_step(uint64_t now_ns)
{
	if (own.scan) {
		own.scan = false;
		own.at = 0;
		folders(vif_dir, own.names, &own.len, now_ns);
		all_dirty(); /* those whose folders are gone */
		return;
	}
	const char *name = own.names + own.at;
	while (own.at < own.len && own.names[own.at])
		own.at++;
	own.at++;
	scan_domain(name, now_ns);
}

static void timers(uint64_t now_ns)
{
	if (now_ns >= own.look_ns) {
		own.look_ns = now_ns + LOOK_AGAIN_NS;
		own.scan = true;
	}
	if (now_ns < own.timer_ns)
		return;
	own.timer_ns = UINT64_MAX;
	for (uint32_t i = 0; i < NETBACK_VIFS_MAX; i++) {
		struct vif *v = &netback.vif[i];
		if (!v->used)
			continue;
		if (v->timer_ns <= now_ns) {
			v->timer_ns = UINT64_MAX;
			vif_wake(v);
		}
		if (v->timer_ns < own.timer_ns)
			own.timer_ns = v->timer_ns;
	}
}

static bool scanning(void)
{
	return own.scan || own.at < own.len;
}

/* Whose xenstore never rests has one step, then all others have theirs. */
static uint32_t turn(void)
{
	uint32_t i = vif_bit_next(netback.dirty, own.turn);
	if (i == NETBACK_VIFS_MAX)
		i = vif_bit_next(netback.dirty, 0);
	own.turn = i + 1;
	return i;
}

static void step(struct vif *v, uint64_t now_ns)
{
	enum xenbus_state state;
	vif_bit_clear(netback.dirty, v->number);
	if (!v->whole && netbus_state(v->dir, &state) && state == v->state)
		return; /* we wrote that */
	v->whole = false;
	if (limit_allows(&v->steps, now_ns))
		vif_step(v, now_ns);
	else if (v->timer_ns > now_ns + PAUSE_NS) /* who keeps us busy waits, packets do not */
		v->timer_ns = now_ns + PAUSE_NS;
	if (v->used && v->timer_ns < own.timer_ns)
		own.timer_ns = v->timer_ns;
}

bool netback_step(uint64_t now_ns)
{
	timers(now_ns);
	bool any = vif_bit_next(netback.dirty, 0) < NETBACK_VIFS_MAX;
	own.scanned = scanning() && (!any || !own.scanned);
	if (own.scanned)
		scan_step(now_ns);
	else if (any)
		step(&netback.vif[turn()], now_ns);
	return scanning() || vif_bit_next(netback.dirty, 0) < NETBACK_VIFS_MAX;
}

uint64_t netback_deadline(void)
{
	return own.timer_ns < own.look_ns ? own.timer_ns : own.look_ns;
}

bool netback_poll(void)
{
	bool flush = false;
	for (uint32_t i = 0; i < netback.live_count; i++) {
		struct vif *v = &netback.vif[netback.live[i]];
		if (!evtchn_pending(v->evtchn) || v->broken)
			continue;
		vif_bit_set(netback.rx_ready, v->number);
		if (v->backlog.count)
			vif_bit_set(netback.tx_ready, v->number);
	}
	flush = vif_bit_next(netback.tx_ready, 0) < NETBACK_VIFS_MAX;
	if (flush)
		vif_flush();
	return flush || vif_bit_next(netback.rx_ready, 0) < NETBACK_VIFS_MAX;
}

/* --- status ------------------------------------------------------------------------------------ */

struct netback_held netback_held(void)
{
	struct netback_held held = { 0 };
	for (uint32_t i = 0; i < NETBACK_VIFS_MAX; i++) {
		const struct vif *v = &netback.vif[i];
		if (!v->used)
			continue;
		held.vifs++;
		held.rings += v->tx.page ? 2 : 0;
		held.channels += v->evtchn != 0;
		held.frames += v->backlog.count;
	}
	for (uint32_t i = 0; i < PORT_COUNT; i++)
		held.ports += netback.port[i].users > 0 || netback.port[i].told_incarnation > 0;
	return held;
}

void netback_status(struct text *t)
{
	const struct { const char *name; uint64_t value; } members[] = {
		{ "\"vifs\":", netback_held().vifs },
		{ ",\"vifs_connected\":", netback.live_count },
		{ ",\"vif_connects\":", netback.connects },
		{ ",\"vif_broken\":", netback.broken },
		{ ",\"vif_rx\":", netback.rx_packets },
		{ ",\"vif_rx_super\":", netback.rx_super },
		{ ",\"vif_rx_bad\":", netback.rx_bad + netback.rx_copy_failed },
		{ ",\"vif_tx\":", netback.tx_packets },
		{ ",\"vif_tx_super\":", netback.tx_super },
		{ ",\"vif_tx_dropped\":", netback.tx_dropped + netback.tx_unfit + netback.tx_copy_failed },
		{ ",\"vif_notifies\":", netback.notifies },
	};
	for (size_t i = 0; i < array_len(members); i++) {
		text_put(t, members[i].name);
		text_u64(t, members[i].value);
	}
}
