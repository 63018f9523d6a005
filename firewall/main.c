// SPDX-License-Identifier: ISC
/* Boot order and the loop: the only file of the core that sees a platform. */
#include <bearssl.h>

#include "events.h"
#include "fakeip_frame.h"
#include "fw.h"
#include "operator.h"
#include "platform.h"
#include "qdb_names.h"
#include "qdb_tree.h"
#include "resolver.h"
#include "storelink.h"
#include "told.h"
#include "watch.h"

enum {
	SEED_BYTES = 48,
	LOG_LINE_BYTES = 256,
	RULES_PER_MIB = 456,   /* of guest memory: the pool of rules in force, and the store's mirror */
	RULES_MAX = 262144,
	CLIENTS_PER_MIB = 24,  /* addresses that have rules, attached or not: twice the ports in 32 MiB */
	CLIENTS_LEAST = PORT_COUNT + 64,
	WAITING_MAX = 16,
};

static struct {
	const struct platform *platform;
	struct fw fw;
	struct policy *policy;
	struct secret secret; /* of the tables that are not fw's */
	struct names *names;
	struct resolver *resolver;
	struct storelink store;
	struct qdb_names dns; /* what the host is told of names */
	struct config config;
	struct fakeip_ports fakeip;
	struct platform_event waiting[WAITING_MAX]; /* clients whose address another one has */
	uint32_t waiting_count;
	struct fw_uplink attached_uplink; /* as the host described it; zero ip: the store says */
	struct operator operator;
	struct status_facts facts;
	uint64_t generation; /* the newest the flows were told of */
	bool shutdown;
} self;

static void log_text(const char *line, size_t len)
{
	self.platform->log(line, len);
}

static void log_line(const char *line)
{
	size_t len = 0;
	while (line[len])
		len++;
	log_text(line, len);
}

static void log_sink(void *unused, const char *line, size_t len)
{
	(void)unused;
	log_text(line, len);
	told_line(&self.fw, line, len, "generation", self.platform->now_ns());
}

static void log_name(const char *line, size_t len)
{
	log_text(line, len);
	told_line(&self.fw, line, len, "name", self.platform->now_ns());
}

/* --- boot -------------------------------------------------------------------------- */

static void draw_secrets(uint64_t fw_seed[2])
{
	uint8_t seed[SEED_BYTES];
	br_hmac_drbg_context drbg;
	self.platform->entropy(seed, sizeof(seed));
	br_hmac_drbg_init(&drbg, &br_sha256_vtable, seed, sizeof(seed));
	br_hmac_drbg_generate(&drbg, self.secret.key, sizeof(self.secret.key));
	br_hmac_drbg_generate(&drbg, fw_seed, 2 * sizeof(fw_seed[0]));
	memset(seed, 0, sizeof(seed));
	memset(&drbg, 0, sizeof(drbg));
}

static uint32_t between(uint32_t least, uint32_t wanted, uint32_t most)
{
	return wanted < least ? least : wanted > most ? most : wanted;
}

static size_t store_read(void *bytes, size_t len)
{
	return self.platform->read(CHANNEL_STORE, bytes, len);
}

static size_t store_write(const void *bytes, size_t len)
{
	return self.platform->write(CHANNEL_STORE, bytes, len);
}

static void boot(const struct platform *platform)
{
	uint64_t seed[2];
	struct arena *arena = platform->memory();
	self.platform = platform;
	draw_secrets(seed);
	uint32_t mib = (uint32_t)(arena->left >> 20);
	uint32_t rules = between(RULES_PER_MIB, mib * RULES_PER_MIB, RULES_MAX);
	uint32_t clients = between(CLIENTS_LEAST, mib * CLIENTS_PER_MIB, POLICY_CLIENTS_MAX);
	self.policy = policy_new(arena, &self.secret, clients, rules);
	self.names = names_new(arena, &self.secret, log_name);
	self.resolver = self.names ? resolver_new(arena, &self.fw, self.names) : NULL;
	if (!self.policy || !self.resolver)
		panic("not enough memory");
	policy_set_hosts(self.policy, names_hosts(self.names));
	config_init(&self.config);
	self.store = (struct storelink){ .qdb = qdb_new(arena), .read = store_read, .write = store_write,
					 .reset = platform->reset_store };
	if (self.store.qdb)
		self.store.tree = qdb_tree_new(arena, &self.secret, clients, rules, self.store.qdb, self.policy, &self.config,
					 (struct log_sink){ .log = log_sink });
	struct latency *latency = latency_new(arena, platform->ticks);
	struct watch *watch = watch_new(arena);
	struct events *events = events_new(arena, random_next(&self.secret), platform->now_ns());
	struct fw_sizes sizes = fw_sizes_for(arena->left);
	if (!self.store.tree || sizes.flows == 0 || !fw_init(&self.fw, arena, &sizes, self.policy, seed))
		panic("not enough memory");
	self.fw.latency = latency;
	self.fw.watch = watch;
	self.fw.events = events;
	self.fw.resolver = self.resolver;
	self.dns.qdb = self.store.qdb;
	self.dns.policy = self.policy;
	operator_open(&self.operator);
	self.facts = (struct status_facts){
		.platform = platform->name, .store = "down", .started_ns = platform->now_ns(),
		.counters = platform->status,
	};
	char buffer[LOG_LINE_BYTES];
	struct text t = text_on(buffer);
	text_put(&t, "postern on ");
	text_put(&t, platform->name);
	text_put(&t, ": room for ");
	text_u64(&t, sizes.flows);
	text_put(&t, " flows, ");
	text_u64(&t, rules);
	text_put(&t, " rules");
	log_text(buffer, t.len);
	told_start(&self.fw, platform->name, platform->now_ns());
}

/* --- configuration ------------------------------------------------------------------- */

static void map(uint16_t port, struct ip_addr real)
{
	const struct fakeip_ours ours = { .gateway = self.config.netvm_gateway, .uplink = self.fw.uplink.ip };
	fakeip_attach(&self.fakeip, &self.config.fakeip, port, real, &ours);
	if (self.platform->told && port < PORT_COUNT)
		self.platform->told(port, self.fakeip.port[port].visible);
}

/* What the host said of the uplink wins over the store's keys. */
static void apply_config(void)
{
	const struct config *c = &self.config;
	struct fw_uplink uplink = self.attached_uplink;
	if (ip_is_zero(uplink.ip)) {
		uplink.ip = c->ip;
		uplink.prefix_len = c->prefix_len;
	}
	if (ip_is_zero(uplink.gateway))
		uplink.gateway = c->gateway;
	fw_set_uplink(&self.fw, &uplink);
	fw_set_ours(&self.fw, &c->netvm_gateway, 1);
	fw_set_protected(&self.fw, c->connected, c->connected_count);
	resolver_set_servers(self.resolver, c->dns, array_len(c->dns));
	for (uint16_t port = PORT_CLIENT_FIRST; port < PORT_COUNT; port++)
		map(port, self.fakeip.port[port].real);
	if (c->seed_len > 0) {
		random_stir(&self.fw.secret, c->seed, c->seed_len);
		memset(self.config.seed, 0, sizeof(self.config.seed));
		self.config.seed_len = 0;
	}
}

static void log_port(const struct platform_event *e, const char *what)
{
	char buffer[LOG_LINE_BYTES];
	struct text t = text_on(buffer);
	text_put(&t, e->port == PORT_UPLINK ? "uplink" : "client port ");
	if (e->port != PORT_UPLINK)
		text_u64(&t, e->port);
	if (e->kind == EVENT_PORT_ATTACHED) {
		text_char(&t, ' ');
		text_put(&t, e->name);
		for (uint32_t i = 0; i < e->addr_count; i++) {
			text_char(&t, ' ');
			text_ip(&t, e->addr[i]);
		}
	}
	text_put(&t, what);
	log_text(buffer, t.len);
}

static bool attach_port(const struct platform_event *e)
{
	struct fw_port_config config = { .mtu = e->mtu, .ours = e->ours, .theirs = e->theirs };
	_Static_assert(sizeof(config.name) == sizeof(e->name), "one kind of name");
	memcpy(config.name, e->name, sizeof(config.name));
	config.name[sizeof(config.name) - 1] = 0;
	config.addr_count = e->addr_count < FW_PORT_ADDRS_MAX ? e->addr_count : FW_PORT_ADDRS_MAX;
	memcpy(config.addr, e->addr, config.addr_count * sizeof(config.addr[0]));
	if (!fw_attach(&self.fw, e->port, &config, self.platform->now_ns()))
		return false;
	if (config.addr_count > 0)
		map(e->port, config.addr[0]);
	return true;
}

static void attach(const struct platform_event *e)
{
	if (e->port == PORT_UPLINK) {
		self.attached_uplink = (struct fw_uplink){ .prefix_len = e->prefix_len, .gateway = e->gateway };
		if (e->addr_count > 0)
			self.attached_uplink.ip = e->addr[0];
		apply_config();
	}
	bool ok = attach_port(e);
	if (!ok && e->port != PORT_UPLINK && self.waiting_count < WAITING_MAX)
		self.waiting[self.waiting_count++] = *e;
	told_port(&self.fw, e->port, ok ? "attached" : "refused", self.platform->now_ns());
	log_port(e, ok ? ": attached" : ": refused, its address is taken or cannot be a client's");
}

/* A port is gone, and an address with it: one that waited may have it. */
static void attach_waiting(uint16_t gone)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < self.waiting_count; i++) {
		const struct platform_event e = self.waiting[i];
		if (e.port == gone)
			continue;
		if (!attach_port(&e)) {
			self.waiting[kept++] = e;
			continue;
		}
		told_port(&self.fw, e.port, "attached", self.platform->now_ns());
		log_port(&e, ": attached");
	}
	self.waiting_count = kept;
}

static void handle(const struct platform_event *e)
{
	switch (e->kind) {
	case EVENT_PORT_ATTACHED:
		attach(e);
		return;
	case EVENT_PORT_DETACHED:
		told_port(&self.fw, e->port, "detached", self.platform->now_ns());
		fw_detach(&self.fw, e->port);
		map(e->port, (struct ip_addr){ { 0 } });
		log_port(e, ": detached");
		attach_waiting(e->port);
		return;
	case EVENT_LINK_UP:
	case EVENT_LINK_DOWN:
		fw_link(&self.fw, e->port, e->kind == EVENT_LINK_UP);
		told_port(&self.fw, e->port, e->kind == EVENT_LINK_UP ? "link-up" : "link-down", self.platform->now_ns());
		log_port(e, e->kind == EVENT_LINK_UP ? ": link up" : ": link down");
		return;
	case EVENT_CHANNEL_OPEN:
		if (e->channel == CHANNEL_STORE) {
			qdb_opened(self.store.qdb);
			qdb_names_forget(&self.dns);
			return;
		}
		operator_open(&self.operator);
		return;
	case EVENT_CHANNEL_CLOSED:
		if (e->channel == CHANNEL_STORE)
			qdb_closed(self.store.qdb);
		return;
	case EVENT_SHUTDOWN:
		self.shutdown = true;
		return;
	case EVENT_NONE:
		return;
	}
}

/* --- the store ------------------------------------------------------------------------ */

/* True when more may be waiting. */
static bool store_round(void)
{
	uint64_t now_ns = self.platform->now_ns(), confirm_by;
	bool more = storelink_round(&self.store, now_ns, self.platform->wall_ns());
	self.facts.store = storelink_word(&self.store);
	told_store(&self.fw, self.facts.store, now_ns);
	uint64_t generation = qdb_tree_generation(self.store.tree, &confirm_by);
	told_generation(&self.fw, generation, confirm_by != 0, now_ns);
	if (self.config.changed) {
		self.config.changed = false;
		apply_config();
	}
	return more;
}

/* Names that are due, and rules whose names have moved; then flows and the host are told. True: there is more to tell. */
static bool names_round(uint64_t now_ns)
{
	uint64_t bit[NAMES_WORDS];
	if (resolver_deadline(self.resolver) <= now_ns)
		resolver_poll(self.resolver, now_ns);
	if (names_changed(self.names, bit))
		policy_hosts_changed(self.policy, bit);
	uint64_t generation = policy_latest(self.policy);
	if (generation != self.generation) {
		self.generation = generation;
		fw_rules_changed(&self.fw);
		told_clients(&self.fw, now_ns);
	}
	bool more = qdb_names_poll(&self.dns);
	const uint8_t *left;
	storelink_send(&self.store);
	return more && qdb_peek(self.store.qdb, &left) == 0;
}

/* --- the operator ---------------------------------------------------------------------- */

static size_t control_read(void *bytes, size_t len)
{
	return self.platform->read(CHANNEL_CONTROL, bytes, len);
}

static size_t control_write(const void *bytes, size_t len)
{
	return self.platform->write(CHANNEL_CONTROL, bytes, len);
}

/* The store need not be alive for that. */
static bool confirm(void)
{
	bool done = qdb_tree_confirm(self.store.tree);
	qdb_tree_poll(self.store.tree);
	storelink_send(&self.store);
	return done;
}

static bool ask(const char *words, size_t len, const char **error)
{
	if (!qdb_tree_ask(self.store.tree, words, len, error))
		return false;
	qdb_tree_poll(self.store.tree);
	storelink_send(&self.store);
	return true;
}

/* True when the answer goes on. */
static bool control_round(void)
{
	static const struct operator_io io = { .read = control_read, .write = control_write, .confirm = confirm,
					       .ask = ask };
	self.facts.now_ns = self.platform->now_ns();
	self.facts.unix_ns = self.platform->wall_ns();
	self.facts.generation = qdb_tree_generation(self.store.tree, &self.facts.confirm_by_ns);
	return operator_round(&self.operator, &io, &self.fw, &self.facts, self.facts.now_ns);
}

/* --- the loop ---------------------------------------------------------------------------- */

static void flush(void)
{
	struct fw *fw = &self.fw;
	if (fw->tx.count) {
		fakeip_out(&self.fakeip, &fw->tx);
		self.platform->tx(&fw->tx);
	}
	if (fw->done.count)
		self.platform->give(&fw->done);
	while (fw->spare.count < FW_SPARE_FRAMES) {
		struct frame *f = self.platform->frame();
		if (!f)
			return;
		frames_put(&fw->spare, f);
	}
}

/* What the host says of its own part in the time that packets take. */
static void host_times(uint32_t received)
{
	uint64_t ticks;
	if (received && self.platform->rx_ticks)
		latency_arrived(self.fw.latency, self.platform->rx_ticks(), received);
	for (uint32_t n; self.platform->tx_ticks && (n = self.platform->tx_ticks(&ticks)) != 0;)
		latency_written(self.fw.latency, ticks, n);
}

/* Packets, until a burst comes that is not full. */
static void packets_round(void)
{
	struct frame *burst[PLATFORM_BURST_MAX];
	size_t n = self.platform->rx(burst, PLATFORM_BURST_MAX);
	if (n) {
		fakeip_in(&self.fakeip, burst, n);
		fw_input(&self.fw, burst, n, self.platform->now_ns());
	}
	uint32_t sent = n ? self.fw.tx.count : 0;
	flush();
	latency_published(self.fw.latency, sent);
	host_times((uint32_t)n);
}

_Noreturn void postern_main(const struct platform *platform)
{
	boot(platform);
	while (!self.shutdown) {
		struct platform_event e;
		while (platform->event(&e))
			handle(&e);
		flush();
		packets_round();
		bool busy = store_round();
		busy |= control_round();
		uint64_t now = platform->now_ns();
		latency_calibrate(self.fw.latency, now);
		busy |= names_round(now);
		if (fw_deadline(&self.fw) <= now)
			fw_poll(&self.fw, now);
		flush();
		uint64_t deadline = fw_deadline(&self.fw), names = resolver_deadline(self.resolver);
		uint64_t confirm_by = qdb_tree_deadline(self.store.tree), store = storelink_deadline(&self.store);
		deadline = names < deadline ? names : deadline;
		deadline = store < deadline ? store : deadline;
		platform->wait(busy || self.shutdown ? 0 : confirm_by < deadline ? confirm_by : deadline);
	}
	log_line("shut down");
	platform->exit(0);
}
