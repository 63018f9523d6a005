// SPDX-License-Identifier: ISC
/* The core of a firewall with frames to pass, and nothing around it. */
#include "corelab.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "checksum.h"

enum {
	FRAME_BYTES = 256,
	PAYLOAD_BYTES = 64,
	CLIENTS = 4,              /* one port may hold half of the table at most */
	SPORT_FIRST = 1024,
	SPORTS = 60000,
	RULES_POOL = 1 << 16,
	STEP_NS = 20000,          /* of the firewall's clock a burst: 1.6 Mpps */
};

static const struct mac FW_MAC = { { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
static const struct mac UP_MAC = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac GATEWAY_MAC = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac CLIENT_MAC = { { 2, 0, 0, 0, 1, 5 } };

_Noreturn void bench_fail(const char *what)
{
	fprintf(stderr, "core: %s\n", what);
	exit(1);
}

_Noreturn void bench_fail_dropped(const struct bench *b, const char *what)
{
	for (int d = 0; d < DROP_COUNT; d++)
		if (b->fw.drops[d])
			fprintf(stderr, "core: %s: %lu\n", drop_word((enum drop)d), b->fw.drops[d]);
	bench_fail(what);
}

uint64_t bench_clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct ip_addr client_ip(uint32_t n)
{
	return ip_v4(10, 137, 0, (uint8_t)(5 + n));
}

/* --- a firewall of its own ------------------------------------------------------ */

void bench_reclaim(struct bench *b)
{
	for (struct frame *f; (f = frames_take(&b->fw.done));) {
		b->lost++;
		frames_put(&b->free, f);
	}
	for (struct frame *f; (f = frames_take(&b->fw.tx));)
		frames_put(&b->free, f);
}

static void attach(struct bench *b, uint16_t port, struct mac ours, const struct ip_addr *ip)
{
	struct fw_port_config c = { .mtu = 1500, .ours = ours };
	if (ip) {
		c.addr_count = 1;
		c.addr[0] = *ip;
		c.theirs = CLIENT_MAC;
	}
	if (!fw_attach(&b->fw, port, &c, b->now_ns))
		bench_fail("a port is refused");
}

/* rules-1 that match nothing we send, then the one that does: the worst place. */
static void set_rules(struct bench *b, struct ip_addr client, uint32_t rules)
{
	struct parsed_rule parsed;
	struct rule_error error;
	char line[128] = "action=accept";
	policy_stage(b->policy, client, VERDICT_DROP);
	for (uint32_t n = 0; n < rules; n++) {
		if (n + 1 < rules)
			snprintf(line, sizeof(line), "action=accept dst4=203.0.%u.%u/32 proto=%s dstports=%u-%u",
				 n / 250, n % 250, n % 2 ? "udp" : "tcp", 1000 + n, 1000 + n);
		else
			snprintf(line, sizeof(line), "action=accept dst4=198.18.0.0/15");
		if (!rule_parse(line, strlen(line), false, &parsed, &error))
			bench_fail("a rule does not parse");
		parsed.rule.number = (uint16_t)n;
		policy_stage_rule(b->policy, &parsed.rule);
	}
	if (!policy_publish(b->policy))
		bench_fail("the rules do not fit");
}

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Measures from the first packet on; how long a tick is matters to nobody here. */
static void measure_latency(struct bench *b, struct arena *arena)
{
	b->fw.latency = latency_new(arena, ticks);
	if (!b->fw.latency)
		bench_fail("no room for histograms");
	b->fw.latency->scale = UINT64_C(1) << 31;
}

struct bench *bench_new(const struct bench_size *size)
{
	static const struct secret secret = { { 1, 2 }, 0 };
	const uint64_t seed[2] = { 3, 4 };
	const struct fw_sizes sizes = { size->table, 64, 32 };
	const size_t page = 2 << 20;
	struct bench *b = calloc(1, sizeof(*b));
	b->memory_bytes = (ct_bytes(size->table) + policy_bytes(64, RULES_POOL) + (8 << 20)) & ~(page - 1);
	b->memory = aligned_alloc(page, b->memory_bytes);
	if (!b->memory)
		bench_fail("no memory");
	madvise(b->memory, b->memory_bytes, size->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(b->memory, 0, b->memory_bytes);
	struct arena arena = { b->memory, b->memory_bytes };
	b->now_ns = 1000000000;
	b->flows = size->flows;
	b->nat_port = calloc(size->flows + 1, sizeof(*b->nat_port));
	uint8_t *buffers = aligned_alloc(64, FRAMES * FRAME_BYTES);
	for (int i = 0; i < FRAMES; i++) {
		b->frames[i].buffer = buffers + i * FRAME_BYTES;
		b->frames[i].room = FRAME_BYTES;
		frames_put(&b->free, &b->frames[i]);
	}
	b->policy = policy_new(&arena, &secret, 64, RULES_POOL);
	if (!b->policy || !fw_init(&b->fw, &arena, &sizes, b->policy, seed))
		bench_fail("the arena is too small");
	if (size->latency)
		measure_latency(b, &arena);
	const struct fw_uplink uplink = { ip_v4(10, 200, 0, 2), 24, ip_v4(10, 200, 0, 1) };
	struct frame_queue none = { 0 };
	fw_set_uplink(&b->fw, &uplink);
	attach(b, PORT_UPLINK, UP_MAC, NULL);
	for (uint32_t n = 0; n < CLIENTS; n++) {
		struct ip_addr ip = client_ip(n);
		attach(b, (uint16_t)(PORT_CLIENT_FIRST + n), FW_MAC, &ip);
		set_rules(b, ip, size->rules);
	}
	neigh_set(b->fw.neigh, PORT_UPLINK, uplink.gateway, GATEWAY_MAC, &none);
	fw_rules_changed(&b->fw);
	for (int i = 0; i < 64; i++)
		fw_poll(&b->fw, b->now_ns);
	bench_reclaim(b);
	return b;
}

void bench_free(struct bench *b)
{
	free(b->frames[0].buffer);
	free(b->memory);
	free(b->nat_port);
	free(b);
}

/* --- frames ------------------------------------------------------------------------- */

struct flow_name {
	uint16_t port, sport;
	struct ip_addr src, dst;
};

static struct flow_name name_of(uint32_t n)
{
	uint32_t client = n % CLIENTS, far = n / SPORTS; /* no two share a port of the translated address */
	return (struct flow_name){
		(uint16_t)(PORT_CLIENT_FIRST + client), (uint16_t)(SPORT_FIRST + n % SPORTS), client_ip(client),
		ip_v4(198, 18, (uint8_t)(far >> 8), (uint8_t)far),
	};
}

static struct frame *udp(struct bench *b, uint16_t port, struct ip_addr src, struct ip_addr dst, uint16_t sport,
			 uint16_t dport)
{
	enum { UDP_LEN = sizeof(struct udp_hdr) + PAYLOAD_BYTES };
	struct frame *f = frames_take(&b->free);
	if (!f || !frame_reset(f, ETH_BYTES + IPV4_MIN_BYTES + UDP_LEN))
		bench_fail("no frame");
	bool up = port != PORT_UPLINK;
	struct eth_hdr eth = { up ? FW_MAC : UP_MAC, up ? CLIENT_MAC : GATEWAY_MAC, be16_of(ETHERTYPE_IPV4) };
	struct ipv4_hdr ip = { 0x45, 0, be16_of(IPV4_MIN_BYTES + UDP_LEN), be16_of(1), be16_of(0), 64, PROTO_UDP,
			       be16_of(0), ip_to_v4(src), ip_to_v4(dst) };
	struct udp_hdr h = { be16_of(sport), be16_of(dport), be16_of(UDP_LEN), be16_of(0) };
	uint8_t *at = f->data + ETH_BYTES + IPV4_MIN_BYTES;
	ip.checksum = be16_of(sum_finish(sum_bytes(0, &ip, sizeof(ip))));
	memcpy(f->data, &eth, sizeof(eth));
	memcpy(f->data + ETH_BYTES, &ip, sizeof(ip));
	memcpy(at, &h, sizeof(h));
	memset(at + sizeof(h), 0x5a, PAYLOAD_BYTES);
	h.checksum = be16_of(sum_finish(sum_bytes(sum_pseudo(src, dst, PROTO_UDP, UDP_LEN), at, UDP_LEN)));
	memcpy(at, &h, sizeof(h));
	f->port = port;
	return f;
}

static struct frame *request(struct bench *b, uint32_t n)
{
	struct flow_name w = name_of(n);
	return udp(b, w.port, w.src, w.dst, w.sport, 7000);
}

void bench_establish(struct bench *b)
{
	for (uint32_t n = 0; n < b->flows; n++) {
		struct frame *f = request(b, n), *out;
		fw_input(&b->fw, &f, 1, b->now_ns);
		out = frames_take(&b->fw.tx);
		if (!out)
			bench_fail_dropped(b, "a flow does not open");
		const uint8_t *sport = out->data + ETH_BYTES + IPV4_MIN_BYTES;
		b->nat_port[n] = (uint16_t)(sport[0] << 8 | sport[1]);
		frames_put(&b->free, out);
		f = udp(b, PORT_UPLINK, name_of(n).dst, ip_v4(10, 200, 0, 2), 7000, b->nat_port[n]);
		fw_input(&b->fw, &f, 1, b->now_ns);
		if (b->fw.tx.count != 1)
			bench_fail("an answer does not come back");
		bench_reclaim(b);
	}
}

/* What is measured and nothing else: callgrind finds it by its name. */
__attribute__((noinline)) void core_burst(struct fw *fw, struct frame *burst[], uint64_t now_ns);
void core_burst(struct fw *fw, struct frame *burst[], uint64_t now_ns)
{
	fw_input(fw, burst, BURST, now_ns);
	__asm__ volatile(""); /* no jump instead of the call: callgrind would not see the end */
}

uint64_t bench_burst(struct bench *b, bool fresh)
{
	struct frame *burst[BURST];
	for (int i = 0; i < BURST; i++) {
		/* An odd step through a power of two visits every flow once, in no order a cache likes. */
		b->at = (b->at + 0x9e3779b1u) & (b->flows - 1);
		burst[i] = request(b, fresh ? b->serial++ : b->at);
	}
	b->now_ns += STEP_NS;
	uint64_t before = bench_clock_ns();
	core_burst(&b->fw, burst, b->now_ns);
	uint64_t took = bench_clock_ns() - before;
	b->sent += BURST;
	bench_reclaim(b);
	return took;
}

void bench_fill(struct bench *b)
{
	while (!ct_stats(b->fw.ct)->evicted) {
		struct frame *f = request(b, b->serial++);
		fw_input(&b->fw, &f, 1, b->now_ns);
		bench_reclaim(b);
	}
}
