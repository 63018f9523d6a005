// SPDX-License-Identifier: ISC
/* Xen and xenstored for unit tests, on the test's own memory. */
#include "xen_fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFS = 16384, PORTS = 4096, NODES = 16384, WATCHES = 128, EVENTS = 4096, PAGES_MAX = 8192, FIRST_REF = 8 };

static struct { uint16_t domid; void *page; bool readonly, live; } lent[REFS]; /* by peers, to us */
static uint32_t lent_count;
static struct { uint16_t domid; const void *page; bool readonly, live, used; } given[REFS]; /* by us */
static struct { void *page; } mapped[REFS];
static struct { bool open, pending; uint16_t domid; uint32_t remote, notified; } port[PORTS];
static struct { bool live; uint16_t domid; } channel[PORTS]; /* the peers' unbound ones */
static uint32_t channels;
static struct { char *path, *value; } node[NODES];
static uint32_t nodes;
static struct { char path[XS_PATH_BYTES]; uint32_t token; bool live, relative; } watch[WATCHES];
static struct { char path[XS_PATH_BYTES]; uint32_t token; } event[EVENTS];
static uint32_t event_head, event_count;
static void *pages[PAGES_MAX];
static uint32_t page_count, pages_taken;
static struct grant_counts counts;
static char hidden[XS_PATH_BYTES];
uint32_t fake_deny, fake_again, fake_requests, fake_nodes;
void (*fake_between)(void);
bool fake_merge;

static void *page_new(void)
{
	void *page = aligned_alloc(FAKE_PAGE, FAKE_PAGE);
	ensure(page && page_count < PAGES_MAX);
	memset(page, 0, FAKE_PAGE);
	pages[page_count++] = page;
	return page;
}

void fake_reset(void)
{
	for (uint32_t i = 0; i < page_count; i++)
		free(pages[i]);
	for (uint32_t i = 0; i < nodes; i++) {
		free(node[i].path);
		free(node[i].value);
	}
	memset(lent, 0, sizeof(lent));
	memset(given, 0, sizeof(given));
	memset(mapped, 0, sizeof(mapped));
	memset(port, 0, sizeof(port));
	memset(channel, 0, sizeof(channel));
	memset(watch, 0, sizeof(watch));
	hidden[0] = 0;
	page_count = pages_taken = nodes = event_head = event_count = channels = 0;
	lent_count = FIRST_REF;
	fake_deny = fake_again = fake_requests = 0;
	fake_between = NULL;
	fake_merge = false;
	fake_nodes = UINT32_MAX;
	counts = (struct grant_counts){ 0 };
}

/* --- memory ------------------------------------------------------------------------------ */

uint32_t fake_lend(uint16_t domid, void *page, bool readonly)
{
	/* references come round again, as those of a real guest do */
	for (uint32_t tried = 0; tried < REFS; tried++) {
		uint32_t ref = FIRST_REF + (lent_count++ - FIRST_REF) % (REFS - FIRST_REF);
		if (lent[ref].live)
			continue;
		lent[ref].domid = domid;
		lent[ref].page = page;
		lent[ref].readonly = readonly;
		lent[ref].live = true;
		return ref;
	}
	panic("a peer ran out of references");
}

void *fake_page(uint16_t domid, uint32_t *ref)
{
	void *page = page_new();
	*ref = fake_lend(domid, page, false);
	return page;
}

void fake_domain_dies(uint16_t domid)
{
	for (uint32_t i = 0; i < REFS; i++) {
		if (lent[i].domid == domid)
			lent[i].live = false;
		if (given[i].domid == domid)
			given[i].used = false;
	}
	for (uint32_t i = 0; i < PORTS; i++)
		if (channel[i].domid == domid)
			channel[i].live = false;
}

void *fake_given(uint16_t domid, uint32_t ref, bool *readonly)
{
	if (ref >= REFS || !given[ref].live || given[ref].domid != domid)
		return NULL;
	if (readonly)
		*readonly = given[ref].readonly;
	void *page;
	memcpy(&page, &given[ref].page, sizeof(page));
	return page;
}

void fake_use(uint32_t ref, bool used)
{
	given[ref].used = used;
}

uint32_t grant_give(uint16_t domid, const void *page, bool readonly)
{
	ensure((uintptr_t)page % FAKE_PAGE == 0);
	for (uint32_t ref = FIRST_REF; ref < REFS; ref++) {
		if (given[ref].live)
			continue;
		given[ref].domid = domid;
		given[ref].page = page;
		given[ref].readonly = readonly;
		given[ref].live = true;
		given[ref].used = false;
		counts.given++;
		return ref;
	}
	return GRANT_NONE;
}

bool grant_end(uint32_t ref)
{
	ensure(ref < REFS && given[ref].live);
	if (given[ref].used)
		return false;
	given[ref].live = false;
	counts.given--;
	return true;
}

static bool foreign(uint16_t domid, uint32_t ref)
{
	return ref < REFS && lent[ref].live && lent[ref].domid == domid;
}

void *grant_map(uint16_t domid, uint32_t ref, bool readonly)
{
	counts.map_calls++;
	if (!foreign(domid, ref) || (lent[ref].readonly && !readonly))
		return NULL;
	for (uint32_t i = 0; i < REFS; i++)
		if (!mapped[i].page) {
			mapped[i].page = lent[ref].page;
			counts.mapped++;
			return lent[ref].page;
		}
	return NULL;
}

void grant_unmap(void *page)
{
	counts.map_calls++;
	for (uint32_t i = 0; i < REFS; i++)
		if (mapped[i].page == page) {
			mapped[i].page = NULL;
			counts.mapped--;
			return;
		}
	panic("unmapped what was not mapped");
}

void grant_copy(struct grant_copy_op *ops, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct grant_copy_op *op = &ops[i];
		counts.copies++;
		counts.copy_calls += i % GRANT_COPY_MAX == 0;
		ensure((uintptr_t)op->local % FAKE_PAGE + op->len <= FAKE_PAGE); /* ours: a bug, not a peer's lie */
		op->status = -1;
		if (!foreign(op->domid, op->ref) || op->offset + op->len > FAKE_PAGE ||
		    (op->to_foreign && lent[op->ref].readonly))
			continue;
		uint8_t *there = (uint8_t *)lent[op->ref].page + op->offset;
		if (op->to_foreign)
			memcpy(there, op->local, op->len);
		else
			memcpy(op->local, there, op->len);
		op->status = 0;
	}
}

struct grant_counts grant_counts(void)
{
	return counts;
}

void *xenpage_take(void)
{
	pages_taken++;
	return page_new();
}

void xenpage_give(void *page)
{
	ensure(page && pages_taken);
	pages_taken--;
}

uint32_t xenpage_free(void)
{
	return PAGES_MAX - page_count;
}

/* --- event channels ------------------------------------------------------------------------ */

static bool port_new(uint16_t domid, uint32_t remote, uint32_t *out)
{
	for (uint32_t i = 1; i < PORTS; i++) {
		if (port[i].open)
			continue;
		memset(&port[i], 0, sizeof(port[i]));
		port[i].open = true;
		port[i].domid = domid;
		port[i].remote = remote;
		*out = i;
		return true;
	}
	return false;
}

bool evtchn_alloc_unbound(uint16_t domid, uint32_t *out)
{
	return port_new(domid, 0, out);
}

bool evtchn_bind_interdomain(uint16_t domid, uint32_t remote, uint32_t *out)
{
	if (remote >= PORTS || !channel[remote].live || channel[remote].domid != domid)
		return false;
	return port_new(domid, remote, out);
}

void evtchn_close(uint32_t p)
{
	if (p == 0)
		return;
	ensure(p < PORTS && port[p].open);
	port[p].open = false;
}

void evtchn_notify(uint32_t p)
{
	ensure(p < PORTS && port[p].open);
	port[p].notified++;
}

bool evtchn_pending(uint32_t p)
{
	ensure(p < PORTS && port[p].open);
	bool pending = port[p].pending;
	port[p].pending = false;
	return pending;
}

void evtchn_mask(uint32_t p, bool masked)
{
	(void)p;
	(void)masked;
}

uint32_t fake_channel(uint16_t domid)
{
	for (uint32_t tried = 1; tried < PORTS; tried++) {
		uint32_t c = 1 + channels++ % (PORTS - 1);
		if (channel[c].live)
			continue;
		channel[c].live = true;
		channel[c].domid = domid;
		return c;
	}
	panic("a peer ran out of channels");
}

void fake_notify(uint32_t p)
{
	if (p < PORTS && port[p].open)
		port[p].pending = true;
}

uint32_t fake_bound(uint32_t remote)
{
	for (uint32_t i = 1; i < PORTS; i++)
		if (port[i].open && port[i].remote == remote)
			return i;
	return 0;
}

uint32_t fake_notified(uint32_t p)
{
	uint32_t n = port[p].notified;
	port[p].notified = 0;
	return n;
}

/* --- xenstore --------------------------------------------------------------------------------- */

static bool under(const char *path, const char *above)
{
	size_t n = strlen(above);
	return strncmp(path, above, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static const char *absolute(const char *path, char out[2 * XS_PATH_BYTES])
{
	snprintf(out, 2 * XS_PATH_BYTES, path[0] == '/' ? "%s%s" : FAKE_HOME "/%s%s", path, "");
	return out;
}

static void queue(const char *path, uint32_t token)
{
	ensure(event_count < EVENTS);
	for (uint32_t i = 0; fake_merge && i < event_count; i++) {
		uint32_t waits = (event_head + i) % EVENTS;
		if (event[waits].token == token && strcmp(event[waits].path, path) == 0)
			return;
	}
	uint32_t at = (event_head + event_count++) % EVENTS;
	snprintf(event[at].path, sizeof(event[at].path), "%s", path);
	event[at].token = token;
}

static void fire(const char *path)
{
	char full[2 * XS_PATH_BYTES];
	for (uint32_t i = 0; i < WATCHES; i++)
		if (watch[i].live && under(path, absolute(watch[i].path, full)))
			queue(watch[i].relative ? path + sizeof(FAKE_HOME) : path, watch[i].token);
}

static uint32_t find(const char *path)
{
	uint32_t i = 0;
	while (i < nodes && strcmp(node[i].path, path) != 0)
		i++;
	return i;
}

bool fake_exists(const char *path)
{
	for (uint32_t i = 0; i < nodes; i++)
		if (under(node[i].path, path))
			return true;
	return false;
}

const char *fake_read(const char *path)
{
	uint32_t i = find(path);
	return i < nodes ? node[i].value : "";
}

void fake_hide(const char *path, bool on)
{
	snprintf(hidden, sizeof(hidden), "%s", on ? path : "");
}

void fake_write(const char *path, const char *value)
{
	uint32_t i = find(path);
	if (i == nodes) {
		ensure(nodes < NODES);
		node[nodes++].path = strdup(path);
	} else {
		free(node[i].value);
	}
	node[i].value = strdup(value);
	fire(path);
}

void fake_writef(const char *value, const char *format, ...)
{
	char path[XS_PATH_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	fake_write(path, value);
}

void fake_rm(const char *path)
{
	bool any = false;
	for (uint32_t i = 0; i < nodes;) {
		if (!under(node[i].path, path)) {
			i++;
			continue;
		}
		free(node[i].path);
		free(node[i].value);
		node[i] = node[--nodes];
		any = true;
	}
	if (any)
		fire(path);
}

static bool denied(void)
{
	fake_requests++;
	if (fake_between)
		fake_between();
	if (fake_deny == 0)
		return false;
	fake_deny--;
	return true;
}

enum xs_result xs_read(uint32_t tx, const char *path, char *value, size_t room)
{
	char full[2 * XS_PATH_BYTES];
	(void)tx;
	if (denied())
		return XS_RESULT_TIMEOUT;
	absolute(path, full);
	if (hidden[0] && under(full, hidden))
		return XS_RESULT_DENIED;
	if (!fake_exists(full))
		return XS_RESULT_NOENT;
	const char *at = fake_read(full);
	if (strlen(at) >= room)
		return XS_RESULT_TOO_LONG;
	memcpy(value, at, strlen(at) + 1);
	return XS_RESULT_OK;
}

enum xs_result xs_write(uint32_t tx, const char *path, const char *value)
{
	char full[2 * XS_PATH_BYTES], parent[2 * XS_PATH_BYTES];
	(void)tx;
	if (denied())
		return XS_RESULT_TIMEOUT;
	absolute(path, full);
	snprintf(parent, sizeof(parent), "%s", full);
	*strrchr(parent, '/') = 0;
	if (!fake_exists(parent))
		return XS_RESULT_DENIED; /* the folders above ours are dom0's */
	if (!fake_exists(full) && fake_nodes != UINT32_MAX && fake_nodes-- == 0) {
		fake_nodes = 0;
		return XS_RESULT_ERROR;
	}
	fake_write(full, value);
	return XS_RESULT_OK;
}

enum xs_result xs_mkdir(uint32_t tx, const char *path)
{
	(void)tx;
	(void)path;
	return XS_RESULT_DENIED;
}

enum xs_result xs_rm(uint32_t tx, const char *path)
{
	char full[2 * XS_PATH_BYTES];
	(void)tx;
	if (denied())
		return XS_RESULT_TIMEOUT;
	absolute(path, full);
	if (!fake_exists(full))
		return XS_RESULT_NOENT;
	fake_rm(full);
	fake_nodes += fake_nodes != UINT32_MAX;
	return XS_RESULT_OK;
}

enum xs_result xs_directory(uint32_t tx, const char *path, char *names, size_t room, size_t *len)
{
	char full[2 * XS_PATH_BYTES];
	(void)tx;
	if (denied())
		return XS_RESULT_TIMEOUT;
	absolute(path, full);
	if (!fake_exists(full))
		return XS_RESULT_NOENT;
	size_t above = strlen(full);
	*len = 0;
	for (uint32_t i = 0; i < nodes; i++) {
		char name[XS_PATH_BYTES];
		bool known = false;
		if (!under(node[i].path, full) || node[i].path[above] != '/')
			continue;
		snprintf(name, sizeof(name), "%s", node[i].path + above + 1);
		name[strcspn(name, "/")] = 0;
		for (size_t at = 0; at < *len; at += strlen(names + at) + 1)
			known = known || strcmp(names + at, name) == 0;
		if (known)
			continue;
		if (*len + strlen(name) + 1 > room)
			return XS_RESULT_TOO_LONG;
		memcpy(names + *len, name, strlen(name) + 1);
		*len += strlen(name) + 1;
	}
	return XS_RESULT_OK;
}

enum xs_result xs_set_perms(uint32_t tx, const char *path, const char *perms)
{
	(void)tx;
	(void)path;
	(void)perms;
	return XS_RESULT_OK;
}

enum xs_result xs_transaction_start(uint32_t *tx)
{
	*tx = 1;
	return denied() ? XS_RESULT_TIMEOUT : XS_RESULT_OK;
}

enum xs_result xs_transaction_end(uint32_t tx, bool commit)
{
	(void)tx;
	if (denied())
		return XS_RESULT_TIMEOUT;
	if (!commit || fake_again == 0)
		return XS_RESULT_OK;
	fake_again--;
	return XS_RESULT_AGAIN;
}

enum xs_result xs_watch(const char *path, uint32_t token)
{
	if (denied())
		return XS_RESULT_TIMEOUT;
	for (uint32_t i = 0; i < WATCHES; i++) {
		if (watch[i].live)
			continue;
		watch[i].live = true;
		watch[i].relative = path[0] != '/';
		watch[i].token = token;
		snprintf(watch[i].path, sizeof(watch[i].path), "%s", path);
		queue(path, token);
		return XS_RESULT_OK;
	}
	return XS_RESULT_ERROR; /* xenstored's quota */
}

enum xs_result xs_unwatch(const char *path, uint32_t token)
{
	for (uint32_t i = 0; i < WATCHES; i++)
		if (watch[i].live && watch[i].token == token && strcmp(watch[i].path, path) == 0) {
			watch[i].live = false;
			return XS_RESULT_OK;
		}
	return XS_RESULT_NOENT;
}

bool xs_event(char path[XS_PATH_BYTES], uint32_t *token)
{
	if (event_count == 0)
		return false;
	memcpy(path, event[event_head].path, XS_PATH_BYTES);
	*token = event[event_head].token;
	event_head = (event_head + 1) % EVENTS;
	event_count--;
	return true;
}

bool xs_overflowed(void)
{
	return false;
}

struct fake_held fake_held(void)
{
	struct fake_held h = { .given = counts.given, .mapped = counts.mapped, .pages = pages_taken };
	for (uint32_t i = 0; i < PORTS; i++)
		h.channels += port[i].open;
	for (uint32_t i = 0; i < WATCHES; i++)
		h.watches += watch[i].live;
	return h;
}
