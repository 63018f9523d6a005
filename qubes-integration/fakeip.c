// SPDX-License-Identifier: ISC
/* The table of mapped addresses. */
#include "fakeip.h"

static uint32_t find(const struct fakeip *f, struct ip_addr real)
{
	uint32_t i = 0;
	while (i < f->count && !ip_eq(f->entry[i].real, real))
		i++;
	return i;
}

static bool drop(struct fakeip *f, struct ip_addr real)
{
	uint32_t i = find(f, real);
	if (i == f->count)
		return false;
	f->entry[i] = f->entry[--f->count];
	return true;
}

enum fakeip_outcome fakeip_write(struct fakeip *f, struct cursor key, struct cursor value)
{
	struct ip_addr real, visible;
	if (!parse_ip4(&key, &real) || !parse_word(&key, "/"))
		return FAKEIP_SAME; /* an IPv6 address is never mapped */
	if (!parse_word(&key, "visible-ip") || key.left > 0)
		return FAKEIP_SAME;
	if (!parse_ip4(&value, &visible) || value.left > 0)
		return FAKEIP_MALFORMED;
	if (ip_eq(real, visible))
		return drop(f, real) ? FAKEIP_TAKEN : FAKEIP_SAME;
	uint32_t i = find(f, real);
	if (i < f->count && ip_eq(f->entry[i].visible, visible))
		return FAKEIP_SAME;
	if (i == FAKEIP_MAX)
		return FAKEIP_FULL;
	f->entry[i].real = real;
	f->entry[i].visible = visible;
	f->count += i == f->count;
	return FAKEIP_TAKEN;
}

bool fakeip_remove(struct fakeip *f, struct cursor key)
{
	struct ip_addr real;
	if (key.left == 0) {
		bool any = f->count > 0;
		f->count = 0;
		return any;
	}
	if (!parse_ip4(&key, &real) || !parse_word(&key, "/"))
		return false;
	parse_word(&key, "visible-ip");
	return key.left == 0 && drop(f, real);
}

struct ip_addr fakeip_visible(const struct fakeip *f, struct ip_addr real)
{
	uint32_t i = find(f, real);
	return i < f->count ? f->entry[i].visible : real;
}
