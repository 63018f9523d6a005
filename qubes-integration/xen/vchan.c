// SPDX-License-Identifier: ISC
/* Connections of both kinds: advertisement, life bytes, signals. */
#include "vchan.h"
#include "barrier.h"
#include "evtchn.h"
#include "text.h"
#include "vchan_page.h"
#include "xenstore.h"

enum {
	VALUE_BYTES = 16,
	KEY_PATH_BYTES = VCHAN_PATH_BYTES + 16,
	ADVERTISE_TRIES = 4,
	NS_PER_MS = 1000000,
	DOMID_MAX = 0x7fef,
};

static bool read_u32(const char *path, uint32_t *value)
{
	char text[VALUE_BYTES];
	size_t len = 0;
	if (xs_read(XS_NO_TX, path, text, sizeof(text)) != XS_RESULT_OK)
		return false;
	while (text[len])
		len++;
	struct cursor in = cursor_of(text, len);
	return parse_u32(&in, UINT32_MAX, value) && in.left == 0;
}

bool vchan_self(uint16_t *domid)
{
	static uint16_t self;
	static bool known;
	uint32_t value;
	if (!known && read_u32("domid", &value) && value <= DOMID_MAX) {
		self = (uint16_t)value;
		known = true;
	}
	*domid = self;
	return known;
}

/* --- the advertisement --------------------------------------------------------------- */

/* The path with one key of it behind; both fit by their sizes. */
static const char *key_of(const struct vchan *v, const char *key, char path[KEY_PATH_BYTES])
{
	struct text t = text_of(path, KEY_PATH_BYTES);
	text_put(&t, v->path);
	text_put(&t, key);
	return path;
}

static void put_path(struct text *t, uint16_t client, uint32_t port)
{
	text_put(t, "data/vchan/");
	text_u64(t, client);
	text_char(t, '/');
	text_u64(t, port);
}

static bool write_u32(uint32_t tx, const char *path, uint32_t value, const char *perms)
{
	char buffer[VALUE_BYTES];
	struct text t = text_on(buffer);
	text_u64(&t, value);
	return xs_write(tx, path, buffer) == XS_RESULT_OK && xs_set_perms(tx, path, perms) == XS_RESULT_OK;
}

/* Both keys appear at once, readable by the client alone. */
static bool advertise(const struct vchan *v, uint16_t self)
{
	char key[KEY_PATH_BYTES], perms[VALUE_BYTES];
	struct text t = text_on(perms);
	text_char(&t, 'n');
	text_u64(&t, self);
	text_put(&t, " r");
	text_u64(&t, v->peer);
	for (unsigned tries = 0; tries < ADVERTISE_TRIES; tries++) {
		uint32_t tx;
		if (xs_transaction_start(&tx) != XS_RESULT_OK)
			return false;
		bool ok = write_u32(tx, key_of(v, "/ring-ref", key), v->ref, perms) &&
			  write_u32(tx, key_of(v, "/event-channel", key), v->evtchn, perms);
		enum xs_result ended = xs_transaction_end(tx, ok);
		if (ok && ended == XS_RESULT_OK)
			return true;
		if (!ok || ended != XS_RESULT_AGAIN)
			return false;
	}
	return false;
}

static void end(struct vchan *v, bool lied)
{
	v->state = VCHAN_ENDED;
	v->lied = lied;
}

/* --- signals ------------------------------------------------------------------------- */

/* Asks the peer to signal; the caller then looks at the indices again. */
static void ask(struct vchan *v, uint8_t bit)
{
	uint8_t *peers_duty = v->server ? &v->page->cli_notify : &v->page->srv_notify;
	__atomic_fetch_or(peers_duty, bit, __ATOMIC_SEQ_CST);
}

/* Our indices moved: signal if the peer asked for it. */
static void tell(struct vchan *v, uint8_t bit)
{
	uint8_t *duty = v->server ? &v->page->srv_notify : &v->page->cli_notify;
	shared_fence();
	if (__atomic_fetch_and(duty, (uint8_t)~bit, __ATOMIC_SEQ_CST) & bit)
		evtchn_notify(v->evtchn);
}

static uint8_t *live_of(const struct vchan *v, bool ours)
{
	return ours == v->server ? &v->page->srv_live : &v->page->cli_live;
}

/* --- coming and going ---------------------------------------------------------------- */

bool vchan_connect(struct vchan *v, uint16_t server, uint32_t port, uint32_t token)
{
	uint16_t self;
	char key[KEY_PATH_BYTES];
	if (!vchan_self(&self))
		return false;
	*v = (struct vchan){ .state = VCHAN_WAITING, .peer = server, .token = token, .look = true };
	struct text t = text_on(v->path);
	text_put(&t, "/local/domain/");
	text_u64(&t, server);
	text_char(&t, '/');
	put_path(&t, self, port);
	/* this key and not the directory, which we may not read */
	v->watching = xs_watch(key_of(v, "/event-channel", key), token) == XS_RESULT_OK;
	if (!v->watching)
		v->state = VCHAN_OFF;
	return v->watching;
}

bool vchan_listen(struct vchan *v, uint16_t client, uint32_t port)
{
	uint16_t self;
	if (!vchan_self(&self))
		return false;
	*v = (struct vchan){ .state = VCHAN_WAITING, .server = true, .peer = client };
	struct text t = text_on(v->path);
	put_path(&t, client, port);
	if (vchan_page_make(v) && evtchn_alloc_unbound(client, &v->evtchn) && advertise(v, self))
		return true;
	vchan_close(v);
	return false;
}

void vchan_look(struct vchan *v)
{
	v->look = true;
}

/* A client's attempt. What is advertised may be stale: then nothing happens. */
static void try_connect(struct vchan *v)
{
	char key[KEY_PATH_BYTES];
	uint32_t ref, remote;
	if (!read_u32(key_of(v, "/event-channel", key), &remote) ||
	    !read_u32(key_of(v, "/ring-ref", key), &ref) || !vchan_page_map(v, ref))
		return;
	/* one that had its client is over, whatever it says of itself: its server is about to see that */
	if (__atomic_load_n(live_of(v, false), __ATOMIC_ACQUIRE) != VCHAN_CONNECTED ||
	    __atomic_load_n(live_of(v, true), __ATOMIC_ACQUIRE) != VCHAN_NOT_YET ||
	    !evtchn_bind_interdomain(v->peer, remote, &v->evtchn)) {
		vchan_page_drop(v);
		return;
	}
	__atomic_store_n(live_of(v, true), VCHAN_CONNECTED, __ATOMIC_RELEASE);
	ask(v, VCHAN_WRITE);
	evtchn_notify(v->evtchn);
	v->state = VCHAN_OPEN;
}

static void poll_waiting(struct vchan *v, uint64_t now_ns)
{
	if (v->server) {
		uint8_t live = __atomic_load_n(live_of(v, false), __ATOMIC_ACQUIRE);
		if (live == VCHAN_NOT_YET)
			return;
		/* there is one client: nobody else shall find the page */
		xs_rm(XS_NO_TX, v->path);
		v->state = VCHAN_OPEN;
		return;
	}
	if (!v->look && now_ns < v->retry_ns)
		return;
	v->look = false;
	v->retry_ns = now_ns + (uint64_t)VCHAN_RETRY_MS * NS_PER_MS;
	try_connect(v);
}

enum vchan_state vchan_poll(struct vchan *v, uint64_t now_ns)
{
	uint32_t bytes;
	if (v->evtchn)
		evtchn_pending(v->evtchn);
	if (v->state == VCHAN_WAITING)
		poll_waiting(v, now_ns);
	if (v->state != VCHAN_OPEN)
		return v->state;
	/* what a peer wrote before it went is still read */
	bool alive = __atomic_load_n(live_of(v, false), __ATOMIC_ACQUIRE) == VCHAN_CONNECTED;
	if (!vchan_ring_ready(&v->in, &bytes))
		end(v, true);
	else if (!alive && bytes == 0)
		end(v, false);
	return v->state;
}

uint64_t vchan_deadline(const struct vchan *v)
{
	if (v->state != VCHAN_WAITING || v->server)
		return UINT64_MAX;
	return v->look ? 0 : v->retry_ns;
}

void vchan_close(struct vchan *v)
{
	char key[KEY_PATH_BYTES];
	if (v->page) {
		__atomic_store_n(live_of(v, true), VCHAN_EXITED, __ATOMIC_RELEASE);
		if (v->evtchn)
			evtchn_notify(v->evtchn);
	}
	if (v->server && v->state == VCHAN_WAITING)
		xs_rm(XS_NO_TX, v->path);
	if (v->watching)
		xs_unwatch(key_of(v, "/event-channel", key), v->token);
	evtchn_close(v->evtchn);
	vchan_page_drop(v);
	*v = (struct vchan){ .state = VCHAN_OFF };
}

/* --- bytes --------------------------------------------------------------------------- */

size_t vchan_read(struct vchan *v, void *bytes, size_t len)
{
	uint32_t n;
	if (v->state != VCHAN_OPEN || len == 0)
		return 0;
	if (vchan_ring_ready(&v->in, &n) && n < len) {
		ask(v, VCHAN_WRITE);
		shared_fence();
	}
	if (!vchan_ring_ready(&v->in, &n)) {
		end(v, true);
		return 0;
	}
	n = n < len ? n : (uint32_t)len;
	if (n == 0)
		return 0;
	vchan_ring_read(&v->in, bytes, n);
	tell(v, VCHAN_READ);
	return n;
}

size_t vchan_room(struct vchan *v)
{
	uint32_t n;
	if (v->state != VCHAN_OPEN)
		return 0;
	if (!vchan_ring_room(&v->out, &n)) {
		end(v, true);
		return 0;
	}
	return n;
}

size_t vchan_write(struct vchan *v, const void *bytes, size_t len)
{
	if (v->state != VCHAN_OPEN || len == 0)
		return 0;
	if (vchan_room(v) < len && v->state == VCHAN_OPEN) {
		ask(v, VCHAN_READ);
		shared_fence();
	}
	size_t n = vchan_room(v);
	n = n < len ? n : len;
	if (n == 0)
		return 0;
	vchan_ring_write(&v->out, bytes, (uint32_t)n);
	tell(v, VCHAN_WRITE);
	return n;
}

bool vchan_ready(const struct vchan *v)
{
	uint32_t n;
	return v->state == VCHAN_OPEN && (!vchan_ring_ready(&v->in, &n) || n > 0);
}

bool vchan_drained(const struct vchan *v)
{
	uint32_t n;
	return v->state != VCHAN_OPEN || (vchan_ring_room(&v->out, &n) && n == v->out.size);
}
