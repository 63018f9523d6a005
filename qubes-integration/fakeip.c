// SPDX-License-Identifier: ISC
/* The table of mapped addresses. */
#include "fakeip.h"

enum key { VISIBLE_IP, VISIBLE_GATEWAY, BOTH, NEITHER };

static uint32_t find(const struct fakeip *f, struct ip_addr real)
{
	uint32_t i = 0;
	while (i < f->count && !ip_eq(f->entry[i].real, real))
		i++;
	return i;
}

/* What is said of that address; what is so when nothing is. */
static struct fakeip_entry entry_of(const struct fakeip *f, struct ip_addr real)
{
	uint32_t i = find(f, real);
	return i < f->count ? f->entry[i] : (struct fakeip_entry){ .real = real, .visible = real };
}

static enum fakeip_outcome put(struct fakeip *f, const struct fakeip_entry *e, struct ip_addr ours)
{
	uint32_t i = find(f, e->real);
	bool known = i < f->count;
	if (ip_eq(e->visible, e->real) && (ip_is_zero(e->gateway) || ip_eq(e->gateway, ours))) {
		if (known)
			f->entry[i] = f->entry[--f->count];
		return known ? FAKEIP_TAKEN : FAKEIP_SAME;
	}
	if (known && ip_eq(f->entry[i].visible, e->visible) && ip_eq(f->entry[i].gateway, e->gateway))
		return FAKEIP_SAME;
	if (i == FAKEIP_MAX)
		return FAKEIP_FULL;
	f->entry[i] = *e;
	f->count += !known;
	return FAKEIP_TAKEN;
}

/* "REAL/KEY" or "REAL/". An IPv6 address is never mapped. */
static enum key parse_key(struct cursor key, struct ip_addr *real)
{
	static const char *const names[] = { [VISIBLE_IP] = "visible-ip", [VISIBLE_GATEWAY] = "visible-gateway" };
	if (!parse_ip4(&key, real) || !parse_word(&key, "/"))
		return NEITHER;
	for (uint32_t i = 0; i < array_len(names); i++)
		if (parse_word(&key, names[i]))
			return key.left > 0 ? NEITHER : (enum key)i;
	return key.left > 0 ? NEITHER : BOTH;
}

enum fakeip_outcome fakeip_write(struct fakeip *f, struct cursor key, struct cursor value, struct ip_addr ours)
{
	struct ip_addr real, seen;
	enum key which = parse_key(key, &real);
	if (which == NEITHER || which == BOTH)
		return FAKEIP_SAME;
	if (!parse_ip4(&value, &seen) || value.left > 0)
		return FAKEIP_MALFORMED;
	struct fakeip_entry e = entry_of(f, real);
	if (which == VISIBLE_IP)
		e.visible = seen;
	else
		e.gateway = seen;
	return put(f, &e, ours);
}

bool fakeip_remove(struct fakeip *f, struct cursor key, struct ip_addr ours)
{
	struct ip_addr real;
	if (key.left == 0) {
		bool any = f->count > 0;
		f->count = 0;
		return any;
	}
	enum key which = parse_key(key, &real);
	if (which == NEITHER)
		return false;
	struct fakeip_entry e = entry_of(f, real);
	if (which != VISIBLE_GATEWAY)
		e.visible = real;
	if (which != VISIBLE_IP)
		e.gateway = (struct ip_addr){ { 0 } };
	return put(f, &e, ours) == FAKEIP_TAKEN;
}

struct ip_addr fakeip_visible(const struct fakeip *f, struct ip_addr real)
{
	return entry_of(f, real).visible;
}

struct ip_addr fakeip_gateway(const struct fakeip *f, struct ip_addr real)
{
	return entry_of(f, real).gateway;
}
