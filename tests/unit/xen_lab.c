// SPDX-License-Identifier: ISC
/* The fake hypervisor and store behind xen_lab.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "evtchn.h"
#include "grant.h"
#include "xen_lab.h"
#include "xenpage.h"
#include "xenstore.h"

enum { NODES = 256, PATH = 256, VALUE = 256, WATCHES = 64, EVENTS = 256, GRANTS = 256 };

static struct { char path[PATH], value[VALUE], perms[VALUE]; bool used; } nodes[NODES];
static struct { char path[PATH]; uint32_t token; bool used; } watches[WATCHES];
static struct { char path[PATH]; uint32_t token; } events[EVENTS];
static unsigned event_first, event_end;
static void *offered[GRANTS], *lent[GRANTS];
static bool ports[XEN_LAB_PORTS];
static unsigned mapped, given, taken;
bool xen_lab_peer_maps, xen_lab_fail_evtchn, xen_lab_fail_store, xen_lab_fail_grant, xen_lab_deny_writes;
unsigned xen_lab_notified[XEN_LAB_PORTS];

void xen_lab_reset(void)
{
	memset(nodes, 0, sizeof(nodes));
	memset(watches, 0, sizeof(watches));
	memset(offered, 0, sizeof(offered));
	memset(lent, 0, sizeof(lent));
	memset(ports, 0, sizeof(ports));
	memset(xen_lab_notified, 0, sizeof(xen_lab_notified));
	event_first = event_end = mapped = given = taken = 0;
	xen_lab_peer_maps = xen_lab_fail_evtchn = xen_lab_fail_store = xen_lab_fail_grant = xen_lab_deny_writes = false;
	xen_lab_put("/local/domain/5/domid", "5");
}

unsigned xen_lab_live(void)
{
	unsigned n = mapped + given + taken;
	for (unsigned i = 0; i < XEN_LAB_PORTS; i++)
		n += ports[i];
	for (unsigned i = 0; i < WATCHES; i++)
		n += watches[i].used;
	return n;
}

/* --- the store ------------------------------------------------------------------------- */

static const char *absolute(const char *path, char out[PATH])
{
	static const char home[] = "/local/domain/5/";
	size_t skip = path[0] == '/' ? 0 : sizeof(home) - 1, len = strlen(path);
	if (skip + len >= PATH)
		abort();
	memcpy(out, home, skip);
	memcpy(out + skip, path, len + 1);
	return out;
}

static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);
	return strncmp(path, top, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static void fire(const char *path)
{
	char full[PATH];
	for (unsigned i = 0; i < WATCHES; i++)
		if (watches[i].used && below(path, absolute(watches[i].path, full))) {
			snprintf(events[event_end % EVENTS].path, PATH, "%s", path);
			events[event_end++ % EVENTS].token = watches[i].token;
		}
}

static int find(const char *path)
{
	for (int i = 0; i < NODES; i++)
		if (nodes[i].used && strcmp(nodes[i].path, path) == 0)
			return i;
	return -1;
}

void xen_lab_put(const char *path, const char *value)
{
	int i = find(path);
	for (int j = 0; j < NODES && i < 0; j++)
		if (!nodes[j].used)
			i = j;
	if (!value) {
		for (int j = 0; j < NODES; j++)
			if (nodes[j].used && below(nodes[j].path, path))
				nodes[j].used = false;
	} else {
		nodes[i].used = true;
		snprintf(nodes[i].path, PATH, "%s", path);
		snprintf(nodes[i].value, VALUE, "%s", value);
	}
	fire(path);
}

const char *xen_lab_get(const char *path)
{
	int i = find(path);
	return i < 0 ? NULL : nodes[i].value;
}

const char *xen_lab_perms(const char *path)
{
	int i = find(path);
	return i < 0 ? NULL : nodes[i].perms;
}

enum xs_result xs_read(uint32_t tx, const char *path, char *value, size_t room)
{
	char full[PATH];
	(void)tx;
	if (xen_lab_fail_store)
		return XS_RESULT_TIMEOUT;
	const char *v = xen_lab_get(absolute(path, full));
	if (!v)
		return XS_RESULT_NOENT;
	if (strlen(v) >= room)
		return XS_RESULT_TOO_LONG;
	strcpy(value, v);
	return XS_RESULT_OK;
}

enum xs_result xs_write(uint32_t tx, const char *path, const char *value)
{
	char full[PATH];
	(void)tx;
	if (xen_lab_fail_store)
		return XS_RESULT_TIMEOUT;
	if (xen_lab_deny_writes)
		return XS_RESULT_DENIED;
	xen_lab_put(absolute(path, full), value);
	return XS_RESULT_OK;
}

enum xs_result xs_rm(uint32_t tx, const char *path)
{
	char full[PATH];
	(void)tx;
	xen_lab_put(absolute(path, full), NULL);
	return XS_RESULT_OK;
}

enum xs_result xs_set_perms(uint32_t tx, const char *path, const char *perms)
{
	char full[PATH];
	(void)tx;
	int i = find(absolute(path, full));
	if (i < 0)
		return XS_RESULT_NOENT;
	snprintf(nodes[i].perms, VALUE, "%s", perms);
	return XS_RESULT_OK;
}

enum xs_result xs_transaction_start(uint32_t *tx)
{
	*tx = 7;
	return xen_lab_fail_store ? XS_RESULT_TIMEOUT : XS_RESULT_OK;
}

enum xs_result xs_transaction_end(uint32_t tx, bool commit)
{
	(void)tx;
	(void)commit;
	return XS_RESULT_OK;
}

enum xs_result xs_watch(const char *path, uint32_t token)
{
	unsigned i = 0;
	while (i < WATCHES && watches[i].used)
		i++;
	if (i == WATCHES || xen_lab_fail_store)
		return XS_RESULT_ERROR;
	watches[i].used = true;
	watches[i].token = token;
	snprintf(watches[i].path, PATH, "%s", path);
	snprintf(events[event_end % EVENTS].path, PATH, "%s", path);
	events[event_end++ % EVENTS].token = token;
	return XS_RESULT_OK;
}

enum xs_result xs_unwatch(const char *path, uint32_t token)
{
	for (unsigned i = 0; i < WATCHES; i++)
		if (watches[i].used && watches[i].token == token && strcmp(watches[i].path, path) == 0) {
			watches[i].used = false;
			return XS_RESULT_OK;
		}
	return XS_RESULT_NOENT;
}

bool xs_event(char path[XS_PATH_BYTES], uint32_t *token)
{
	if (event_first == event_end)
		return false;
	snprintf(path, XS_PATH_BYTES, "%s", events[event_first % EVENTS].path);
	*token = events[event_first++ % EVENTS].token;
	return true;
}

/* --- pages ------------------------------------------------------------------------------- */

uint32_t xen_lab_offer(void *page)
{
	uint32_t ref = 8;
	while (offered[ref] && offered[ref] != page)
		ref++;
	offered[ref] = page;
	return ref;
}

void *xen_lab_lent(uint32_t ref)
{
	return ref < GRANTS ? lent[ref] : NULL;
}

uint32_t grant_give(uint16_t domid, const void *page, bool readonly)
{
	(void)domid;
	(void)readonly;
	uint32_t ref = 8;
	if (xen_lab_fail_grant)
		return GRANT_NONE;
	while (lent[ref])
		ref++;
	lent[ref] = (void *)(uintptr_t)page;
	given++;
	return ref;
}

bool grant_end(uint32_t ref)
{
	if (xen_lab_peer_maps)
		return false;
	given -= lent[ref] != NULL;
	lent[ref] = NULL;
	return true;
}

void *grant_map(uint16_t domid, uint32_t ref, bool readonly)
{
	(void)domid;
	(void)readonly;
	if (ref >= GRANTS || !offered[ref] || xen_lab_fail_grant)
		return NULL;
	mapped++;
	return offered[ref];
}

void grant_unmap(void *page)
{
	(void)page;
	mapped--;
}

void *xenpage_take(void)
{
	void *page = aligned_alloc(4096, 4096);
	memset(page, 0, 4096);
	taken++;
	return page;
}

void xenpage_give(void *page)
{
	taken--;
	free(page);
}

/* --- ports --------------------------------------------------------------------------------- */

static bool take_port(uint32_t *port)
{
	uint32_t i = 1;
	while (i < XEN_LAB_PORTS && ports[i])
		i++;
	if (i == XEN_LAB_PORTS || xen_lab_fail_evtchn)
		return false;
	ports[i] = true;
	*port = i;
	return true;
}

bool evtchn_alloc_unbound(uint16_t domid, uint32_t *port)
{
	(void)domid;
	return take_port(port);
}

bool evtchn_bind_interdomain(uint16_t domid, uint32_t remote, uint32_t *port)
{
	(void)domid;
	(void)remote;
	return take_port(port);
}

void evtchn_close(uint32_t port)
{
	ports[port] = false;
}

void evtchn_notify(uint32_t port)
{
	xen_lab_notified[port]++;
}

bool evtchn_pending(uint32_t port)
{
	(void)port;
	return false;
}
