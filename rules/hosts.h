/* SPDX-License-Identifier: ISC */
/*
 * hosts.h: what the names in rules stand for now. A name has a handle (struct
 * rule.host) for as long as anything refers to it; who resolves names writes its
 * addresses, rules read them. Rule sets and other keepers of rules count
 * themselves in `held`.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include "addr.h"

enum { HOST_ADDRESSES_MAX = 16 };

struct host {
	const char *text;  /* lower case, NUL-terminated; NULL: no such name */
	uint32_t held;
	uint32_t count;    /* of its addresses, none twice; 0: not resolved */
	struct ip_addr address[HOST_ADDRESSES_MAX];
};

struct hosts {
	struct host *host;
	uint32_t capacity;
	/* the handle of a name, made when it is new and forgotten while nobody holds it; NONE: no room */
	uint32_t (*handle)(struct hosts *, const char *text, size_t len);
};

static inline uint32_t hosts_handle(struct hosts *hosts, const char *text, size_t len)
{
	return hosts && hosts->handle ? hosts->handle(hosts, text, len) : NONE;
}

/* NULL: not resolved, or not known. hosts may be NULL. */
static inline const struct host *hosts_resolved(const struct hosts *hosts, uint32_t handle)
{
	const struct host *host = hosts && handle < hosts->capacity ? &hosts->host[handle] : NULL;
	return host && host->count > 0 ? host : NULL;
}

static inline bool host_has(const struct host *host, struct ip_addr ip)
{
	for (uint32_t i = 0; i < host->count; i++)
		if (ip_eq(host->address[i], ip))
			return true;
	return false;
}

/* What to print for a name; "?" when it is not known. */
static inline const char *hosts_text(const struct hosts *hosts, uint32_t handle)
{
	return hosts && handle < hosts->capacity && hosts->host[handle].text ? hosts->host[handle].text : "?";
}

static inline void hosts_hold(struct hosts *hosts, uint32_t handle)
{
	if (hosts && handle < hosts->capacity)
		hosts->host[handle].held++;
}

static inline void hosts_release(struct hosts *hosts, uint32_t handle)
{
	if (hosts && handle < hosts->capacity)
		hosts->host[handle].held--;
}

#endif
