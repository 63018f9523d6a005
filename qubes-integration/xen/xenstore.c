// SPDX-License-Identifier: ISC
/*
 * xenstored's client: requests and answers as byte streams through two rings.
 *
 * One request is under way at a time. What the ring has no room for yet, or
 * has not brought yet, stays in `out` and `in`: a request that ran out of time
 * is still finished, and its answer thrown away by its id, before the next.
 */
#include "xenstore.h"

#include "barrier.h"
#include "evtchn.h"
#include "text.h"
#include "xenboot.h"
#include "xenclock.h"
#include "xenwait.h"

enum {
	EVENTS_BYTES = 64 * 1024,
	EVENT_HEAD_BYTES = 6, /* token, length of the path */
	MESSAGE_BYTES = sizeof(struct xen_store_msg) + XS_PAYLOAD_BYTES,
	TOKEN_BYTES = 16,
	PIECES_MAX = 4,
};
static const uint64_t LIMIT_NS = (uint64_t)XS_LIMIT_MS * 1000 * 1000;

static struct {
	struct xen_store_ring *ring;
	uint32_t port;
	bool broken;         /* the ring said nonsense: no more calls */
	uint32_t id;         /* of the newest request */
	bool waiting;        /* its answer has not come */
	uint32_t watches;
	uint8_t out[MESSAGE_BYTES], in[MESSAGE_BYTES];
	size_t out_len, out_sent, in_len;
	struct xen_store_msg answer; /* what came for it; its payload: */
	uint8_t payload[XS_PAYLOAD_BYTES + 1];
	struct {
		uint8_t *bytes;
		size_t head, len; /* of what is queued */
		bool lost;
	} events;
} own;

void xenstore_boot(struct xen_store_ring *ring, uint32_t port, struct arena *arena)
{
	memset(&own, 0, sizeof(own));
	own.ring = ring;
	own.port = port;
	own.events.bytes = arena_take(arena, EVENTS_BYTES, 1);
	ensure(own.events.bytes);
	evtchn_given(port);
}

/* --- the queue of events ----------------------------------------------------------------- */

static void queue_put(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		own.events.bytes[(own.events.head + own.events.len++) % EVENTS_BYTES] = at[i];
}

static void queue_take(void *bytes, size_t len)
{
	uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		at[i] = own.events.bytes[(own.events.head + i) % EVENTS_BYTES];
	own.events.head = (own.events.head + len) % EVENTS_BYTES;
	own.events.len -= len;
}

/* path NUL token NUL, the token ours: decimal digits */
static void queue_event(const uint8_t *at, size_t len)
{
	size_t path = 0, digits;
	uint32_t token = 0;
	while (path < len && at[path])
		path++;
	for (digits = path + 1; digits < len && at[digits] >= '0' && at[digits] <= '9'; digits++)
		token = token * 10 + (at[digits] - '0');
	if (digits == path + 1 || digits > len)
		return;
	uint16_t kept = (uint16_t)(path < XS_PATH_BYTES ? path : XS_PATH_BYTES - 1);
	if (EVENT_HEAD_BYTES + (size_t)kept > EVENTS_BYTES - own.events.len) {
		own.events.lost = true;
		return;
	}
	queue_put(&token, sizeof(token));
	queue_put(&kept, sizeof(kept));
	queue_put(at, kept);
}

/* --- the rings ----------------------------------------------------------------------------- */

static bool push(void)
{
	struct xen_store_ring *ring = own.ring;
	uint32_t prod = ring->req_prod, used = prod - shared_get32(&ring->req_cons);
	size_t n = own.out_len - own.out_sent;
	if (used > XS_RING_BYTES) {
		own.broken = true;
		return false;
	}
	n = n < XS_RING_BYTES - used ? n : XS_RING_BYTES - used;
	for (size_t i = 0; i < n; i++)
		ring->req[(prod + i) % XS_RING_BYTES] = own.out[own.out_sent + i];
	own.out_sent += n;
	shared_set32(&ring->req_prod, prod + (uint32_t)n);
	return n > 0;
}

static void message(void)
{
	struct xen_store_msg head;
	memcpy(&head, own.in, sizeof(head));
	const uint8_t *payload = own.in + sizeof(head);
	if (head.type == XS_WATCH_EVENT) {
		queue_event(payload, head.len);
	} else if (own.waiting && head.id == own.id) {
		own.answer = head;
		memcpy(own.payload, payload, head.len);
		own.payload[head.len] = '\0';
		own.waiting = false;
	}
	own.in_len = 0;
}

/* How many bytes the message under way still lacks, as far as is known. */
static size_t lacking(void)
{
	struct xen_store_msg head;
	if (own.in_len < sizeof(head))
		return sizeof(head) - own.in_len;
	memcpy(&head, own.in, sizeof(head));
	if (head.len > XS_PAYLOAD_BYTES) {
		own.broken = true;
		return 0;
	}
	return sizeof(head) + head.len - own.in_len;
}

static bool pull(void)
{
	struct xen_store_ring *ring = own.ring;
	uint32_t cons = ring->rsp_cons, ready = shared_get32(&ring->rsp_prod) - cons;
	bool any = ready > 0;
	if (ready > XS_RING_BYTES)
		own.broken = true;
	while (!own.broken) {
		size_t want = lacking();
		if (want == 0 && !own.broken) {
			message();
			continue;
		}
		size_t n = want < ready ? want : ready;
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			own.in[own.in_len + i] = ring->rsp[(cons + i) % XS_RING_BYTES];
		own.in_len += n;
		cons += (uint32_t)n;
		ready -= (uint32_t)n;
	}
	shared_set32(&ring->rsp_cons, cons);
	return any;
}

static void pump(void)
{
	if (own.broken)
		return;
	bool moved = push();
	moved |= pull();
	if (moved)
		evtchn_notify(own.port);
}

void xenstore_poll(void)
{
	if (evtchn_pending(own.port))
		pump();
}

/* --- requests --------------------------------------------------------------------------------- */

struct piece {
	const void *at;
	size_t len;
};

static enum xs_result error_of(void)
{
	static const struct { const char *name; enum xs_result result; } names[] = {
		{ "ENOENT", XS_RESULT_NOENT },
		{ "EAGAIN", XS_RESULT_AGAIN },
		{ "EACCES", XS_RESULT_DENIED },
		{ "E2BIG", XS_RESULT_TOO_LONG },
	};
	for (size_t i = 0; i < array_len(names); i++) {
		size_t n = 0;
		while (names[i].name[n])
			n++;
		if (own.answer.len >= n && memcmp(own.payload, names[i].name, n) == 0)
			return names[i].result;
	}
	return XS_RESULT_ERROR;
}

static bool idle(void)
{
	return own.out_sent == own.out_len && !own.waiting;
}

static enum xs_result await(uint64_t end)
{
	for (;;) {
		(void)evtchn_pending(own.port); /* before the look: what comes after it is not lost */
		pump();
		if (own.broken)
			return XS_RESULT_ERROR;
		if (idle())
			return XS_RESULT_OK;
		if (xenclock_now_ns() >= end)
			return XS_RESULT_TIMEOUT;
		xenwait_port(own.port, end);
	}
}

static enum xs_result request(uint32_t type, uint32_t tx, const struct piece pieces[], size_t count)
{
	struct xen_store_msg head = { .type = type, .tx = tx };
	size_t len = sizeof(head);
	if (!idle())
		pump(); /* a late answer may have come by now */
	if (own.broken)
		return XS_RESULT_ERROR;
	if (!idle())
		return XS_RESULT_TIMEOUT;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len > XS_PAYLOAD_BYTES - (len - sizeof(head)))
			return XS_RESULT_TOO_LONG;
		memcpy(own.out + len, pieces[i].at, pieces[i].len);
		len += pieces[i].len;
	}
	head.id = ++own.id;
	head.len = (uint32_t)(len - sizeof(head));
	memcpy(own.out, &head, sizeof(head));
	own.out_len = len;
	own.out_sent = 0;
	own.waiting = true;
	enum xs_result result = await(xenclock_now_ns() + LIMIT_NS);
	if (result != XS_RESULT_OK)
		return result;
	return own.answer.type == XS_ERROR ? error_of() : own.answer.type == type ? XS_RESULT_OK : XS_RESULT_ERROR;
}

static struct piece string(const char *s) /* with its NUL */
{
	size_t n = 0;
	while (s[n])
		n++;
	return (struct piece){ s, n + 1 };
}

static struct piece bare(const char *s)
{
	struct piece p = string(s);
	p.len--;
	return p;
}

enum xs_result xs_read(uint32_t tx, const char *path, char *value, size_t room)
{
	enum xs_result result = request(XS_READ, tx, (struct piece[]){ string(path) }, 1);
	if (result != XS_RESULT_OK)
		return result;
	if (own.answer.len >= room)
		return XS_RESULT_TOO_LONG;
	memcpy(value, own.payload, own.answer.len + 1);
	return XS_RESULT_OK;
}

enum xs_result xs_write(uint32_t tx, const char *path, const char *value)
{
	return request(XS_WRITE, tx, (struct piece[]){ string(path), bare(value) }, 2);
}

enum xs_result xs_mkdir(uint32_t tx, const char *path)
{
	return request(XS_MKDIR, tx, (struct piece[]){ string(path) }, 1);
}

enum xs_result xs_rm(uint32_t tx, const char *path)
{
	return request(XS_RM, tx, (struct piece[]){ string(path) }, 1);
}

enum xs_result xs_directory(uint32_t tx, const char *path, char *names, size_t room, size_t *len)
{
	enum xs_result result = request(XS_DIRECTORY, tx, (struct piece[]){ string(path) }, 1);
	if (result != XS_RESULT_OK)
		return result;
	if (own.answer.len > room)
		return XS_RESULT_TOO_LONG;
	memcpy(names, own.payload, own.answer.len);
	*len = own.answer.len;
	return XS_RESULT_OK;
}

enum xs_result xs_set_perms(uint32_t tx, const char *path, const char *perms)
{
	char words[64];
	struct piece p = string(perms);
	if (p.len > sizeof(words))
		return XS_RESULT_TOO_LONG;
	for (size_t i = 0; i < p.len; i++)
		words[i] = perms[i] == ' ' ? '\0' : perms[i];
	return request(XS_SET_PERMS, tx, (struct piece[]){ string(path), { words, p.len } }, 2);
}

enum xs_result xs_transaction_start(uint32_t *tx)
{
	enum xs_result result = request(XS_TRANSACTION_START, XS_NO_TX, (struct piece[]){ string("") }, 1);
	struct cursor c = cursor_of(own.payload, own.answer.len ? own.answer.len - 1 : 0);
	if (result != XS_RESULT_OK)
		return result;
	return parse_u32(&c, UINT32_MAX, tx) ? XS_RESULT_OK : XS_RESULT_ERROR;
}

enum xs_result xs_transaction_end(uint32_t tx, bool commit)
{
	return request(XS_TRANSACTION_END, tx, (struct piece[]){ string(commit ? "T" : "F") }, 1);
}

static enum xs_result watch(uint32_t type, const char *path, uint32_t token)
{
	char digits[TOKEN_BYTES];
	struct text t = text_on(digits);
	text_u64(&t, token);
	return request(type, XS_NO_TX, (struct piece[]){ string(path), string(digits) }, 2);
}

enum xs_result xs_watch(const char *path, uint32_t token)
{
	enum xs_result result = watch(XS_WATCH, path, token);
	own.watches += result == XS_RESULT_OK;
	return result;
}

enum xs_result xs_unwatch(const char *path, uint32_t token)
{
	enum xs_result result = watch(XS_UNWATCH, path, token);
	own.watches -= result == XS_RESULT_OK;
	return result;
}

uint32_t xs_watches(void)
{
	return own.watches;
}

bool xs_event(char path[XS_PATH_BYTES], uint32_t *token)
{
	uint16_t len;
	xenstore_poll();
	if (own.events.len == 0)
		return false;
	queue_take(token, sizeof(*token));
	queue_take(&len, sizeof(len));
	queue_take(path, len);
	path[len] = '\0';
	return true;
}

bool xs_event_waits(void)
{
	return own.events.len > 0;
}

bool xs_overflowed(void)
{
	bool lost = own.events.lost;
	own.events.lost = false;
	return lost;
}
