// SPDX-License-Identifier: ISC
/* Ports come and go while it runs, and with them the addresses they own. */
#include "cross.h"
#include "fw.h"
#include "latencyby.h"

enum { KEY_ADDRESSES = 2 }; /* of the purposes of our secret; conntrack.c has another */

struct owner { struct ip_addr ip; };

static uint64_t address_hash(const struct fw *fw, struct ip_addr ip)
{
	return word_hash(&fw->address_key, ip.b, sizeof(ip.b) / 4);
}

struct fw_sizes fw_sizes_for(size_t bytes)
{
	/* neighbours are few (one a client at most), datagrams in pieces rare: flows get the rest */
	struct fw_sizes sizes = { .neighbours = 512, .datagrams = 1024 };
	size_t fixed = neigh_bytes(sizes.neighbours) + fragments_bytes(sizes.datagrams) +
		       table_bytes(PORT_COUNT * FW_PORT_ADDRS_MAX) +
		       PORT_COUNT * FW_PORT_ADDRS_MAX * sizeof(struct owner) +
		       table_bytes(FW_PROTECTED_MAX) + 4096;
	uint32_t step = 1024;
	while (sizes.flows < 1u << 24 && fixed + ct_bytes(sizes.flows + step) <= bytes)
		sizes.flows += step;
	return sizes;
}

bool fw_init(struct fw *fw, struct arena *arena, const struct fw_sizes *sizes, struct policy *policy,
	     const uint64_t seed[2])
{
	*fw = (struct fw){ .policy = policy, .secret = { { seed[0], seed[1] }, 0 } };
	fw->cross = (struct fw_cross){ .inbound = NONE, .between = NONE };
	fw->address_key = word_key_of(&fw->secret, KEY_ADDRESSES);
	uint32_t owners = PORT_COUNT * FW_PORT_ADDRS_MAX;
	fw->owner = arena_take(arena, owners, sizeof(struct owner));
	if (!fw->owner || !table_init(&fw->owners, arena, owners) ||
	    !table_init(&fw->protected_index, arena, FW_PROTECTED_MAX))
		return false;
	fw->neigh = neigh_new(arena, sizes->neighbours, &fw->secret);
	fw->fragments = fragments_new(arena, sizes->datagrams, &fw->secret);
	fw->ct = ct_new(arena, sizes->flows, &fw->secret);
	if (fw->ct)
		ct_set_accounts(fw->ct, policy_accounts(policy));
	return fw->neigh && fw->fragments && fw->ct;
}

static uint32_t owner_hashed(const struct fw *fw, uint64_t hash, struct ip_addr ip)
{
	uint32_t i = table_first(&fw->owners, hash);
	while (i != NONE && !ip_eq(fw->owner[i].ip, ip))
		i = table_next(&fw->owners, i);
	return i;
}

static uint32_t owner_of(const struct fw *fw, struct ip_addr ip)
{
	return owner_hashed(fw, address_hash(fw, ip), ip);
}

uint16_t fw_port_of(const struct fw *fw, struct ip_addr ip)
{
	uint32_t slot = owner_of(fw, ip);
	return slot == NONE ? PORT_NONE : (uint16_t)(slot / FW_PORT_ADDRS_MAX);
}

bool fw_port_owns(const struct fw_port *p, struct ip_addr ip)
{
	for (uint32_t i = 0; i < p->config.addr_count; i++)
		if (ip_eq(ip, p->config.addr[i]))
			return true;
	return false;
}

bool fw_is_ours(const struct fw *fw, struct ip_addr ip)
{
	if (ip_is_zero(ip))
		return false;
	if (ip_eq(ip, fw->uplink.ip))
		return true;
	for (uint32_t i = 0; i < fw->ours_count; i++)
		if (ip_eq(ip, fw->ours[i]))
			return true;
	return false;
}

/* What packets were checked against is no more: each flow's next one goes the whole way. */
static void reconfigured(struct fw *fw)
{
	if (++fw->epoch == 0)
		fw->epoch = 1;
	fw->gateway_until_ns = 0;
	uint32_t len = fw->uplink.prefix_len, mask = len ? UINT32_MAX << (32 - (len < 32 ? len : 32)) : 0;
	fw->uplink_mask = __builtin_bswap32(mask);
	fw->uplink_net = word_load(fw->uplink.ip.b + 12) & fw->uplink_mask;
	fw->uplink_plain = ip_is_unicast(fw->uplink.ip) && !fw_is_protected(fw, fw->uplink.ip);
}

/* Which addresses a client may have: its own only, once, and none that stands for something else. */
static bool addresses_possible(const struct fw *fw, const struct fw_port_config *config)
{
	if (config->addr_count == 0 || config->addr_count > FW_PORT_ADDRS_MAX)
		return false;
	for (uint32_t i = 0; i < config->addr_count; i++) {
		struct ip_addr ip = config->addr[i];
		if (!ip_is_unicast(ip) || fw_is_ours(fw, ip) || owner_of(fw, ip) != NONE)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (ip_eq(ip, config->addr[j]))
				return false;
	}
	return true;
}

bool fw_attach(struct fw *fw, uint16_t port, const struct fw_port_config *config, uint64_t now_ns)
{
	if (port >= PORT_COUNT || fw->port[port].attached)
		return false;
	if (port != PORT_UPLINK && !addresses_possible(fw, config))
		return false;
	struct fw_port *p = &fw->port[port];
	*p = (struct fw_port){
		.config = *config, .attached = true, .up = true, .theirs = config->theirs,
		.theirs_known = !mac_eq(config->theirs, (struct mac){ { 0 } }),
		.icmp_limit = limit_of(200, 50, now_ns),
		.error_limit = limit_of(200, 50, now_ns),
	};
	for (uint32_t i = 0; port != PORT_UPLINK && i < config->addr_count; i++) {
		uint32_t slot = (uint32_t)port * FW_PORT_ADDRS_MAX + i;
		fw->owner[slot].ip = config->addr[i];
		table_insert(&fw->owners, address_hash(fw, config->addr[i]), slot);
		/* its place stays its own as long as it counts as attached */
		if (!policy_mark_attached(fw->policy, config->addr[i], true) ||
		    !policy_find(fw->policy, config->addr[i], &p->client[i]))
			p->client[i] = NONE;
	}
	reconfigured(fw);
	if (port == PORT_UPLINK)
		fw_announce(fw, port);
	return true;
}

static void drop_all(struct fw *fw, struct frame_queue *frames, uint16_t from, enum drop reason)
{
	for (struct frame *f; (f = frames_take(frames));)
		fw_drop(fw, f, from, reason);
}

/* What hangs on a port's other side: neighbours, pieces of datagrams. */
static void forget_peer(struct fw *fw, uint16_t port)
{
	struct frame_queue gone = { 0 };
	neigh_flush(fw->neigh, port, &gone);
	fragments_flush(fw->fragments, port, &gone);
	drop_all(fw, &gone, port, DROP_PORT_GONE);
}

bool fw_detach(struct fw *fw, uint16_t port)
{
	if (port >= PORT_COUNT || !fw->port[port].attached)
		return false;
	struct fw_port *p = &fw->port[port];
	forget_peer(fw, port);
	if (port != PORT_UPLINK) {
		ct_flush_port(fw->ct, port);
		cross_detached(fw, port);
		for (uint32_t i = 0; i < p->config.addr_count; i++) {
			table_remove(&fw->owners, (uint32_t)port * FW_PORT_ADDRS_MAX + i);
			policy_mark_attached(fw->policy, p->config.addr[i], false);
		}
	}
	*p = (struct fw_port){ 0 };
	if (fw->latency && fw->latency->by)
		latency_by_release(fw->latency->by, port);
	reconfigured(fw);
	return true;
}

bool fw_link(struct fw *fw, uint16_t port, bool up)
{
	if (port >= PORT_COUNT || !fw->port[port].attached)
		return false;
	if (fw->port[port].up == up)
		return true;
	fw->port[port].up = up;
	reconfigured(fw);
	if (!up)
		forget_peer(fw, port);
	else if (port == PORT_UPLINK)
		fw_announce(fw, port);
	return true;
}

void fw_set_uplink(struct fw *fw, const struct fw_uplink *uplink)
{
	bool moved = !ip_eq(fw->uplink.ip, uplink->ip);
	if (!moved && fw->uplink.prefix_len == uplink->prefix_len && ip_eq(fw->uplink.gateway, uplink->gateway))
		return;
	fw->uplink = *uplink;
	if (moved)
		for (uint32_t i = 0; (i = ct_next(fw->ct, i)) != NONE; i++)
			ct_cut(fw->ct, i);
	reconfigured(fw);
	if (fw->port[PORT_UPLINK].attached) {
		forget_peer(fw, PORT_UPLINK);
		fw_announce(fw, PORT_UPLINK);
	}
}

void fw_set_ours(struct fw *fw, const struct ip_addr *ours, uint32_t count)
{
	fw->ours_count = 0;
	for (uint32_t i = 0; i < count && fw->ours_count < FW_OURS_MAX; i++)
		if (!ip_is_zero(ours[i]))
			fw->ours[fw->ours_count++] = ours[i];
	reconfigured(fw);
}

void fw_set_protected(struct fw *fw, const struct ip_addr *ips, uint32_t count)
{
	for (uint32_t i = 0; i < fw->protected_count; i++)
		table_remove(&fw->protected_index, i);
	fw->protected_count = count < FW_PROTECTED_MAX ? count : FW_PROTECTED_MAX;
	for (uint32_t i = 0; i < fw->protected_count; i++) {
		fw->protected_ip[i] = ips[i];
		table_insert(&fw->protected_index, address_hash(fw, ips[i]), i);
	}
	reconfigured(fw);
}

static bool protected_hashed(const struct fw *fw, uint64_t hash, struct ip_addr ip)
{
	uint32_t i = table_first(&fw->protected_index, hash);
	while (i != NONE && !ip_eq(fw->protected_ip[i], ip))
		i = table_next(&fw->protected_index, i);
	return i != NONE || owner_hashed(fw, hash, ip) != NONE;
}

bool fw_is_protected(const struct fw *fw, struct ip_addr ip)
{
	return protected_hashed(fw, address_hash(fw, ip), ip);
}

bool fw_is_protected_v4(const struct fw *fw, uint32_t ip)
{
	const struct word_key *k = &fw->address_key;
	be32 v4;
	/* address_hash of the mapped address */
	uint64_t hash = word_mix(k, k->word[2] * UINT32_C(0xffff0000) + k->word[3] * ip);
	if (table_first(&fw->protected_index, hash) == NONE && table_first(&fw->owners, hash) == NONE)
		return false;
	memcpy(v4.b, &ip, sizeof(v4.b));
	return protected_hashed(fw, hash, ip_of_v4(v4));
}
